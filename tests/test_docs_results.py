"""The numbers in the README and the docs are those of the files under benchmarks/."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs" / "_tools"))
import results_table  # noqa: E402 - found through the line above

sys.path.pop(0)


@pytest.mark.parametrize(
    "page", results_table.pages(), ids=lambda page: str(page.relative_to(ROOT))
)
def test_page_shows_the_measured_numbers(page: Path) -> None:
    text = page.read_text("utf-8")
    assert results_table.filled(text) == text, (
        "run: python docs/_tools/results_table.py"
    )


def test_readme_shows_results() -> None:
    assert ROOT / "README.md" in results_table.pages()


@pytest.mark.parametrize(
    ("microseconds", "expected"),
    [(0.5, "0.5 µs"), (999.4, "999 µs"), (1500, "1.5 ms"), (2.345e6, "2.35 s")],
)
def test_duration(microseconds: float, expected: str) -> None:
    assert results_table.duration(microseconds) == expected


def test_minus_signs_and_intervals() -> None:
    result = {"return_mean": -157.49, "return_ci95": [-168.38, 3.0]}
    assert results_table.interval(result) == "−157.5 [−168.4, 3.0]"


def test_code_that_was_not_committed_is_said_to_be() -> None:
    commit = {"id": "0123456789abcdef", "src_changed": False}
    assert results_table.source(commit) == "01234567"
    changed = results_table.source({**commit, "src_changed": True})
    assert changed == "01234567 with uncommitted changes"
