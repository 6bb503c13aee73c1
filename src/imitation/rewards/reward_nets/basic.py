"""A reward network of fully connected layers."""

from typing import Any

import gymnasium as gym
import torch as th
from stable_baselines3.common import preprocessing

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.base import RewardNet, TensorObs
from imitation.util import networks

__all__ = ["BasicRewardNet"]


class BasicRewardNet(RewardNet):
    """An MLP of the flattened, concatenated parts of a transition.

    Args:
        observation_space: the observation space of the environment.
        action_space: the action space of the environment.
        use_state: whether the reward depends on the state.
        use_action: whether it depends on the action.
        use_next_state: whether it depends on the next state.
        use_done: whether it depends on the end of the episode.
        **kwargs: passed to `networks.build_mlp`; two hidden layers of 32 by default.

    Raises:
        ConfigError: the reward would depend on nothing.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        use_state: bool = True,
        use_action: bool = True,
        use_next_state: bool = False,
        use_done: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(observation_space, action_space)
        obs_size = preprocessing.get_flattened_obs_dim(observation_space)
        action_size = preprocessing.get_flattened_obs_dim(action_space)
        self._uses = (use_state, use_action, use_next_state, use_done)
        sizes = (obs_size, action_size, obs_size, 1)
        in_size = sum(s for s, used in zip(sizes, self._uses, strict=True) if used)
        if in_size == 0:
            raise ConfigError(
                "a reward must depend on something: set one of use_state, use_action, "
                "use_next_state and use_done"
            )
        options = {"hid_sizes": (32, 32)} | kwargs
        fixed = {"in_size": in_size, "out_size": 1, "squeeze_output": True}
        self.mlp = networks.build_mlp(**(options | fixed))

    def forward(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
    ) -> th.Tensor:
        """Computes rewards; see `RewardNet.forward`."""
        parts = (state, action, next_state, done)
        used = [_flat(p) for p, use in zip(parts, self._uses, strict=True) if use]
        rewards: th.Tensor = self.mlp(th.cat(used, dim=1))
        return rewards


def _flat(value: TensorObs) -> th.Tensor:
    """Flattens all but the first axis, and joins the parts of a dictionary."""
    if isinstance(value, dict):
        return th.cat([_flat(part) for part in value.values()], dim=1)
    return value.reshape(len(value), -1)
