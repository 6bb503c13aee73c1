"""Reward networks for environments with absorbing states."""

from torch import Tensor
from typing_extensions import override

from imitation.envs.absorbing import INDICATOR
from imitation.rewards.reward_nets import ForwardWrapper
from imitation.rewards.reward_nets.base import TensorObs


class AbsorbingActionMask(ForwardWrapper):
    """Hides from a reward network the actions taken in the absorbing state.

    They do nothing. But demonstrations that `absorb_trajectories` padded have zeros
    there, and a policy does not, so that a discriminator which sees the actions could
    tell expert from policy by them, and reward the policy for staying out of the
    absorbing state, which is the bias that absorbing states are to remove.

    Args:
        base: the network to wrap, for observations as in `imitation.envs.absorbing`.
    """

    @override
    def forward(
        self, state: TensorObs, action: Tensor, next_state: TensorObs, done: Tensor
    ) -> Tensor:
        flag = state[INDICATOR] if isinstance(state, dict) else state[:, -1:]
        # (B, 1, ...) as many axes as actions have; they may be images, one-hot, boxes.
        there = (flag > 0).reshape(-1, *[1] * (action.ndim - 1))
        rewards: Tensor = self.base(
            state, action.masked_fill(there, 0), next_state, done
        )
        return rewards
