"""The collector against a version written step by step, and its limits."""

import pathlib
import re
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms.dagger import InteractiveTrajectoryCollector
from imitation.data import types
from imitation.data.storage import episode_files
from imitation.errors import DataError


class LedgerEnv(gym.Env):
    """Observes the time and a number that depends on every action executed."""

    action_space = gym.spaces.Discrete(5)

    def __init__(self, length: Any, as_dict: bool = False) -> None:
        self.length, self.as_dict = length, as_dict
        ledger = gym.spaces.Box(0, 1000, shape=(2,), dtype=np.float64)
        image = gym.spaces.Box(0, 255, shape=(3, 3, 1), dtype=np.uint8)
        self.observation_space = (
            gym.spaces.Dict({"ledger": ledger, "image": image}) if as_dict else ledger
        )

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t, self.sum = 0, int(self.np_random.integers(50))
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        self.sum = (3 * self.sum + int(action)) % 997
        return self._obs(), float(action) / 2, self.t == self.length, False, {}

    def _obs(self) -> Any:
        ledger = np.array([self.t, self.sum], dtype=np.float64)
        if not self.as_dict:
            return ledger
        return {"ledger": ledger, "image": np.full((3, 3, 1), self.sum % 256, np.uint8)}


LENGTHS = (3, 5, 4)


def make_venv(as_dict: Any = False) -> DummyVecEnv:
    return DummyVecEnv([lambda n=n: LedgerEnv(n, as_dict) for n in LENGTHS])  # type: ignore[misc]  # a default, not an argument


def ledger_of(obs: Any) -> Any:
    return obs["ledger"] if isinstance(obs, dict) else obs


def expert(obs: Any) -> Any:
    return (ledger_of(obs)[:, 1] % 5).astype(np.int64)


def novice(obs: Any) -> Any:
    return ((ledger_of(obs)[:, 1] + 1) % 5).astype(np.int64)


def collect(
    tmp_path: pathlib.Path,
    beta: Any,
    n_steps: Any,
    *,
    as_dict: bool = False,
    seed: int = 0,
    robot: Any = novice,
) -> Any:
    rng = np.random.default_rng(seed)
    collector = InteractiveTrajectoryCollector(
        make_venv(as_dict), robot, beta, tmp_path, rng
    )
    collector.venv.seed(seed)
    obs = collector.reset()
    for _ in range(n_steps):
        obs, *_ = collector.step(expert(obs))
    return collector


def slow_reference(beta: Any, n_steps: Any, seed: int = 0) -> Any:
    """Episodes in the order they end: lists of (obs, expert's action, reward)."""
    rng = np.random.default_rng(seed)
    envs = [LedgerEnv(n) for n in LENGTHS]
    obs = [env.reset(seed=seed + i)[0] for i, env in enumerate(envs)]
    current: Any = [[] for _ in envs]
    finished = []
    for _ in range(n_steps):
        coins = rng.uniform(0, 1, size=len(envs))
        ended = 0
        for i, env in enumerate(envs):
            label = int(obs[i][1] % 5)
            executed = int((obs[i][1] + 1) % 5) if coins[i] > beta else label
            new_obs, reward, done, _, _ = env.step(executed)
            current[i].append((obs[i], label, reward))
            obs[i] = new_obs
            if done:
                finished.append((current[i], new_obs))
                current[i], ended = [], ended + 1
                obs[i] = env.reset()[0]
        for _ in range(ended):
            rng.bytes(16)  # its name
    return finished


def read_all(directory: Any) -> Any:
    return [episode_files.read_episode(path) for path in sorted(directory.iterdir())]


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.8, 1.0])
def test_equals_slow_reference(tmp_path: pathlib.Path, beta: float) -> None:
    collect(tmp_path, beta, n_steps=23)
    found = read_all(tmp_path)
    expected = slow_reference(beta, n_steps=23)
    assert len(found) == len(expected) == 23 // 3 + 23 // 5 + 23 // 4
    for episode, (steps, last_obs) in zip(found, expected, strict=True):
        observations = [step[0] for step in steps] + [last_obs]
        np.testing.assert_array_equal(episode.obs, observations)
        np.testing.assert_array_equal(episode.acts, [step[1] for step in steps])
        np.testing.assert_array_equal(episode.rews, [step[2] for step in steps])
        assert episode.terminal
        assert episode.obs.dtype == np.float64 and episode.acts.dtype == np.int64


