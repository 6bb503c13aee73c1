"""Draws vector observations as moving line plots, for people to watch.

Each number of the observation has a row of its own: its whole course in gray, what has
happened so far in color, and a dot at the present.
"""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Frames = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

# More numbers than this are not drawn.
MAX_ROWS = 8

_WIDTH = 480
_ROW_HEIGHT = 56
_LEFT, _RIGHT, _MARGIN = 92, 12, 8
_PAPER = "#ffffff"
_INK = "#3b4252"
_GRAY = "#c4cad4"
_RULE = "#eceff4"
# Okabe and Ito's colors, which color-blind people can tell apart.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def limits_of(*values: np.ndarray) -> Floats:
    """Returns the range of each number, to draw several plots to one scale.

    Args:
        *values: each of shape (times, numbers).

    Returns:
        Minimum and maximum of the finite ones, shape (numbers, 2).
    """
    joined = np.concatenate(values).astype(np.float64)
    kept = np.where(np.isfinite(joined), joined, np.nan)
    limits = np.zeros((joined.shape[1], 2))
    some = ~np.isnan(kept).all(axis=0)
    limits[some, 0] = np.nanmin(kept[:, some], axis=0)
    limits[some, 1] = np.nanmax(kept[:, some], axis=0)
    return limits


def draw(
    values: np.ndarray,
    limits: Floats | None = None,
    names: Sequence[str] | None = None,
) -> Frames:
    """Draws a frame for each time.

    Args:
        values: shape (times, numbers); infinities and NaN leave gaps.
        limits: the scale of each row, as `limits_of` makes it; None for that of
            `values`.
        names: of the numbers; None counts them.

    Returns:
        Shape (times, height, width, 3).
    """
    from PIL import ImageDraw

    limits = limits_of(values) if limits is None else limits
    names = names or [f"obs[{i}]" for i in range(values.shape[1])]
    n_rows = min(values.shape[1], MAX_ROWS)
    points = _points(values[:, :n_rows].astype(np.float64), limits[:n_rows])
    paper = _paper(names, limits, values.shape[1])
    drawing = ImageDraw.Draw(paper)
    for row in range(n_rows):
        _line(drawing, points[:, row], _GRAY, 2)
    frames = []
    for now in range(len(values)):
        # The colored part only grows, so it is drawn on, segment by segment.
        for row in range(n_rows):
            color = _COLORS[row % len(_COLORS)]
            _line(drawing, points[max(now - 1, 0) : now + 1, row], color, 3)
        frame = paper.copy()
        _dots(ImageDraw.Draw(frame), points[now])
        frames.append(np.asarray(frame, dtype=np.uint8))
    return np.stack(frames)


def _points(values: Floats, limits: Floats) -> Floats:
    """Pixel coordinates, shape (times, rows, 2); NaN where there is no number."""
    n_times, n_rows = values.shape
    low, high = limits[:, 0], limits[:, 1]
    span = np.where(high > low, high - low, 1.0)
    # A number that never changes is drawn in the middle of its row.
    share = np.where(high > low, (values - low) / span, 0.5)
    share = np.where(np.isfinite(values), share, np.nan)
    inner = _ROW_HEIGHT - 2 * _MARGIN
    top = _ROW_HEIGHT * np.arange(n_rows) + _MARGIN
    x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * np.linspace(0, 1, n_times)
    return np.stack(
        [np.broadcast_to(x[:, None], share.shape), top + inner * (1 - share)], axis=2
    )


def _paper(names: Sequence[str], limits: Floats, n_numbers: int) -> "Image.Image":
    """Draws the rows' rules, names and scales."""
    from PIL import Image, ImageDraw, ImageFont

    n_rows = min(n_numbers, MAX_ROWS)
    note = 20 if n_numbers > n_rows else 0
    paper = Image.new("RGB", (_WIDTH, n_rows * _ROW_HEIGHT + note), _PAPER)
    drawing = ImageDraw.Draw(paper)
    big, small = ImageFont.load_default(13), ImageFont.load_default(10)
    for row in range(n_rows):
        top = row * _ROW_HEIGHT
        if row:
            drawing.line([(0, top), (_WIDTH, top)], fill=_RULE, width=1)
        middle = top + _ROW_HEIGHT // 2
        drawing.text((8, middle), names[row][:9], fill=_INK, font=big, anchor="lm")
        right = _LEFT - 6
        low, high = limits[row]
        for y, number in ((top + _MARGIN, high), (top + _ROW_HEIGHT - _MARGIN, low)):
            text = f"{number:.3g}"
            drawing.text((right, y), text, fill=_INK, font=small, anchor="rm")
    if note:
        text = f"and {n_numbers - n_rows} more numbers"
        place = (8, n_rows * _ROW_HEIGHT + note // 2)
        drawing.text(place, text, fill=_INK, font=small, anchor="lm")
    return paper


def _line(
    drawing: "ImageDraw.ImageDraw", points: Floats, color: str, width: int
) -> None:
    """Joins the points, leaving gaps where one is missing."""
    for start, end in itertools.pairwise(points):
        if np.isfinite([start, end]).all():
            drawing.line([*start, *end], fill=color, width=width)


def _dots(drawing: "ImageDraw.ImageDraw", points: Floats) -> None:
    """Marks the present of each row."""
    for row, (x, y) in enumerate(points):
        if np.isfinite(y):
            color = _COLORS[row % len(_COLORS)]
            drawing.ellipse([x - 4, y - 4, x + 4, y + 4], fill=color, outline=_PAPER)
