"""Convolutional features for images with channels first or last, of any size.

Stable-Baselines3 transposes images inside its own algorithms; an imitation algorithm
sees the environment's layout. These extractors accept both, so that no wrapper is
needed.
"""

import torch as th
from gymnasium import spaces
from stable_baselines3.common.preprocessing import get_flattened_obs_dim, is_image_space
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn
from typing_extensions import override

from imitation.util.spaces import Space
from imitation.vision.backbones.convolutional import nature_convolutions
from imitation.vision.images import channels_and_sides, cnn_transpose


class ImageExtractor(BaseFeaturesExtractor):
    """Features of one image.

    Args:
        observation_space: an image space, shape ``(C, H, W)`` or ``(H, W, C)``.
        features_dim: number of features.
    """

    def __init__(self, observation_space: Space, features_dim: int = 512) -> None:
        super().__init__(observation_space, features_dim)
        self.channels_first, channels, sides = channels_and_sides(observation_space)
        self.cnn = nature_convolutions(channels, min(sides))
        with th.no_grad():
            n_flat = self.cnn(th.zeros(1, channels, *sides)).shape[1]
        self.linear = nn.Sequential(nn.Linear(n_flat, features_dim), nn.ReLU())

    @override
    def forward(self, observations: th.Tensor) -> th.Tensor:
        """Maps images ``(B, ...)``, scaled to [0, 1], to ``(B, features_dim)``."""
        if not self.channels_first:
            observations = cnn_transpose(observations)
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
        # The base refuses 0 features; the number is known once all parts are.
        super().__init__(observation_space, features_dim=1)
        self.extractors = nn.ModuleDict()
        self._features_dim = 0
        for key, space in observation_space.spaces.items():
            if is_image_space(space):
                self.extractors[key] = ImageExtractor(space, cnn_output_dim)
                self._features_dim += cnn_output_dim
            else:
                self.extractors[key] = nn.Flatten()
                self._features_dim += get_flattened_obs_dim(space)

    @override
    def forward(self, observations: dict[str, th.Tensor]) -> th.Tensor:
        """Maps a dictionary of ``(B, ...)`` tensors to ``(B, features_dim)``."""
        parts = [part(observations[key]) for key, part in self.extractors.items()]
        return th.cat(parts, dim=1)
