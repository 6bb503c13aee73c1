"""Every way of bringing demonstrations, against the same episodes."""

import builtins
import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import datasets
import gymnasium as gym
import h5py
import minari
import numpy as np
import pytest

from imitation.data import importers, serialize, types
from imitation.errors import MissingExtraError

LENGTHS = (3, 1, 12)


@pytest.fixture(autouse=True)
def _own_minari_storage(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


@pytest.fixture(params=["array", "dict"])
def episodes(request: pytest.FixtureRequest) -> list[types.TrajectoryWithRew]:
    rng = np.random.default_rng(0)
    result = []
    for length in LENGTHS:
        obs: Any = rng.random((length + 1, 2)).astype(np.float32)
        if request.param == "dict":
            frames = rng.integers(0, 255, (length + 1, 8, 8, 3), dtype=np.uint8)
            obs = types.DictObs({"image": frames, "state": obs})
        acts = rng.random((length, 2))
        rews = rng.random(length).astype(np.float32)
        # One of them is cut by a time limit.
        episode = types.TrajectoryWithRew(
            obs, acts, None, True, rews, truncated=length == 1
        )
        result.append(episode)
    return result


def flat(episodes: Any) -> Any:
    """All steps end to end, named as in D4RL."""
    obs = [types.maybe_wrap_in_dictobs(e.obs) for e in episodes]
    last = np.cumsum(LENGTHS) - 1
    terminals, timeouts = np.zeros(sum(LENGTHS), bool), np.zeros(sum(LENGTHS), bool)
    terminals[last] = [e.terminated for e in episodes]
    timeouts[last] = [e.truncated for e in episodes]
    data = {
        "actions": np.concatenate([e.acts for e in episodes]),
        "rewards": np.concatenate([e.rews for e in episodes]),
        "terminals": terminals,
        "timeouts": timeouts,
    }
    for name, steps in (
        ("observations", slice(None, -1)),
        ("next_observations", slice(1, None)),
    ):
        parts = types.concatenate_maybe_dictobs([o[steps] for o in obs])
        if isinstance(parts, types.DictObs):
            data |= {f"{name}/{key}": value for key, value in parts.items()}
        else:
            data[name] = parts
    return data


def write_robomimic(
    path: Any, episodes: Any, *, next_obs: bool = True, mask: Any = None
) -> None:
    with h5py.File(path, "w") as file:
        # Shuffled, and numbered so that text order differs from the order of numbers.
        for i in (2, 0, 1):
            episode, demo = episodes[i], file.create_group(f"data/demo_{9 + i}")
            parts = {"obs": episode.obs[:-1], "next_obs": episode.obs[1:]}
            for name, value in parts.items():
                if name == "next_obs" and not next_obs:
                    continue
                if isinstance(value, types.DictObs):
                    for key, array in value.items():
                        demo[f"{name}/{key}"] = array
                else:
                    demo[name] = value
            demo["actions"], demo["rewards"] = episode.acts, episode.rews
            is_last = np.eye(len(episode), dtype=int)[-1]
            demo["dones"] = is_last * int(episode.terminated)
            demo["truncated"] = is_last * int(episode.truncated)
            demo["states"] = np.zeros(len(episode))
        if mask:
            file["mask/train"] = [name.encode() for name in mask]


def check_equal(loaded: Any, episodes: Any) -> None:
    assert list(loaded) == episodes
    for one, other in zip(loaded, episodes, strict=True):
        assert one.obs.dtype == other.obs.dtype
        assert (one.acts.dtype, one.rews.dtype) == (other.acts.dtype, other.rews.dtype)


def same(one: Any, other: Any) -> bool:
    return (
        one == other if isinstance(one, types.DictObs) else np.array_equal(one, other)
    )


def test_list_of_episodes(episodes: Any) -> None:
    obs = [types.maybe_unwrap_dictobs(e.obs) for e in episodes]
    columns: dict[str, Any] = {
        "acts": [e.acts for e in episodes],
        "rews": [e.rews for e in episodes],
        "dones": [e.terminal for e in episodes],
        "timeouts": [e.truncated for e in episodes],
    }
    check_equal(importers.from_arrays(obs, **columns), episodes)
    # The same with T observations and the next ones.
    cut = [e.obs[:-1] for e in episodes]
    after = [e.obs[1:] for e in episodes]
    check_equal(importers.from_arrays(cut, **columns, next_obs=after), episodes)


def test_mapping_end_to_end(episodes: Any) -> None:
    check_equal(importers.from_mapping(flat(episodes)), episodes)


def test_npz(tmp_path: pathlib.Path, episodes: Any) -> None:
    np.savez_compressed(tmp_path / "a.npz", **flat(episodes))
    check_equal(importers.from_npz(tmp_path / "a.npz"), episodes)
    check_equal(importers.import_trajectories(tmp_path / "a.npz"), episodes)


def test_flat_hdf5(tmp_path: pathlib.Path, episodes: Any) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for key, value in flat(episodes).items():
            file[key] = value
        file["metadata/algorithm"] = "none"
    check_equal(importers.import_trajectories(tmp_path / "a.hdf5"), episodes)


def test_robomimic(tmp_path: pathlib.Path, episodes: Any) -> None:
    write_robomimic(tmp_path / "a.hdf5", episodes, mask=["demo_11", "demo_9"])
    check_equal(importers.import_trajectories(str(tmp_path / "a.hdf5")), episodes)
    check_equal(
        importers.from_hdf5(tmp_path / "a.hdf5", mask="train"),
        [episodes[0], episodes[2]],
    )


def test_robomimic_without_the_last_observation(
    tmp_path: pathlib.Path, episodes: Any
) -> None:
    write_robomimic(tmp_path / "a.hdf5", episodes[-1:] * 3, next_obs=False)
    repeated = importers.from_hdf5(tmp_path / "a.hdf5", final_obs="repeat")[0]
    assert len(repeated) == LENGTHS[-1]
    assert repeated.terminal
    assert same(repeated.obs, episodes[-1].obs[[*range(LENGTHS[-1]), -2]])
    dropped: Any = importers.from_hdf5(tmp_path / "a.hdf5", final_obs="drop")[0]
    assert len(dropped) == len(dropped.rews) == LENGTHS[-1] - 1
    assert not dropped.terminal
    assert same(dropped.obs, episodes[-1].obs[:-1])


def test_minari_round_trip(episodes: Any) -> None:
    path = importers.export_minari(episodes, "my/set-v0", description="a set")
    check_equal(importers.import_trajectories("my/set-v0"), episodes)
    check_equal(importers.from_minari(path), episodes)
    check_equal(importers.import_trajectories(path), episodes)
    dataset = minari.load_dataset("my/set-v0")
    assert dataset.total_steps == sum(LENGTHS)
    assert isinstance(dataset.action_space, gym.spaces.Box)


@pytest.mark.parametrize("dtype", ["i4", "i8", "u1"])
def test_minari_discrete_actions_and_images(dtype: str) -> None:
    frames = np.arange(3 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 8, 8, 3)
    acts = np.array([0, 4], dtype)
    episode = types.TrajectoryWithRew(frames, acts, None, False, np.zeros(2))
    importers.export_minari([episode, episode], "set-v0")
    # Images come back exactly: Minari's default would be lossy.
    check_equal(importers.from_minari("set-v0"), [episode, episode])
    assert minari.load_dataset("set-v0").action_space.n == 5


def test_minari_with_an_environment() -> None:
    obs, acts = np.zeros((3, 4), np.float32), np.array([0, 1])
    episode = types.TrajectoryWithRew(obs, acts, None, True, np.ones(2))
    importers.export_minari([episode], "cart-v0", env="CartPole-v1")
    dataset = minari.load_dataset("cart-v0")
    assert dataset.env_spec.id == "CartPole-v1"
    check_equal(importers.from_minari("cart-v0"), [episode])


def test_huggingface_directories(tmp_path: pathlib.Path, episodes: Any) -> None:
    serialize.save(tmp_path / "set", episodes)
    check_equal(importers.import_trajectories(tmp_path / "set"), episodes)
    dataset = datasets.load_from_disk(str(tmp_path / "set"))
    for names in (["train"], ["train", "test"]):
        path = tmp_path / "-".join(names)
        datasets.DatasetDict(dict.fromkeys(names, dataset)).save_to_disk(str(path))
        check_equal(importers.import_trajectories(path, split="train"), episodes)
    check_equal(importers.import_trajectories(tmp_path / "train"), episodes)


def test_legacy_files_need_permission(tmp_path: pathlib.Path, episodes: Any) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(episodes))
    with pytest.raises(ValueError, match="can run any code"):
        importers.import_trajectories(tmp_path / "a.pkl")
    with pytest.warns(DeprecationWarning):
        loaded = importers.import_trajectories(tmp_path / "a.pkl", allow_pickle=True)
    check_equal(loaded, episodes)


