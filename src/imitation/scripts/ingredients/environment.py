"""A vectorised environment."""

import contextlib
import dataclasses
import importlib
import os
import pathlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import wrappers
from imitation.errors import ConfigError
from imitation.scripts.settings import require
from imitation.util import util

__all__ = ["EnvironmentSettings", "make_rollout_venv", "make_venv"]

PostWrappers = Mapping[str, Callable[[gym.Env[Any, Any], int], gym.Env[Any, Any]]]

_COSTLY = ("mujoco", "box2d", "ale_py", "shimmy", "robotics", "dm_control")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnvironmentSettings:
    """Which environment, and how many of it side by side."""

    named_configs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"num_vec": 2, "parallel": False, "max_episode_steps": 5},
    }

    gym_id: str = "seals/CartPole-v0"
    """Gymnasium id; "package:id" imports the package first."""

    num_vec: int = 8
    """Number of environments that are stepped together."""

    parallel: bool | None = None
    """True: one process per environment. False: all in this process. None: processes
    only where they pay, for a costly simulator and at least `num_vec` CPU cores."""

    max_episode_steps: int | None = None
    """Cut episodes after this many steps; None keeps the environment's own limit."""

    env_make_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Keyword arguments of the environment's constructor."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        require(self.gym_id != "", "environment.gym_id", "an id", self.gym_id)
        positive = "a positive integer"
        require(self.num_vec > 0, "environment.num_vec", positive, self.num_vec)
        steps = self.max_episode_steps
        name = "environment.max_episode_steps"
        require(steps is None or steps > 0, name, f"{positive} or None", steps)

    @property
    def env_name(self) -> str:
        """The id without the package to import."""
        return self.gym_id.rpartition(":")[2]

    def resolved(self) -> "EnvironmentSettings":
        """Decides whether to use processes."""
        if self.parallel is not None:
            return self
        spec = gym.registry.get(_register(self))
        entry_point = str(spec.entry_point) if spec is not None else ""
        costly = any(word in entry_point.lower() for word in _COSTLY)
        enough_cores = 1 < self.num_vec <= (os.cpu_count() or 1)
        return dataclasses.replace(self, parallel=costly and enough_cores)

    def check(self) -> None:
        """Raises a ConfigError unless the environment is registered."""
        try:
            gym.spec(_register(self))
        except gym.error.Error as error:
            text = " ".join(str(error).split())
            raise ConfigError(f"environment.gym_id={self.gym_id!r}: {text}") from error


@contextlib.contextmanager
def make_venv(
    settings: EnvironmentSettings,
    rng: np.random.Generator,
    *,
    log_dir: pathlib.Path | None = None,
    post_wrappers: PostWrappers | None = None,
) -> Iterator[VecEnv]:
    """Builds the vector environment, and closes it at the end of the block.

    Args:
        settings: resolved settings.
        rng: seeds the environments.
        log_dir: where the monitor files go; None writes none.
        post_wrappers: wrappers to put around each environment, in order.

    Yields:
        The environment.
    """
    _register(settings)
    venv = util.make_vec_env(
        settings.gym_id,
        rng=rng,
        n_envs=settings.num_vec,
        parallel=bool(settings.parallel),
        max_episode_steps=settings.max_episode_steps,
        log_dir=None if log_dir is None else str(log_dir),
        post_wrappers=post_wrappers,
        env_make_kwargs=settings.env_make_kwargs,
    )
    try:
        # Random policies sample from the space, which has a generator of its own.
        venv.action_space.seed(util.make_seeds(rng))
        yield venv
    finally:
        venv.close()


@contextlib.contextmanager
def make_rollout_venv(
    settings: EnvironmentSettings, rng: np.random.Generator
) -> Iterator[VecEnv]:
    """Builds the vector environment for rollouts: no files, unwrappable episodes.

    Args:
        settings: resolved settings.
        rng: seeds the environments.

    Yields:
        The environment, wrapped in `RolloutInfoWrapper`.
    """
    post_wrappers = {"RolloutInfoWrapper": lambda env, i: wrappers.RolloutInfoWrapper(env)}
    with make_venv(settings, rng, post_wrappers=post_wrappers) as venv:
        yield venv


def _register(settings: EnvironmentSettings) -> str:
    """Registers the environments of the id's package and returns the bare id."""
    package, _, name = settings.gym_id.rpartition(":")
    if not package and name.startswith("seals/"):
        package = "seals"
    if package:
        with warnings.catch_warnings():
            # seals 0.2.1 registers environments with float64 bounds.
            warnings.filterwarnings("ignore", message=".*precision lowered by casting")
            try:
                importlib.import_module(package)
            except ImportError as error:
                raise ConfigError(
                    f"environment.gym_id={settings.gym_id!r}: cannot import "
                    f"{package}: {error}"
                ) from error
    return name
