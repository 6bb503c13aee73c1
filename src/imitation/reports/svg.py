"""Drawing axes as SVG text: scales, ticks, elements.

Colours are classes (``c0``, ``c1``, … and ``muted``) that the page's style sheet
defines for light, dark and print; a plot on its own is black.
"""

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

from imitation.reports.blocks import Html

__all__ = ["Scale", "element", "label", "number", "picture", "ticks"]


class Scale(NamedTuple):
    """A linear map from data to pixels."""

    data: tuple[float, float]
    """Two different values."""

    pixels: tuple[float, float]
    """Where they lie."""

    def __call__(self, value: float) -> float:
        """Returns the pixel of a value."""
        (a, b), (p, q) = self.data, self.pixels
        return p + (value - a) / (b - a) * (q - p)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Chooses round values that cover an interval.

    Args:
        low: lower end.
        high: upper end; an empty interval is widened.
        count: about how many, at least 2.

    Returns:
        Equally spaced increasing multiples of 1, 2 or 5 times a power of ten, the first
        at or below `low` and the last at or above `high`.
    """
    if not high > low:
        margin = abs(low) * 0.1 or 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / (count - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [_round(i * step, step) for i in range(first, last + 1)]


def number(value: float, digits: int = 3) -> str:
    """Writes a number for a reader: thousands grouped, a proper minus sign.

    Args:
        value: the number.
        digits: significant digits for values below 1,000 in size; integers are exact.
    """
    if not math.isfinite(value):
        return "–"
    if float(value).is_integer() or abs(value) >= 1000:
        shown = f"{value:,.0f}"
    else:
        shown = f"{value:.{digits}g}"
    return shown.replace("-", "−")


def element(tag: str, content: str = "", **attributes: object) -> str:
    """Writes an element; ``_`` becomes ``-`` in attributes, and none at the end."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for name, value in attributes.items()
    )
    return f"<{tag}{written}>{content}</{tag}>"


def label(words: str, x: float, y: float, **attributes: object) -> str:
    """Writes text at a point."""
    return element("text", html.escape(words), x=x, y=y, **attributes)


def picture(
    parts: Sequence[str], width: float, height: float, alt: str, kind: str = ""
) -> Html:
    """Makes a picture that scales with the page.

    Args:
        parts: its elements.
        width: in pixels at its natural size.
        height: likewise.
        alt: what it shows, for those who cannot see it.
        kind: a further class.
    """
    return Html(
        element(
            "svg",
            "\n".join(parts),
            viewBox=f"0 0 {width:g} {height:g}",
            role="img",
            aria_label=alt,
            class_=f"plot {kind}".strip(),
        )
    )


def _attribute(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return html.escape(str(value), quote=True)


def _round(value: float, step: float) -> float:
    """Removes the binary dust of a multiple of a decimal step."""
    return round(value, max(0, 1 - math.floor(math.log10(step))))
