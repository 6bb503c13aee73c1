"""Soft Q imitation learning (SQIL).

Reddy, S., Dragan, A. D. and Levine, S. (2019). SQIL: Imitation Learning via
Reinforcement Learning with Sparse Rewards. https://arxiv.org/abs/1905.11108
"""

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.algorithms import base
from imitation.algorithms.expert_replay.buffers import (
    SQILDictReplayBuffer,
    SQILReplayBuffer,
)
from imitation.algorithms.expert_replay.trainer import ExpertReplayTrainer
from imitation.algorithms.soft_q import SoftQ
from imitation.util import logger as imit_logger

__all__ = ["SQIL", "SQILDictReplayBuffer", "SQILReplayBuffer"]


class SQIL(ExpertReplayTrainer):
    """Soft Q imitation learning: reward 1 for what the expert did, 0 for the rest.

    An off-policy algorithm learns from batches half of which are the expert's
    transitions, with reward 1, and half its own, with reward 0 (algorithm 1; its
    λ_samp is 1). The environment's rewards are never used.

    The arguments are those of `ExpertReplayTrainer`. `rl_algo_class` is `SoftQ` for the
    paper's soft Q-learning with discrete actions, or Stable-Baselines3's DQN, which
    release 1.0 used; SAC, TD3 or DDPG for continuous actions.
    """

    name = "SQIL"

    def __init__(
        self,
        *,
        venv: VecEnv,
        demonstrations: base.AnyTransitions | None,
        policy: str | type[BasePolicy],
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        rl_algo_class: type[OffPolicyAlgorithm] = SoftQ,
        rl_kwargs: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(
            venv=venv,
            demonstrations=demonstrations,
            policy=policy,
            rl_algo_class=rl_algo_class,
            custom_logger=custom_logger,
            rl_kwargs=rl_kwargs,
        )

    @override
    def train(
        self, *, total_timesteps: int, tb_log_name: str | None = "SQIL", **kwargs: Any
    ) -> None:
        super().train(
            total_timesteps=total_timesteps, tb_log_name=tb_log_name, **kwargs
        )
