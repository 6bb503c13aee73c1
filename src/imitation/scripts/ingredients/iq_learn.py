"""An IQ-Learn trainer."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import iq_learn as iq_learn_algorithm
from imitation.data import types
from imitation.scripts.ingredients.off_policy import (
    LEARN_KWARGS,
    Learners,
    algorithm_arguments,
)
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.settings import ClassPath, Settings, When, building, setting
from imitation.util.logger import HierarchicalLogger

__all__ = ["IQLearnSettings", "make_iq_learn"]

LEARNERS = Learners(
    discrete=ClassPath("imitation.algorithms.iq_learn:IQSoftQ"),
    continuous=ClassPath("imitation.algorithms.iq_learn:IQSAC"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class IQLearnSettings(Settings):
    """Settings of IQ-Learn that are not those of its algorithm (rl) or policy."""

    prefix: ClassVar[str] = "iq_learn."

    offline_updates: int = setting(0, at_least=0)
    """Optimizer steps on the demonstrations alone, without the environment; 0 trains
    in the environment."""

    total_timesteps: int = setting(
        300_000, more_than=0, applies=When("offline_updates", (0,))
    )
    """Environment steps, unless offline."""

    train_kwargs: Mapping[str, Any] = LEARN_KWARGS
    """Keyword arguments of the algorithm's `learn`: log_interval, episodes between two
    rows of the log, and progress_bar."""

    checkpoint_interval: int = setting(10_000, more_than=0)
    """Environment steps, or optimizer steps if offline, between checkpoints to resume
    from."""


def make_iq_learn(
    venv: VecEnv,
    expert_trajs: Sequence[types.Trajectory],
    custom_logger: HierarchicalLogger,
    seed: int,
    rl: RLSettings,
    policy: PolicySettings,
) -> iq_learn_algorithm.IQLearn:
    """Builds the trainer.

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
