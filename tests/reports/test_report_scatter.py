"""Clouds of points: what is drawn where."""

import math
import xml.etree.ElementTree as ET

import pytest

from imitation.reports.scatter import Cloud, scatter
from imitation.testing.html_checks import check_page


def draw(*clouds, **kwargs):
    picture = scatter(clouds, x_label="x <1>", y_label="y", alt="a & b", **kwargs)
    check_page(picture)
    return ET.fromstring(picture)


def find(tree, tag, kind):
    return [e for e in tree.iter(tag) if kind in e.get("class", "").split()]


def test_points_lie_where_they_belong():
    tree = draw(Cloud("all", [0, 1, 0.5], [10, 20, 15], "c0"))
    dots = find(tree, "circle", "c0")
    at = [(float(d.get("cx")), float(d.get("cy"))) for d in dots]
    (x0, y0), (x1, y1), (xm, ym) = at
    assert x0 < x1 and y0 > y1  # pictures have their origin above
    assert (xm, ym) == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2))
    assert not find(tree, "line", "interval")
    assert not find(tree, "line", "level")


def test_intervals_reach_from_low_to_high_and_notes_stand_above():
    cloud = Cloud("all", [0.2, 0.8], [0.3, 0.9], "c1", [0, 0.8], [0.5, 1], ["7", "12"])
    tree = draw(cloud, diagonal=True)
    dots = find(tree, "circle", "c1")
    for dot, bar in zip(dots, find(tree, "line", "interval"), strict=True):
        assert bar.get("x1") == bar.get("x2") == dot.get("cx")
        assert float(bar.get("y1")) > float(dot.get("cy")) > float(bar.get("y2"))
    notes = [t for t in tree.iter("text") if t.text in ("7", "12")]
    assert [n.get("x") for n in notes] == [d.get("cx") for d in dots]
    assert len(find(tree, "line", "level")) == 1


def test_points_that_are_not_finite_are_left_out_and_kinds_are_named():
    tree = draw(
        Cloud("first", [0, math.nan, 1], [1, 2, math.inf], "c0"),
        Cloud("second", [3], [4], "c1"),
    )
    assert len(find(tree, "circle", "c0")) == len(find(tree, "circle", "c1")) == 1
    assert {"first", "second"} <= {text.text for text in tree.iter("text")}
