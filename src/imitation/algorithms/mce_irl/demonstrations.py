"""Visits of a demonstrator, counted from demonstrations of any kind."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from imitation.algorithms.base import AnyTransitions, transitions_of
from imitation.algorithms.mce_irl.policy import states_of
from imitation.data import types
from imitation.envs.tabular.layouts import Array
from imitation.envs.tabular.model import TabularModel
from imitation.errors import ConfigError, DataError

# Relative tolerance on the sum of an occupancy measure: measures are counted in
# float32, and written with few digits.
TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Demonstrated:
    """The visits of a demonstrator, as far as they are known."""

    occupancy: Array
    """Mean discounted number of visits of each state, float64 of shape ``(S,)``."""

    pairs: Array | None = None
    """Mean number of times that each action was done in each state at each time, shape
    ``(T, A, S)``; None unless whole episodes are known."""

    only_obs: bool = False
    """True if the last states of the episodes are missing."""


def read_demonstrations(
    demonstrations: AnyTransitions | Array,
    model: TabularModel,
    observation_matrix: Array | None,
    discount: float,
) -> Demonstrated:
    """Counts visits.

    Args:
        demonstrations: an occupancy measure of shape ``(S,)`` whose sum is that of the
            discounts of times 0 to T, trajectories, transitions, or an iterable of
            batches of them.
        model: where they were made.
        observation_matrix: the observation of each state, if it is known.
        discount: the weight of a visit one step later.

    Returns:
        The visits; those of transitions are scaled to ``T + 1`` in sum.

    Raises:
        ValueError: they do not fit the environment, or are transitions without times
            and the discount is not 1.
        TypeError: they are of another kind.
    """
    n_states = model.dynamics.n_states
    if isinstance(demonstrations, np.ndarray):
        return Demonstrated(_checked_occupancy(demonstrations, model, discount))
    if isinstance(demonstrations, types.Trajectory):
        demonstrations = [demonstrations]
    if isinstance(demonstrations, Iterable) and not isinstance(
        demonstrations, types.TransitionsMinimal
    ):
        items = list(cast(Iterable[Any], demonstrations))
        if items and all(isinstance(item, types.Trajectory) for item in items):
            return _from_trajectories(items, model, observation_matrix, discount)
        demonstrations = items
    if discount != 1.0:
        raise ConfigError(
            "Cannot compute discounted OM from timeless Transitions. Pass "
            "trajectories or an occupancy measure, or set discount=1.0"
        )
    parts = transitions_of(demonstrations)
    counts, complete = np.zeros(n_states), True
    for part in [parts] if isinstance(parts, types.TransitionsMinimal) else parts:
        complete &= _add_transitions(counts, part, observation_matrix)
    if counts.sum() == 0:
        raise DataError("expected at least one transition, got none")
    # Transitions may be of parts of episodes, so how many episodes they are of is not
    # known; without discount, the visits of one sum to T + 1.
    counts *= (model.horizon + 1) / counts.sum()
    return Demonstrated(counts, only_obs=not complete)


def _from_trajectories(
    trajectories: Sequence[types.Trajectory],
    model: TabularModel,
    observation_matrix: Array | None,
    discount: float,
) -> Demonstrated:
    dynamics, horizon = model.dynamics, model.horizon
    weights = discount ** np.arange(horizon + 1)
    occupancy = np.zeros(dynamics.n_states)
    pairs = np.zeros((horizon, dynamics.n_actions, dynamics.n_states))
    share = 1 / len(trajectories)
    whole = True
    for trajectory in trajectories:
        states = states_of(
            types.maybe_unwrap_dictobs(trajectory.obs),
            dynamics.n_states,
            observation_matrix,
        )
        if len(states) > horizon + 1:
            raise DataError(
                f"a trajectory has {len(states) - 1} steps, the environment's horizon "
                f"is {horizon}"
            )
        acts = states_of(trajectory.acts, dynamics.n_actions)
        # Not `occupancy[states] +=`, which counts a state that is visited twice once.
        np.add.at(occupancy, states, weights[: len(states)] * share)
        np.add.at(pairs, (np.arange(len(acts)), acts, states[:-1]), share)
        whole &= len(acts) == horizon
    # Of an episode cut short, what would have followed is not known.
    return Demonstrated(occupancy, pairs if whole else None)


def _add_transitions(
    counts: Array,
    part: types.TransitionsMinimal | Mapping[str, Any],
    observation_matrix: Array | None,
) -> bool:
    """Counts the states of a batch; returns True if the last ones were known."""
    values = part if isinstance(part, Mapping) else types.dataclass_quick_asdict(part)
    if "obs" not in values:
        raise DataError(f"expected batches with the key 'obs', got {sorted(values)}")

    def add(obs: types.Observation) -> None:
        plain = types.maybe_unwrap_dictobs(obs)
        np.add.at(counts, states_of(plain, len(counts), observation_matrix), 1.0)

    add(values["obs"])
    if "next_obs" not in values or "dones" not in values:
        return False
    # Each step counts the state it starts in, so that only last states are missing.
    ends = np.asarray(values["dones"], dtype=bool)
    add(np.asarray(types.maybe_unwrap_dictobs(values["next_obs"]))[ends])
    return True


def _checked_occupancy(occupancy: Array, model: TabularModel, discount: float) -> Array:
    shape = (model.dynamics.n_states,)
    if occupancy.shape != shape or occupancy.dtype.kind not in "fiu":
        raise DataError(
            f"an occupancy measure has one number per state, shape {shape}, got "
            f"{occupancy.dtype} of shape {occupancy.shape}"
        )
    if not (np.isfinite(occupancy).all() and (occupancy >= 0).all()):
        raise DataError("an occupancy measure must be finite and ≥ 0")
    occupancy = occupancy.astype(np.float64)
    total, expected = occupancy.sum(), (discount ** np.arange(model.horizon + 1)).sum()
    if abs(total - expected) > TOLERANCE * expected:
        raise DataError(
            f"the occupancy measure sums to {total:.6g}, expected {expected:.6g}, the "
            f"visits at times 0 to {model.horizon} with discount={discount}; count the "
            "state after the last action too, and divide by the number of episodes"
        )
    return occupancy
