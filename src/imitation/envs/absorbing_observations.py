"""How observations say whether they are the absorbing state.

Vectors get one more feature, which is 1 in the absorbing state and 0 elsewhere. Other
observations become a dictionary with an array of shape ``(1,)`` under "absorbing",
beside the parts of a dictionary or beside the whole observation under "obs".
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from imitation.errors import ConfigError

__all__ = ["INDICATOR", "OBS", "absorbing_space", "with_indicator", "zeros"]

Array = npt.NDArray[Any]

INDICATOR = "absorbing"
"""Key of the indicator in dictionary observations."""

OBS = "obs"
"""Key of observations that are neither vectors nor dictionaries."""


def absorbing_space(space: gym.Space[Any]) -> gym.Space[Any]:
    """The observation space of an environment with absorbing states.

    Args:
        space: a Box, Discrete, MultiDiscrete or MultiBinary space, or a dictionary.

    Returns:
        For vectors, the same kind of space with one more feature; for others, a
        dictionary with the key "absorbing". Boxes are widened to contain zeros.

    Raises:
        ConfigError: the space is of another kind, does not contain zeros, or is a
            dictionary with the key "absorbing".
    """
    match space:
        case gym.spaces.Dict():
            if INDICATOR in space.spaces:
                raise ConfigError(
                    f"observations have the key {INDICATOR!r} already; was the "
                    "environment wrapped before?"
                )
            parts = [(k, _withzeros(part)) for k, part in space.spaces.items()]
        case gym.spaces.Box(shape=(_,)):
            box = _withzeros(space)
            low, high = np.append(box.low, 0), np.append(box.high, 1)  # type: ignore[attr-defined]  # a box
            return gym.spaces.Box(
                low.astype(space.dtype),
                high.astype(space.dtype),
                dtype=space.dtype.type,
            )
        case gym.spaces.MultiDiscrete(shape=(_,)):
            start = np.append(_withzeros(space).start, 0)  # type: ignore[attr-defined]  # it stays of its kind
            return gym.spaces.MultiDiscrete(
                np.append(space.nvec, 2), dtype=space.dtype.type, start=start
            )
        case gym.spaces.MultiBinary(shape=(n,)):
            return gym.spaces.MultiBinary(n + 1)
        case _:
            parts = [(OBS, _withzeros(space))]
    flag = gym.spaces.Box(0, 1, (1,), np.float32)
    return gym.spaces.Dict([*parts, (INDICATOR, flag)])


def _withzeros(space: gym.Space[Any]) -> gym.Space[Any]:
    """The space, a box widened to contain zeros."""
    if isinstance(space, gym.spaces.Box):
        low, high = np.minimum(space.low, 0), np.maximum(space.high, 0)
        if (low == space.low).all() and (high == space.high).all():
            return space
        return gym.spaces.Box(low, high, dtype=space.dtype.type)
    kinds = (gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary)
    if not isinstance(space, kinds) or not space.contains(zeros(space)):
        raise ConfigError(
            f"absorbing states need boxes, or discrete observations that may be zero, "
            f"got {space}; change the observations by a wrapper beneath"
        )
    return space


def zeros(space: gym.Space[Any]) -> Any:
    """The observation of the absorbing state, without its indicator.

    Args:
        space: the observation space without indicators.

    Returns:
        An array of the space's shape and dtype, or a dictionary of them.
    """
    if isinstance(space, gym.spaces.Dict):
        return {key: zeros(part) for key, part in space.spaces.items()}
    return np.zeros(space.shape or (), space.dtype)


def with_indicator(obs: Any, flags: Array, is_vector: bool) -> Any:
    """Adds indicators to observations.

    Args:
        obs: one observation or a batch, ``(..., *observation_shape)``; a dictionary of
            arrays if the space is one.
        flags: the indicators, shape ``(..., 1)``, float32.
        is_vector: whether the space is one of vectors.

    Returns:
        Elements of the `absorbing_space`, as a plain dictionary where it is one.
    """
    if is_vector:
        return np.concatenate([obs, flags.astype(obs.dtype)], axis=-1)
    parts = obs if isinstance(obs, Mapping) else {OBS: obs}
    return {**parts, INDICATOR: flags}