def test_beta_one_never_asks_the_novice(tmp_path: pathlib.Path) -> None:
    def must_not_be_called(obs: Any) -> None:
        raise AssertionError("novice was asked")

    collect(tmp_path, 1.0, n_steps=20, robot=must_not_be_called)
    for episode in read_all(tmp_path):
        np.testing.assert_array_equal(episode.rews, episode.acts / 2)


def test_beta_zero_always_executes_the_novice(tmp_path: pathlib.Path) -> None:
    collect(tmp_path, 0.0, n_steps=20)
    for episode in read_all(tmp_path):
        np.testing.assert_array_equal(episode.rews, (episode.acts + 1) % 5 / 2)


def test_each_environment_has_its_own_coin(tmp_path: pathlib.Path) -> None:
    beta, n_steps = 0.7, 150
    collect(tmp_path, beta, n_steps)
    # The episodes of an environment, which its length identifies, are its timeline.
    timelines: Any = {length: [] for length in LENGTHS}
    for episode in read_all(tmp_path):
        timelines[len(episode)].extend(episode.rews == episode.acts / 2)
    shortest = min(map(len, timelines.values()))
    by_expert = np.array([t[:shortest] for t in timelines.values()])
    agree = by_expert[0] == by_expert[1]
    for found, expected in (
        (by_expert, beta),
        (agree, beta**2 + (1 - beta) ** 2),
    ):
        five_sigma = 5 * np.sqrt(expected * (1 - expected) / found.size)
        assert abs(found.mean() - expected) < five_sigma < 1 - expected


def test_dictionary_observations(tmp_path: pathlib.Path) -> None:
    collect(tmp_path / "dict", 0.5, n_steps=12, as_dict=True)
    collect(tmp_path / "plain", 0.5, n_steps=12)
    plain, dicts = read_all(tmp_path / "plain"), read_all(tmp_path / "dict")
    assert len(plain) == len(dicts) > 0
    for one, other in zip(plain, dicts, strict=True):
        assert isinstance(other.obs, types.DictObs)
        np.testing.assert_array_equal(one.obs, other.obs.get("ledger"))
        np.testing.assert_array_equal(one.acts, other.acts)
        image = other.obs.get("image")
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image[:, 0, 0, 0], one.obs[:, 1] % 256)


def test_one_file_per_episode_the_moment_it_ends(tmp_path: pathlib.Path) -> None:
    collector = InteractiveTrajectoryCollector(
        make_venv(), novice, 0.5, tmp_path, np.random.default_rng(0)
    )
    obs = collector.reset()
    n_finished = 0
    for _ in range(15):
        obs, _, dones, _ = collector.step(expert(obs))
        n_finished += int(dones.sum())
        assert len(list(tmp_path.iterdir())) == n_finished
    assert [r.n_timesteps for r in collector.records][:3] == [3, 4, 5]
    for record in collector.records:
        episode: Any = episode_files.read_episode(record.path)
        assert record.episode_return == episode.rews.sum()
        assert record.n_timesteps == len(episode)


def test_names_are_documented_and_reproducible(tmp_path: pathlib.Path) -> None:
    names = []
    for run in ("a", "b"):
        collect(tmp_path / run, 0.5, n_steps=10, seed=3)
        names.append(sorted(p.name for p in (tmp_path / run).iterdir()))
    assert names[0] == names[1] and len(set(names[0])) == len(names[0])
    for name in names[0]:
        assert re.fullmatch(r"dagger-demo-\d+-[0-9a-f]{32}\.npz", name)


def test_second_collector_never_overwrites(tmp_path: pathlib.Path) -> None:
    for _ in range(2):  # same seed: the same random part of the names
        collect(tmp_path, 0.5, n_steps=10)
    assert len(list(tmp_path.iterdir())) == 2 * (3 + 2 + 2)


