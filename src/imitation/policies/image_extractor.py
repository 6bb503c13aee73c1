"""Convolutional features for images with channels first or last, of any size.

Stable-Baselines3 transposes images inside its own algorithms; an imitation algorithm
sees the environment's layout. These extractors accept both, so that no wrapper has to
be remembered. The large network is that of Mnih et al., "Human-level control through
deep reinforcement learning", Nature 518, 2015, Methods.
"""

from typing import Any

import gymnasium as gym
import torch as th
from gymnasium import spaces
from stable_baselines3.common.preprocessing import (
    get_flattened_obs_dim,
    is_image_space,
    is_image_space_channels_first,
)
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

__all__ = ["DictImageExtractor", "ImageExtractor"]

SMALLEST_FOR_NATURE = 36
"""Sides in pixels below which the strides of the Nature network leave nothing."""


class ImageExtractor(BaseFeaturesExtractor):
    """Features of one image.

    Args:
        observation_space: an image space, shape ``(C, H, W)`` or ``(H, W, C)``.
        features_dim: number of features.
    """

    def __init__(
        self, observation_space: gym.Space[Any], features_dim: int = 512
    ) -> None:
        super().__init__(observation_space, features_dim)
        assert isinstance(observation_space, spaces.Box)
        self.channels_first = is_image_space_channels_first(observation_space)
        shape = observation_space.shape
        channels, *sides = shape if self.channels_first else (shape[2], *shape[:2])
        self.cnn = nn.Sequential(*_convolutions(channels, min(sides)), nn.Flatten())
        with th.no_grad():
            n_flat = self.cnn(th.zeros(1, channels, *sides)).shape[1]
        self.linear = nn.Sequential(nn.Linear(n_flat, features_dim), nn.ReLU())

    def forward(self, observations: th.Tensor) -> th.Tensor:
        """Maps images ``(B, ...)``, scaled to [0, 1], to ``(B, features_dim)``."""
        if not self.channels_first:
            observations = observations.permute(0, 3, 1, 2)
        features: th.Tensor = self.linear(self.cnn(observations))
        return features


class DictImageExtractor(BaseFeaturesExtractor):
    """Features of a dictionary: convolutions for its images, the rest flattened.

    Args:
        observation_space: a dictionary space.
        cnn_output_dim: number of features of each image.
    """

    def __init__(
        self, observation_space: spaces.Dict, cnn_output_dim: int = 256
    ) -> None:
        super().__init__(observation_space, features_dim=1)
        self.extractors = nn.ModuleDict()
        size = 0
        for key, space in observation_space.spaces.items():
            if is_image_space(space):
                self.extractors[key] = ImageExtractor(space, cnn_output_dim)
                size += cnn_output_dim
            else:
                self.extractors[key] = nn.Flatten()
                size += get_flattened_obs_dim(space)
        self._features_dim = size

    def forward(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Maps a dictionary of ``(B, ...)`` tensors to ``(B, features_dim)``."""
        parts = [part(observations[key]) for key, part in self.extractors.items()]
        return th.cat(parts, dim=1)


def _convolutions(channels: int, side: int) -> list[nn.Module]:
    if side >= SMALLEST_FOR_NATURE:
        layers = [(channels, 32, 8, 4, 0), (32, 64, 4, 2, 0), (64, 64, 3, 1, 0)]
    else:
        layers = [(channels, 32, 3, 1, 1), (32, 64, 3, 2, 1), (64, 64, 3, 1, 1)]
    modules: list[nn.Module] = []
    for in_channels, out_channels, kernel, stride, padding in layers:
        modules += [nn.Conv2d(in_channels, out_channels, kernel, stride, padding)]
        modules += [nn.ReLU()]
    return modules
