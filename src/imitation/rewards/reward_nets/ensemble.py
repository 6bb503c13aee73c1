"""Several reward networks whose disagreement measures uncertainty."""

from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.base import (
    Array,
    ArrayObs,
    RewardNet,
    RewardNetWithVariance,
)

__all__ = ["RewardEnsemble"]


class RewardEnsemble(RewardNetWithVariance):
    """The mean of several reward networks.

    What counts as the output of a member is its `predict_processed`.

    Args:
        observation_space: the observation space of the environment.
        action_space: the action space of the environment.
        members: at least two networks.

    Raises:
        ConfigError: there are fewer than two members.
    """

    members: th.nn.ModuleList

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        members: Iterable[RewardNet],
    ) -> None:
        super().__init__(observation_space, action_space)
        members = list(members)
        if len(members) < 2:
            raise ConfigError(
                f"Must be at least 2 member in the ensemble. Got {len(members)}."
            )
        self.members = th.nn.ModuleList(members)

    @property
    def num_members(self) -> int:
        """The number of members."""
        return len(self.members)

    def predict_processed_all(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        **kwargs: Any,
    ) -> Array:
        """Computes the processed rewards of every member.

        Args:
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.
            **kwargs: passed to the members.

        Returns:
            Rewards, shape ``(B, num_members)``.
        """
        rewards = [
            member.predict_processed(state, action, next_state, done, **kwargs)
            for member in self.members
            if isinstance(member, RewardNet)
        ]
        return np.stack(rewards, axis=-1)

    def predict_reward_moments(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        **kwargs: Any,
    ) -> tuple[Array, Array]:
        """Computes mean and unbiased variance over the members, each ``(B,)``."""
        rewards = self.predict_processed_all(state, action, next_state, done, **kwargs)
        return rewards.mean(axis=-1), rewards.var(axis=-1, ddof=1)

    def forward(self, *args: Any) -> th.Tensor:
        """Refused: train the members, not their mean.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("train the members of an ensemble one by one")

    def predict(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        **kwargs: Any,
    ) -> Array:
        """Returns the mean over the members, shape ``(B,)``."""
        return self.predict_processed(state, action, next_state, done, **kwargs)

    def predict_processed(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        **kwargs: Any,
    ) -> Array:
        """Returns the mean over the members, shape ``(B,)``."""
        mean, _ = self.predict_reward_moments(state, action, next_state, done, **kwargs)
        return mean