def test_streams_are_lazy(tmp_path: pathlib.Path, episodes: Any) -> None:
    write_robomimic(tmp_path / "a.hdf5", episodes)
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        del file["data/demo_11/actions"]
    stream = importers.stream_trajectories(tmp_path / "a.hdf5")
    assert [next(stream), next(stream)] == episodes[:2]
    with pytest.raises(ValueError, match="demo_11: it has no actions"):
        next(stream)


@pytest.mark.parametrize(
    ("ends", "lengths", "kinds"),  # d: terminated, t: truncated, -: unfinished
    [
        ({"dones": [0, 0, 1, 0, 1]}, [3, 2], "dd"),
        ({"dones": [[0], [0], [1], [0], [0]]}, [3, 2], "d-"),
        ({"timeouts": [False, True, False, False, True]}, [2, 3], "tt"),
        ({"dones": [0, 1, 0, 0, 0], "timeouts": [0.0, 0, 0, 1, 0]}, [2, 2, 1], "dt-"),
        # An episode has ended where it was cut: dones may say so or not.
        ({"dones": [0, 1, 0, 0, 1], "timeouts": [0, 1, 0, 0, 0]}, [2, 3], "td"),
        ({"episode_ends": [2, 5]}, [2, 3], "dd"),
        ({"episode_ends": [2, 5], "dones": [0, 1, 0, 0, 0]}, [2, 3], "d-"),
        ({"episode_ends": [2, 5], "timeouts": [0, 1, 0, 0, 0]}, [2, 3], "td"),
        ({"episode_starts": [True, False, False, True, False]}, [3, 2], "dd"),
    ],
)
def test_where_episodes_end(
    ends: dict[str, Any], lengths: list[int], kinds: str
) -> None:
    obs, acts = np.arange(5.0), np.arange(5)
    ends = {key: np.array(value) for key, value in ends.items()}
    result = importers.from_arrays(obs, acts, next_obs=obs + 1, **ends)
    assert [len(trajectory) for trajectory in result] == lengths
    assert [trajectory.terminal for trajectory in result] == [k != "-" for k in kinds]
    assert [trajectory.truncated for trajectory in result] == [k == "t" for k in kinds]
    np.testing.assert_array_equal(np.concatenate([t.acts for t in result]), acts)
    for trajectory in result:
        np.testing.assert_array_equal(np.diff(np.asarray(trajectory.obs)), 1)


