"""A vectorized environment."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.data import wrappers
from imitation.scripts.settings import (
    Config,
    Presets,
    Settings,
    building,
    require,
    setting,
)
from imitation.util import util
from imitation.util.vec_envs import PostWrapper, find_env_spec

_COSTLY = ("mujoco", "box2d", "ale_py", "shimmy", "robotics", "dm_control")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EnvironmentSettings(Settings):
    """The environment, and how many of it side by side."""

    prefix = "environment."

    named_configs: ClassVar[Presets] = {
        "fast": {"num_vec": 2, "parallel": False, "max_episode_steps": 5},
    }

    gym_id: str = setting("seals/CartPole-v0")
    """Gymnasium id; "package:id" imports the package first."""

    num_vec: int = setting(8, more_than=0)
    """Number of environments that are stepped together."""

    parallel: bool | None = setting(None)
    """True: one process per environment. False: all in this process. None: processes
    only where they pay, for a costly simulator and at least `num_vec` CPU cores."""

    max_episode_steps: int | None = setting(None, more_than=0)
    """Cut episodes after this many steps; None keeps the environment's own limit."""

    env_make_kwargs: Config = setting({})
    """Keyword arguments of the environment's constructor."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.gym_id != "", "environment.gym_id", "an id", self.gym_id)

    @property
    def env_name(self) -> str:
        """The id without the package to import."""
        return self.gym_id.rpartition(":")[2]

    def resolved(self) -> "EnvironmentSettings":
        """Decides whether to use processes; fails if the id is not registered."""
        entry_point = str(find_env_spec(self.gym_id).entry_point).lower()
        if self.parallel is not None:
            return self
        # Sending a step through a pipe takes longer than a step of a cheap environment.
        costly = any(word in entry_point for word in _COSTLY)
        enough_cores = 1 < self.num_vec <= (os.cpu_count() or 1)
        return dataclasses.replace(self, parallel=costly and enough_cores)


@contextlib.contextmanager
def make_venv(
    settings: EnvironmentSettings,
    rng: np.random.Generator,
    *,
    log_dir: pathlib.Path | None = None,
    post_wrappers: Sequence[PostWrapper] | None = None,
) -> Iterator[VecEnv]:
    """Builds the vector environment, and closes it at the end of the block.

    Args:
        settings: resolved settings.
        rng: seeds the environments.
        log_dir: where the monitor files go; None writes none.
        post_wrappers: wrappers to put around each environment, in order.

    Yields:
        The environment.

    Raises:
        ConfigError: the environment does not take its arguments.
        MissingExtraError: a package that it needs is not installed.
    """
    with building(f"{settings.gym_id} with environment.env_make_kwargs"):
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

    Yields:
        The environment, wrapped in `RolloutInfoWrapper`.
    """
    # A lambda may go to a process: Stable-Baselines3 sends it by cloudpickle.
    keep: PostWrapper = lambda env, _: wrappers.RolloutInfoWrapper(env)  # noqa: E731
    with make_venv(settings, rng, post_wrappers=[keep]) as venv:
        yield venv
