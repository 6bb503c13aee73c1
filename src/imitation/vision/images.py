"""Image spaces, and where their channels are."""

import warnings

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common import preprocessing

from imitation.errors import ConfigError
from imitation.util.spaces import Space


def is_image(space: Space) -> bool:
    """Returns whether a space holds images: three axes of bytes from 0 to 255."""
    # Most spaces fail the first test, and comparing the bounds takes long.
    return space.dtype == np.uint8 and preprocessing.is_image_space(space)


def channels_and_sides(space: Space) -> tuple[bool, int, tuple[int, int]]:
    """Finds the channels of images, taking the smallest axis for them.

    Args:
        space: a space of images.

    Returns:
        Whether the channels come first, their number, and height and width.
    """
    assert isinstance(space, spaces.Box) and len(space.shape) == 3, space
    first = preprocessing.is_image_space_channels_first(space)
    a, b, c = space.shape
    return (True, a, (b, c)) if first else (False, c, (a, b))


def num_channels(space: Space, hwc_format: bool) -> int:
    """Returns the number of channels of images, and warns if it is unlikely.

    Args:
        space: a space of images.
        hwc_format: whether their channels come last.
    """
    assert space.shape is not None and len(space.shape) == 3, space
    first, _, last = space.shape
    channels, side = (last, first) if hwc_format else (first, last)
    if channels >= 4 * side:
        warnings.warn(
            f"images of shape {space.shape} look as if their channels came "
            f"{'first' if hwc_format else 'last'}; if so, pass "
            f"hwc_format={not hwc_format}",
            stacklevel=3,
        )
    return channels


def cnn_transpose(tens: th.Tensor) -> th.Tensor:
    """Moves the channels of a batch of images from the last axis to the second.

    Args:
        tens: shape ``(B, H, W, C)``.

    Returns:
        A view of shape ``(B, C, H, W)``.

    Raises:
        ConfigError: `tens` does not have four axes.
    """
    if tens.ndim != 4:
        raise ConfigError(
            f"Invalid input: expected shape (batch, height, width, channels), "
            f"got {tuple(tens.shape)}"
        )
    return tens.permute(0, 3, 1, 2)
