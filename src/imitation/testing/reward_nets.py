"""Reward networks for tests."""

from typing import Any

import torch as th
from torch import Tensor
from typing_extensions import override

from imitation.rewards import reward_nets
from imitation.rewards.reward_nets.base import TensorObs
from imitation.util.spaces import Space


def make_ensemble(
    obs_space: Space,
    action_space: Space,
    num_members: int = 2,
    **kwargs: Any,
) -> reward_nets.RewardEnsemble:
    """Makes an ensemble of `BasicRewardNet`, each with its own initial weights.

    `kwargs` are passed to `BasicRewardNet`.
    """
    members = [
        reward_nets.BasicRewardNet(obs_space, action_space, **kwargs)
        for _ in range(num_members)
    ]
    return reward_nets.RewardEnsemble(obs_space, action_space, members)


class MockRewardNet(reward_nets.RewardNet):
    """A reward that is `value` everywhere."""

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        value: float = 0.0,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.value = value

    @override
    def forward(
        self, state: TensorObs, action: Tensor, next_state: TensorObs, done: Tensor
    ) -> Tensor:
        return th.full((len(action),), self.value, dtype=th.float32)
