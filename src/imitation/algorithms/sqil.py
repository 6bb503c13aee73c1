"""Soft Q imitation learning (SQIL).

Reddy, S., Dragan, A. D. and Levine, S. (2019). SQIL: Imitation Learning via
Reinforcement Learning with Sparse Rewards. https://arxiv.org/abs/1905.11108
"""

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import base
from imitation.algorithms.expert_replay.buffers import (
    SQILDictReplayBuffer,
    SQILReplayBuffer,
)
from imitation.algorithms.expert_replay.trainer import ExpertReplayTrainer
from imitation.algorithms.soft_q import SoftQ
from imitation.util import logger as imit_logger
from imitation.util.paths import AnyPath

__all__ = ["SQIL", "SQILDictReplayBuffer", "SQILReplayBuffer"]


class SQIL(ExpertReplayTrainer):
    """Soft Q imitation learning: reward 1 for what the expert did, 0 for the rest.

    An off-policy algorithm learns from batches half of which are the expert's
    transitions, with reward 1, and half its own, with reward 0 (algorithm 1; its
    λ_samp is 1). The environment's rewards are never used.

    Args:
        venv: the environments to train in.
        demonstrations: trajectories, transitions, or batches with next observations;
            None to pass them to `set_demonstrations` before training.
        policy: a policy class of the algorithm or its name, such as "MlpPolicy".
        custom_logger: where to log to; None makes a new logger.
        rl_algo_class: `SoftQ` for the paper's soft Q-learning with discrete actions,
            or Stable-Baselines3's DQN, which release 1.0 used; SAC, TD3 or DDPG for
            continuous actions.
        rl_kwargs: further arguments of the algorithm.

    Raises:
        ValueError: `rl_kwargs` holds ``replay_buffer_class`` or
            ``replay_buffer_kwargs``.
        ConfigError: the algorithm does not take its arguments or the environment.
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
        rl_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            venv=venv,
            demonstrations=demonstrations,
            policy=policy,
            rl_algo_class=rl_algo_class,
            custom_logger=custom_logger,
            rl_kwargs=rl_kwargs,
        )

    def train(
        self,
        *,
        total_timesteps: int,
        tb_log_name: str = "SQIL",
        checkpoint_dir: AnyPath | None = None,
        checkpoint_interval: int = 0,
        resume: bool = False,
        **kwargs: Any,
    ) -> None:
        """Trains the policy.

        Args:
            total_timesteps: environment steps; with `resume` those of the interrupted
                call count.
            tb_log_name: name of the run where `rl_kwargs` gives a ``tensorboard_log``
                and there is no `custom_logger`.
            checkpoint_dir: the state to resume from goes to its ``latest``; None
                saves none.
            checkpoint_interval: environment steps between states; 0 saves only the
                last.
            resume: go on from the state in `checkpoint_dir`, if there is one.
            **kwargs: further arguments of the algorithm's ``learn``, such as
                ``callback``, ``log_interval`` and ``progress_bar``.

        Raises:
            ConfigError: there are no demonstrations, or nowhere to resume from.
            ArtifactError: the state is of another trainer.
        """
        self.learn(
            total_timesteps,
            checkpoint_dir=checkpoint_dir,
            checkpoint_interval=checkpoint_interval,
            resume=resume,
            tb_log_name=tb_log_name,
            **kwargs,
        )
