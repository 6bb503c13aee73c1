"""The demonstration store against reading everything again."""

import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from imitation.algorithms.dagger import store
from imitation.data import rollout, serialize, types
from imitation.data.storage import episode_files
from imitation.errors import ArtifactError, DataError

OBS_SPACE = gym.spaces.Box(-1, 1, shape=(3,), dtype=np.float32)
DICT_SPACE = gym.spaces.Dict(
    {"a": OBS_SPACE, "img": gym.spaces.Box(0, 255, (2, 2, 1), np.uint8)}
)
ACT_SPACE = gym.spaces.Discrete(4)


def make_episode(
    rng: Any, length: Any, as_dict: bool = False, acts_dtype: Any = np.int64
) -> types.TrajectoryWithRew:
    obs = rng.uniform(-1, 1, size=(length + 1, 3)).astype(np.float32)
    if as_dict:
        image = rng.integers(0, 256, size=(length + 1, 2, 2, 1), dtype=np.uint8)
        obs = types.DictObs({"img": image, "a": obs})
    acts = rng.integers(0, 4, size=length).astype(acts_dtype)
    return types.TrajectoryWithRew(obs, acts, None, True, np.ones(length))


def make_store(
    tmp_path: pathlib.Path, as_dict: bool = False
) -> store.DemonstrationStore:
    space = DICT_SPACE if as_dict else OBS_SPACE
    return store.DemonstrationStore(tmp_path, space, ACT_SPACE)


@pytest.mark.parametrize("as_dict", [False, True])
def test_incremental_equals_flattening_everything(
    tmp_path: pathlib.Path, as_dict: bool
) -> None:
    rng = np.random.default_rng(0)
    demos = make_store(tmp_path, as_dict)
    everything = []
    for round_num in range(5):
        for i in range(int(rng.integers(1, 4))):
            episode = make_episode(rng, int(rng.integers(1, 9)), as_dict)
            path = demos.round_dir(round_num) / f"dagger-demo-{i:04d}-x.npz"
            episode_files.write_episode(path, episode)
            everything.append(episode)
        added = demos.load_new(round_num)
        expected = rollout.flatten_trajectories(everything)
        found = demos.transitions()
        assert added > 0 and len(found) == len(expected) == len(demos)
        np.testing.assert_array_equal(found.acts, expected.acts)
        assert found.obs.dtype == expected.obs.dtype
        if as_dict:
            assert found.obs == expected.obs
        else:
            np.testing.assert_array_equal(found.obs, expected.obs)
        assert all(info == {} for info in found.infos)
        assert demos.load_new(round_num) == 0


def test_each_file_is_read_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    demos = make_store(tmp_path)
    reads: Any = []
    original = episode_files.read_episode
    monkeypatch.setattr(
        episode_files, "read_episode", lambda path: reads.append(path) or original(path)
    )
    for round_num in range(4):
        path = demos.round_dir(round_num) / "dagger-demo-0000-x.npz"
        episode_files.write_episode(path, make_episode(rng, 5))
        demos.load_new(round_num)
    assert len(reads) == len(set(reads)) == 4


def test_transitions_are_views(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    demos = make_store(tmp_path)
    episode_files.write_episode(
        demos.round_dir(0) / "dagger-demo-0-x.npz", make_episode(rng, 5)
    )
    demos.load_new(0)
    first: Any
    first, second = demos.transitions(), demos.transitions()
    assert np.shares_memory(first.obs, second.obs)
    assert np.shares_memory(first.acts, second.acts)
    assert not first.obs.flags.writeable


def test_reads_what_the_user_saved(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    demos = make_store(tmp_path)
    mine = [make_episode(rng, 4), make_episode(rng, 6)]
    serialize.save(demos.round_dir(0) / "mine", mine)
    collected = make_episode(rng, 5)
    episode_files.write_episode(demos.round_dir(0) / "dagger-demo-0-x.npz", collected)
    (demos.round_dir(0) / "notes.txt").write_text("not a demonstration")
    (demos.round_dir(0) / ".dagger-demo-1.npz.0123456789ab.tmp").write_bytes(b"PK")
    assert demos.load_new(0) == 15
    expected = rollout.flatten_trajectories([collected, *mine])
    np.testing.assert_array_equal(demos.transitions().obs, expected.obs)
    np.testing.assert_array_equal(demos.transitions().acts, expected.acts)


def test_serialize_reads_our_episodes(tmp_path: pathlib.Path) -> None:
    episode = make_episode(np.random.default_rng(0), 4)
    path = tmp_path / "dagger-demo-0-x.npz"
    episode_files.write_episode(path, episode)
    assert list(serialize.load(path)) == [episode]
    assert list(serialize.load_with_rewards(path)) == [episode]


def test_wider_dtypes_are_narrowed_to_the_space(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    demos = make_store(tmp_path)
    episode: Any = make_episode(rng, 3, acts_dtype=np.int32)
    wide = types.Trajectory(episode.obs.astype(np.float64), episode.acts, None, True)
    episode_files.write_episode(demos.round_dir(0) / "dagger-demo-0-x.npz", wide)
    demos.load_new(0)
    assert demos.transitions().obs.dtype == np.float32
    assert demos.transitions().acts.dtype == np.int64
    np.testing.assert_array_equal(demos.transitions().obs, episode.obs[:-1])


OBS = np.zeros((3, 3), np.float32)
MALFORMED = {
    "another observation shape": (
        np.zeros((3, 4), np.float32),
        np.zeros(2, int),
        "shape",
    ),
    "another action shape": (OBS, np.zeros((2, 2), int), r"acts has entries of shape"),
    "float actions": (OBS, np.zeros(2), "acts has dtype float64"),
    "dictionary observations": (types.DictObs({"a": OBS}), np.zeros(2, int), "keys"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_episode_that_does_not_fit_names_file_and_adds_nothing(
    tmp_path: pathlib.Path, name: Any
) -> None:
    obs: Any
    obs, acts, message = MALFORMED[name]
    demos = make_store(tmp_path)
    path = demos.round_dir(0) / "dagger-demo-0-x.npz"
    episode_files.write_episode(path, types.Trajectory(obs, acts, None, True))
    with pytest.raises(DataError, match=message) as caught:
        demos.load_new(0)
    assert str(path) in str(caught.value)
    assert len(demos) == 0


def test_damaged_file_is_named(tmp_path: pathlib.Path) -> None:
    demos = make_store(tmp_path)
    path = demos.round_dir(0) / "dagger-demo-0-x.npz"
    episode_files.write_episode(path, make_episode(np.random.default_rng(0), 4))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ArtifactError, match="not a complete episode file") as caught:
        demos.load_new(0)
    assert str(path) in str(caught.value)


def test_empty_directory_has_no_files(tmp_path: pathlib.Path) -> None:
    demos = make_store(tmp_path)
    assert demos.files(0) == [] and demos.load_new(0) == 0
