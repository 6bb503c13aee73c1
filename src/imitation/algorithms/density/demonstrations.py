"""Demonstrations of any kind as vectors, whose density is estimated."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from imitation.algorithms import base
from imitation.algorithms.density.features import TransitionFeatures
from imitation.algorithms.density.reward import Samples
from imitation.data import rollout, types
from imitation.errors import DataError
from imitation.util import tensors
from imitation.util.util import get_first_iter_element

__all__ = ["samples_of"]

Array = npt.NDArray[Any]


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
    if isinstance(demonstrations, types.TransitionsMinimal):
        _check_stationary(is_stationary)
        return {None: _features(_parts(demonstrations), features)}
    if not isinstance(demonstrations, Iterable):
        raise TypeError(_unsupported(demonstrations))
    first, items = get_first_iter_element(demonstrations)
    if isinstance(first, types.Trajectory):
        trajectories: list[Any] = list(items)
        flat = _features(_parts(rollout.flatten_trajectories(trajectories)), features)
        return {None: flat} if is_stationary else _by_step(flat, trajectories)
    if not isinstance(first, Mapping):
        raise TypeError(f"{_unsupported(demonstrations)} of {type(first)}")
    _check_stationary(is_stationary)
    batches: list[Any] = list(items)
    return {None: np.concatenate([_features(batch, features) for batch in batches])}


def _by_step(flat: Array, trajectories: list[types.Trajectory]) -> Samples:
    """Sorts the features of all trajectories, one after the other, by time step."""
    steps = np.concatenate([np.arange(len(t)) for t in trajectories])
    order = np.argsort(steps, kind="stable")
    parts = np.split(flat[order], np.cumsum(np.bincount(steps))[:-1])
    return dict(enumerate(parts))


def _parts(transitions: types.TransitionsMinimal) -> Mapping[str, Any]:
    parts: dict[str, Any] = {"obs": transitions.obs, "acts": transitions.acts}
    if isinstance(transitions, types.Transitions):
        parts["next_obs"] = transitions.next_obs
    return parts


def _features(batch: Mapping[str, Any], features: TransitionFeatures) -> Array:
    """Checks a batch and flattens it."""
    if not {"obs", "acts"} <= batch.keys():
        raise DataError(
            f"expected batches with the keys 'obs' and 'acts', got one with "
            f"{sorted(batch)}"
        )
    acts = _as_array(batch["acts"])
    seen = [batch["obs"]]
    if batch.get("next_obs") is not None:
        seen.append(batch["next_obs"])
    for obs in seen:
        plain = types.map_maybe_dict(_as_array, types.maybe_unwrap_dictobs(obs))
        pairs = types.TransitionsMinimal(
            obs=types.maybe_wrap_in_dictobs(plain),
            acts=acts,
            infos=np.full(len(acts), {}, dtype=object),
        )
        base.check_demonstrations(
            pairs, features.observation_space, features.action_space
        )
    return features(batch["obs"], acts, batch.get("next_obs"))


def _as_array(value: Any) -> Array:
    return np.asarray(tensors.safe_to_numpy(value))


def _check_stationary(is_stationary: bool) -> None:
    if not is_stationary:
        raise DataError(
            "Non-stationary model incompatible with non-trajectory demonstrations."
        )


def _unsupported(demonstrations: object) -> str:
    return f"Unsupported demonstration type {type(demonstrations)}"
