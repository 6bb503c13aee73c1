"""From what an environment gives to what a reward network takes, and on to vectors."""

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common import preprocessing
from torch import Tensor, nn
from torch.nn import functional

from imitation.data import tree
from imitation.errors import ConfigError, DataError
from imitation.util import tensors
from imitation.util.spaces import Space
from imitation.vision.backbones.convolutional import SMALL_FEATURES, small_cnn
from imitation.vision.images import channels_and_sides, cnn_transpose, is_image

# Observations that a network takes, ``(B, ...)``, or one such tensor per key.
TensorObs = Tensor | dict[str, Tensor]

PLAIN = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


def encode(
    name: str,
    value: object,
    space: Space,
    normalize_images: bool,
    device: th.device,
    dtype: th.dtype,
) -> TensorObs:
    """Turns a batch of one part of transitions into what a network takes.

    Args:
        name: name of the batch, for errors.
        value: an array or tensor of shape ``(B, *space.shape)``, or a mapping of them.
        space: the space of one element.
        normalize_images: whether to scale images from [0, 255] to [0, 1].
        device: device of the result.
        dtype: floating type of the result.

    Returns:
        Floating tensors: boxes and binary vectors ``(B, *space.shape)``, discrete
        values one-hot ``(B, n)``, several discrete values as joined one-hot vectors
        ``(B, Σ n)``, dictionaries in the order of the space's keys.

    Raises:
        DataError: the batch does not fit the space.
    """
    parts = [
        encode_leaf(*leaf, normalize_images, device, dtype)
        for leaf in tree.with_spaces(name, value, space)
    ]
    if isinstance(space, spaces.Dict):
        return dict(zip(space.spaces, parts, strict=True))
    return parts[0]


def encode_leaf(
    name: str,
    value: object,
    space: Space,
    normalize_images: bool,
    device: th.device,
    dtype: th.dtype,
) -> Tensor:
    """Encodes a batch of one array, as `encode` does."""
    if isinstance(value, Tensor):
        raw = value
        # Images are bytes before encoding, so a floating one has been scaled already.
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
    if isinstance(space, spaces.Box) and normalize_images and is_image(space):
        return raw.to(device).to(dtype) / 255.0  # bytes are the fewest to move
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return raw.to(device, dtype)
    return _one_hot(name, raw, space).to(device, dtype)


def _is_encoded(value: Tensor, space: Space) -> bool:
    """Returns whether a tensor came from `encode`, so as not to encode it again."""
    if not value.is_floating_point():
        return False
    if isinstance(space, spaces.Discrete):
        return value.ndim == 2 and value.shape[1] == space.n
    if isinstance(space, spaces.MultiDiscrete):
        return value.ndim == 2 and value.shape[1] == space.nvec.sum()
    # Other boxes look the same before and after; encoding them again is harmless.
    return value.shape[1:] == space.shape and is_image(space)


def _one_hot(name: str, raw: Tensor, space: Space) -> Tensor:
    try:
        if isinstance(space, spaces.Discrete):
            # one_hot refuses what is out of range, on the CPU by a RuntimeError.
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


def _unknown(space: Space) -> ConfigError:
    return ConfigError(
        "reward networks take Box, Discrete, one-dimensional MultiDiscrete and "
        f"MultiBinary spaces, and dictionaries of these, got {space}"
    )


def check_lengths(
    state: TensorObs, action: Tensor, next_state: TensorObs, done: Tensor
) -> None:
    """Checks that the parts of a batch are equally long.

    Raises:
        DataError: they are not.
    """
    for name, part in (("state", state), ("next_state", next_state), ("done", done)):
        for leaf in tree.leaves(part):
            if len(leaf) != len(action):
                raise DataError(
                    f"a batch needs as many of each part, got {len(leaf)} of {name} "
                    f"and {len(action)} of action"
                )


class VectorFeatures(nn.Module):
    """Flattens encoded observations or actions to one vector each.

    An image in a dictionary goes through `small_cnn` first, since its many pixels would
    drown the vectors beside it. An observation that is nothing but an image is
    flattened like any other box; for a convolutional network on it there is
    `CnnRewardNet`.

    Args:
        space: the space of one element.

    Attributes:
        size: length of the vectors.

    Raises:
        ConfigError: the space cannot be flattened.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.size = 0
        self.images = nn.ModuleDict()
        self.channels_last: set[str] = set()
        parts = space.spaces if isinstance(space, spaces.Dict) else {"": space}
        for key, part in parts.items():
            if isinstance(space, spaces.Dict) and is_image(part):
                channels_first, channels, _ = channels_and_sides(part)
                if not channels_first:
                    self.channels_last.add(key)
                self.images[key] = small_cnn(channels)
                self.size += SMALL_FEATURES
            elif isinstance(part, PLAIN):
                self.size += preprocessing.get_flattened_obs_dim(part)
            else:
                raise _unknown(space)

    def forward(self, value: TensorObs) -> Tensor:
        """Maps encoded values of shape ``(B, ...)`` to ``(B, size)``."""
        if isinstance(value, Tensor):
            return value if value.ndim == 2 else value.flatten(1)
        features = []
        for key, part in value.items():
            if key in self.images:
                image = cnn_transpose(part) if key in self.channels_last else part
                features.append(self.images[key](image))
            else:
                features.append(part.flatten(1))
        return th.cat(features, dim=1)