def test_seed_makes_collections_repeat(tmp_path: pathlib.Path) -> None:
    episodes = []
    for i, rng_seed in enumerate((0, 99)):
        collector = InteractiveTrajectoryCollector(
            make_venv(), novice, 0.5, tmp_path / str(i), np.random.default_rng(rng_seed)
        )
        assert len(collector.seed(7)) == 3
        obs = collector.reset()
        for _ in range(12):
            obs, *_ = collector.step(expert(obs))
        episodes.append(read_all(tmp_path / str(i)))
    assert episodes[0] == episodes[1]


def test_reset_drops_unfinished_episodes(tmp_path: pathlib.Path) -> None:
    collector = collect(tmp_path, 1.0, n_steps=2)
    assert not list(tmp_path.iterdir())
    obs = collector.reset()
    for _ in range(3):
        obs, *_ = collector.step(expert(obs))
    (episode,) = read_all(tmp_path)
    assert len(episode) == 3 and episode.obs[0, 0] == 0


def test_expert_may_reuse_its_output_array(tmp_path: pathlib.Path) -> None:
    collector = InteractiveTrajectoryCollector(
        make_venv(), novice, 0.0, tmp_path, np.random.default_rng(0)
    )
    obs = collector.reset()
    out = np.zeros(3, dtype=np.int64)
    labels = []
    for _ in range(3):
        out[:] = expert(obs)
        labels.append(out[0])
        collector.step_async(out)
        out[:] = -1
        obs, *_ = collector.step_wait()
    np.testing.assert_array_equal(read_all(tmp_path)[0].acts, labels)


@pytest.mark.parametrize("beta", [-0.1, 1.1, float("nan")])
def test_beta_outside_unit_interval(tmp_path: pathlib.Path, beta: Any) -> None:
    with pytest.raises(AssertionError, match=r"beta must lie in \[0, 1\]"):
        collect(tmp_path, beta, n_steps=0)


def test_step_before_reset(tmp_path: pathlib.Path) -> None:
    collector = InteractiveTrajectoryCollector(
        make_venv(), novice, 0.5, tmp_path, np.random.default_rng(0)
    )
    assert collector.traj_accum is None
    with pytest.raises(AssertionError, match=r"\.reset\(\)"):
        collector.step(np.zeros(3, dtype=np.int64))


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (
            np.zeros(2, dtype=np.int64),
            r"shape \(3,\) \(one per environment\), got \(2,\)",
        ),
        (np.zeros((3, 1), dtype=np.int64), r"got \(3, 1\)"),
        (np.zeros(3), "dtype int64, got float64"),
        ([None] * 3, "got object"),
        ([0, 5, 0], r"expert actions in Discrete\(5\) .*, got \[0, 5, 0\]"),
        ([0, -1, 0], r"got \[0, -1, 0\]"),
    ],
)
def test_actions_that_do_not_fit(
    tmp_path: pathlib.Path, actions: Any, message: str
) -> None:
    collector = collect(tmp_path, 1.0, n_steps=1)
    with pytest.raises(DataError, match=message):
        collector.step(actions)


@pytest.mark.parametrize(
    ("space", "good", "bad"),
    [
        (gym.spaces.Box(-1, 1, (2,)), [3.0, -3.0], [0.0, np.nan]),
        (gym.spaces.Box(-1, 1, (2,)), [0.0, 0.0], [0.0, -np.inf]),
        (gym.spaces.MultiDiscrete([2, 3]), [1, 2], [2, 1]),
        (gym.spaces.MultiBinary(2), [0, 1], [0, 2]),
        (gym.spaces.Discrete(2, start=3), 4, 2),
    ],
)
def test_impossible_labels_are_never_recorded(
    tmp_path: pathlib.Path,
    space: Any,
    good: int | list[float] | list[int],
    bad: int | list[Any] | list[int],
) -> None:
    def make_env() -> Any:
        env: Any = LedgerEnv(2)
        env.action_space = space
        env.step = lambda action: (np.zeros(2), 0.0, True, False, {})
        return env

    venv = DummyVecEnv([make_env] * 2)
    collector = InteractiveTrajectoryCollector(venv, novice, 1.0, tmp_path)
    collector.reset()
    with pytest.raises(DataError, match="expected expert actions in"):
        collector.step(np.array([good, bad]))
    assert not list(tmp_path.iterdir())
    collector.step(np.array([good, good]))
    assert len(read_all(tmp_path)) == 2
