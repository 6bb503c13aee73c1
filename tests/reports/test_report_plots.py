"""Plots: what is drawn where."""

import math
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from imitation.reports import svg
from imitation.reports.plots import Level, Row, Series, forest, graph
from imitation.testing.html_checks import check_page
from imitation.util.statistics import Interval


def parse(picture: Any) -> Any:
    check_page(picture)
    return ET.fromstring(picture)


def find(tree: Any, tag: Any, kind: Any) -> Any:
    return [e for e in tree.iter(tag) if kind in e.get("class", "").split()]


def texts(tree: Any) -> Any:
    return [element.text for element in tree.iter("text")]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-20, 520, [0, 100, 200, 300, 400, 500]),
        (-1300, -150, [-1200, -1000, -800, -600, -400, -200]),
        (0.0012, 0.0031, [0.0015, 0.002, 0.0025, 0.003]),
        (0.1, 0.7, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
    ],
)
def test_ticks_are_round_and_within(
    low: float, high: float, expected: list[Any] | list[float] | list[int]
) -> None:
    assert svg.ticks(low, high) == expected


def test_an_interval_is_padded_to_draw_it_even_if_it_is_empty() -> None:
    assert svg.padded(0, 100) == (-4, 104)
    assert svg.padded(3, 3) == pytest.approx((2.7, 3.3))
    assert svg.padded(0, 0) == (-1, 1)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (500.0, "500"),
        (-163.69, "−164"),
        (-1242.1, "−1,242"),
        (0.98765, "0.988"),
        (12500, "12,500"),
        (math.nan, "–"),
        (0.0, "0"),
    ],
)
def test_numbers_are_written_for_readers(value: Any, written: str) -> None:
    assert svg.number(value) == written


def test_a_forest_is_to_scale() -> None:
    rows = [
        Row("a", Interval(0.0, -1.0, 1.0), "c0"),
        Row("b", Interval(2.0, 1.0, 4.0), "c1"),
    ]
    tree = parse(forest(rows, x_label="x", alt="words", levels=[Level("one", 1.0)]))
    assert tree.get("aria-label") == "words"
    dots = [float(dot.get("cx")) for dot in find(tree, "circle", "dot")]
    bars = [
        (float(bar.get("x1")), float(bar.get("x2")))
        for bar in find(tree, "line", "interval")
    ]
    unit = (dots[1] - dots[0]) / 2
    assert unit > 0
    (level,) = find(tree, "line", "level")
    assert float(level.get("x1")) == pytest.approx(dots[0] + unit, abs=0.1)
    for (low, high), expected in zip(bars, [(-1, 1), (1, 4)], strict=True):
        assert low == pytest.approx(dots[0] + expected[0] * unit, abs=0.1)
        assert high == pytest.approx(dots[0] + expected[1] * unit, abs=0.1)
    assert {"a", "b", "one", "x"} <= set(texts(tree))


def test_headings_of_groups_are_drawn_over_reference_lines() -> None:
    one = Interval(1.0, 0.0, 2.0)
    rows = [Row(f"r{i}", one, "c0", group) for i, group in enumerate("aab")]
    tree = parse(forest(rows, x_label="x", alt="words", levels=[Level("one", 1.0)]))
    order = list(tree)
    (level,) = find(tree, "line", "level")
    headings = [text for text in find(tree, "text", "strong") if text.text in "ab"]
    assert len(headings) == 2
    assert all(order.index(text) > order.index(level) for text in headings)
    dots = [float(dot.get("cy")) for dot in find(tree, "circle", "dot")]
    start, end = float(level.get("y1")), float(level.get("y2"))
    assert all(start < y < end for y in dots)
    bare = parse(forest(rows[:1], x_label="x", alt="words"))
    assert not find(bare, "line", "level")


def test_a_forest_leaves_out_what_is_not_known() -> None:
    nan = math.nan
    rows = [
        Row("no interval", Interval(1.0, nan, nan), "c0", "group"),
        Row("nothing", Interval(nan, nan, nan), "c0", "group"),
    ]
    tree = parse(forest(rows, x_label="x", alt="words"))
    assert len(find(tree, "circle", "dot")) == 1
    assert not find(tree, "line", "interval")
    assert texts(tree).count("group") == 1


def points(element: Any) -> Any:
    return [tuple(map(float, p.split(","))) for p in element.get("points").split()]


