"""Figures of logged metrics: chosen ones, or one per metric, of one run or several."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from imitation.reports import blocks, plots
from imitation.reports.blocks import Html
from imitation.reports.runs import (
    CLOCKS,
    MetricRow,
    RunRecord,
    find_clock,
    interpolated,
)
from imitation.reports.svg import number

# Metrics that are not results and get no chart.
_COUNTERS = {
    *CLOCKS,
    *("bc/epoch", "bc/samples_so_far", "dagger/round_num", "train/n_updates"),
    *("time/fps", "time/iterations", "time/time_elapsed", "eval/return_std"),
    *("mean/disc/n_expert", "mean/disc/n_generated"),
    "mean/disc/disc_proportion_expert_true",
}

# Prefix of metrics of a policy that is trained within another algorithm.
_GENERATOR = "mean/gen/"

# Prefixes of the metrics that come first.
_RETURNS = ("rollout/", "eval/", f"{_GENERATOR}rollout/")

# Metrics that are the edges of another one's band.
_BANDS = {"rollout/return_mean": ("rollout/return_min", "rollout/return_max")}


@dataclasses.dataclass(frozen=True)
class Look:
    """The style of figures within a page."""

    color: str = "c0"
    """Class of the color of the main curve."""

    label: str = ""
    """A name before the titles, where a page shows several runs."""

    levels: tuple[plots.Level, ...] = ()
    """Returns to compare with, such as the expert's."""

    def title(self, name: str) -> str:
        """Returns the title of a figure."""
        return f"{self.label}: {name[0].lower()}{name[1:]}" if self.label else name


def curve(
    rows: Sequence[MetricRow],
    at: Sequence[float],
    name: str,
    label: str,
    color: str,
    band: Sequence[str] = (),
) -> plots.Series:
    """Makes a curve of a metric, without the rows that do not have it.

    Args:
        rows: the metrics of a run.
        at: the position of each row, shape (n_rows,).
        name: the metric.
        label: the curve's name.
        color: the class of its color.
        band: its standard deviation, or its lower and its upper edge; or nothing.
    """
    points = [
        (x, row)
        for x, row in zip(at, rows, strict=True)
        if math.isfinite(x) and math.isfinite(row.get(name, math.nan))
    ]
    xs, ys = [x for x, _ in points], [row[name] for _, row in points]
    low = high = None
    if len(band) == 1:
        widths = [row.get(band[0], 0.0) for _, row in points]
        low = [y - w for y, w in zip(ys, widths, strict=True)]
        high = [y + w for y, w in zip(ys, widths, strict=True)]
    elif band:
        low, high = ([row.get(edge, math.nan) for _, row in points] for edge in band)
    return plots.Series(label, xs, ys, color, low, high)


def figure(
    title: str,
    curves: Sequence[plots.Series],
    x_label: str,
    note: str = "",
    *,
    y_label: str = "",
    levels: Sequence[plots.Level] = (),
    shown: Sequence[float] = (),
    missing: str = "Nothing was logged.",
) -> Html:
    """Draws curves as a figure whose alternative text says how each begins and ends.

    The `note` says what one needs to know to read it; `missing` takes the place of the
    plot if there are no points. The rest is as in `plots.graph`.
    """
    # Bands alone do not count: a curve needs a point.
    drawn = [c for c in curves if any(map(math.isfinite, c.y))]
    if not drawn:
        return blocks.figure(Html(""), title, blocks.text(f"{note} {missing}".strip()))
    ends = "; ".join(
        f"{c.label} goes from {number(c.y[0])} to {number(c.y[-1])}" for c in drawn
    )
    plot = plots.graph(
        drawn,
        x_label=x_label,
        y_label=y_label,
        alt=f"{title} against {x_label}: {ends}.",
        levels=levels,
        shown=shown,
    )
    return blocks.figure(plot, title, blocks.text(note) if note else None)


def estimates(
    title: str,
    rows: Sequence[plots.Row],
    x_label: str,
    note: str = "",
    levels: Sequence[plots.Level] = (),
) -> Html:
    """Draws estimates, at least one, as a figure whose alternative text lists them."""
    listed = []
    for row in rows:
        name = f"{row.label} on {row.group}" if row.group else row.label
        value, low, high = (number(v, 4) for v in dataclasses.astuple(row.interval))
        # NaN is written as a dash: single episodes and runs have no interval.
        bounds = "" if low == "–" else f" ({low} to {high})"
        listed.append(f"{name} {value}{bounds}")
    alt = f"{title}: {'; '.join(listed)}"
    plot = plots.forest(rows, x_label=x_label, alt=alt, levels=levels)
    return blocks.figure(plot, title, blocks.text(note) if note else None)


def times(metrics: Sequence[MetricRow]) -> tuple[str, list[float]]:
    """Returns the unit and the position of each row of a log on its time axis."""
    clock = find_clock(metrics)
    if clock in (f"{_GENERATOR}time/total_timesteps", "eval/timesteps"):
        # Only some of the rows of an adversarial training have a clock.
        both = ("eval/timesteps", f"{_GENERATOR}time/total_timesteps")
        return CLOCKS[clock], interpolated(metrics, *both)
    at, last = [], 0.0
    for i, row in enumerate(metrics):
        # Other rows share the time of the last one that had it.
        last = row.get(clock, last) if clock else float(i)
        at.append(last)
    return CLOCKS.get(clock, "time of logging"), at


