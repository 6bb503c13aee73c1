"""Tests of making vectorised environments."""

import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from imitation.errors import ConfigError, MissingExtraError
from imitation.util.vec_envs import find_env_spec, make_vec_env

CARTPOLE = "CartPole-v1"


class CountedEnv(gym.Env):
    """Counts its instances and resets; never terminates."""

    n_made = 0
    observation_space = gym.spaces.Box(0, 100, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, start: int = 0) -> None:
        CountedEnv.n_made += 1
        self.start = start
        self.seeds: list[int | None] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.seeds.append(seed)
        return np.array([self.start], np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.array([self.start], np.float32), 1.0, False, False, {}


@pytest.fixture
def counted() -> Iterator[str]:
    CountedEnv.n_made = 0
    gym.register("Counted-v0", cast("Any", CountedEnv), max_episode_steps=7)
    yield "Counted-v0"
    del gym.registry["Counted-v0"]


class Tagged(gym.Wrapper):
    """Remembers the index it was made with."""

    def __init__(self, env: gym.Env, index: int) -> None:
        super().__init__(env)
        self.tag = index


def episode_length(venv: Any) -> int:
    venv.reset()
    for length in range(1, 1000):
        _, _, dones, _ = venv.step(np.zeros(venv.num_envs, dtype=int))
        if dones.all():
            return length
    raise AssertionError("no episode ended")


def test_defaults() -> None:
    venv = make_vec_env(CARTPOLE, rng=np.random.default_rng(0))
    assert isinstance(venv, DummyVecEnv)
    assert venv.num_envs == 8
    assert all(isinstance(env, Monitor) for env in venv.envs)
    venv.close()


def test_same_generator_same_environments() -> None:
    def observe(rng: np.random.Generator | None) -> np.ndarray:
        venv: Any = make_vec_env(CARTPOLE, rng=rng, n_envs=3)
        samples = [env.action_space.sample() for env in venv.envs * 8]
        obs = [venv.reset(), *(venv.step(np.ones(3, dtype=int))[0] for _ in range(20))]
        venv.close()
        return np.concatenate([np.ravel(obs), samples])

    first = observe(np.random.default_rng(1))
    np.testing.assert_array_equal(first, observe(np.random.default_rng(1)))
    assert not np.array_equal(first, observe(np.random.default_rng(2)))
    assert not np.array_equal(observe(None), observe(None))


def test_copies_differ() -> None:
    venv: Any = make_vec_env(CARTPOLE, rng=np.random.default_rng(0), n_envs=4)
    assert len(np.unique(venv.reset(), axis=0)) == 4
    venv.close()


def test_makes_each_environment_once_and_seeds_it_once(counted: str) -> None:
    venv: Any = make_vec_env(
        counted,
        rng=np.random.default_rng(0),
        n_envs=3,
        env_make_kwargs={"start": 5},
        post_wrappers=[Tagged],
    )
    assert CountedEnv.n_made == 3
    assert venv.reset().ravel().tolist() == [5, 5, 5]
    assert venv.get_attr("tag") == [0, 1, 2]
    for env in venv.envs:
        first, then = env.unwrapped.seeds
        assert isinstance(first, int)
        assert then is None
    assert len({env.unwrapped.seeds[0] for env in venv.envs}) == 3
    venv.close()


@pytest.mark.parametrize(("limit", "expected"), [(None, 7), (3, 3), (12, 12)])
def test_time_limit(counted: str, limit: int | None, expected: int) -> None:
    venv = make_vec_env(counted, n_envs=2, max_episode_steps=limit)
    assert episode_length(venv) == expected
    venv.close()


def test_post_wrappers_go_around_the_monitor_in_order() -> None:
    venv: Any = make_vec_env(
        CARTPOLE, n_envs=2, post_wrappers=[Tagged, lambda env, i: Tagged(env, -i)]
    )
    for i, env in enumerate(venv.envs):
        assert (env.tag, env.env.tag) == (-i, i)
        assert isinstance(env.env.env, Monitor)
    venv.close()


@pytest.mark.parametrize("as_path", [True, False])
def test_monitor_files(counted: str, as_path: bool, tmp_path: pathlib.Path) -> None:
    log_dir = tmp_path if as_path else str(tmp_path)
    venv = make_vec_env(counted, n_envs=2, log_dir=log_dir)
    episode_length(venv)
    venv.close()
    files = sorted((tmp_path / "monitor").iterdir())
    assert [f.name for f in files] == ["mon000.monitor.csv", "mon001.monitor.csv"]
    for file in files:
        header, columns, episode = file.read_text().splitlines()
        assert '"env_id": "Counted-v0"' in header
        assert columns == "r,l,t"
        assert episode.startswith("7.0,7,")


@pytest.mark.parametrize("env_name", ["seals/CartPole-v0", "seals:seals/CartPole-v0"])
def test_seals_needs_no_prefix(env_name: str) -> None:
    venv = make_vec_env(env_name, n_envs=1)
    assert episode_length(venv) == 500
    venv.close()


@pytest.mark.slow
def test_seals_is_imported_without_warnings_in_a_fresh_process() -> None:
    code = (
        "from imitation.util.vec_envs import make_vec_env;"
        "make_vec_env('seals/MountainCar-v0', n_envs=1).close()"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("env_name", "message"),
    [
        ("CartPole-v9", "as 'CartPole-v9'; did you mean CartPole-v1"),
        ("CartPol-v1", "did you mean CartPole-v1"),
        ("seals/CartPol-v0", "did you mean seals/CartPole-v0"),
        ("nowhere/Zzz-v1", "write 'package:id'"),
        ("not an id", "no environment is registered as 'not an id'"),
        ("", "no environment is registered as ''"),
        ("gymnasium:CartPol-v1", "did you mean CartPole-v1"),
    ],
)
def test_unknown_environment(env_name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make_vec_env(env_name)
    assert isinstance(caught.value, gym.error.Error)
    assert "\n" not in str(caught.value)


def test_unknown_module() -> None:
    with pytest.raises(ModuleNotFoundError, match="'no_such_module' for environment"):
        make_vec_env("no_such_module:X-v0")


def test_missing_package_of_a_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ale_py", None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match="cannot import 'ale_py'"):
        make_vec_env("ALE/NoSuchGame-v5")


def test_missing_package_of_an_environment() -> None:
    def entry_point() -> None:
        raise gym.error.DependencyNotInstalled("box2d is missing")

    gym.register("Missing-v0", cast("Any", entry_point))
    try:
        with pytest.raises(MissingExtraError, match="cannot make Missing-v0: box2d"):
            make_vec_env("Missing-v0")
    finally:
        del gym.registry["Missing-v0"]


@pytest.mark.parametrize("kwargs", [{"n_envs": 0}, {"max_episode_steps": 0}])
def test_counts_below_one(kwargs: Any) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        make_vec_env(CARTPOLE, **kwargs)


def test_find_env_spec() -> None:
    assert find_env_spec(CARTPOLE).max_episode_steps == 500
    assert find_env_spec("seals/CartPole-v0").id == "seals/CartPole-v0"


@pytest.mark.slow
def test_parallel_gives_the_same_observations(tmp_path: pathlib.Path) -> None:
    def observe(parallel: bool) -> np.ndarray:
        venv = make_vec_env(
            "seals/CartPole-v0",
            rng=np.random.default_rng(3),
            n_envs=2,
            parallel=parallel,
            log_dir=tmp_path,
            max_episode_steps=5,
        )
        assert isinstance(venv, SubprocVecEnv) == parallel
        obs: Any = [
            venv.reset(),
            *(venv.step(np.ones(2, dtype=int))[0] for _ in range(12)),
        ]
        venv.close()
        return np.stack(obs)

    np.testing.assert_array_equal(observe(parallel=True), observe(parallel=False))
