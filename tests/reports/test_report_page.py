"""Pages and their pieces."""

import pathlib
from typing import Any

import pytest

from imitation.reports import blocks
from imitation.reports.blocks import Html
from imitation.reports.page import Report
from imitation.testing.html_checks import check_page

EVIL = '<script>alert("&")</script>'


def page(*sections: Any) -> Any:
    report = Report(EVIL, blocks.text(EVIL), blocks.paragraph(blocks.text(EVIL)))
    for heading in sections:
        report.section(
            heading,
            blocks.paragraph(blocks.text(EVIL)),
            blocks.table(EVIL, [EVIL, "b"], [[blocks.text(EVIL), blocks.code(EVIL)]]),
            blocks.figure(Html(""), EVIL, blocks.text(EVIL)),
            blocks.bullets([blocks.text(EVIL)]),
            blocks.details(EVIL, blocks.columns(blocks.code(EVIL))),
        )
    return report


def test_text_cannot_become_markup() -> None:
    text = page(EVIL, "plain").to_html()
    check_page(text)
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") > 10


def test_sections_of_the_same_name_have_different_ids() -> None:
    text = page("Result", "Result", "result!", "…").to_html()
    check_page(text)
    for name in ("result", "result-2", "result-3", "section"):
        assert f'id="{name}"' in text
        assert f'href="#{name}"' in text


def test_a_single_section_needs_no_contents() -> None:
    assert "<nav" not in page("one").to_html()
    assert "<nav" in page("one", "two").to_html()


def test_a_page_is_written_whole(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "report.html"
    report = page("one")
    report.write(path)
    assert path.read_text(encoding="utf-8") == report.to_html()
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_numbers_of_a_table_are_on_the_right() -> None:
    table = blocks.table(
        "t", ["a", "b"], [[Html("x"), Html("1")], [Html("y"), Html("2")]], numeric=[1]
    )
    assert table.count('class="number"') == 3  # the header and two cells
    assert table.count('scope="row"') == 2


def test_colors_follow_the_reader() -> None:
    text = page("one").to_html()
    for rule in ("prefers-color-scheme: dark", "@media print", "reduced-motion"):
        assert rule in text


@pytest.mark.parametrize(
    "fragment",
    [
        '<img src="https://example.org/a.png" alt="a">',
        '<img src="data:image/png;base64,AA==">',
        '<script src="data:,"></script>',
        '<link href="style.css" rel="stylesheet">',
        "<style>body { background: url(a.png) }</style>",
        '<p onclick="x()"></p>',
        "<p>",
        "</p>",
        '<p id="a"></p><p id="a"></p>',
        '<a href="#nowhere">b</a>',
        "<svg></svg>",
        "<table></table>",
        "<table><caption>c</caption><tr><th>a</th></tr></table>",
    ],
)
def test_the_check_finds(fragment: str) -> None:
    with pytest.raises(AssertionError):
        check_page(f"<main>{fragment}</main>")