def return_figures(run: RunRecord, look: Look) -> list[Html]:
    """Draws the return against time, where it is logged, and both losses of BC."""
    unit, at = times(run.metrics)
    names = {name for row in run.metrics for name in row}
    figures = []
    if run.command == "dagger" and "rollout/return_mean" in names:
        figures.append(_dagger_return(run, look))
    elif names & {"rollout/return_mean", "rollout/ep_rew_mean"}:
        measured = "rollout/return_mean" in names
        name = "rollout/return_mean" if measured else "rollout/ep_rew_mean"
        edges = _BANDS.get(name, ())
        line = curve(run.metrics, at, name, "return", look.color, edges)
        note = "Mean of the last episodes of training, which explore."
        if edges:
            note = "Mean of a few episodes; the band is their range."
        title = look.title("Return while it learns")
        figures.append(figure(title, [line], unit, note, levels=look.levels))
    if "bc/val_neglogp" in names and run.command == "bc":
        lines = [
            curve(run.metrics, at, "bc/neglogp", "training batch", "muted"),
            curve(run.metrics, at, "bc/val_neglogp", "held-out data", look.color),
        ]
        note = "Held-out demonstrations are measured after each pass."
        y_label = "−log π(expert's action)"
        figures.append(figure(look.title("Loss"), lines, unit, note, y_label=y_label))
    return figures


def _dagger_return(run: RunRecord, look: Look) -> Html:
    rounds = [row for row in run.metrics if "dagger/round_num" in row]
    # BC measures the return with the first batch of a round. That is the policy of the
    # rounds before, plus one step: the labels of this round do not count yet.
    labels = [
        row["dagger/total_timesteps"] - row["dagger/round_timestep_count"]
        for row in rounds
    ]
    # The last policy is measured when the run has ended.
    if stats := run.result.get("imit_stats"):
        parts = ("mean", "min", "max")
        ends = {f"rollout/return_{part}": stats[f"return_{part}"] for part in parts}
        labels.append(rounds[-1]["dagger/total_timesteps"])
        rounds.append(ends)
    edges = _BANDS["rollout/return_mean"]
    line = curve(rounds, labels, "rollout/return_mean", "return", look.color, edges)
    return figure(
        look.title("Return while it learns"),
        [line],
        CLOCKS["dagger/total_timesteps"],
        "Mean and range of a few episodes after each round, and of the evaluation "
        "after the last one.",
        levels=look.levels,
    )


def metric_charts(
    metrics: Sequence[MetricRow], shown: tuple[str, ...] = ()
) -> list[Html]:
    """Draws a chart per metric that changes, returns first.

    Metrics whose names have one of the prefixes `shown` are left out.
    """
    x_label, curves = _curves(metrics, "", "c0")
    return [
        _chart(name, x_label, [line])
        for name, line in sorted(curves.items(), key=lambda item: _rank(item[0]))
        if not name.startswith(shown)
    ]


def compared_charts(
    logs: Mapping[str, Sequence[MetricRow]],
) -> tuple[list[Html], list[Html]]:
    """Draws a chart per metric that at least two runs have, with a curve for each run.

    The metrics come by the labels of the curves; charts of returns are returned apart.
    """
    found: dict[tuple[str, str], list[plots.Series]] = {}
    for i, (label, metrics) in enumerate(logs.items()):
        x_label, curves = _curves(metrics, label, f"c{i % 6}")
        for name, line in curves.items():
            found.setdefault((name, x_label), []).append(line)
    charts: tuple[list[Html], list[Html]] = ([], [])
    for (name, x_label), lines in sorted(found.items(), key=lambda i: _rank(i[0][0])):
        # A metric of one run alone compares nothing.
        if len(lines) > 1:
            is_other, _ = _rank(name)
            charts[is_other].append(_chart(name, x_label, lines))
    return charts


def _curves(
    metrics: Sequence[MetricRow], label: str, color: str
) -> tuple[str, dict[str, plots.Series]]:
    """Returns the horizontal axis, and a curve of each metric that changes, by name."""
    unit, at = times(metrics)
    names = list(dict.fromkeys(name for row in metrics for name in row))
    used = {edge for name, edges in _BANDS.items() if name in names for edge in edges}
    curves = {}
    for name in names:
        if name in used or {name, name.removeprefix(_GENERATOR)} & _COUNTERS:
            continue
        line = curve(metrics, at, name, label or name, color, _BANDS.get(name, ()))
        if len(set(line.y)) > 1:  # constants are settings rather than results
            curves[name] = line
    return unit, curves


def _chart(name: str, x_label: str, curves: Sequence[plots.Series]) -> Html:
    has_band = any(line.low is not None for line in curves)
    note = "The band is the range of the episodes." if has_band else ""
    return figure(name, curves, x_label, note)


def _rank(name: str) -> tuple[bool, str]:
    """Orders metrics: returns first, then by name."""
    return not name.startswith(_RETURNS), name
