"""From what an environment gives to what a reward network takes, and on to vectors.

`encode` turns observations or actions of a batch of transitions into tensors:
images scaled, discrete values one-hot. `VectorFeatures` flattens what it returns for
a multi-layer perceptron.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common import preprocessing
from torch import nn
from torch.nn import functional

from imitation.errors import ConfigError, DataError
from imitation.util import networks, tensors

__all__ = ["TensorObs", "VectorFeatures", "encode", "is_image"]

TensorObs = th.Tensor | dict[str, th.Tensor]

IMAGE_CHANNELS = (16, 32)
"""Channels of the convolutions that an image in a dictionary goes through."""

IMAGE_FEATURES = 32
"""Number of features of each image in a dictionary."""

PLAIN = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


def is_image(space: gym.Space[Any]) -> bool:
    """Whether a space holds images: three axes of bytes from 0 to 255."""
    # Most spaces fail the first test, and comparing the bounds takes long.
    return space.dtype == np.uint8 and preprocessing.is_image_space(space)


def encode(
    name: str,
    value: Any,
    space: gym.Space[Any],
    normalize_images: bool,
    device: th.device,
    dtype: th.dtype,
) -> TensorObs:
    """Turns a batch of one part of transitions into what a network takes.

    Args:
        name: what the batch is, for the error.
        value: an array or tensor of shape ``(B, *space.shape)``, or a mapping of them.
        space: the space of one element.
        normalize_images: whether to scale images from [0, 255] to [0, 1].
        device: where the result shall be.
        dtype: the floating type that it shall have.

    Returns:
        Floating tensors: boxes and binary vectors ``(B, *space.shape)``, discrete
        values one-hot ``(B, n)``, several discrete values as joined one-hot vectors
        ``(B, Σ n)``, dictionaries in the order of the space's keys.

    Raises:
        DataError: the batch does not fit the space.
    """
    if isinstance(space, spaces.Dict):
        if not isinstance(value, Mapping) or not value.keys() >= space.spaces.keys():
            got = sorted(value) if isinstance(value, Mapping) else type(value).__name__
            raise DataError(
                f"{name} must be a dictionary with the keys {sorted(space.spaces)}, "
                f"got {got}"
            )
        parts: dict[str, th.Tensor] = {}
        for key, part in space.spaces.items():
            encoded = encode(
                f"{name}[{key!r}]", value[key], part, normalize_images, device, dtype
            )
            assert isinstance(encoded, th.Tensor), "dictionaries do not nest"
            parts[key] = encoded
        return parts
    if isinstance(value, th.Tensor):
        raw = value
        if _is_encoded(raw, space):
            return raw.to(device, dtype)
    else:
        raw = tensors.safe_to_tensor(np.asarray(value))
    if raw.ndim == 0 or raw.shape[1:] != space.shape:
        expected = ", ".join(["batch", *map(str, space.shape or ())])
        raise DataError(
            f"{name} has the shape {tuple(raw.shape)}, expected ({expected}) for one "
            f"of {space} each"
        )
    if isinstance(space, spaces.Box):
        if normalize_images and is_image(space):
            return raw.to(device).to(dtype) / 255.0  # bytes are the fewest to move
        return raw.to(device, dtype)
    if isinstance(space, spaces.MultiBinary):
        return raw.to(device, dtype)
    return _one_hot(name, raw, space).to(device, dtype)


def _is_encoded(value: th.Tensor, space: gym.Space[Any]) -> bool:
    """Whether a tensor is what `encode` returned, so as not to encode it again."""
    if not value.is_floating_point():
        return False
    if isinstance(space, spaces.Discrete):
        return value.ndim == 2 and value.shape[1] == space.n
    if isinstance(space, spaces.MultiDiscrete):
        return value.ndim == 2 and value.shape[1] == space.nvec.sum()
    return value.shape[1:] == space.shape and is_image(space)


def _one_hot(name: str, raw: th.Tensor, space: gym.Space[Any]) -> th.Tensor:
    try:
        if isinstance(space, spaces.Discrete):
            return functional.one_hot(raw.long() - int(space.start), int(space.n))
        if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1:
            starts = th.as_tensor(space.start, device=raw.device)
            columns = (raw.long() - starts).unbind(dim=1)
            sizes = space.nvec.tolist()
            return th.cat(
                [functional.one_hot(c, n) for c, n in zip(columns, sizes, strict=True)],
                dim=1,
            )
    except RuntimeError as error:
        raise DataError(
            f"{name} has values from {raw.min()} to {raw.max()}, which are not all in "
            f"{space}"
        ) from error
    raise _unknown(space)


def _unknown(space: gym.Space[Any]) -> ConfigError:
    return ConfigError(
        "reward networks take Box, Discrete, one-dimensional MultiDiscrete and "
        f"MultiBinary spaces, and dictionaries of these, got {space}"
    )


class VectorFeatures(nn.Module):
    """Flattens encoded observations or actions to one vector each.

    An image in a dictionary goes through a small convolutional network first, since
    its many pixels would drown the vectors beside it: two convolutions of 16 and 32
    channels with stride 2, the average over the image, and 32 linear features. An
    observation that is nothing but an image is flattened like any other box; for a
    convolutional network on it there is `CnnRewardNet`.

    Args:
        space: the space of one element.

    Attributes:
        size: length of the vectors.

    Raises:
        ConfigError: there is no way to flatten the space.
    """

    def __init__(self, space: gym.Space[Any]) -> None:
        super().__init__()
        self.size = 0
        self.images = nn.ModuleDict()
        parts = space.spaces if isinstance(space, spaces.Dict) else {"": space}
        self.channels_last: set[str] = set()
        for key, part in parts.items():
            if isinstance(space, spaces.Dict) and is_image(part):
                self._add_image(key, part)
                self.size += IMAGE_FEATURES
            elif not isinstance(part, PLAIN):
                raise _unknown(space)
            else:
                self.size += preprocessing.get_flattened_obs_dim(part)

    def forward(self, value: TensorObs) -> th.Tensor:
        """Maps encoded values of shape ``(B, ...)`` to ``(B, size)``."""
        if isinstance(value, th.Tensor):
            return value if value.ndim == 2 else value.flatten(1)
        return th.cat([self._part(key, part) for key, part in value.items()], dim=1)

    def _add_image(self, key: str, space: gym.Space[Any]) -> None:
        assert isinstance(space, spaces.Box)
        first = preprocessing.is_image_space_channels_first(space)
        if not first:
            self.channels_last.add(key)
        channels = space.shape[0 if first else 2]
        self.images[key] = nn.Sequential(
            networks.build_cnn(
                channels, IMAGE_CHANNELS, IMAGE_FEATURES, stride=2, padding=1
            ),
            nn.ReLU(),
        )

    def _part(self, key: str, value: th.Tensor) -> th.Tensor:
        if key not in self.images:
            return value.flatten(1)
        if key in self.channels_last:
            value = value.permute(0, 3, 1, 2)
        features: th.Tensor = self.images[key](value)
        return features
