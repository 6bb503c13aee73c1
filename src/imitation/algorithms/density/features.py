"""Transitions as vectors, whose density is estimated."""

import enum
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch as th
from gymnasium import spaces

from imitation.data import types
from imitation.errors import ConfigError, DataError
from imitation.util import tensors

__all__ = ["DensityType", "TransitionFeatures", "flatten_batch"]

Array = npt.NDArray[Any]


class DensityType(enum.Enum):
    """Input type the density model should use."""

    STATE_DENSITY = 1
    """Density on state s."""

    STATE_ACTION_DENSITY = 2
    """Density on (s,a) pairs."""

    STATE_STATE_DENSITY = 3
    """Density on (s,s') pairs."""


class TransitionFeatures:
    """Maps transitions to vectors: states, and what `density_type` joins to them.

    Args:
        density_type: which parts of a transition count.
        observation_space: of the environment.
        action_space: of the environment.

    Raises:
        ConfigError: a space cannot be flattened.
    """

    def __init__(
        self,
        density_type: DensityType,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
    ) -> None:
        self.density_type = density_type
        self.observation_space = observation_space
        self.action_space = action_space
        for space in (observation_space, action_space):
            _check_space(space)

    def __call__(self, obs: Any, acts: Any, next_obs: Any) -> Array:
        """Makes the vectors of a batch of ``B`` transitions.

        Args:
            obs: observations, shape ``(B, *observation_shape)``, an array, a tensor, or
                a dictionary of them.
            acts: actions, shape ``(B, *action_shape)``.
            next_obs: like `obs`; may be None if the density is not of it.

        Returns:
            Features, shape ``(B, F)``: what ``gymnasium.spaces.flatten`` gives.

        Raises:
            DataError: a part does not fit its space, or `next_obs` is needed and None.
        """
        state = flatten_batch("obs", obs, self.observation_space)
        match self.density_type:
            case DensityType.STATE_DENSITY:
                return state
            case DensityType.STATE_ACTION_DENSITY:
                other = flatten_batch("acts", acts, self.action_space)
            case DensityType.STATE_STATE_DENSITY:
                if next_obs is None:
                    raise DataError(
                        "STATE_STATE_DENSITY requires next_obs_b to be provided, but "
                        "it was None"
                    )
                other = flatten_batch("next_obs", next_obs, self.observation_space)
        if len(other) != len(state):
            raise DataError(
                f"expected as many actions and next observations as observations, got "
                f"{len(other)} and {len(state)}"
            )
        return np.concatenate([state, other], axis=1)


def flatten_batch(name: str, values: Any, space: gym.Space[Any]) -> Array:
    """Flattens each of a batch of values as ``gymnasium.spaces.flatten`` does.

    Args:
        name: what the values are, for errors.
        values: shape ``(B, *space.shape)``, an array, a tensor, or a dictionary.
        space: the space of one value.

    Returns:
        Shape ``(B, F)``; discrete values are one-hot, dictionaries joined in the order
        of the space's keys.

    Raises:
        DataError: the values do not fit the space.
    """
    values = types.maybe_unwrap_dictobs(values)
    if isinstance(space, spaces.Dict):
        if not isinstance(values, Mapping) or not values.keys() >= space.spaces.keys():
            got = sorted(values) if isinstance(values, Mapping) else type(values)
            raise DataError(
                f"{name} must be a dictionary with the keys {sorted(space.spaces)}, "
                f"got {got}"
            )
        parts = [
            flatten_batch(f"{name}[{key!r}]", values[key], part)
            for key, part in space.spaces.items()
        ]
        return np.concatenate(parts, axis=1)
    if isinstance(values, th.Tensor):
        values = tensors.safe_to_numpy(values)
    array = np.asarray(values)
    shape = space.shape or ()
    if array.ndim == 0 or array.shape[1:] != shape:
        raise DataError(
            f"{name} has the shape {array.shape}, expected "
            f"({', '.join(['batch', *map(str, shape)])}) for one of {space} each"
        )
    if isinstance(space, spaces.Discrete):
        return _one_hot(name, array[:, None] - int(space.start), np.array([space.n]))
    if isinstance(space, spaces.MultiDiscrete):
        digits = (array - space.start).reshape(len(array), -1)
        return _one_hot(name, digits, space.nvec.ravel())
    return array.astype(space.dtype, copy=False).reshape(len(array), -1)


def _one_hot(name: str, digits: Array, sizes: Array) -> Array:
    """One-hot vectors, side by side, of columns of numbers from 0 to each size."""
    if ((digits < 0) | (digits >= sizes)).any():
        raise DataError(
            f"{name} has values outside its space, which has {sizes.tolist()}"
        )
    places = digits.astype(np.int64) + np.cumsum(sizes) - sizes
    encoded = np.zeros((len(digits), int(sizes.sum())), dtype=np.int64)
    np.put_along_axis(encoded, places, 1, axis=1)
    return encoded


def _check_space(space: gym.Space[Any]) -> None:
    if isinstance(space, spaces.Dict):
        for part in space.spaces.values():
            _check_space(part)
    elif not isinstance(
        space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
    ):
        raise ConfigError(
            "densities are of Box, Discrete, MultiDiscrete and MultiBinary spaces and "
            f"dictionaries of these, got {space}"
        )
