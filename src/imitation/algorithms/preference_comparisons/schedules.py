"""Schedules of comparisons: how many to ask for in each round."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from imitation.errors import ConfigError
from imitation.util.util import oric

# From the share of the training that is over, in [0, 1], to a weight.
QuerySchedule = Callable[[float], float]

# The schedules that have a name.
QUERY_SCHEDULES: dict[str, QuerySchedule] = {
    "constant": lambda t: 1.0,
    "hyperbolic": lambda t: 1.0 / (1.0 + t),
    "inverse_quadratic": lambda t: 1.0 / (1.0 + t**2),
}


def schedule_of(query_schedule: str | QuerySchedule) -> QuerySchedule:
    """Returns the schedule of a name, or the one given.

    Raises:
        ConfigError: there is no schedule of that name.
    """
    if callable(query_schedule):
        return query_schedule
    # The documentation also spells names with a space.
    name = query_schedule.replace(" ", "_") if isinstance(query_schedule, str) else ""
    if name not in QUERY_SCHEDULES:
        raise ConfigError(
            f"Unknown query schedule: {query_schedule}; choose from "
            f"{', '.join(QUERY_SCHEDULES)}, or pass a function"
        )
    return QUERY_SCHEDULES[name]


def comparisons_by_round(
    schedule: QuerySchedule, num_iterations: int, total: int, initial_frac: float
) -> list[int]:
    """Apportions comparisons among the rounds of a training.

    Args:
        schedule: weighs the iterations.
        num_iterations: how many there are.
        total: comparisons of all rounds.
        initial_frac: share of them that comes first, in round 0.

    Returns:
        Comparisons of round 0 and of each iteration; their sum is `total`.

    Raises:
        ConfigError: the schedule gives weights that are negative, not finite, or all
            zero.
    """
    initial = int(total * initial_frac)
    weights = np.array([schedule(t) for t in np.linspace(0, 1, num_iterations)], float)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ConfigError(
            f"query_schedule must give weights that are not negative, got {weights}"
        )
    shares = oric(weights / weights.sum() * (total - initial))
    return [initial, *shares.tolist()]


def even_parts(total: int, n_parts: int) -> Sequence[int]:
    """Splits a number into integers that differ by one at most."""
    ends = [total * i // n_parts for i in range(n_parts + 1)]
    return [end - start for start, end in itertools.pairwise(ends)]
