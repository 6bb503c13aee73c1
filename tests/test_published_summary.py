"""The published summary, corrected: what the benchmark page shows."""

import statistics
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "docs" / "_tools"))
import published_summary

sys.path.pop(0)

SUMMARY = published_summary.published()


@pytest.mark.parametrize("name", ["airl", "bc", "dagger", "gail"])
def test_the_printed_means_are_those_of_the_printed_rows(name: str) -> None:
    row = SUMMARY["algorithms"][name]
    mean = statistics.fmean(pair[0] for pair in row["normalized"])
    assert mean == pytest.approx(row["mean"][0], abs=6e-4)


@pytest.mark.parametrize(
    ("name", "mean", "iqm"),
    [
        ("bc", [0.922, 0.941], [0.932, 0.949]),
        ("dagger", [0.987, 1.003], [0.998, 1.008]),
        ("gail", [0.900, 0.965], [0.944, 0.970]),
        ("airl", [0.709, 0.871], [0.792, 0.974]),
    ],
)
def test_uncrossed_intervals_hold_their_values(
    name: str, mean: list[float], iqm: list[float]
) -> None:
    row = SUMMARY["algorithms"][name]
    assert published_summary.uncrossed(row) == (mean, iqm)
    assert mean[0] <= row["mean"][0] <= mean[1]
    assert iqm[0] <= row["iqm"][0] <= iqm[1]


def test_printed_intervals_do_not_hold_their_values() -> None:
    value, (low, _) = SUMMARY["algorithms"]["gail"]["iqm"]
    assert value < low


@pytest.mark.parametrize("name", published_summary.CONSISTENT)
def test_one_pair_of_references_explains_the_other_algorithms(name: Any) -> None:
    again = published_summary.rescaled(SUMMARY, name).values()
    printed = [pair[0] for pair in SUMMARY["algorithms"][name]["normalized"]]
    assert list(again) == pytest.approx(printed, abs=4e-3)


def test_dagger_by_the_same_expert() -> None:
    again = published_summary.rescaled(SUMMARY, "dagger")
    expected = [0.917, 0.973, 1.005, 0.960, 0.967]
    assert [round(value, 3) for value in again.values()] == expected
    assert round(statistics.fmean(again.values()), 3) == 0.965


def test_dagger_was_measured_against_a_weaker_expert() -> None:
    for env, (random, expert) in published_summary.references(SUMMARY).items():
        own = published_summary.implied_expert(SUMMARY, "dagger", env, random)
        assert own < expert, env


def test_random_scores_are_ours() -> None:
    from imitation.reports.benchmarks.references import bundled

    for env, (random, expert) in published_summary.references(SUMMARY).items():
        assert bundled()[env] == pytest.approx(random, abs=0.04 * (expert - random))
