"""Clips in a terminal: two pixels a character, as colored half blocks."""

import dataclasses
import itertools
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from imitation.errors import ArtifactError, missing_extra, reason

Frames = npt.NDArray[np.uint8]

_BLOCK = "▀"
_RESET = "\x1b[0m"


@dataclasses.dataclass(frozen=True)
class Clip:
    """A video in memory."""

    frames: Frames
    """RGB, shape (n, height, width, 3)."""

    fps: float
    """Frames per second."""


def read_clip(path: pathlib.Path, columns: int, rows: int) -> Clip:
    """Reads a video, reduced to a number of characters.

    Args:
        path: the file.
        columns: the greatest width.
        rows: the greatest height.

    Raises:
        ArtifactError: the file is not a video.
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise missing_extra("av", "apps") from error

    try:
        with av.open(str(path)) as container:
            stream: Any = container.streams.video[0]
            fps = float(stream.average_rate or 30)
            scale = min(columns / stream.width, 2 * rows / stream.height)
            size = (
                max(1, round(stream.width * scale)),
                2 * max(1, round(stream.height * scale / 2)),
            )
            frames = [
                np.asarray(frame.to_image().resize(size), dtype=np.uint8)
                for frame in container.decode(stream)
            ]
    except (OSError, IndexError, ValueError) as error:
        raise ArtifactError(f"cannot play {path}: {reason(error)}") from error
    return Clip(np.stack(frames), fps)


def picture(frame: Frames) -> list[str]:
    """Returns a frame as lines of text.

    Args:
        frame: RGB, shape (height, width, 3), an even height.

    Returns:
        Half as many lines, each ending in plain colors.
    """
    lines = []
    for upper, lower in zip(frame[::2].tolist(), frame[1::2].tolist(), strict=True):
        parts = []
        # A run of equal characters names its colors once.
        pairs = zip(upper, lower, strict=True)
        for (top, bottom), run in itertools.groupby(pairs):
            colors = ";".join(map(str, [38, 2, *top, 48, 2, *bottom]))
            parts.append(f"\x1b[{colors}m{_BLOCK * len(list(run))}")
        lines.append("".join(parts) + _RESET)
    return lines


def side_by_side(left: Frames, right: Frames) -> list[str]:
    """Returns two frames as lines of text, the shorter one filled up with blanks."""
    columns = [picture(frame) for frame in (left, right)]
    blanks = [" " * frame.shape[1] for frame in (left, right)]
    height = max(map(len, columns))
    first, second = (
        column + [blank] * (height - len(column))
        for column, blank in zip(columns, blanks, strict=True)
    )
    return [f"{a}   {b}" for a, b in zip(first, second, strict=True)]
