"""The summary of a benchmark: scores, aggregates, comparisons, what became of runs."""

import dataclasses
import itertools
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from imitation.errors import DataError
from imitation.reports.benchmarks import aggregates
from imitation.reports.benchmarks.aggregates import Profile
from imitation.reports.benchmarks.collect import (
    COMPLETED,
    DAMAGED,
    HOUSEKEEPING,
    Run,
)
from imitation.reports.benchmarks.references import Reference
from imitation.util.statistics import Interval

# Commands whose runs are references or of no account, not results.
_NOT_TRAINED = ("eval_policy", *HOUSEKEEPING)

# Of performance profiles, in normalized score.
THRESHOLDS = np.linspace(0, 1.25, 126).round(2)


@dataclasses.dataclass(frozen=True)
class Score:
    """The runs of an algorithm in an environment."""

    env: str
    scores: tuple[float, ...]
    """The mean return of each run."""

    normalized: tuple[float, ...]
    """The same, normalized; empty if the environment has no scale."""

    @property
    def mean(self) -> float:
        """The mean over runs."""
        return statistics.fmean(self.scores)

    @property
    def std(self) -> float:
        """The standard deviation of the runs (not of their mean)."""
        return statistics.pstdev(self.scores)


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """The scores of an algorithm."""

    name: str
    """Its command, such as "gail"."""

    scores: tuple[Score, ...]
    """By environment."""

    mean: Interval | None
    """Mean normalized score; None if no environment has a scale."""

    iqm: Interval | None
    """Interquartile mean of the normalized scores, likewise."""

    profile: Profile | None
    """Performance profile of the normalized scores, likewise."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The probability that a run of one algorithm scores more than one of another."""

    algorithm: str
    baseline: str
    envs: tuple[str, ...]
    """The environments that both ran in."""

    probability: Interval
    """Mean over these environments."""


@dataclasses.dataclass(frozen=True)
class Summary:
    """All that is known about the runs of a folder."""

    algorithms: tuple[Algorithm, ...]
    """By name."""

    comparisons: tuple[Comparison, ...]
    """Of all ordered pairs with an environment in common."""

    references: Mapping[str, Reference]
    """The references of normalized scores, by environment."""

    statuses: Mapping[tuple[str, str], Mapping[str, int]]
    """Numbers of runs of each status, by algorithm and environment."""

    failures: tuple[Run, ...]
    """The runs that were not completed, are damaged or have no score."""

    runs: tuple[Run, ...]
    """The runs that are summarized."""

    @property
    def unscaled(self) -> list[str]:
        """The environments without a scale, which aggregates leave out."""
        envs = {s.env for a in self.algorithms for s in a.scores if not s.normalized}
        return sorted(envs)


def summarize(
    runs: Sequence[Run],
    references: Mapping[str, Reference],
    *,
    n_resamples: int = aggregates.N_RESAMPLES,
) -> Summary:
    """Summarizes the runs that were completed and have a score.

    Args:
        runs: as `read_runs` returns them.
        references: as `find_references` returns them.
        n_resamples: bootstrap resamples of every interval.

    Raises:
        DataError: there is no such run.
    """
    trained = [r for r in runs if r.algorithm not in _NOT_TRAINED]
    usable = [r for r in trained if r.usable and r.env]
    if not usable:
        counts = Counter(run.status for run in runs if run.status != COMPLETED)
        words = [f"{n} {status}" for status, n in counts.items()]
        if without := sum(run.status == COMPLETED for run in runs):
            words.append(f"{without} {COMPLETED} without them")
        damaged = next((run.error for run in runs if run.status == DAMAGED), "")
        raise DataError(
            f"none of {len(runs)} runs is completed and has a score and an "
            f"environment: {', '.join(words)}{f' ({damaged})' if damaged else ''}; run "
            "commands that evaluate a policy, such as bc"
        )
    by_name: dict[str, list[Run]] = {}
    for run in usable:
        by_name.setdefault(run.algorithm, []).append(run)
    algorithms = tuple(
        _algorithm(name, by_name[name], references, n_resamples)
        for name in sorted(by_name)
    )
    statuses: dict[tuple[str, str], Counter[str]] = {}
    for run in trained:
        statuses.setdefault((run.algorithm, run.env), Counter())[run.status] += 1
    return Summary(
        algorithms=algorithms,
        comparisons=_comparisons(algorithms, n_resamples),
        references={env: references[env] for env in sorted(references)},
        statuses=dict(sorted(statuses.items())),
        failures=tuple(r for r in trained if r not in usable),
        runs=tuple(usable),
    )


def _algorithm(
    name: str, runs: Sequence[Run], references: Mapping[str, Reference], n: int
) -> Algorithm:
    """The scores and aggregates of one algorithm."""
    found = []
    for env in sorted({run.env for run in runs}):
        scale = references[env]
        raw = tuple(r.score for r in runs if r.env == env and r.score is not None)
        normalized = map(scale.normalize, raw) if scale.complete else ()
        found.append(Score(env, raw, tuple(normalized)))
    scores = tuple(found)
    strata = [score.normalized for score in scores if score.normalized]
    if not strata:
        return Algorithm(name, scores, None, None, None)
    return Algorithm(
        name,
        scores,
        mean=aggregates.mean_interval(strata, n_resamples=n),
        iqm=aggregates.iqm_interval(strata, n_resamples=n),
        profile=aggregates.performance_profile(strata, THRESHOLDS, n_resamples=n),
    )


def _comparisons(algorithms: Sequence[Algorithm], n: int) -> tuple[Comparison, ...]:
    """All ordered pairs; raw scores do, since only their order counts."""
    found = []
    # Ordered pairs: their intervals mirror each other only up to resampling.
    for one, other in itertools.permutations(algorithms, 2):
        ours = {score.env: score.scores for score in one.scores}
        theirs = {score.env: score.scores for score in other.scores}
        common = sorted(set(ours) & set(theirs))
        if common:
            probability = aggregates.probability_of_improvement(
                [ours[env] for env in common],
                [theirs[env] for env in common],
                n_resamples=n,
            )
            found.append(Comparison(one.name, other.name, tuple(common), probability))
    return tuple(found)
