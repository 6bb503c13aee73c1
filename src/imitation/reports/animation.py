"""Moving pictures for a page: frames in, small animated WebP files out.

The frames of a simulator are flat drawings, of which WebP keeps a few hundred bytes
each. Every animation comes with a still picture for readers who asked for less motion,
for paper, and for the page's pause switch.
"""

import dataclasses
import html
import io
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from imitation.errors import DataError
from imitation.reports.blocks import Html, data_uri

# RGB, shape (height, width, 3).
Frame = npt.NDArray[np.uint8]

# The largest animation that `encode` makes.
MAX_BYTES = 600_000

# Animations side by side on a wide screen; more are put into equally long rows.
_MAX_COLUMNS = 4

_QUALITIES = (80, 60, 40, 20, 5)


@dataclasses.dataclass(frozen=True)
class Film:
    """An animation and one of its frames, as WebP, and their size in pixels."""

    moving: bytes
    still: bytes
    width: int
    height: int


def shrink(frame: Frame, width: int) -> Frame:
    """Scales a frame down to a width, unless it is narrower; keeps its proportions."""
    from PIL import Image

    height, old_width, _ = frame.shape
    if old_width <= width:
        return frame
    size = (width, max(1, round(height * width / old_width)))
    # Lanczos keeps thin poles and grid lines visible, which nearest pixels lose.
    small = Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(small, dtype=np.uint8)


def encode(
    frames: Sequence[Frame],
    fps: float,
    *,
    still: int = 0,
    max_bytes: int = MAX_BYTES,
) -> Film:
    """Makes an endless animation of bounded size.

    Args:
        frames: of equal shape, at least one.
        fps: frames per second, positive.
        still: index of the frame to show when nothing moves.
        max_bytes: the largest size of the animation; quality is reduced first, then
            every second frame is left out.

    Raises:
        DataError: there are no frames, they are no RGB pictures of one shape, or even
            two of them do not fit.
    """
    _check(frames)
    # The first size that fits: a lower quality blurs, a lower rate jerks, so that the
    # rate is halved last.
    height, width, _ = frames[0].shape
    picture = _webp([frames[still]], fps, 80)
    kept, rate = list(frames), fps
    while True:
        for quality in _QUALITIES:
            moving = _webp(kept, rate, quality)
            if len(moving) <= max_bytes:
                return Film(moving, picture, width, height)
        if len(kept) <= 2:
            raise DataError(
                f"two frames of {width}×{height} do not fit into {max_bytes} bytes"
            )
        kept, rate = kept[::2], rate / 2


def films(items: Sequence[tuple[str, str, Film]], switch: str) -> Html:
    """Shows animations side by side, with a switch that stops them all; no script.

    Args:
        items: captions, descriptions for those who cannot see it, and animations.
        switch: the label of the switch.
    """
    pictures = "\n".join(_figure(*item) for item in items)
    # Rows of about equal length: five films as 3 + 2, not as 4 + 1.
    n_rows = math.ceil(len(items) / _MAX_COLUMNS)
    n_columns = math.ceil(len(items) / max(1, n_rows))
    return Html(
        f'<div class="animation"><div class="films" style="--columns: {n_columns}">'
        f"{pictures}</div>"
        f'<label class="pause"><input type="checkbox"> {html.escape(switch)}</label>'
        "</div>"
    )


def _figure(caption: str, alt: str, film: Film) -> str:
    size = f'width="{film.width}" height="{film.height}"'
    description = html.escape(alt, quote=True)
    # The style sheet shows one of the two: the pause switch needs no script.
    images = "".join(
        f'<img class="{kind}" src="{data_uri(data, "image/webp")}" {size} '
        f'alt="{description}">'
        for kind, data in (("moving", film.moving), ("still", film.still))
    )
    return f"<figure>{images}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _webp(frames: Sequence[Frame], fps: float, quality: int) -> bytes:
    from PIL import Image

    first, *rest = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=rest,
        duration=round(1000 / fps),
        loop=0,
        quality=quality,
        method=2,  # of 0 to 6; higher is slower and smaller
    )
    return buffer.getvalue()


def _check(frames: Sequence[Frame]) -> None:
    if not frames:
        raise DataError("an animation needs at least one frame, got none")
    shape = frames[0].shape
    for i, frame in enumerate(frames):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise DataError(
                "frames must be uint8 arrays of shape (height, width, 3), "
                f"frame {i} is {frame.dtype} {frame.shape}"
            )
        if frame.shape != shape:
            raise DataError(f"frame {i} is {frame.shape}, the first one is {shape}")
