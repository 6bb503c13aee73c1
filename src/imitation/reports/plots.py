"""Plots as SVG: estimates with intervals, and learning curves with bands.

Sized for half of a desktop page and the whole of a phone's; colours are in `svg`.
"""

import dataclasses
import math
from collections.abc import Sequence

from imitation.reports import svg
from imitation.reports.axes import (
    CHARACTER,
    LINE,
    RIGHT,
    WIDTH,
    extent,
    legend,
    line,
    x_axis,
    y_axis,
)
from imitation.reports.blocks import Html
from imitation.reports.statistics import Interval

__all__ = ["Level", "Row", "Series", "curves", "forest"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One estimate of a forest plot."""

    label: str
    """Its name."""

    interval: Interval
    """The estimate with its interval."""

    colour: str
    """Its colour's class, such as "c0"."""

    group: str = ""
    """A heading above the first row of each group; "" for none."""


@dataclasses.dataclass(frozen=True)
class Level:
    """A reference value: a dashed line across a plot."""

    label: str
    """Its name."""

    value: float
    """Where it lies."""


@dataclasses.dataclass(frozen=True)
class Series:
    """One curve."""

    label: str
    """Its name in the legend."""

    x: Sequence[float]
    """Shape (n,), increasing."""

    y: Sequence[float]
    """Shape (n,)."""

    colour: str
    """Its colour's class."""

    low: Sequence[float] | None = None
    """Lower edge of a band, shape (n,); None for no band."""

    high: Sequence[float] | None = None
    """Upper edge, likewise."""


def forest(
    rows: Sequence[Row], *, x_label: str, alt: str, levels: Sequence[Level] = ()
) -> Html:
    """Draws estimates below each other, each a dot on the line of its interval.

    Args:
        rows: from top to bottom, at least one.
        x_label: what is estimated, with its unit.
        alt: what the plot shows, in words.
        levels: vertical lines, labelled above the plot.

    Returns:
        The picture.
    """
    values = [v for row in rows for v in dataclasses.astuple(row.interval)]
    marks = svg.ticks(*extent([*values, *(level.value for level in levels)]))
    left = 16 + CHARACTER * max(len(row.label) for row in rows)
    top = 24.0 if levels else 8.0
    heights = [44.0 if _starts_group(rows, i) else 26.0 for i in range(len(rows))]
    bottom = top + sum(heights) + 6
    x = svg.Scale((marks[0], marks[-1]), (left, RIGHT))
    parts = x_axis(x, marks, top, bottom, x_label)
    for level in levels:
        at = x(level.value)
        parts += [line(at, a, at, b, "level") for a, b in _spans(rows, top, bottom)]
        parts.append(svg.label(level.label, at, top - 8, text_anchor="middle"))
    y = top
    for i, row in enumerate(rows):
        y += heights[i]
        if _starts_group(rows, i):
            parts.append(svg.label(row.group, 4.0, y - 26, class_="strong"))
        parts += _estimate(row, x, y - 9, left)
    return svg.picture(parts, WIDTH, bottom + 44, alt)


def curves(
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    alt: str,
    levels: Sequence[Level] = (),
    shown: Sequence[float] = (),
) -> Html:
    """Draws curves over a common axis.

    Args:
        series: at least one, with at least one finite point.
        x_label: the horizontal axis, with its unit.
        y_label: the vertical axis; "" if the figure's title says it.
        alt: what the plot shows, in words.
        levels: horizontal lines, labelled within the plot.
        shown: heights that the vertical axis covers at least.

    Returns:
        The picture.
    """
    edges = [edge for s in series for edge in (s.y, s.low or (), s.high or ())]
    heights = [v for edge in edges for v in edge] + [level.value for level in levels]
    y_marks = svg.ticks(*extent([*heights, *shown]))
    first, last = extent([v for s in series for v in s.x])
    # Counts begin at 0, unless all lie far from it.
    x_marks = svg.ticks(0.0 if 0 < first < last / 2 else first, last)
    names = [svg.number(mark, 4) for mark in y_marks]
    left = 12 + CHARACTER * max(map(len, names))
    key_lines = legend(
        [(s.label, s.colour) for s in series], left, 16 + LINE * (y_label != "")
    )
    n_lines = (y_label != "") + len(key_lines)
    top = 16 + LINE * n_lines
    bottom = top + 224
    x = svg.Scale((x_marks[0], max(last, x_marks[1])), (left, RIGHT))
    y = svg.Scale((y_marks[0], y_marks[-1]), (bottom, top))
    x_marks = [mark for mark in x_marks if mark <= x.data[1]]
    parts = x_axis(x, x_marks, bottom, bottom, x_label)
    parts.append(svg.label(y_label, 4.0, LINE - 2, class_="strong"))
    parts += y_axis(y, y_marks, names, left)
    parts += [part for row in key_lines for part in row]
    for level in levels:
        parts.append(line(left, y(level.value), RIGHT, y(level.value), "level"))
    for s in series:
        parts += _curve(s, x, y)
    parts += [_level_name(level, levels, y) for level in levels]
    return svg.picture(parts, WIDTH, bottom + 44, alt, "curves")


def _estimate(row: Row, x: svg.Scale, y: float, left: float) -> list[str]:
    """The label, interval and dot of one row."""
    interval = row.interval
    parts = [svg.label(row.label, left - 10, y + 4, text_anchor="end")]
    if not math.isfinite(interval.value):
        return parts
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        low, high = x(interval.low), x(interval.high)
        parts.append(line(low, y, high, y, f"interval {row.colour}"))
    dot = svg.element(
        "circle", cx=x(interval.value), cy=y, r=5.0, class_=f"dot {row.colour}"
    )
    return [*parts, dot]


def _curve(s: Series, x: svg.Scale, y: svg.Scale) -> list[str]:
    """The band, line and dots of one series, without points that are not finite."""
    parts = []
    if s.low is not None and s.high is not None:
        upper = _points(s.x, s.high, x, y)
        lower = _points(s.x, s.low, x, y)
        outline = " ".join([*upper, *reversed(lower)])
        parts.append(svg.element("polygon", points=outline, class_=f"band {s.colour}"))
    points = _points(s.x, s.y, x, y)
    parts.append(
        svg.element("polyline", points=" ".join(points), class_=f"line {s.colour}")
    )
    if len(points) <= 40:
        for point in points:
            cx, cy = point.split(",")
            parts.append(
                svg.element("circle", cx=cx, cy=cy, r=2.5, class_=f"dot {s.colour}")
            )
    return parts


def _points(
    xs: Sequence[float], ys: Sequence[float], x: svg.Scale, y: svg.Scale
) -> list[str]:
    return [
        f"{x(a):.1f},{y(b):.1f}"
        for a, b in zip(xs, ys, strict=True)
        if math.isfinite(a) and math.isfinite(b)
    ]


def _level_name(level: Level, levels: Sequence[Level], y: svg.Scale) -> str:
    """The name of a reference line, on the side where the curve is less likely."""
    at = y(level.value)
    highest = level.value == max(other.value for other in levels)
    at = at + LINE if highest and at + LINE < y.pixels[0] else at - 6
    return svg.label(level.label, RIGHT - 4, at, text_anchor="end", class_="level-name")


def _spans(rows: Sequence[Row], top: float, bottom: float) -> list[list[float]]:
    """Where a vertical line can be drawn without crossing a heading."""
    spans, y = [[top, top]], top
    for i in range(len(rows)):
        if _starts_group(rows, i):
            y += 18
            spans.append([y + 4, y + 4])
        y += 26
        spans[-1][1] = y
    spans[-1][1] = bottom
    return [span for span in spans if span[1] > span[0]]


def _starts_group(rows: Sequence[Row], i: int) -> bool:
    """Whether a row is the first of a named group."""
    group = rows[i].group
    return group != "" and (i == 0 or rows[i - 1].group != group)
