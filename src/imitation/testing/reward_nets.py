"""Reward networks for tests."""

from typing import Any

import gymnasium as gym
import torch as th

from imitation.rewards import reward_nets
from imitation.rewards.reward_nets.base import TensorObs

__all__ = ["MockRewardNet", "make_ensemble"]


def make_ensemble(
    obs_space: gym.Space[Any],
    action_space: gym.Space[Any],
    num_members: int = 2,
    **kwargs: Any,
) -> reward_nets.RewardEnsemble:
    """Makes an ensemble of `BasicRewardNet`.

    Args:
        obs_space: the observation space.
        action_space: the action space.
        num_members: how many members, at least 2.
        **kwargs: passed to `BasicRewardNet`.

    Returns:
        The ensemble; its members have different initial weights.
    """
    members = [
        reward_nets.BasicRewardNet(obs_space, action_space, **kwargs)
        for _ in range(num_members)
    ]
    return reward_nets.RewardEnsemble(obs_space, action_space, members)


class MockRewardNet(reward_nets.RewardNet):
    """A reward that is the same everywhere.

    Args:
        observation_space: the observation space.
        action_space: the action space.
        value: the reward.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        value: float = 0.0,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.value = value

    def forward(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
    ) -> th.Tensor:
        """Returns the constant for each transition, shape ``(B,)``."""
        return th.full((len(action),), self.value, dtype=th.float32)