def test_curves_are_to_scale() -> None:
    series = [
        Series("s", [0, 10, 20], [0.0, 1.0, 3.0], "c0", [0, 0, 2], [1, 2, 4]),
        Series("t", [0, 20], [4.0, math.nan], "c1"),
    ]
    picture = graph(
        series, x_label="x", y_label="y", alt="words", levels=[Level("top", 4.0)]
    )
    tree = parse(picture)
    line = points(find(tree, "polyline", "c0")[0])
    (x0, y0), (x1, y1), (x2, y2) = line
    assert x2 - x1 == pytest.approx(x1 - x0, abs=0.2)
    assert y0 - y2 == pytest.approx(3 * (y0 - y1), abs=0.3)
    assert y1 < y0, "up is smaller"
    band = points(find(tree, "polygon", "band")[0])
    assert [p[0] for p in band] == [x0, x1, x2, x2, x1, x0]
    assert band[-1][1] == y0, "the lower edge starts where the curve does"
    (level,) = find(tree, "line", "level")
    assert float(level.get("y1")) == pytest.approx(y0 - 4 * (y0 - y1), abs=0.3)
    assert len(points(find(tree, "polyline", "c1")[0])) == 1
    assert {"s", "t", "x", "y", "top"} <= set(texts(tree))


def test_the_axis_covers_what_shall_be_shown() -> None:
    flat = [Series("share", [0, 1], [1.0, 1.0], "c0")]
    words: dict[str, Any] = {"x_label": "steps", "y_label": "", "alt": "flat"}
    assert "0.95" in texts(parse(graph(flat, **words)))
    covering = texts(parse(graph(flat, shown=(0.0, 1.0), **words)))
    assert {"0", "0.2", "0.8", "1"} <= set(covering)
    assert not {"0.95", "1.1"} & set(covering)


def test_one_curve_needs_no_legend() -> None:
    tree = parse(
        graph([Series("s", [0, 1], [0, 1], "c0")], x_label="x", y_label="", alt="a")
    )
    assert "s" not in texts(tree)


def test_a_long_legend_takes_more_lines_and_stays_within_the_picture() -> None:
    names = [f"20260101_12000{i}_abcdef" for i in range(5)]
    series = [Series(name, [0, 1], [0, 1], "c0") for name in names]
    tree = parse(graph(series, x_label="x", y_label="", alt="a"))
    shown = [e for e in tree.iter("text") if e.text in names]
    assert [e.text for e in shown] == names
    assert len({e.get("y") for e in shown}) > 1
    assert all(float(e.get("x")) + 7 * len(e.text) <= 480 for e in shown)
    assert len({(e.get("x"), e.get("y")) for e in shown}) == 5


def test_labels_are_escaped() -> None:
    row = Row("<b> & co", Interval(1, 0, 2), "c0")
    tree = parse(forest([row], x_label="<x>", alt='"quoted" <alt>'))
    assert "<b> & co" in texts(tree)
    assert tree.get("aria-label") == '"quoted" <alt>'


def cloud(*words: Any, **kwargs: Any) -> Series:
    return Series(*words, **{"is_cloud": True, **kwargs})


def draw(*clouds: Any, **kwargs: Any) -> Any:
    return parse(graph(clouds, x_label="x <1>", y_label="y", alt="a & b", **kwargs))


def test_points_lie_where_they_belong() -> None:
    tree = draw(cloud("all", [0, 1, 0.5], [10, 20, 15], "c0"))
    dots = find(tree, "circle", "c0")
    at = [(float(d.get("cx")), float(d.get("cy"))) for d in dots]
    (x0, y0), (x1, y1), (xm, ym) = at
    assert x0 < x1 and y0 > y1  # pictures have their origin above
    assert (xm, ym) == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2))
    assert not find(tree, "line", "interval")
    assert not find(tree, "line", "level")


def test_intervals_reach_from_low_to_high_and_notes_stand_above() -> None:
    points = cloud(
        "all", [0.2, 0.8], [0.3, 0.9], "c1", [0, 0.8], [0.5, 1], notes=["7", "12"]
    )
    tree = draw(points, diagonal=True)
    dots = find(tree, "circle", "c1")
    for dot, bar in zip(dots, find(tree, "line", "interval"), strict=True):
        assert bar.get("x1") == bar.get("x2") == dot.get("cx")
        assert float(bar.get("y1")) > float(dot.get("cy")) > float(bar.get("y2"))
    notes = [t for t in tree.iter("text") if t.text in ("7", "12")]
    assert [n.get("x") for n in notes] == [d.get("cx") for d in dots]
    assert len(find(tree, "line", "level")) == 1


def test_points_that_are_not_finite_are_left_out_and_kinds_are_named() -> None:
    tree = draw(
        cloud("first", [0, math.nan, 1], [1, 2, math.inf], "c0"),
        cloud("second", [3], [4], "c1"),
    )
    assert len(find(tree, "circle", "c0")) == len(find(tree, "circle", "c1")) == 1
    assert {"first", "second"} <= {text.text for text in tree.iter("text")}
