"""Rewards shaped by a potential, which leaves the optimal policy as it is.

Ng, Harada and Russell, "Policy invariance under reward transformations: theory and
application to reward shaping", ICML 1999.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from typing_extensions import override

from imitation.data import tree
from imitation.rewards.reward_nets.base import RewardNet, TensorObs
from imitation.rewards.reward_nets.mlp import BasicPotentialMLP, BasicRewardNet
from imitation.rewards.reward_nets.wrappers import ForwardWrapper
from imitation.util.spaces import Space


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
        potential: Callable[[Any], Tensor],
        discount_factor: float,
    ) -> None:
        super().__init__(base)
        self.potential = potential
        self.discount_factor = discount_factor

    @override
    def forward(
        self, state: TensorObs, action: Tensor, next_state: TensorObs, done: Tensor
    ) -> Tensor:
        rewards: Tensor = self.base(state, action, next_state, done)
        # In one call: quicker, and a layer of running statistics sees both before it
        # normalizes either. (2B,)
        both = self.potential(tree.concatenate([state, next_state])).flatten()
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
        observation_space: Space,
        action_space: Space,
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
