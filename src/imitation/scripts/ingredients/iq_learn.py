"""An IQ-Learn trainer."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import iq_learn as iq_learn_algorithm
from imitation.data import types
from imitation.scripts.ingredients.off_policy import (
    LEARN_KWARGS,
    Learners,
    algorithm_arguments,
    check_training,
)
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.settings import ClassPath, building, require
from imitation.util.logger import HierarchicalLogger

__all__ = ["IQLearnSettings", "make_iq_learn"]

LEARNERS = Learners(
    discrete=ClassPath("imitation.algorithms.iq_learn:IQSoftQ"),
    continuous=ClassPath("imitation.algorithms.iq_learn:IQSAC"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class IQLearnSettings:
    """Settings of IQ-Learn that are not those of its algorithm (rl) or policy."""

    offline_updates: int = 0
    """Optimiser steps on the demonstrations alone, without the environment; 0 trains
    in the environment."""

    total_timesteps: int = 300_000
    """Environment steps, unless offline."""

    train_kwargs: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: dict(LEARN_KWARGS)
    )
    """Keyword arguments of the algorithm's `learn`: log_interval, episodes between two
    rows of the log, and progress_bar."""

    checkpoint_interval: int = 10_000
    """Environment steps, or optimiser steps if offline, between checkpoints to resume
    from."""

    def __post_init__(self) -> None:
        """Checks ranges and names."""
        updates = self.offline_updates
        name = "iq_learn.offline_updates"
        require(updates >= 0, name, "an integer ≥ 0", updates)
        check_training(
            "iq_learn",
            self.total_timesteps,
            self.train_kwargs,
            self.checkpoint_interval,
        )


def make_iq_learn(
    venv: VecEnv,
    expert_trajs: Sequence[types.Trajectory],
    custom_logger: HierarchicalLogger,
    seed: int,
    rl: RLSettings,
    policy: PolicySettings,
) -> iq_learn_algorithm.IQLearn:
    """Builds the trainer.

    Args:
        venv: the environment to train in.
        expert_trajs: demonstrations.
        custom_logger: where to log to.
        seed: of the weights and of the exploration.
        rl: the algorithm; where it names none, `IQSoftQ` for discrete actions and
            `IQSAC` for continuous ones.
        policy: the policy to train.

    Returns:
        The trainer.

    Raises:
        ConfigError: the parts do not fit each other.
    """
    arguments = algorithm_arguments(venv, rl, policy, LEARNERS, {}, seed)
    with building("iq_learn with rl.rl_kwargs and policy.policy_kwargs"):
        return iq_learn_algorithm.IQLearn(
            venv=venv,
            demonstrations=expert_trajs,
            custom_logger=custom_logger,
            **arguments,
        )
