"""Rewards shaped by a potential, which leaves the optimal policy as it is.

Ng, Harada and Russell, "Policy invariance under reward transformations: theory and
application to reward shaping", ICML 1999.
"""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import torch as th

from imitation.rewards.reward_nets.base import RewardNet, TensorObs
from imitation.rewards.reward_nets.basic import BasicRewardNet
from imitation.rewards.reward_nets.potentials import BasicPotentialMLP
from imitation.rewards.reward_nets.wrappers import ForwardWrapper

__all__ = ["BasicShapedRewardNet", "ShapedRewardNet"]


class ShapedRewardNet(ForwardWrapper):
    """Adds the difference of a potential to the rewards of another network.

    The reward of a transition is r + γ·(1 − d)·Φ(s′) − Φ(s), where r is that of `base`,
    Φ the potential, γ the discount factor, and d 1 where the episode ended. The
    potential of the state after the end counts as 0; else what the policy earned would
    depend on where it ended.

    Args:
        base: the network whose rewards to shape; it may not be a
            `PredictProcessedWrapper`.
        potential: maps a batch of preprocessed observations to potentials, ``(B,)``. A
            module becomes a submodule, and is trained with the rest.
        discount_factor: γ, in [0, 1].

    Raises:
        ConfigError: `base` is a `PredictProcessedWrapper`.
    """

    def __init__(
        self,
        base: RewardNet,
        potential: Callable[[Any], th.Tensor],
        discount_factor: float,
    ) -> None:
        super().__init__(base)
        self.potential = potential
        self.discount_factor = discount_factor

    def forward(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
    ) -> th.Tensor:
        """Computes shaped rewards; see `RewardNet.forward`."""
        rewards: th.Tensor = self.base(state, action, next_state, done)
        # In one call: quicker, and a layer of running statistics sees both before it
        # normalises either.
        both = self.potential(_joined(state, next_state)).flatten()
        potential, next_potential = both[: len(done)], both[len(done) :]
        going_on = 1 - done.to(next_potential.dtype)
        return rewards + self.discount_factor * going_on * next_potential - potential


class BasicShapedRewardNet(ShapedRewardNet):
    """A `BasicRewardNet` shaped by a `BasicPotentialMLP`.

    Args:
        observation_space: the observation space of the environment.
        action_space: the action space of the environment.
        reward_hid_sizes: widths of the hidden layers of the reward.
        potential_hid_sizes: widths of the hidden layers of the potential.
        use_state: whether the unshaped reward depends on the state.
        use_action: whether it depends on the action.
        use_next_state: whether it depends on the next state.
        use_done: whether it depends on the end of the episode.
        discount_factor: that of the shaping.
        **kwargs: passed to `networks.build_mlp` for both networks.

    Raises:
        ConfigError: the unshaped reward would depend on nothing.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        reward_hid_sizes: Sequence[int] = (32,),
        potential_hid_sizes: Sequence[int] = (32, 32),
        use_state: bool = True,
        use_action: bool = True,
        use_next_state: bool = False,
        use_done: bool = False,
        discount_factor: float = 0.99,
        **kwargs: Any,
    ) -> None:
        base = BasicRewardNet(
            observation_space,
            action_space,
            use_state=use_state,
            use_action=use_action,
            use_next_state=use_next_state,
            use_done=use_done,
            hid_sizes=reward_hid_sizes,
            **kwargs,
        )
        potential = BasicPotentialMLP(observation_space, potential_hid_sizes, **kwargs)
        super().__init__(base, potential, discount_factor=discount_factor)


def _joined(state: TensorObs, next_state: TensorObs) -> TensorObs:
    """Joins two batches of preprocessed observations, ``(2B, ...)``."""
    if isinstance(state, th.Tensor):
        assert isinstance(next_state, th.Tensor)
        return th.cat([state, next_state])
    assert isinstance(next_state, dict)
    return {key: th.cat([part, next_state[key]]) for key, part in state.items()}
