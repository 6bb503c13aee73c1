"""A tabular environment, and demonstrations in it."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from typing_extensions import override

from imitation.algorithms.mce_irl import (
    TabularPolicy,
    mce_occupancy_measures,
    mce_partition_fh,
)
from imitation.data import rollout, serialize, types
from imitation.envs.tabular import ExposeState, load_mdp
from imitation.errors import ConfigError
from imitation.scripts.ingredients.demonstrations import take
from imitation.scripts.settings import (
    Config,
    Presets,
    Settings,
    When,
    building,
    setting,
)
from imitation.util import seeding
from imitation.util.vec_envs import find_env_spec

_REGISTERED = When("path", (None,))


@dataclasses.dataclass(frozen=True, kw_only=True)
class MdpSettings(Settings):
    """The environment, whose dynamics are known."""

    prefix = "environment."

    named_configs: ClassVar[Presets] = {"fast": {"horizon": 5}}

    gym_id: str = setting("seals/CliffWorld7x4XY-v0", applies=_REGISTERED)
    """Gymnasium id; "package:id" imports the package first."""

    path: str | None = setting(None, path=True)
    """A file of arrays to use instead, written by imitation.envs.tabular.save_mdp."""

    horizon: int | None = setting(None, more_than=0)
    """Steps of an episode; None keeps the environment's own."""

    env_make_kwargs: Config = setting({}, applies=_REGISTERED)
    """Keyword arguments of the environment's constructor."""

    num_vec: int = setting(8, more_than=0)
    """Number of environments that are stepped together, for rollouts."""

    @property
    def env_name(self) -> str:
        """The id without the package to import, or the name of the file."""
        if self.path is not None:
            return os.path.splitext(os.path.basename(self.path))[0]
        return self.gym_id.rpartition(":")[2]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MdpDemonstrationsSettings(Settings):
    """The source of the demonstrations."""

    prefix = "demonstrations."

    named_configs: ClassVar[Presets] = {"fast": {"n_expert_demos": 2}}

    source: Literal["generated", "local", "occupancy"] = setting("generated")
    """generated: episodes of the soft-optimal policy for the environment's reward.
    local: a saved data set. occupancy: how often that policy visits each state,
    exactly."""

    path: str | None = setting(None, path=True, applies=When("source", ("local",)))
    """Directory of a saved data set, for the source local."""

    n_expert_demos: int | None = setting(
        None, more_than=0, applies=When("source", ("generated", "local"))
    )
    """Number of episodes; None is all there are, and 10 generated ones."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source == "local" and self.path is None:
            raise ConfigError(
                "demonstrations.source=local needs demonstrations.path, the directory "
                "of a saved data set"
            )


def make_mdp(settings: MdpSettings) -> Any:
    """Builds the environment.

    Returns:
        An environment with known dynamics.
    """
    if settings.path is not None:
        env: Any = load_mdp(settings.path)
    else:
        find_env_spec(settings.gym_id)
        with building(f"{settings.gym_id} with environment.env_make_kwargs"):
            env = gym.make(settings.gym_id, **settings.env_make_kwargs).unwrapped
    if not hasattr(env, "transition_matrix"):
        raise ConfigError(
            f"environment.gym_id={settings.gym_id!r} has no known dynamics; "
            "seals/CliffWorld7x4XY-v0 has, or set environment.path to a file of arrays"
        )
    if settings.horizon is not None:
        # Tabular environments of seals read it at each step; planning reads it too.
        env.horizon = settings.horizon
    return env


def make_state_venv(settings: MdpSettings, rng: np.random.Generator) -> VecEnv:
    """Builds a vector environment that shows the states."""
    venv = DummyVecEnv(
        # One environment for each: DummyVecEnv refuses the same object twice.
        [lambda: ExposeState(make_mdp(settings)) for _ in range(settings.num_vec)]
    )
    venv.seed(seeding.make_seeds(rng))
    return venv


def mdp_demonstrations(
    settings: MdpDemonstrationsSettings,
    environment: MdpSettings,
    discount: float,
    rng: np.random.Generator,
) -> Sequence[types.Trajectory] | np.ndarray[Any, Any]:
    """Loads or makes the demonstrations.

    Returns:
        Trajectories of states, or an occupancy measure of shape ``(S,)``.
    """
    if settings.source == "local":
        assert settings.path is not None, "checked by the settings"
        return take(serialize.load(settings.path), settings.n_expert_demos, "local")
    env = make_mdp(environment)
    # (values, Q-values, policy), each with a leading axis of time.
    pi = mce_partition_fh(env, discount=discount)[2]
    if settings.source == "occupancy":
        return mce_occupancy_measures(env, pi=pi, discount=discount)[1]
    n_demos = settings.n_expert_demos or 10
    expert = TabularPolicy(env.state_space, env.action_space, pi, rng)
    venv = make_state_venv(environment, rng)
    found = rollout.generate_trajectories(
        expert, venv, rollout.make_min_episodes(n_demos), rng
    )
    venv.close()
    return take(found, n_demos, "generated")
