"""A reward network and a potential of fully connected layers."""

from collections.abc import Iterable
from typing import Any

import torch as th
from torch import Tensor, nn
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.base import RewardNet
from imitation.rewards.reward_nets.inputs import TensorObs, VectorFeatures
from imitation.util import networks, rebuilding
from imitation.util.spaces import Space


class BasicRewardNet(RewardNet):
    """A multi-layer perceptron of the flattened, joined parts of a transition.

    Observations may be dictionaries of vectors and images; each image in one goes
    through a small convolutional network, see `VectorFeatures`. For observations that
    are nothing but an image use `CnnRewardNet`.

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
        observation_space: Space,
        action_space: Space,
        use_state: bool = True,
        use_action: bool = True,
        use_next_state: bool = False,
        use_done: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.uses = (use_state, use_action, use_next_state, use_done)
        obs_features = VectorFeatures(observation_space)
        action_features = VectorFeatures(action_space)
        sizes = (obs_features.size, action_features.size, obs_features.size, 1)
        in_size = sum(s for s, used in zip(sizes, self.uses, strict=True) if used)
        if in_size == 0:
            raise ConfigError(
                "a reward must depend on something: set one of use_state, use_action, "
                "use_next_state and use_done"
            )
        options = {"hid_sizes": (32, 32)} | kwargs
        fixed = {"in_size": in_size, "out_size": 1, "squeeze_output": True}
        # First, as device and dtype of the network are those of its first parameter.
        self.mlp = networks.build_mlp(**(options | fixed))
        self.obs_features = obs_features
        self.action_features = action_features

    @override
    def forward(
        self, state: TensorObs, action: Tensor, next_state: TensorObs, done: Tensor
    ) -> Tensor:
        rewards: Tensor = self.mlp(self.joined(state, action, next_state, done))
        return rewards

    def joined(
        self, state: TensorObs, action: Tensor, next_state: TensorObs, done: Tensor
    ) -> Tensor:
        """Joins what the reward depends on to the input of `mlp`, ``(B, in_size)``."""
        use_state, use_action, use_next_state, use_done = self.uses
        used = []
        if use_state:
            used.append(self.obs_features(state))
        if use_action:
            used.append(self.action_features(action))
        if use_next_state:
            used.append(self.obs_features(next_state))
        if use_done:
            used.append(done.unsqueeze(1))
        return th.cat(used, dim=1)


class BasicPotentialMLP(rebuilding.Rebuildable):
    """A potential that is a multi-layer perceptron of the flattened observation.

    Images in dictionary observations go through a small convolutional network; see
    `VectorFeatures`.

    Args:
        observation_space: the observation space of the environment.
        hid_sizes: widths of the hidden layers.
        **kwargs: passed to `networks.build_mlp`.
    """

    def __init__(
        self, observation_space: Space, hid_sizes: Iterable[int], **kwargs: Any
    ) -> None:
        super().__init__()
        self.features = VectorFeatures(observation_space)
        fixed = {"in_size": self.features.size, "squeeze_output": True}
        options = {"hid_sizes": hid_sizes} | kwargs | fixed
        self._potential_net = networks.build_mlp(**options)

    def forward(self, state: TensorObs) -> Tensor:
        """Maps preprocessed observations, ``(B, ...)``, to potentials, ``(B,)``."""
        potentials: Tensor = self._potential_net(self.features(state))
        return potentials

    @property
    def mlp(self) -> nn.Module:
        """The network from flattened observations, ``(B, n)``, to potentials."""
        return self._potential_net
