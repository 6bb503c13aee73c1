"""Making seeded, monitored, vectorized environments from an environment's id."""

import contextlib
import difflib
import functools
import importlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from imitation.errors import ConfigError, MissingExtraError
from imitation.util.seeding import make_rng, make_seeds
from imitation.util.spaces import Env

PostWrapper = Callable[[Env, int], Env]

# Packages to import for the environments of a namespace.
_NAMESPACE_PACKAGES = {"ALE": "ale_py", "seals": "seals"}


class UnknownEnvError(ConfigError, gym.error.UnregisteredEnv):
    """No environment is registered under an id."""


def make_vec_env(
    env_name: str,
    *,
    rng: np.random.Generator | None = None,
    n_envs: int = 8,
    parallel: bool = False,
    log_dir: str | os.PathLike[str] | None = None,
    max_episode_steps: int | None = None,
    post_wrappers: Sequence[PostWrapper] | None = None,
    env_make_kwargs: Mapping[str, Any] | None = None,
) -> VecEnv:
    """Makes a vectorized environment.

    Each copy is made by `gymnasium.make`, reset with a seed of its own, wrapped in a
    `Monitor`, and then in `post_wrappers`.

    Args:
        env_name: an id in Gymnasium's registry; `module:id` imports the module before
            looking it up, which `seals/…` does not need.
        rng: source of the copies' seeds; None for fresh entropy.
        n_envs: number of copies, at least 1.
        parallel: whether each copy runs in a process of its own, started by a fork
            server. Slower than one process for environments that step fast.
        log_dir: if given, copy `i` writes the return, length and time of its episodes
            to `log_dir/monitor/mon{i:03d}.monitor.csv`.
        max_episode_steps: time limit in steps, in place of the registered one; None
            keeps the registered one, if any.
        post_wrappers: each called with an environment and the index of the copy,
            returns the wrapped environment; the last one is outermost.
        env_make_kwargs: arguments for the environment's constructor.

    Returns:
        The environments, in order, in a `SubprocVecEnv` if `parallel`, otherwise in a
        `DummyVecEnv`.

    Raises:
        ConfigError: `env_name` is not registered, or `n_envs` or `max_episode_steps`
            is less than 1.
        ModuleNotFoundError: the module before the colon, or a package that the
            environment needs, is not installed.
    """
    if n_envs < 1:
        raise ConfigError(f"n_envs must be at least 1, got {n_envs}")
    if max_episode_steps is not None and max_episode_steps < 1:
        raise ConfigError(
            f"max_episode_steps must be at least 1 or None, got {max_episode_steps}"
        )
    make_one = functools.partial(
        _make_env,
        find_env_spec(env_name),
        max_episode_steps,
        dict(env_make_kwargs or {}),
        log_dir,
        list(post_wrappers or []),
    )
    seeds = make_seeds(make_rng(rng), n_envs)
    makers: list[Callable[[], Env]] = [
        functools.partial(make_one, i, seed) for i, seed in enumerate(seeds)
    ]
    if parallel:
        # A fork of a process with torch threads may deadlock.
        return SubprocVecEnv(makers, start_method="forkserver")
    return DummyVecEnv(makers)


def find_env_spec(env_name: str) -> EnvSpec:
    """Looks up an environment's id, importing the package that registers it.

    Args:
        env_name: `id`, `namespace/id` or `module:id`.

    Returns:
        The entry of Gymnasium's registry.

    Raises:
        UnknownEnvError: nothing is registered under that id.
        ModuleNotFoundError: the module before the colon cannot be found.
    """
    module, separator, env_id = env_name.rpartition(":")
    namespace = env_id.partition("/")[0]
    if not separator and env_id not in gym.registry:
        module = _NAMESPACE_PACKAGES.get(namespace, "")
    if module:
        try:
            with _quiet_bounds():
                importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"cannot import {module!r} for environment {env_name!r}: {error}; "
                "install the package that provides it"
            ) from error
    try:
        return gym.spec(env_id)
    except gym.error.Error as error:
        close = difflib.get_close_matches(env_id, gym.registry, n=3)
        if close:
            hint = f"did you mean {', '.join(close)}?"
        else:
            hint = "if importing a package registers it, write 'package:id'"
        raise UnknownEnvError(
            f"no environment is registered as {env_id!r}; {hint}"
        ) from error


@contextlib.contextmanager
def _quiet_bounds() -> Iterator[None]:
    """Silences the note that a space's float64 bounds are stored as float32."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*precision lowered by casting.*")
        yield


def _make_env(
    spec: EnvSpec,
    max_episode_steps: int | None,
    env_make_kwargs: dict[str, Any],
    log_dir: str | os.PathLike[str] | None,
    post_wrappers: list[PostWrapper],
    index: int,
    seed: int,
) -> Env:
    """Makes, seeds and wraps one environment, possibly in another process."""
    try:
        with _quiet_bounds():
            env: Env = gym.make(
                spec, max_episode_steps=max_episode_steps, **env_make_kwargs
            )
    except (gym.error.DependencyNotInstalled, ModuleNotFoundError) as error:
        hint = "install the packages it needs"
        if "mujoco" in f"{spec.entry_point}{error}".lower():
            hint = "run: pip install 'imitation[mujoco]'"
        raise MissingExtraError(f"cannot make {spec.id}: {error}; {hint}") from error
    # Here, not by the vector environment: its `seed` would wait for the next reset.
    env.reset(seed=seed)
    # `sample()` draws from the space, which `reset` does not seed.
    env.action_space.seed(seed)
    filename = None
    if log_dir is not None:
        filename = os.path.join(log_dir, "monitor", f"mon{index:03d}")
    env = Monitor(env, filename)
    for wrap in post_wrappers:
        env = wrap(env, index)
    return env