@pytest.mark.parametrize(
    ("name", "is_truncated"),
    [("dones", True), ("terminals", False), ("terminations", False)],
)
def test_a_step_that_ends_in_both_ways(name: str, is_truncated: bool) -> None:
    """Terminating counts, but dones does not say that the episode terminated."""
    obs, both = np.arange(3.0), np.array([False, False, True])
    data = {"obs": obs, "acts": obs, "next_obs": obs, name: both, "truncations": both}
    (episode,) = importers.from_mapping(data)
    assert episode.terminal and episode.truncated == is_truncated


def test_integer_rewards_become_floats() -> None:
    episode: Any
    (episode,) = importers.from_arrays([np.zeros(3)], [np.zeros(2)], [[1, 0]])
    assert episode.rews.dtype == np.float64


def test_without_rewards() -> None:
    (episode,) = importers.from_arrays([np.zeros(3)], [np.zeros(2)])
    assert type(episode) is types.Trajectory


@pytest.mark.parametrize(
    ("package", "extra", "read"),
    [
        ("h5py", "hdf5", lambda: importers.from_hdf5("a.hdf5")),
        ("minari", "minari", lambda: importers.from_minari("a-v0")),
        ("minari", "minari", lambda: importers.export_minari([EPISODE], "a-v0")),
    ],
)
def test_missing_extra(
    monkeypatch: pytest.MonkeyPatch, package: str, extra: str, read: Callable[..., Any]
) -> None:
    # Removing an installed package is out of reach, so its import fails instead.
    original = builtins.__import__

    def failing(name: Any, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(name=package)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", failing)
    monkeypatch.setattr("importlib.import_module", failing)
    with pytest.raises(MissingExtraError, match=rf"pip install 'imitation\[{extra}\]'"):
        read()


EPISODE: types.TrajectoryWithRew = types.TrajectoryWithRew(
    np.zeros(2), np.zeros(1), None, True, np.zeros(1)
)


def test_nothing_is_left_behind_by_a_failed_export(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*args: Any, **kwargs: Any) -> None:
        raise OSError("No space left on device")

    # A full disk is out of reach.
    monkeypatch.setattr("h5py.Group.create_dataset", full_disk)
    with pytest.raises(OSError, match="No space left"):
        importers.export_minari([EPISODE], "set-v0")
    assert not (tmp_path / "minari" / "set-v0").exists()
