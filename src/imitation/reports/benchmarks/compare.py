"""Comparing the runs of two folders by the probability of improvement."""

import dataclasses
from collections.abc import Sequence

from imitation.errors import DataError
from imitation.reports.benchmarks import aggregates
from imitation.reports.benchmarks.collect import Run
from imitation.util.statistics import Interval


@dataclasses.dataclass(frozen=True)
class FolderComparison:
    """The probability that a run scores more than one of the baseline."""

    probability: Interval
    """Mean over the environments that both ran in."""

    envs: tuple[str, ...]
    """These environments."""

    left_out: tuple[str, ...]
    """Environments in which only one of the two ran."""

    samples_per_env: tuple[int, ...]
    """Runs in each of `envs`."""

    baseline_samples_per_env: tuple[int, ...]
    """Runs of the baseline in each of `envs`."""


def choose_algorithm(runs: Sequence[Run], algorithm: str | None, option: str) -> str:
    """Returns the algorithm of the runs of a folder, which `option` may name.

    Raises:
        DataError: no run is completed and has a score, several algorithms are there
            and none was named, or the one that was named is not there.
    """
    names = sorted({run.algorithm for run in runs if run.usable})
    if not names:
        raise DataError("none of the runs is completed and has a score")
    if algorithm is None:
        if len(names) > 1:
            raise DataError(
                f"the folder holds runs of {', '.join(names)}; choose one with {option}"
            )
        return names[0]
    if algorithm not in names:
        raise DataError(
            f"{option} {algorithm}: the folder holds runs of {', '.join(names)} only"
        )
    return algorithm


def compare(
    runs: Sequence[Run],
    baseline: Sequence[Run],
    *,
    n_resamples: int = aggregates.N_RESAMPLES,
) -> FolderComparison:
    """Compares runs of one algorithm with those of another.

    Only the environments that both ran in count.

    Raises:
        DataError: there is no such environment.
    """
    ours, theirs = _by_env(runs), _by_env(baseline)
    common = sorted(set(ours) & set(theirs))
    if not common:
        raise DataError(
            "the runs have no environment in common with the baseline: "
            f"{', '.join(sorted(ours))} against {', '.join(sorted(theirs))}"
        )
    probability = aggregates.probability_of_improvement(
        [ours[env] for env in common],
        [theirs[env] for env in common],
        n_resamples=n_resamples,
    )
    return FolderComparison(
        probability=probability,
        envs=tuple(common),
        left_out=tuple(sorted(set(ours) ^ set(theirs))),
        samples_per_env=tuple(len(ours[env]) for env in common),
        baseline_samples_per_env=tuple(len(theirs[env]) for env in common),
    )


def _by_env(runs: Sequence[Run]) -> dict[str, list[float]]:
    scores: dict[str, list[float]] = {}
    for run in runs:
        if run.usable and run.score is not None:
            scores.setdefault(run.env, []).append(run.score)
    return scores
