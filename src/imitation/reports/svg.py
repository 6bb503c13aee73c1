"""Drawing as SVG text: elements, scales, ticks, axes and legends.

Why not matplotlib, which is installed anyway: the same plots were drawn both ways at
480 pixels and looked at. Its SVG is five times as large (12 to 23 kB a plot, 34 to 53
kB as PNG) and takes 150 times as long to draw, which counts where a page is rewritten
after every result. Its tick labels collide at this size. Above all its colors are
fixed, while the classes used here (``c0``, ``c1``, … and ``muted``) take theirs from
the page's style sheet, for light, dark and print. What it did better, axes that end
where the data do, is done here as well.
"""

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

from imitation.reports.blocks import Html

# Of a plot: half of a desktop page, the whole of a phone's.
WIDTH = 480.0

# Height of a line of text.
LINE = 15.0

# Greatest width of a character, to reserve space for labels.
CHARACTER = 8.0

# Right end of axes, which leaves space for half a number.
RIGHT = WIDTH - 32.0


class Scale(NamedTuple):
    """A linear map from data to pixels, by two different values of the data."""

    data: tuple[float, float]
    pixels: tuple[float, float]

    def __call__(self, value: float) -> float:
        """Returns the pixel of a value."""
        (a, b), (p, q) = self.data, self.pixels
        return p + (value - a) / (b - a) * (q - p)


def extent(values: Sequence[float]) -> tuple[float, float]:
    """Returns the smallest and largest of the finite values, at least one."""
    finite = [value for value in values if math.isfinite(value)]
    assert finite, "a plot needs a finite value"
    return min(finite), max(finite)


def padded(low: float, high: float) -> tuple[float, float]:
    """Widens an interval by a twenty-fifth to each side; an empty one by more."""
    margin = 0.04 * (high - low) or abs(low) * 0.1 or 1.0
    return low - margin, high + margin


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Chooses about `count` round values within an interval, at least 2.

    They are all multiples of 1, 2 or 5 times a power of ten: of the step whose ratio to
    the wanted one is nearest to one.
    """
    rough = (high - low) / (count - 1)
    # 1, 2, 5, 10 times the power of ten below the wanted step.
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda m: abs(math.log(m * power / rough)))
    # The tolerance keeps 3 * 0.1 > 0.3 from losing an end.
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    # 3 * 0.1 is 0.30000000000000004: rounded to the last digit of the step.
    digits = max(0, 1 - math.floor(math.log10(step)))
    return [round(i * step, digits) for i in range(first, last + 1)]


def number(value: float, digits: int = 3) -> str:
    """Writes a number for a reader: thousands grouped, a proper minus sign.

    Values below 1,000 in size have so many significant digits; integers are exact.
    """
    if not math.isfinite(value):
        return "–"
    if float(value).is_integer() or abs(value) >= 1000:
        shown = f"{value:,.0f}"
    else:
        shown = f"{value:.{digits}g}"
    return shown.replace("-", "−")


def element(tag: str, content: str = "", **attributes: object) -> str:
    """Writes an element; ``_`` becomes ``-`` in attributes, a trailing one is dropped.

    Floats are written with two decimals, all other attributes as text.
    """
    written = []
    for name, value in attributes.items():
        if isinstance(value, float):
            shown = f"{value:.2f}".rstrip("0").rstrip(".")
        else:
            shown = html.escape(str(value), quote=True)
        written.append(f' {name.rstrip("_").replace("_", "-")}="{shown}"')
    return f"<{tag}{''.join(written)}>{content}</{tag}>"


def label(words: str, x: float, y: float, **attributes: object) -> str:
    """Writes text at a point."""
    return element("text", html.escape(words), x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Draws a line of a class."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def picture(
    parts: Sequence[str], width: float, height: float, alt: str, kind: str = ""
) -> Html:
    """Makes a picture that scales with the page.

    Width and height are in pixels at its natural size, `alt` is its content in words
    for those who cannot see it, and `kind` a further class.
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


def x_axis(x: Scale, top: float, bottom: float, name: str) -> list[str]:
    """Draws the horizontal axis at `bottom`, with grid lines up to `top`."""
    left, right = x.pixels
    for count in (6, 5, 4, 3, 2):  # as many numbers as fit side by side
        marks = ticks(*x.data, count)
        width = CHARACTER * (1 + max(len(number(mark, 4)) for mark in marks))
        if width * len(marks) <= right - left:
            break
    parts = [line(left, bottom, right, bottom, "axis")]
    for mark in marks:
        at = x(mark)
        parts.append(line(at, top, at, bottom + 4, "grid"))
        parts.append(label(number(mark, 4), at, bottom + 18, text_anchor="middle"))
    middle = (left + right) / 2
    parts.append(
        label(name, middle, bottom + 38, text_anchor="middle", class_="strong")
    )
    return parts


def y_axis(y: Scale, left: float) -> list[str]:
    """Draws the numbers of the vertical axis at `left`, and a grid line for each."""
    parts = []
    for mark in ticks(*y.data):
        parts.append(line(left, y(mark), RIGHT, y(mark), "grid"))
        words = number(mark, 4)
        parts.append(label(words, left - 6, y(mark) + 4, text_anchor="end"))
    return parts


def legend(items: Sequence[tuple[str, str]], left: float, y: float) -> list[list[str]]:
    """Draws a sample and a name for each item, in lines; nothing for a single one.

    Items are names and classes of colors; `y` is the baseline of the first line.
    """
    lines: list[list[str]] = []
    at = WIDTH
    for name, color in items if len(items) > 1 else ():
        width = 44 + CHARACTER * len(name)
        if at + width - 20 > WIDTH:
            lines.append([])
            at = left
        below = y + LINE * (len(lines) - 1)
        lines[-1].append(line(at, below - 4, at + 18, below - 4, f"line {color}"))
        lines[-1].append(label(name, at + 24, below))
        at += width
    return lines
