"""Turns trajectories into short videos for people to watch.

What is shown, in this order: the images that `imitation.envs.rendering` has put into
the infos, the observations if they are images, or a line plot of the observations.
"""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from imitation.data import tree
from imitation.data.labels import line_plots
from imitation.data.types import DictObs, Trajectory
from imitation.errors import DataError
from imitation.util.paths import AnyPath, parse_path
from imitation.util.video_wrapper import VideoRecorder

Array = np.ndarray
Frames = npt.NDArray[np.uint8]

# Where infos hold the picture of the state after their step.
RENDERED_KEY = "rendered_img"

_SMALL, _LARGE = 240, 720
_MAX_CHANNELS = 16
_MIN_SIDE = 8


def frames_of(trajectory: Trajectory) -> Frames:
    """Returns the pictures of a trajectory.

    Args:
        trajectory: with rendered images in its infos, image observations (gray, color
            or stacked, channels first or last) or any others.

    Returns:
        RGB, shape (n, height, width, 3): one frame a step for rendered images, else
        one more.
    """
    pictures = _pictures(trajectory)
    if pictures is not None:
        return pictures
    numbers = _numbers(trajectory)
    return line_plots.draw(numbers.values, names=numbers.names)


def frames_of_pair(first: Trajectory, second: Trajectory) -> tuple[Frames, Frames]:
    """Returns the pictures of two trajectories, line plots drawn to one scale."""
    pictures = _pictures(first), _pictures(second)
    if pictures[0] is not None and pictures[1] is not None:
        return pictures[0], pictures[1]
    a, b = _numbers(first), _numbers(second)
    # One scale for both, or a flat line could look as lively as a wild one.
    limits = line_plots.limits_of(a.values, b.values)
    return (
        line_plots.draw(a.values, limits, a.names),
        line_plots.draw(b.values, limits, b.names),
    )


def write_clip(path: AnyPath, frames: Frames, fps: float) -> None:
    """Writes an H.264 video that every browser plays, atomically.

    Small frames are enlarged without blurring, large ones reduced.

    Args:
        path: the file, by custom ``*.mp4``; its directory is made.
        frames: RGB, shape (n, height, width, 3), uint8, at least one.
        fps: frames per second, positive.

    Raises:
        DataError: there is no frame, or they have another shape or dtype.
        ModuleNotFoundError: PyAV is not installed.
    """
    if frames.ndim != 4 or not len(frames) or fps <= 0:
        raise DataError(
            "expected frames of shape (n, height, width, 3) and positive fps, got "
            f"{frames.shape} and {fps}"
        )
    target: pathlib.Path = parse_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    recorder = VideoRecorder(target, fps)
    resize = _resizer(*frames.shape[1:3])
    try:
        for frame in frames:
            recorder.add_frame(resize(frame))
    finally:
        recorder.close()


class _Numbers(NamedTuple):
    """Observations as vectors."""

    values: Array
    """Shape (times, numbers)."""

    names: list[str]
    """Of each number."""


def _pictures(trajectory: Trajectory) -> Frames | None:
    """The rendered images or the image observations; None if there are none."""
    infos = trajectory.infos
    if infos is not None and all(RENDERED_KEY in info for info in infos):
        rendered = np.stack([np.asarray(info[RENDERED_KEY]) for info in infos])
        pictures = _rgb(rendered)
        if pictures is None:
            raise DataError(
                f"expected images of shape (height, width, 3) in infos, got "
                f"{rendered.shape[1:]} as {RENDERED_KEY!r}"
            )
        return pictures
    parts = tree.leaves(trajectory.obs)
    return next((image for part in parts if (image := _rgb(part)) is not None), None)


def _numbers(trajectory: Trajectory) -> _Numbers:
    """The observations as vectors, those of a dictionary side by side."""
    obs = trajectory.obs
    parts = dict(obs.items()) if isinstance(obs, DictObs) else {"obs": obs}
    columns, names = [], []
    for name, part in parts.items():
        flat = part.reshape(len(part), -1)
        columns.append(flat.astype(np.float64))
        names += [f"{name}[{i}]" for i in range(flat.shape[1])]
    return _Numbers(np.concatenate(columns, axis=1), names)


def _rgb(array: Array) -> Frames | None:
    """Images of any layout as RGB, shape (n, height, width, 3); None if not images."""
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4:
        return None
    last, first = array.shape[3], array.shape[1]
    # Channels first: the short axis leads.
    if last > _MAX_CHANNELS or first < last:
        array = np.moveaxis(array, 1, 3)
    _, height, width, channels = array.shape
    if channels > _MAX_CHANNELS or min(height, width) < _MIN_SIDE:
        return None
    # A stack of frames has the latest last: of colors, or (also if four) of grays.
    latest = 3 if channels % 3 == 0 else 1
    shown = _to_uint8(array[..., -latest:])
    return np.ascontiguousarray(np.broadcast_to(shown, (*shown.shape[:3], 3)))


def _to_uint8(images: Array) -> Frames:
    """Brightness in 0..255: of bytes, of [0, 1], else of the range that occurs."""
    if images.dtype == np.uint8:
        return images
    # NaN would become an arbitrary byte.
    finite = np.nan_to_num(images.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = finite.min(), finite.max()
    if low >= 0 and high <= 255:
        scaled = finite * 255 if high <= 1 else finite
    else:
        scaled = (finite - low) * (255 / max(high - low, 1e-9))
    return np.rint(scaled).astype(np.uint8)


def _resizer(height: int, width: int) -> Callable[[Frames], Frames]:
    """Returns a function that scales frames to a size that is pleasant to watch."""
    from PIL import Image

    factor = -(-_SMALL // min(height, width))
    if factor > 1 and factor * max(height, width) <= _LARGE:
        return lambda frame: frame.repeat(factor, axis=0).repeat(factor, axis=1)
    if max(height, width) <= _LARGE:
        return lambda frame: frame
    shrink = _LARGE / max(height, width)
    size = (max(2, round(width * shrink)), max(2, round(height * shrink)))

    def resize(frame: Frames) -> Frames:
        small = Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
        return np.asarray(small, dtype=np.uint8)

    return resize
