"""Charts of whatever a run has logged: one per metric, of one run or of several."""

import math
from collections.abc import Iterator, Mapping, Sequence

from imitation.reports import blocks, plots
from imitation.reports.adversarial_history import DISC, steps
from imitation.reports.blocks import Html
from imitation.reports.metrics import CLOCKS, MetricRow, find_clock
from imitation.reports.svg import number

__all__ = ["compared_charts", "metric_charts"]

_COUNTERS = {
    *CLOCKS,
    *("bc/epoch", "bc/samples_so_far", "dagger/round_num", "train/n_updates"),
    *("time/fps", "time/iterations", "time/time_elapsed", "eval/return_std"),
    *(f"{DISC}{name}" for name in ("n_expert", "n_generated")),
    f"{DISC}disc_proportion_expert_true",
}
"""Metrics that are no result and get no chart."""

_GENERATOR = "mean/gen/"
"""How metrics of a policy that is trained within another algorithm start."""

_RETURNS = ("rollout/", "eval/", f"{_GENERATOR}rollout/")
"""How the metrics start that come first."""

_BANDS = {"rollout/return_mean": ("rollout/return_min", "rollout/return_max")}
"""Metrics that are the edges of another one's band."""


def metric_charts(
    metrics: Sequence[MetricRow], shown: tuple[str, ...] = ()
) -> list[Html]:
    """Draws a chart per metric that changes, returns first.

    Args:
        metrics: of a run.
        shown: metrics that start with one of these are left out.
    """
    x_label, curves = _curves(metrics, "", "c0")
    return [
        _chart(name, x_label, [curve])
        for name, curve in sorted(curves.items(), key=_rank)
        if not name.startswith(shown)
    ]


def compared_charts(
    logs: Mapping[str, Sequence[MetricRow]],
) -> tuple[list[Html], list[Html]]:
    """Draws a chart per metric that at least two runs have, with a curve for each run.

    Args:
        logs: the metrics of each run, by the label of its curve.

    Returns:
        The charts of returns, and those of all other metrics.
    """
    found: dict[tuple[str, str], list[plots.Series]] = {}
    for i, (label, metrics) in enumerate(logs.items()):
        x_label, curves = _curves(metrics, label, f"c{i % 6}")
        for name, curve in curves.items():
            found.setdefault((name, x_label), []).append(curve)
    charts: tuple[list[Html], list[Html]] = ([], [])
    for (name, x_label), runs in sorted(found.items(), key=lambda i: _rank(i[0])):
        if len(runs) > 1:
            is_other, _ = _rank((name, None))
            charts[is_other].append(_chart(name, x_label, runs))
    return charts


def _curves(
    metrics: Sequence[MetricRow], label: str, colour: str
) -> tuple[str, dict[str, plots.Series]]:
    """The horizontal axis, and the curve of each metric that changes, by name."""
    clock = find_clock(metrics)
    times = list(_times(metrics, clock))
    names = list(dict.fromkeys(name for row in metrics for name in row))
    used = {edge for name, edges in _BANDS.items() if name in names for edge in edges}
    curves = {}
    for name in names:
        points = [
            (at, row)
            for at, row in zip(times, metrics, strict=True)
            if math.isfinite(at) and math.isfinite(row.get(name, math.nan))
        ]
        values = [row[name] for _, row in points]
        counts = {name, name.removeprefix(_GENERATOR)} & _COUNTERS
        if name in used or counts or len(set(values)) < 2:
            continue
        edges = [
            [row.get(edge, math.nan) for _, row in points]
            for edge in _BANDS.get(name, ())
        ]
        x = [at for at, _ in points]
        curves[name] = plots.Series(label or name, x, values, colour, *edges)
    return CLOCKS.get(clock, "time of logging"), curves


def _times(metrics: Sequence[MetricRow], clock: str) -> Iterator[float]:
    """The position of each row; rows between two readings share the earlier one."""
    if clock in (f"{_GENERATOR}time/total_timesteps", "eval/timesteps"):
        yield from steps(metrics)  # exact where only some of the rows tell the time
        return
    last = 0.0
    for i, row in enumerate(metrics):
        last = row.get(clock, last) if clock else float(i)
        yield last


def _chart(name: str, x_label: str, curves: Sequence[plots.Series]) -> Html:
    ends = "; ".join(
        f"{curve.label} from {number(curve.y[0])} to {number(curve.y[-1])}"
        for curve in curves
    )
    alt = f"{name} against {x_label}: {ends}"
    plot = plots.curves(curves, x_label=x_label, y_label="", alt=alt)
    has_band = any(curve.low is not None for curve in curves)
    note = blocks.text("The band is the range of the episodes.") if has_band else None
    return blocks.figure(plot, name, note)


def _rank(item: tuple[str, object]) -> tuple[bool, str]:
    """Returns first, then by name."""
    return not item[0].startswith(_RETURNS), item[0]
