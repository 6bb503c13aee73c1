"""Potentials: a number for each state, whose differences shape a reward."""

from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import torch as th
from torch import nn

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.cnn import cnn_transpose, num_channels
from imitation.rewards.reward_nets.inputs import TensorObs, VectorFeatures, is_image
from imitation.util import networks, rebuilding

__all__ = ["BasicPotentialCNN", "BasicPotentialMLP"]


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
        self,
        observation_space: gym.Space[Any],
        hid_sizes: Iterable[int],
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.features = VectorFeatures(observation_space)
        fixed = {"in_size": self.features.size, "squeeze_output": True}
        options = {"hid_sizes": hid_sizes} | kwargs | fixed
        self._potential_net = networks.build_mlp(**options)

    def forward(self, state: TensorObs) -> th.Tensor:
        """Maps preprocessed observations, ``(B, ...)``, to potentials, ``(B,)``."""
        potentials: th.Tensor = self._potential_net(self.features(state))
        return potentials

    @property
    def mlp(self) -> nn.Module:
        """The network from flattened observations, ``(B, n)``, to potentials."""
        return self._potential_net


class BasicPotentialCNN(rebuilding.Rebuildable):
    """A potential that is a convolutional network of the image observed.

    Args:
        observation_space: a space of images.
        hid_sizes: numbers of channels of the convolutions.
        hwc_format: whether images have their channels last, ``(H, W, C)``, instead of
            first.
        **kwargs: passed to `networks.build_cnn`.

    Raises:
        ConfigError: observations are not images.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        hid_sizes: Iterable[int],
        hwc_format: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if not is_image(observation_space):
            raise ConfigError("CNN potential must be given image inputs.")
        self.hwc_format = hwc_format
        channels = num_channels(observation_space, hwc_format)
        fixed = {"in_channels": channels, "squeeze_output": True}
        options = {"hid_channels": hid_sizes} | kwargs | fixed
        self._potential_net = networks.build_cnn(**options)

    def forward(self, state: th.Tensor) -> th.Tensor:
        """Maps preprocessed images, shape ``(B, ...)``, to potentials, ``(B,)``."""
        images = cnn_transpose(state) if self.hwc_format else state
        potentials: th.Tensor = self._potential_net(images)
        return potentials
