"""Truncated is not terminated: from the step of an environment to every file and back.

Of three kinds of trajectories, two have ended (``terminal``): a terminated episode, and
a truncated one. An unfinished fragment is neither terminated nor truncated.
"""

import dataclasses
import itertools
import pathlib
import pickle
from collections.abc import Callable, Sequence
from typing import Any, Literal

import datasets
import gymnasium as gym
import h5py
import numpy as np
import pyarrow as pa
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from imitation.data import (
    buffer,
    flatten,
    huggingface_utils,
    importers,
    loader,
    rollout,
    serialize,
    tree,
    types,
    wrappers,
)
from imitation.data.storage import episode_files
from imitation.errors import DataError

Kind = Literal["terminated", "truncated", "fragment"]
Trajectories = Sequence[types.Trajectory]
KINDS: tuple[Kind, ...] = ("terminated", "truncated", "fragment")
OBSERVATIONS = ("box", "dict", "image")


def make_obs(kind: str, n: int) -> types.Observation:
    state = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    image = np.arange(n, dtype=np.uint8)[:, None, None, None] + np.zeros(
        (8, 8, 3), np.uint8
    )
    match kind:
        case "box":
            return state
        case "image":
            return image
    return types.DictObs({"image": image, "state": state})


def make(kind: Kind, obs: str, n: int = 3, **changes: object) -> types.Trajectory:
    return types.TrajectoryWithRew(
        make_obs(obs, n + 1),
        np.arange(2.0 * n).reshape(n, 2),
        None,
        kind != "fragment",
        np.arange(n, dtype=np.float32),
        truncated=kind == "truncated",
    )


def kind_of(trajectory: types.Trajectory) -> Kind:
    assert type(trajectory.terminal) is bool and type(trajectory.truncated) is bool
    assert trajectory.terminal == (trajectory.terminated or trajectory.truncated)
    if trajectory.terminated:
        return "terminated"
    return "truncated" if trajectory.truncated else "fragment"


# Writes trajectories in one format and reads them again.


