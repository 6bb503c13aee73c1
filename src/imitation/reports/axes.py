"""What plots with two axes share: axes, grid lines, legends."""

import math
from collections.abc import Sequence

from imitation.reports import svg

__all__ = [
    "CHARACTER",
    "LINE",
    "RIGHT",
    "WIDTH",
    "extent",
    "legend",
    "line",
    "x_axis",
    "y_axis",
]

WIDTH = 480.0
"""Of a plot: half of a desktop page, the whole of a phone's."""

LINE = 15.0
"""Height of a line of text."""

CHARACTER = 8.0
"""Width of a character at most, for room beside and between labels."""

RIGHT = WIDTH - 32.0
"""Where axes end, which leaves room for half a number."""


def extent(values: Sequence[float]) -> tuple[float, float]:
    """Returns the smallest and largest of the finite values, at least one."""
    finite = [value for value in values if math.isfinite(value)]
    assert finite, "a plot needs a finite value"
    return min(finite), max(finite)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Draws a line of a class."""
    return svg.element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def x_axis(
    x: svg.Scale, marks: Sequence[float], top: float, bottom: float, name: str
) -> list[str]:
    """Draws the horizontal axis, with grid lines up to `top`.

    Args:
        x: its scale.
        marks: where numbers are.
        top: the upper end of the grid lines.
        bottom: where the axis lies.
        name: what it shows.
    """
    left, right = x.pixels
    parts = [line(left, bottom, right, bottom, "axis")]
    for mark in marks:
        at = x(mark)
        parts.append(line(at, top, at, bottom + 4, "grid"))
        words = svg.number(mark, 4)
        parts.append(svg.label(words, at, bottom + 18, text_anchor="middle"))
    middle = (left + right) / 2
    parts.append(
        svg.label(name, middle, bottom + 38, text_anchor="middle", class_="strong")
    )
    return parts


def y_axis(
    y: svg.Scale, marks: Sequence[float], names: Sequence[str], left: float
) -> list[str]:
    """Draws the numbers of the vertical axis, and a grid line for each.

    Args:
        y: its scale.
        marks: where numbers are.
        names: the numbers.
        left: where the axis lies.
    """
    parts = []
    for mark, name in zip(marks, names, strict=True):
        parts.append(line(left, y(mark), RIGHT, y(mark), "grid"))
        parts.append(svg.label(name, left - 6, y(mark) + 4, text_anchor="end"))
    return parts


def legend(items: Sequence[tuple[str, str]], left: float, y: float) -> list[list[str]]:
    """Draws a sample and a name for each item, in lines; none for a single one.

    Args:
        items: names and classes of colours.
        left: where lines begin.
        y: where the first one lies.
    """
    lines: list[list[str]] = []
    at = WIDTH
    for name, colour in items if len(items) > 1 else ():
        width = 44 + CHARACTER * len(name)
        if at + width - 20 > WIDTH:
            lines.append([])
            at = left
        below = y + LINE * (len(lines) - 1)
        lines[-1].append(line(at, below - 4, at + 18, below - 4, f"line {colour}"))
        lines[-1].append(svg.label(name, at + 24, below))
        at += width
    return lines
