"""A summary as tables of text, which every format writes in its own way."""

import dataclasses
import statistics
from collections.abc import Iterator, Sequence

from imitation.reports.benchmarks.summary import Algorithm, Score, Summary
from imitation.util.statistics import Interval

# An explanation of the numbers for the reader.
INTRODUCTION = (
    "Scores are mean returns of the evaluated policies, normalized by a random policy "
    "and an expert, the same ones for all runs of an environment: (score - random) / "
    "(expert - random). Deviations are those of the runs. Intervals are 95% "
    "stratified bootstrap intervals: runs are resampled within each environment "
    "(Agarwal et al., 2021, arXiv:2108.13264)."
)

_PROFILE_AT = (0.25, 0.5, 0.75, 0.9, 0.95)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table; all columns but the first `n_text` hold numbers."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_text: int = 1


@dataclasses.dataclass(frozen=True)
class Section:
    """A heading with what belongs below it."""

    heading: str
    tables: tuple[Table, ...]
    note: str = ""


def sections(summary: Summary) -> Iterator[Section]:
    """Yields the sections of a summary, those of algorithms first."""
    for algorithm in summary.algorithms:
        yield _algorithm(algorithm)
    if summary.comparisons:
        yield _comparisons(summary)
    if any(algorithm.profile for algorithm in summary.algorithms):
        yield _profiles(summary)
    yield _references(summary)
    yield _statuses(summary)


def _algorithm(algorithm: Algorithm) -> Section:
    headers = ("Environment", "Score (mean/std)", "Normalized Score (mean/std)", "N")
    rows = tuple(
        (score.env, _mean_std(score.scores), _normalized(score), str(len(score.scores)))
        for score in algorithm.scores
    )
    tables = [Table("Scores", headers, rows)]
    if algorithm.mean is not None and algorithm.iqm is not None:
        pairs = (("Mean", algorithm.mean), ("IQM", algorithm.iqm))
        cells = tuple((n, f"{i.value:.3f}", _bounds(i)) for n, i in pairs)
        titles = ("Metric", "Value", "95% CI")
        tables.append(Table("Aggregate Normalized scores", titles, cells))
    return Section(algorithm.name.upper(), tuple(tables))


def _comparisons(summary: Summary) -> Section:
    headers = ("Algorithm", "Baseline", "Probability", "95% CI", "Environments")
    rows = tuple(
        (
            comparison.algorithm,
            comparison.baseline,
            f"{comparison.probability.value:.3f}",
            _bounds(comparison.probability),
            str(len(comparison.envs)),
        )
        for comparison in summary.comparisons
    )
    note = (
        "How likely a run of the algorithm scores more than one of the baseline, "
        "draws counted half; mean over the environments that both ran in."
    )
    table = Table("Probability of improvement", headers, rows, n_text=2)
    return Section("Probability of improvement", (table,), note)


def _profiles(summary: Summary) -> Section:
    headers = ("Algorithm", *(f"> {tau:g}" for tau in _PROFILE_AT))
    rows = []
    for algorithm in summary.algorithms:
        if algorithm.profile is None:
            continue
        taus = algorithm.profile.thresholds.tolist()
        at = [taus.index(tau) for tau in _PROFILE_AT]
        shares = [algorithm.profile.fraction[i] for i in at]
        rows.append((algorithm.name, *(f"{share:.2f}" for share in shares)))
    table = Table("Share of runs above a normalized score", headers, tuple(rows))
    note = "The share of runs above each normalized score, mean over environments."
    return Section("Performance profiles", (table,), note)


def _references(summary: Summary) -> Section:
    headers = ("Environment", "Random", "Expert", "Random from", "Expert from")
    rows = tuple(
        (
            env,
            _number(reference.random),
            _number(reference.expert),
            reference.random_source or "-",
            reference.expert_source or "-",
        )
        for env, reference in summary.references.items()
    )
    note = "The returns that count as 0 and 1."
    if summary.unscaled:
        note += (
            f" There is no scale for {', '.join(summary.unscaled)}, which aggregates "
            "leave out: name a file of scores with --references."
        )
    return Section("References", (Table("Denominators", headers, rows),), note)


def _statuses(summary: Summary) -> Section:
    found = sorted({s for counts in summary.statuses.values() for s in counts})
    headers = ("Algorithm", "Environment", *found)
    rows = tuple(
        (algorithm or "?", env or "?", *(str(counts.get(s, 0)) for s in found))
        for (algorithm, env), counts in summary.statuses.items()
    )
    tables = [Table("Runs by status", headers, rows, n_text=2)]
    if summary.failures:
        left_out = tuple(
            (
                str(run.path),
                run.status,
                run.error or ("no score" if run.score is None else "no environment"),
            )
            for run in summary.failures
        )
        headers = ("Run", "Status", "Reason")
        tables.append(Table("Runs left out", headers, left_out, n_text=3))
    return Section("Run status", tuple(tables))


def _normalized(score: Score) -> str:
    return _mean_std(score.normalized) if score.normalized else "-"


def _mean_std(values: Sequence[float]) -> str:
    # Of the population, as release 1.0 printed them.
    return f"{statistics.fmean(values):.3f} / {statistics.pstdev(values):.3f}"


def _bounds(interval: Interval) -> str:
    if interval.low != interval.low:  # single runs have none
        return "-"
    return f"[{interval.low:.3f}, {interval.high:.3f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
