"""Clouds of points as SVG, with the intervals of their heights."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

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

__all__ = ["Cloud", "scatter"]

_HEIGHT = 240.0


@dataclasses.dataclass(frozen=True)
class Cloud:
    """Points of one kind."""

    label: str
    """Its name in the legend."""

    x: Sequence[float]
    """Shape (n,)."""

    y: Sequence[float]
    """Shape (n,)."""

    colour: str
    """Its colour's class."""

    low: Sequence[float] | None = None
    """Lower ends of the intervals of `y`, shape (n,); None for no intervals."""

    high: Sequence[float] | None = None
    """Upper ends, likewise."""

    notes: Sequence[str] | None = None
    """Words above each point, at the top of the plot, shape (n,); None for none."""


def scatter(
    clouds: Sequence[Cloud],
    *,
    x_label: str,
    y_label: str,
    alt: str,
    diagonal: bool = False,
) -> Html:
    """Draws points, those that are not finite left out.

    Args:
        clouds: at least one, with at least one finite point.
        x_label: the horizontal axis, with its unit.
        y_label: the vertical axis, with its unit.
        alt: what the plot shows, in words.
        diagonal: whether to draw the line of equal values.

    Returns:
        The picture.
    """
    xs = [v for cloud in clouds for v in cloud.x]
    ys = [
        v
        for cloud in clouds
        for part in (cloud.y, cloud.low or (), cloud.high or ())
        for v in part
    ]
    x_marks, y_marks = svg.ticks(*extent(xs)), svg.ticks(*extent(ys))
    names = [svg.number(mark, 4) for mark in y_marks]
    left = 12 + CHARACTER * max(map(len, names))
    has_notes = any(cloud.notes for cloud in clouds)
    items = [(cloud.label, cloud.colour) for cloud in clouds]
    rows = legend(items, left, 16 + LINE)
    top = 16 + LINE * (1 + len(rows) + has_notes)
    bottom = top + _HEIGHT
    x = svg.Scale((x_marks[0], x_marks[-1]), (left + 6, RIGHT))
    y = svg.Scale((y_marks[0], y_marks[-1]), (bottom, top))
    parts = [
        *x_axis(x, x_marks, bottom, bottom, x_label),
        svg.label(y_label, 4.0, LINE - 2, class_="strong"),
        *y_axis(y, y_marks, names, left),
        *(part for row in rows for part in row),
    ]
    if diagonal:
        low = max(x_marks[0], y_marks[0])
        high = min(x_marks[-1], y_marks[-1])
        parts.append(line(x(low), y(low), x(high), y(high), "level"))
    for cloud in clouds:
        parts += _points(cloud, x, y, top)
    return svg.picture(parts, WIDTH, bottom + 44, alt, "curves")


def _points(cloud: Cloud, x: svg.Scale, y: svg.Scale, top: float) -> Iterator[str]:
    """The intervals, then the points upon them, and the notes."""
    finite = [
        i
        for i, point in enumerate(zip(cloud.x, cloud.y, strict=True))
        if all(map(math.isfinite, point))
    ]
    for i in finite:
        if cloud.low is not None and cloud.high is not None:
            at = x(cloud.x[i])
            ends = y(cloud.low[i]), y(cloud.high[i])
            yield line(at, ends[0], at, ends[1], f"interval {cloud.colour}")
    for i in finite:
        yield svg.element(
            "circle",
            cx=x(cloud.x[i]),
            cy=y(cloud.y[i]),
            r=4.0,
            class_=f"dot {cloud.colour}",
        )
        if cloud.notes is not None:
            yield svg.label(
                cloud.notes[i], x(cloud.x[i]), top - 6, text_anchor="middle"
            )
