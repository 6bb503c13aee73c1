"""Tests of the small helpers, by the names under which `util.util` has them."""

import itertools
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from imitation.util import util


def nearest_integers(x: np.ndarray, p: float) -> float:
    """Least Lp distance from x to an integer vector of the same sum, by brute force."""
    total = round(x.sum())
    candidates = [(np.floor(v), np.floor(v) + 1) for v in x]
    return min(
        float(np.linalg.norm(np.array(y) - x, ord=p))
        for y in itertools.product(*candidates)
        if sum(y) == total
    )


@pytest.mark.parametrize("seed", range(10))
def test_oric_is_the_nearest_integer_vector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=10, size=rng.integers(1, 8))
    x[-1] += round(x.sum()) - x.sum()
    rounded = util.oric(x)
    assert rounded.dtype == np.int64
    assert rounded.sum() == round(x.sum())
    assert np.all(np.abs(rounded - x) < 1 + 1e-9)
    for p in (1, 2, 5, np.inf):
        distance = np.linalg.norm(rounded - x, ord=p)
        assert distance == pytest.approx(nearest_integers(x, p), abs=1e-9)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([0.5, 0.5], [1, 0]),
        ([1.0, 2.0], [1, 2]),
        ([], []),
        ([0.1] * 10, [1] + [0] * 9),
        ([-0.5, 0.5], [0, 0]),
        ([2.9999999999, 1.0000000001], [3, 1]),
    ],
)
def test_oric_examples(x: list[float], expected: list[int]) -> None:
    assert util.oric(np.array(x)).tolist() == expected


@pytest.mark.parametrize("x", [[0.5], [[1.0]], [np.nan], [np.inf, 1], 3.0])
def test_oric_refuses(x: object) -> None:
    with pytest.raises(ValueError, match="oric"):
        util.oric(np.array(x))


@pytest.mark.parametrize("x", [0, 1, 2, 5, 10**20, -3])
def test_split_in_half(x: int) -> None:
    first, second = util.split_in_half(x)
    assert first + second == x
    assert second - first in (0, 1)


class Unsized:
    """Iterates afresh each time but has no length."""

    def __init__(self, values: list[int]) -> None:
        self.values = values

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)


@pytest.mark.parametrize("iterable", [[1, 2], Unsized([1, 2]), {1: 0, 2: 0}])
def test_endless_iter_repeats(iterable: dict[int, int] | list[int] | Unsized) -> None:
    assert list(itertools.islice(util.endless_iter(iterable), 5)) == [1, 2, 1, 2, 1]


@pytest.mark.parametrize("iterable", [[], Unsized([]), {}])
def test_nothing_has_no_first_element(
    iterable: dict[Any, Any] | list[Any] | Unsized,
) -> None:
    with pytest.raises(ValueError, match="no elements"):
        util.endless_iter(iterable)
    with pytest.raises(ValueError, match="no elements"):
        util.get_first_iter_element(iterable)


def test_endless_iter_refuses_iterators() -> None:
    with pytest.raises(
        ValueError, match=r"endless_iter needs a non-iterator Iterable\."
    ):
        util.endless_iter(iter([1]))


def test_endless_iter_does_not_touch_a_sized_iterable_before_it_is_used() -> None:
    class Shuffled(list[Any]):
        starts = 0

        def __iter__(self) -> Iterator[Any]:
            self.starts += 1
            return super().__iter__()

    values = Shuffled([1, 2])
    endless = util.endless_iter(values)
    assert values.starts == 0
    assert [next(endless) for _ in range(3)] == [1, 2, 1]
    assert values.starts == 2


def test_first_element_is_put_back() -> None:
    values = [1, 2, 3]
    first, rest = util.get_first_iter_element(values)
    assert (first, rest) == (1, values)
    assert rest is values
    first, rest = util.get_first_iter_element(iter(values))
    assert (first, list(rest)) == (1, values)


def test_parse_path(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = tmp_path.resolve() / "a"
    for path in ("a", b"a", pathlib.Path("a"), "./b/../a", str(expected)):
        assert util.parse_path(path) == expected
        assert util.parse_optional_path(path) == expected
    assert util.parse_path("a", base_directory=tmp_path / "b") == tmp_path / "b" / "a"
    assert util.parse_path(expected, allow_relative=False) == expected
    assert util.parse_optional_path(None) is None


@pytest.mark.parametrize("parse", [util.parse_path, util.parse_optional_path])
def test_parse_path_refuses(parse: Callable[..., Any], tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="Path a is not absolute"):
        parse("a", allow_relative=False)
    with pytest.raises(ValueError, match="`allow_relative` must be True"):
        parse(tmp_path, allow_relative=False, base_directory=tmp_path)


def test_timestamps_differ() -> None:
    stamps = {util.make_unique_timestamp() for _ in range(20)}
    assert len(stamps) == 20
    assert all(re.fullmatch(r"\d{8}_\d{6}_[0-9a-f]{6}", stamp) for stamp in stamps)


def test_docstring_parameter() -> None:
    @util.docstring_parameter("x", unit="s")
    def documented() -> None:
        """In {0}: {unit}."""

    @util.docstring_parameter("x")
    def undocumented() -> None:
        pass

    assert documented.__doc__ == "In x: s."
    assert undocumented.__doc__ is None


def test_clear_screen(capsys: pytest.CaptureFixture[str]) -> None:
    util.clear_screen()
    assert capsys.readouterr().out.startswith("\033[2J")


def test_documented_names_are_there() -> None:
    for name in util.__all__:
        assert callable(getattr(util, name))
    assert len(util.__all__) == 15
