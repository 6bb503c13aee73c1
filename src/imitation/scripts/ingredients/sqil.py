"""A SQIL trainer."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import sqil as sqil_algorithm
from imitation.data import types
from imitation.scripts.ingredients.off_policy import (
    LEARN_KWARGS,
    Learners,
    algorithm_arguments,
)
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.settings import ClassPath, Settings, building, setting
from imitation.util.logger import HierarchicalLogger

__all__ = ["SQILSettings", "make_sqil"]

LEARNERS = Learners(
    discrete=ClassPath("imitation.algorithms.soft_q:SoftQ"),
    continuous=ClassPath("stable_baselines3:SAC"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SQILSettings(Settings):
    """Settings of SQIL that are not those of its algorithm (rl) or policy."""

    prefix: ClassVar[str] = "sqil."

    total_timesteps: int = setting(300_000, more_than=0)
    """Environment steps."""

    train_kwargs: Mapping[str, Any] = LEARN_KWARGS
    """Keyword arguments of the algorithm's `learn`: log_interval, episodes between two
    rows of the log, and progress_bar."""

    sac_kwargs: Mapping[str, Any] = setting({"ent_coef": 0.05, "tau": 0.02})
    """Further rl.rl_kwargs if the algorithm is SAC; rl.rl_kwargs win."""

    checkpoint_interval: int = setting(10_000, more_than=0)
    """Environment steps between checkpoints to resume from."""


def make_sqil(
    venv: VecEnv,
    expert_trajs: Sequence[types.Trajectory],
    custom_logger: HierarchicalLogger,
    seed: int,
    sqil: SQILSettings,
    rl: RLSettings,
    policy: PolicySettings,
) -> sqil_algorithm.SQIL:
    """Builds the trainer.

    Raises:
        ConfigError: the parts do not fit each other.
    """
    arguments = algorithm_arguments(venv, rl, policy, LEARNERS, sqil.sac_kwargs, seed)
    with building("sqil with rl.rl_kwargs and policy.policy_kwargs"):
        return sqil_algorithm.SQIL(
            venv=venv,
            demonstrations=expert_trajs,
            custom_logger=custom_logger,
            **arguments,
        )