def our_format(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    serialize.save(path / "set", trajectories)
    return serialize.load(path / "set")


def saved_again(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    return our_format(path / "again", our_format(path, trajectories))


def hub(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    dataset = huggingface_utils.trajectories_to_dataset(trajectories)
    return huggingface_utils.TrajectoryDatasetSequence(dataset)


def lists_of_the_hub(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    columns = huggingface_utils.trajectories_to_dict(trajectories)
    dataset = datasets.Dataset.from_dict(columns)
    return huggingface_utils.TrajectoryDatasetSequence(dataset)


def episode_file(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    for i, trajectory in enumerate(trajectories):
        episode_files.write_episode(path / f"{i}.npz", trajectory)
    return [
        trajectory
        for i in range(len(trajectories))
        for trajectory in serialize.load(path / f"{i}.npz")
    ]


def pickled(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    loaded: Trajectories = pickle.loads(pickle.dumps(trajectories))
    return loaded


def lists(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    return importers.from_arrays(
        [tree.unwrap(t.obs) for t in trajectories],
        [t.acts for t in trajectories],
        [t.rews for t in trajectories if isinstance(t, types.TrajectoryWithRew)],
        dones=[t.terminal for t in trajectories],
        timeouts=[t.truncated for t in trajectories],
    )


def end_to_end(trajectories: Trajectories) -> dict[str, np.ndarray]:
    """The transitions as arrays, under our own names."""
    batch = flatten.flatten_trajectories_with_rew(
        [t for t in trajectories if isinstance(t, types.TrajectoryWithRew)]
    )
    ends = np.cumsum([len(t) for t in trajectories])
    fields = {k: v for k, v in vars(batch).items() if k != "infos"}
    return tree.flatten(fields | {"episode_ends": ends})


def npz(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    np.savez(path / "a.npz", allow_pickle=False, **end_to_end(trajectories))
    return importers.import_trajectories(path / "a.npz")


def flat_hdf5(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    with h5py.File(path / "a.hdf5", "w") as file:
        for key, value in end_to_end(trajectories).items():
            file[key] = value
    return importers.import_trajectories(path / "a.hdf5")


def robomimic(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    with h5py.File(path / "a.hdf5", "w") as file:
        for i, t in enumerate(trajectories):
            batch = end_to_end([t])
            for name, key in (("acts", "actions"), ("rews", "rewards")):
                batch[key] = batch.pop(name)
            for key, value in batch.items():
                file[f"data/demo_{i}/{key}"] = value
    return importers.import_trajectories(path / "a.hdf5")


def minari(path: pathlib.Path, trajectories: Trajectories) -> Trajectories:
    location = importers.export_minari(trajectories, "truncation/set-v0")
    return importers.import_trajectories(location)


FORMATS = (
    our_format,
    saved_again,
    hub,
    lists_of_the_hub,
    episode_file,
    pickled,
    lists,
    npz,
    flat_hdf5,
    robomimic,
    minari,
)


@pytest.mark.parametrize("obs", OBSERVATIONS)
@pytest.mark.parametrize("convert", FORMATS)
def test_every_format_keeps_every_kind(
    convert: Callable[[pathlib.Path, Trajectories], Trajectories],
    obs: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    episodes = [
        make(kind, obs, n) for n, kind in enumerate(itertools.chain(KINDS, KINDS), 2)
    ]
    loaded = convert(tmp_path, episodes)
    assert [kind_of(t) for t in loaded] == [*KINDS, *KINDS]
    for one, other in zip(loaded, episodes, strict=True):
        assert np.array_equal(one.acts, other.acts)
        pairs: Any = tree.zip_leaves(one.obs, other.obs)
        assert all(np.array_equal(*pair) for pair in pairs)


class Counter(gym.Env[np.ndarray, np.int64]):
    """Counts its steps; ends after `n`, in one way or both."""

    def __init__(
        self, obs: Any, *, terminate_at: int = 99, truncate_at: int = 99
    ) -> None:
        self.kind = obs
        parts: Any = {
            "box": gym.spaces.Box(-1e3, 1e3, (2,)),
            "image": gym.spaces.Box(0, 255, (8, 8, 3), np.uint8),
        }
        parts["dict"] = gym.spaces.Dict(
            {"image": parts["image"], "state": parts["box"]}
        )
        self.observation_space = parts[obs]
        self.action_space = gym.spaces.Discrete(2)
        self.ends = terminate_at, truncate_at

    def _obs(self) -> object:
        return tree.unwrap(tree.take(make_obs(self.kind, 20), self.steps))

    def reset(self, *, seed: int | None = None, options: object = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self._obs(), {}

    def step(self, action: np.int64) -> Any:
        self.steps += 1
        return self._obs(), 1.0, *(self.steps == end for end in self.ends), {}


def venv(obs: str, how: str) -> VecEnv:
    """Three environments whose episodes end in different ways, after 3, 4 and 3."""

    def cut() -> gym.Env:
        if how == "TimeLimit":
            return gym.wrappers.TimeLimit(Counter(obs), max_episode_steps=4)
        return Counter(obs, truncate_at=4)

    makers = [
        lambda: Counter(obs, terminate_at=3),
        cut,
        # Both in the same step: the environment terminates.
        lambda: Counter(obs, terminate_at=3, truncate_at=3),
    ]
    return DummyVecEnv(
        [lambda m=m: wrappers.RolloutInfoWrapper(Monitor(m())) for m in makers]  # type: ignore[misc]  # a default, not an argument
    )


RECORDED = {3: "terminated", 4: "truncated"}


@pytest.mark.parametrize("how", ["TimeLimit", "the environment itself"])
@pytest.mark.parametrize("obs", OBSERVATIONS)
def test_recording_keeps_them_apart(obs: str, how: str) -> None:
    rng = np.random.default_rng(0)
    envs = venv(obs, how)
    until = rollout.make_min_episodes(9)
    for exclude_infos in (True, False):
        episodes = rollout.rollout(None, envs, until, rng, exclude_infos=exclude_infos)
        assert [kind_of(t) for t in episodes] == [RECORDED[len(t)] for t in episodes]
    accumulator: Any = rollout.TrajectoryAccumulator()
    recorder = wrappers.BufferingWrapper(envs)
    for i, first in enumerate(_split(recorder.reset())):
        accumulator.add_step({"obs": first}, i)
    accumulated = []
    for _ in range(8):
        acts = np.zeros(3, np.int64)
        accumulated += accumulator.add_steps_and_auto_finish(acts, *recorder.step(acts))
    assert [kind_of(t) for t in accumulated] == [RECORDED[len(t)] for t in accumulated]
    assert len({len(t) for t in accumulated}) == 2
    recorded, _ = recorder.pop_trajectories()
    lengths = {"fragment": 2, "terminated": 3, "truncated": 4}
    assert [len(t) for t in recorded] == [lengths[kind_of(t)] for t in recorded]
    assert len(recorded) == 8


def _split(obs: Any) -> Any:
    if isinstance(obs, dict):
        return [{k: v[i] for k, v in obs.items()} for i in range(3)]
    return list(obs)


@pytest.mark.parametrize("obs", OBSERVATIONS)
def test_transitions_and_batches_carry_it(obs: str) -> None:
    rng = np.random.default_rng(0)
    batch = flatten.flatten_trajectories([make(kind, obs, 2) for kind in KINDS])
    assert batch.dones.tolist() == [False, True, False, True, False, False]
    assert batch.truncated.tolist() == [False, False, False, True, False, False]
    assert batch.terminated.tolist() == [False, True, False, False, False, False]
    assert batch[[3, 1]].truncated.tolist() == [True, False]
    assert batch[3]["truncated"] and not batch[1]["truncated"]
    (whole,) = loader.BatchLoader(batch, len(batch), shuffle=False)
    assert whole["truncated"].tolist() == batch.truncated.tolist()
    collated = types.transitions_collate_fn([batch[3], batch[1]])
    assert collated["truncated"].tolist() == [True, False]
    sampled = buffer.ReplayBuffer.from_data(batch, rng=rng).sample(50)
    is_cut = [bool(action) for action in (sampled.acts[:, 0] == 2)]
    assert sampled.truncated.tolist() == (sampled.truncated & is_cut).tolist()
    assert sampled.truncated.any() and (sampled.dones >= sampled.truncated).all()
    with pytest.raises(ValueError, match="read-only"):
        sampled.truncated[0] = True


STEPS: Any = [{}, {}, {"TimeLimit.truncated": True}]


def test_it_is_read_from_the_infos_where_nobody_says() -> None:
    obs, acts, dones = np.zeros((4, 1)), np.zeros(3), np.array([False, False, True])
    assert kind_of(types.Trajectory(obs, acts, STEPS, True)) == "truncated"
    assert kind_of(types.Trajectory(obs, acts, STEPS, False)) == "fragment"
    assert kind_of(types.Trajectory(obs, acts, None, True)) == "terminated"
    explicit = types.Trajectory(obs, acts, STEPS, True, truncated=False)
    assert kind_of(explicit) == "terminated"
    batch = types.Transitions(obs[1:], acts, STEPS, obs[1:], dones)
    assert batch.truncated.tolist() == [False, False, True]
    batch = types.Transitions(obs[1:], acts, STEPS[::-1], obs[1:], dones)
    assert batch.truncated.tolist() == [False, False, False]


def test_what_has_not_ended_was_not_truncated() -> None:
    whole: Any = make("truncated", "box")
    fragment = dataclasses.replace(
        whole, obs=whole.obs[:3], acts=whole.acts[:2], rews=np.zeros(2), terminal=False
    )
    assert kind_of(fragment) == "fragment"
    obs, last = np.zeros((2, 1)), np.array([False, True])
    batch = types.Transitions(
        obs, np.zeros(2), np.array([{}, {}]), obs, last, truncated=last
    )
    assert batch.truncated.tolist() == [False, True]
    nowhere = dataclasses.replace(batch, dones=np.zeros(2, bool))
    assert not nowhere.truncated.any()
    for wrong in (last[:1], last.astype(int)):
        with pytest.raises(DataError, match="truncated must be"):
            types.Transitions(
                obs, np.zeros(2), np.array([{}, {}]), obs, last, truncated=wrong
            )


def test_older_pickles_load() -> None:
    for record in (
        make("truncated", "box"),
        flatten.flatten_trajectories([make("truncated", "dict")]),
    ):
        state = dict(vars(record))
        del state["truncated"]
        for infos, expected in ((np.array([{}, {}, {}]), 0), (np.array(STEPS), 1)):
            old = object.__new__(type(record))
            old.__setstate__({**state, "infos": infos})
            assert np.sum(old.truncated) == expected
            assert np.sum(old.terminated) == 1 - expected


def test_older_data_sets_load(tmp_path: pathlib.Path) -> None:
    """Without the column, only the infos tell; unreadable ones are left alone."""
    all_infos: list[Any] = [STEPS, [{}] * 3, None]
    episodes = [
        types.Trajectory(np.zeros((4, 1)), np.zeros(3), infos, terminal)
        for infos in all_infos
        for terminal in (True, False)
    ]
    dataset = huggingface_utils.trajectories_to_dataset(episodes)
    older = dataset.remove_columns("truncated")
    kinds = [kind_of(t) for t in huggingface_utils.TrajectoryDatasetSequence(older)]
    assert kinds == ["truncated", "fragment", *["terminated", "fragment"] * 2]
    table = older.data.table
    texts = pa.array([['{"py/object": "os.system"}'] * 3] * 6, table["infos"].type)
    i = table.column_names.index("infos")
    unreadable = datasets.Dataset(table.set_column(i, "infos", texts))
    first = huggingface_utils.TrajectoryDatasetSequence(unreadable)[0]
    assert kind_of(first) == "terminated"


def test_older_episode_files_load(tmp_path: pathlib.Path) -> None:
    episode_files.write_episode(tmp_path / "a.npz", make("truncated", "box"))
    with np.load(tmp_path / "a.npz") as archive:
        arrays = dict(archive)
    header = str(arrays["header"])
    assert '"truncated": true, ' in header
    arrays["header"] = np.array(header.replace('"truncated": true, ', ""))
    np.savez(tmp_path / "a.npz", allow_pickle=False, **arrays)
    assert kind_of(episode_files.read_episode(tmp_path / "a.npz")) == "terminated"
