"""The report of a reward learned in a tabular environment."""

import pathlib
import re
from typing import Any

import numpy as np
import pytest

from imitation.envs.tabular import random_mdp, save_mdp
from imitation.reports import mce_irl, plots
from imitation.scripts import report
from imitation.scripts.train_mce_irl import train_mce_irl_ex
from imitation.testing.html_checks import check_page

FAST = ["environment.fast", "demonstrations.fast", "policy_evaluation.fast", "fast"]


def run(directory: pathlib.Path, **updates: Any) -> str:
    """Runs the command and its report; returns the page."""
    dotted = {key.replace("__", "."): value for key, value in updates.items()}
    train_mce_irl_ex.run(
        named_configs=FAST,
        config_updates={
            "seed": 0,
            "reward.hid_sizes": [4],
            "logging.log_dir": str(directory / "run"),
            "logging.log_format_strs": ["csv"],
            **dotted,
        },
    )
    assert report.main([str(directory / "run")]) == 0
    return (directory / "run" / "report.html").read_text()


def test_report_of_a_grid(tmp_path: pathlib.Path) -> None:
    page = run(tmp_path)
    check_page(page)
    for title in (
        "Learned reward",
        "The environment&#x27;s reward",
        "Visits of the learned policy",
        "Visits demonstrated",
        "Difference",
    ):
        assert f"<strong>{title}</strong>" in page
    assert page.count("4 by 7 cells") == 5
    assert "linf_delta" in page


def test_report_of_states_in_no_grid(tmp_path: pathlib.Path) -> None:
    save_mdp(tmp_path / "mine.npz", random_mdp(13, 2, horizon=3, rng=0))
    page = run(tmp_path, environment__path=str(tmp_path / "mine.npz"))
    assert page.count("2 by 10 cells") == 5
    assert "States are in order, row by row." in page


def test_report_of_many_states_and_of_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mce_irl, "MAX_STATES", 5)
    assert "28 states are too many to draw" in run(tmp_path)
    (tmp_path / "run" / "checkpoints" / "final" / "tables.json").unlink()
    assert report.main([str(tmp_path / "run")]) == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "when the run has finished" in page


def test_heat_map() -> None:
    values = np.array([[0.0, 1.0, np.nan], [-1.0, 0.5, 0.25]])
    drawn = plots.heat_map(values, "<b>")
    assert "&lt;b&gt;: 2 by 3 cells from -1 to 1" in drawn
    opacity = [float(found) for found in re.findall(r'fill-opacity="([\d.]+)"', drawn)]
    assert len(opacity) == 5
    assert max(opacity) == opacity[1] == opacity[2] and min(opacity) == opacity[0]
    assert drawn.count('class="c1"') == 1  # the negative one
    tiny = plots.heat_map(np.array([[2.0, 1e-30, 1.234]]), "tiny")
    assert re.findall(r"<text[^>]*>([^<]*)<", tiny)[:3] == ["2", "0", "1.2"]
    positive = plots.heat_map(np.array([[2.0, 3.0, 5.0]]), "positive")
    opacity = [float(x) for x in re.findall(r'fill-opacity="([\d.]+)"', positive)]
    assert opacity == sorted(opacity) and opacity[0] < 0.1
    flat = plots.heat_map(np.zeros((1, 200)), "flat")
    assert "<text" in flat and flat.count("<text") == 1
