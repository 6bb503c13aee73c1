"""Plots as SVG: estimates with intervals, curves and points, maps of tables.

Sized for half of a desktop page and the whole of a phone's. `imitation.reports.svg`
says where colors come from, and why not from matplotlib.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from imitation.reports import svg
from imitation.reports.blocks import Html
from imitation.reports.svg import CHARACTER, LINE, RIGHT, WIDTH, label, line
from imitation.util.statistics import Interval

# Up to this many cells of a map hold their values.
MAX_WRITTEN = 100

# Opacity of a map's largest value: text stays readable on it, on dark pages too.
DARKEST = 0.6

# Class of the color of negative values beside positive ones.
BELOW = "c1"

_HEIGHT = 224.0
_MAX_DOTS = 40


@dataclasses.dataclass(frozen=True)
class Row:
    """One estimate of a forest plot."""

    label: str
    interval: Interval
    color: str
    """Its class, such as "c0"."""

    group: str = ""
    """A heading above the first row of each group; "" for none."""


@dataclasses.dataclass(frozen=True)
class Level:
    """A reference value: a dashed line across a plot."""

    label: str
    value: float


@dataclasses.dataclass(frozen=True)
class Series:
    """One curve, or one kind of points."""

    label: str
    x: Sequence[float]
    """Shape (n,), increasing for a curve."""

    y: Sequence[float]
    """Shape (n,)."""

    color: str
    low: Sequence[float] | None = None
    """Lower edge of a curve's band or of each point's interval, shape (n,)."""

    high: Sequence[float] | None = None
    """Upper edge, likewise."""

    is_cloud: bool = False
    """True for points that no line connects."""

    notes: Sequence[str] = ()
    """Words above each point, at the top of the plot, shape (n,) or none."""


def forest(
    rows: Sequence[Row], *, x_label: str, alt: str, levels: Sequence[Level] = ()
) -> Html:
    """Draws estimates, at least one, each a dot on the line of its interval.

    Args:
        rows: from top to bottom.
        x_label: what is estimated, with its unit.
        alt: the plot's content in words.
        levels: vertical lines, named above the plot.
    """
    values = [v for row in rows for v in dataclasses.astuple(row.interval)]
    span = svg.extent([*values, *(level.value for level in levels)])
    left = 16 + CHARACTER * max(len(row.label) for row in rows)
    top = y = 24.0 if levels else 8.0
    x = svg.Scale(svg.padded(*span), (left, RIGHT))
    drawn, group = [], ""
    for row in rows:
        if row.group != group:
            group = row.group
            y += 18
            drawn.append(label(group, 4.0, y, class_="strong"))
        y += 26
        drawn += _estimate(row, x, y - 9, left)
    bottom = y + 6
    parts = svg.x_axis(x, top, bottom, x_label)
    for level in levels:
        at = x(level.value)
        parts.append(line(at, top, at, bottom, "level"))
        parts.append(label(level.label, at, top - 8, text_anchor="middle"))
    # Headings come last: their halo in the page's color covers the lines below them.
    return svg.picture([*parts, *drawn], WIDTH, bottom + 44, alt)


def graph(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    alt: str,
    levels: Sequence[Level] = (),
    shown: Sequence[float] = (),
    diagonal: bool = False,
) -> Html:
    """Draws curves or points over a common axis; what is not finite is left out.

    Args:
        series: at least one, with at least one finite point.
        x_label: the horizontal axis, with its unit.
        y_label: the vertical axis; "" if the figure's title says it.
        alt: the plot's content in words.
        levels: horizontal lines, named within the plot.
        shown: heights that the vertical axis covers at least.
        diagonal: draw the line of equal values.
    """
    edges = [edge for s in series for edge in (s.y, s.low or (), s.high or ())]
    heights = [v for edge in edges for v in edge] + [level.value for level in levels]
    y_data = svg.padded(*svg.extent([*heights, *shown]))
    first, last = svg.extent([v for s in series for v in s.x])
    if all(s.is_cloud for s in series) or first == last:
        x_data = svg.padded(first, last)
    else:  # counts begin at 0, unless all lie far from it
        x_data = (0.0 if 0 < first < last / 2 else first, last)
    left = 12 + CHARACTER * max(len(svg.number(m, 4)) for m in svg.ticks(*y_data))
    # From top to bottom: the label of the axis, the legend, the notes, the plot.
    heading = LINE * (y_label != "")
    keys = svg.legend([(s.label, s.color) for s in series], left, 16 + heading)
    has_notes = any(s.notes for s in series)
    top = 16 + heading + LINE * (len(keys) + has_notes)
    bottom = top + _HEIGHT
    x = svg.Scale(x_data, (left, RIGHT))
    y = svg.Scale(y_data, (bottom, top))
    parts = [
        *svg.x_axis(x, bottom, bottom, x_label),
        label(y_label, 4.0, LINE - 2, class_="strong"),
        *svg.y_axis(y, left),
        *(part for key in keys for part in key),
    ]
    for level in levels:
        parts.append(line(left, y(level.value), RIGHT, y(level.value), "level"))
    if diagonal:
        low, high = max(x_data[0], y_data[0]), min(x_data[1], y_data[1])
        parts.append(line(x(low), y(low), x(high), y(high), "level"))
    for s in series:
        parts += _points(s, x, y, top) if s.is_cloud else _curve(s, x, y)
    parts += [_level_name(level, levels, y) for level in levels]
    return svg.picture(parts, WIDTH, bottom + 44, alt, "curves")


def heat_map(values: npt.NDArray[np.float64], title: str, color: str = "c0") -> Html:
    """Draws a table of values as a map.

    Args:
        values: shape ``(rows, columns)``; NaN cells stay empty.
        title: what it shows.
        color: class of the color of the largest value; the smallest has none. Where
            values have both signs, 0 has none, and the color of negative ones is
            `BELOW`.
    """
    n_rows, n_columns = values.shape
    side = WIDTH / n_columns
    # Written cells are a line of text high; unwritten ones are square.
    tall = min(side, 34.0) if values.size <= MAX_WRITTEN else side
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    # Of values with both signs 0 is colorless, so that signs can be told apart.
    signed = low < 0 < high
    zero, spread = (0.0, max(-low, high)) if signed else (low, high - low or 1.0)
    parts = []
    for (row, column), value in np.ndenumerate(values):
        if math.isnan(value):
            continue
        x, y = column * side, row * tall
        parts.append(
            svg.element(
                "rect",
                svg.element("title", f"row {row}, column {column}: {value:.4g}"),
                x=x,
                y=y,
                width=side,
                height=tall,
                fill="currentColor",
                fill_opacity=0.02 + DARKEST * abs(float(value) - zero) / spread,
                class_=BELOW if value < zero else color,
            )
        )
        if values.size <= MAX_WRITTEN:
            words = _rounded(float(value), spread)
            middle = (x + side / 2, y + tall / 2 + 4)
            parts.append(label(words, *middle, text_anchor="middle"))
    alt = f"{title}: {n_rows} by {n_columns} cells from {low:.4g} to {high:.4g}"
    faint = "" if signed else " (faint)"
    ends = _rounded(low, spread, 3), _rounded(high, spread, 3)
    bottom = n_rows * tall
    parts.append(label(f"from {ends[0]}{faint} to {ends[1]}", 0.0, bottom + 18))
    return svg.picture(parts, WIDTH, bottom + 24, alt)


def _rounded(value: float, spread: float, digits: int = 2) -> str:
    """Returns a number without digits that mean nothing beside a spread of values."""
    if abs(value) < spread / 500:
        return "0"
    return svg.number(float(f"{value:.{digits}g}"), digits)


def _estimate(row: Row, x: svg.Scale, y: float, left: float) -> list[str]:
    """Draws the label, interval and dot of one row."""
    interval = row.interval
    parts = [label(row.label, left - 10, y + 4, text_anchor="end")]
    if not math.isfinite(interval.value):
        return parts
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        low, high = x(interval.low), x(interval.high)
        parts.append(line(low, y, high, y, f"interval {row.color}"))
    return [*parts, _dot(x(interval.value), y, 5.0, row.color)]


def _dot(x: float, y: float, radius: float, color: str) -> str:
    return svg.element("circle", cx=x, cy=y, r=radius, class_=f"dot {color}")


def _curve(s: Series, x: svg.Scale, y: svg.Scale) -> list[str]:
    """Draws the band, line and dots of one series."""

    def path(ys: Sequence[float]) -> list[tuple[float, float]]:
        pairs = zip(s.x, ys, strict=True)
        return [(x(a), y(b)) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]

    def written(points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in points)

    parts = []
    if s.low is not None and s.high is not None:
        # Along the upper edge and back along the lower one.
        outline = written([*path(s.high), *reversed(path(s.low))])
        parts.append(svg.element("polygon", points=outline, class_=f"band {s.color}"))
    points = path(s.y)
    parts.append(
        svg.element("polyline", points=written(points), class_=f"line {s.color}")
    )
    if len(points) <= _MAX_DOTS:
        parts += [_dot(a, b, 2.5, s.color) for a, b in points]
    return parts


def _points(s: Series, x: svg.Scale, y: svg.Scale, top: float) -> list[str]:
    """Draws the intervals, then the points upon them, and the notes."""
    pairs = enumerate(zip(s.x, s.y, strict=True))
    finite = [i for i, pair in pairs if all(map(math.isfinite, pair))]
    parts, free = [], 0.0
    for i in finite:
        at = x(s.x[i])
        if s.low is not None and s.high is not None:
            ends = y(s.low[i]), y(s.high[i])
            parts.append(line(at, ends[0], at, ends[1], f"interval {s.color}"))
        # A note that would run into the one to its left is left out.
        if s.notes and at >= free:
            parts.append(label(s.notes[i], at, top - 6, text_anchor="middle"))
            free = at + CHARACTER * len(s.notes[i])
    return [*parts, *(_dot(x(s.x[i]), y(s.y[i]), 4.0, s.color) for i in finite)]


def _level_name(level: Level, levels: Sequence[Level], y: svg.Scale) -> str:
    """Writes the name of a level, on the side where the curve is less likely."""
    at = y(level.value)
    highest = level.value == max(other.value for other in levels)
    at = at + LINE if highest and at + LINE < y.pixels[0] else at - 6
    return label(level.label, RIGHT - 4, at, text_anchor="end", class_="level-name")
