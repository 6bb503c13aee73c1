"""Animations."""

import io
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from imitation.errors import DataError
from imitation.reports import animation
from imitation.testing.html_checks import check_page


def squares(n: int = 6, height: int = 24, width: int = 32) -> Any:
    """A square that moves to the right."""
    frames = np.full((n, height, width, 3), 255, dtype=np.uint8)
    for i, frame in enumerate(frames):
        frame[8:16, 3 * i : 3 * i + 8] = (200, 30, 30)
    return list(frames)


def test_an_animation_shows_its_frames() -> None:
    frames = squares()
    film = animation.encode(frames, fps=10, still=4)
    with Image.open(io.BytesIO(film.moving)) as image:
        assert cast("Any", image).n_frames == len(frames)
        assert image.info["loop"] == 0
        for i, frame in enumerate(frames):
            image.seek(i)
            shown = np.asarray(image.convert("RGB"), dtype=float)
            assert np.abs(shown - frame).mean() < 5
    with Image.open(io.BytesIO(film.still)) as image:
        shown = np.asarray(image.convert("RGB"), dtype=float)
    assert np.abs(shown - frames[4]).mean() < 5
    assert (film.width, film.height) == (32, 24)


def test_an_animation_is_no_larger_than_allowed() -> None:
    rng = np.random.default_rng(0)
    noise = list(rng.integers(0, 256, size=(12, 32, 32, 3), dtype=np.uint8))
    free = len(animation.encode(noise, 10).moving)
    limit = free // 8
    small = animation.encode(noise, 10, max_bytes=limit).moving
    assert len(small) <= limit
    with Image.open(io.BytesIO(small)) as image:
        assert cast("Any", image).n_frames < 12


def test_shrinking_averages_and_keeps_the_shape() -> None:
    frame = np.zeros((40, 80, 3), dtype=np.uint8)
    frame[:, ::2] = 200
    small = animation.shrink(frame, 20)
    assert small.shape == (10, 20, 3)
    assert abs(small[2:-2, 2:-2].mean() - 100) < 3
    assert animation.shrink(frame, 80) is frame


def test_films_have_words_and_a_switch() -> None:
    film = animation.encode(squares(), 10)
    text = animation.films([("A <b>", 'says "a"', film), ("B", "b", film)], "Pause")
    check_page(text)
    assert text.count("data:image/webp;base64,") == 4
    assert text.count('type="checkbox"') == 1
    assert "A &lt;b&gt;" in text


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (4, 4), (5, 3), (6, 3), (9, 3)])
def test_films_stand_in_rows_of_about_the_same_length(n: int, columns: int) -> None:
    film = animation.encode(squares(), 10)
    text = animation.films([("A", "a", film)] * n, "Pause")
    check_page(text)
    assert f'style="--columns: {columns}"' in text


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "at least one frame"),
        ([np.zeros((4, 4, 3))], "frame 0 is float64"),
        ([np.zeros((4, 4), dtype=np.uint8)], r"frame 0 is uint8 \(4, 4\)"),
        ([np.zeros((4, 4, 4), dtype=np.uint8)], r"\(4, 4, 4\)"),
        (
            [np.zeros((4, 4, 3), dtype=np.uint8), np.zeros((4, 5, 3), dtype=np.uint8)],
            r"frame 1 is \(4, 5, 3\)",
        ),
    ],
)
def test_malformed_frames(frames: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        animation.encode(frames, 10)


def test_an_impossible_limit_is_an_error() -> None:
    with pytest.raises(DataError, match="two frames of 32×24 do not fit into 10 bytes"):
        animation.encode(squares(), 10, max_bytes=10)
