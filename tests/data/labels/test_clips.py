"""Clips: what is shown of a trajectory, and the videos that browsers play."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imitation.data.labels import clips, line_plots
from imitation.data.types import DictObs, Trajectory
from imitation.errors import DataError, MissingExtraError

av = pytest.importorskip("av", reason="needs the extra 'video'")

T = 5
ACTS = np.zeros((T, 1))


def trajectory(obs: Any, infos: Any = None) -> Trajectory:
    return Trajectory(obs, ACTS, infos, True)


def gray(seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (T + 1, 16, 20), np.uint8)


def colour() -> Any:
    return np.stack([gray(0), gray(1), gray(2)], axis=3)


IMAGES = {
    "colour": (colour(), colour()),
    "colour, channels first": (np.moveaxis(colour(), 3, 1), colour()),
    "gray": (gray()[..., None], gray()),
    "gray, channels first": (gray()[:, None], gray()),
    "gray without an axis": (gray(), gray()),
    "stack of four grays": (np.stack([gray(i) for i in range(4)], 3), gray(3)),
    "stack of four grays, first": (np.stack([gray(i) for i in range(4)], 1), gray(3)),
    "stack of two grays": (np.stack([gray(5), gray(6)], 3), gray(6)),
    "stack of four colours": (
        np.concatenate([colour() // 2, colour() // 3, colour() // 4, colour()], 3),
        colour(),
    ),
    "from 0 to 1": (colour() / 255, colour()),
    "floats up to 255": (colour().astype(np.float32), colour()),
    "integers": (colour().astype(np.int64), colour()),
    "in a dictionary": (
        DictObs({"position": np.zeros((T + 1, 3)), "camera": colour()}),
        colour(),
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_image_observations_are_shown(name: str) -> None:
    obs, expected = IMAGES[name]
    frames = clips.frames_of(trajectory(obs))
    if expected.ndim == 3:
        expected = np.stack([expected] * 3, axis=3)
    np.testing.assert_array_equal(frames, expected)
    assert frames.dtype == np.uint8


def test_images_of_other_ranges_are_stretched() -> None:
    frames = clips.frames_of(trajectory(colour() / 127.5 - 1))
    np.testing.assert_allclose(frames, colour(), atol=2)
    black = clips.frames_of(trajectory(np.full((T + 1, 16, 16), -3.0)))
    assert (black == 0).all()


def test_rendered_images_come_first() -> None:
    infos = [{"rendered_img": image, "x": 1} for image in colour()[1:]]
    frames = clips.frames_of(trajectory(gray(), infos))
    np.testing.assert_array_equal(frames, colour()[1:])


def test_rendered_images_of_some_steps_do_not_count() -> None:
    infos = [{"rendered_img": image} for image in colour()[1:]]
    infos[2] = {}
    frames = clips.frames_of(trajectory(colour(), infos))
    np.testing.assert_array_equal(frames, colour())


def test_rendered_images_that_are_none_are_told() -> None:
    infos = [{"rendered_img": np.zeros(3)}] * T
    with pytest.raises(DataError, match=r"got \(3,\) as 'rendered_img'"):
        clips.frames_of(trajectory(colour(), infos))


VECTORS = {
    "vector": (np.arange(24.0).reshape(T + 1, 4), 4),
    "numbers": (np.arange(T + 1), 1),
    "many numbers": (np.zeros((T + 1, 40)), line_plots.MAX_ROWS),
    "small matrices": (np.zeros((T + 1, 2, 3)), 6),
    "truths": (np.ones((T + 1, 2), dtype=bool), 2),
    "dictionary": (DictObs({"a": np.zeros((T + 1, 2)), "b": np.zeros(T + 1)}), 3),
    "nothing finite": (np.full((T + 1, 1), np.nan), 1),
    "infinities": (np.array([[0.0], [np.inf], [1], [-np.inf], [2], [3]]), 1),
}


@pytest.mark.parametrize("name", VECTORS)
def test_other_observations_are_drawn(name: str) -> None:
    obs, rows = VECTORS[name]
    frames = clips.frames_of(trajectory(obs))
    assert frames.shape[0] == T + 1 and frames.shape[3] == 3
    assert frames.shape[1] // 56 == rows
    assert frames.dtype == np.uint8


def rows_of_colour(frame: Any, row: int, colour: tuple[int, int, int]) -> Any:
    """Heights, from 0 at the top of a row to 1, where a colour appears in it."""
    part = frame[row * 56 : (row + 1) * 56]
    return np.nonzero((part == colour).all(axis=2).any(axis=1))[0] / 56


BLUE = (0x00, 0x72, 0xB2)


def test_lines_rise_with_the_numbers() -> None:
    rising = line_plots.draw(np.linspace(0, 1, 20)[:, None])
    first, last = (
        rows_of_colour(rising[0], 0, BLUE),
        rows_of_colour(rising[-1], 0, BLUE),
    )
    assert first.min() > 0.7, "the dot starts at the bottom"
    assert last.min() < 0.2 and last.max() > 0.8, "the line spans the row"


def test_pair_is_drawn_to_one_scale() -> None:
    small = trajectory(np.linspace(0, 1, T + 1)[:, None])
    large = trajectory(np.linspace(0, 10, T + 1)[:, None])
    a, b = clips.frames_of_pair(small, large)
    assert rows_of_colour(a[-1], 0, BLUE).min() > 0.6
    assert rows_of_colour(b[-1], 0, BLUE).min() < 0.2
    alone = clips.frames_of(small)
    assert rows_of_colour(alone[-1], 0, BLUE).min() < 0.2


def test_pair_of_images_is_shown_as_it_is() -> None:
    a, b = clips.frames_of_pair(trajectory(colour()), trajectory(gray()))
    np.testing.assert_array_equal(a, colour())
    np.testing.assert_array_equal(b[..., 0], gray())


SIZES = {
    "even": ((120, 160), (240, 320)),
    "odd": ((241, 321), (242, 322)),
    "tiny": ((1, 1), (240, 240)),
    "small": ((84, 84), (252, 252)),
    "flat": ((4, 700), (4, 700)),
    "large": ((1080, 1920), (405 + 1, 720)),
}


@pytest.mark.parametrize("name", SIZES)
def test_clips_are_what_browsers_play(tmp_path: Path, name: str) -> None:
    (height, width), shown = SIZES[name]
    frames = np.full((3, height, width, 3), 200, dtype=np.uint8)
    path = tmp_path / "new" / "clip.mp4"
    clips.write_clip(path, frames, fps=25)
    with av.open(str(path)) as container:
        [stream] = container.streams
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.height, stream.width) == shown
        assert stream.average_rate == 25
        decoded = [f.to_ndarray(format="rgb24") for f in container.decode(stream)]
    assert len(decoded) == 3
    assert abs(decoded[1].mean() - 200) < 4
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "it plays before all has come"


BAD_FRAMES: Any = {
    "none": np.zeros((0, 10, 10, 3), np.uint8),
    "one frame alone": np.zeros((10, 10, 3), np.uint8),
    "gray": np.zeros((2, 10, 10, 1), np.uint8),
    "floats": np.zeros((2, 10, 10, 3)),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_frames_that_make_no_clip_are_told(tmp_path: Path, name: Any) -> None:
    path = tmp_path / "clip.mp4"
    with pytest.raises(DataError):
        clips.write_clip(path, BAD_FRAMES[name], fps=25)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fps", [0, -1.0])
def test_rate_must_be_positive(tmp_path: Path, fps: float) -> None:
    with pytest.raises(DataError, match="positive fps"):
        clips.write_clip(tmp_path / "clip.mp4", colour(), fps)


def test_missing_encoder_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        clips.write_clip(tmp_path / "clip.mp4", colour(), 25)
