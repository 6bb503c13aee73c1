"""Transitions and demonstrations as vectors, whose density is estimated."""

import enum
from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
import torch as th
from gymnasium import spaces

from imitation.algorithms import base
from imitation.data import tree, types
from imitation.data.flatten import flatten_trajectories
from imitation.errors import ConfigError, DataError
from imitation.util.spaces import Space
from imitation.util.util import get_first_iter_element

# Features of demonstrations, each ``(N, F)``: by time step, or all under None.
Samples = Mapping[int | None, np.ndarray]


FLAT_SPACES = (
    spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary
)  # fmt: skip


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
        observation_space: Space,
        action_space: Space,
    ) -> None:
        self.density_type = density_type
        self.observation_space = observation_space
        self.action_space = action_space
        for space in (observation_space, action_space):
            parts = [space]
            if isinstance(space, spaces.Dict):
                parts = list(space.spaces.values())
            for part in parts:
                if not isinstance(part, FLAT_SPACES):
                    raise ConfigError(
                        "densities are of Box, Discrete, MultiDiscrete and MultiBinary "
                        f"spaces and dictionaries of these, got {part}"
                    )

    def __call__(
        self, obs: tree.Tree, acts: tree.ArrayOrTensor, next_obs: tree.Tree | None
    ) -> np.ndarray:
        """Flattens a batch of ``B`` transitions.

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


def samples_of(
    demonstrations: base.AnyTransitions,
    features: TransitionFeatures,
    *,
    is_stationary: bool,
) -> Samples:
    """Turns demonstrations into the samples that a density is estimated from.

    Args:
        demonstrations: trajectories, transitions, or an iterable of batches, all of
            which count.
        features: maps transitions to vectors.
        is_stationary: whether to join those of all time steps, under the key None.

    Returns:
        By time step, features of shape ``(N, F)``.

    Raises:
        TypeError: the demonstrations are of an unsupported kind.
        ValueError: they are empty; they do not fit the spaces; a density by time step
            is wanted, and they are not trajectories; or one of next states is wanted,
            and they have none.
    """
    first: object = demonstrations
    trajectories: list[types.Trajectory] = []
    batches: list[Mapping[str, tree.Tree]] = []
    if not isinstance(demonstrations, types.TransitionsMinimal):
        if not isinstance(demonstrations, Iterable):
            raise TypeError(f"Unsupported demonstration type {type(demonstrations)}")
        first, items = get_first_iter_element(demonstrations)
        if isinstance(first, types.Trajectory):
            trajectories = list(cast(Iterable[types.Trajectory], items))
            demonstrations = flatten_trajectories(trajectories)
        elif isinstance(first, Mapping):
            batches = list(cast(Iterable[Mapping[str, tree.Tree]], items))
        else:
            raise TypeError(
                f"Unsupported demonstration type {type(demonstrations)} of "
                f"{type(first)}"
            )
    if isinstance(demonstrations, types.TransitionsMinimal):
        batches = [types.dataclass_quick_asdict(demonstrations)]
    if not is_stationary and not isinstance(first, types.Trajectory):
        raise DataError(
            "Non-stationary model incompatible with non-trajectory demonstrations."
        )
    # Every batch counts, (N_i, F) each; release 1.0 kept only the last one.
    flat = np.concatenate([_checked_features(batch, features) for batch in batches])
    if is_stationary:
        return {None: flat}
    # The rows of all trajectories lie one after the other; sort them by time step.
    steps = np.concatenate([np.arange(len(traj)) for traj in trajectories])
    order = np.argsort(steps, kind="stable")
    parts = np.split(flat[order], np.cumsum(np.bincount(steps))[:-1])
    return dict(enumerate(parts))


def _checked_features(
    batch: Mapping[str, tree.Tree], features: TransitionFeatures
) -> np.ndarray:
    if not {"obs", "acts"} <= batch.keys():
        raise DataError(
            f"expected batches with the keys 'obs' and 'acts', got one with "
            f"{sorted(batch)}"
        )
    acts = _as_array(batch["acts"])
    obs, next_obs = batch["obs"], batch.get("next_obs")
    for seen in (obs,) if next_obs is None else (obs, next_obs):
        pairs = types.TransitionsMinimal(
            obs=tree.wrap(tree.map(_as_array, tree.unwrap(seen))),
            acts=acts,
            infos=np.full(len(acts), {}, dtype=object),
        )
        base.check_demonstrations(
            pairs, features.observation_space, features.action_space
        )
    return features(obs, acts, next_obs)


def _as_array(value: object) -> np.ndarray:
    return np.asarray(
        value.numpy(force=True) if isinstance(value, th.Tensor) else value
    )


def flatten_batch(name: str, values: tree.Tree, space: Space) -> np.ndarray:
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
    parts = [_flatten_leaf(*part) for part in tree.with_spaces(name, values, space)]
    return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def _flatten_leaf(name: str, values: object, space: Space) -> np.ndarray:
    array = _as_array(values)
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
    # (B, *shape) in the order of the axes, as gymnasium flattens.
    return array.astype(space.dtype, copy=False).reshape(len(array), -1)


def _one_hot(name: str, digits: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Encodes columns of numbers, each from 0 to its size, one-hot side by side."""
    if ((digits < 0) | (digits >= sizes)).any():
        raise DataError(
            f"{name} has values outside its space, which has {sizes.tolist()}"
        )
    # Column i of (B, n_columns) takes places from the sum of the sizes before it on.
    places = digits.astype(np.int64) + np.cumsum(sizes) - sizes
    encoded = np.zeros((len(digits), int(sizes.sum())), dtype=np.int64)
    np.put_along_axis(encoded, places, 1, axis=1)
    return encoded
