"""Reading run directories and reporting on them."""

import json
import math
import pathlib
from typing import Any

import pytest

from imitation.errors import ArtifactError
from imitation.reports import charts, run_page, runs
from imitation.testing.html_checks import check_page
from imitation.util import logger as imit_logger

STATS = {
    "n_traj": 50,
    "return_mean": 12.5,
    "return_std": 2.0,
    "return_min": 1.0,
    "return_max": 20.0,
    "len_mean": 200.0,
}


def write_metrics(directory: Any, formats: Any) -> None:
    logger = imit_logger.configure(directory, formats)
    for batch in (0, 10, 20):
        logger.record("bc/batch", batch)
        logger.record("bc/loss", 1.0 / (1 + batch))
        logger.record("batch_size", 32)
        if batch:
            logger.record("rollout/return_mean", float(batch))
            logger.record("rollout/return_min", batch - 1.0)
            logger.record("rollout/return_max", batch + 1.0)
        logger.dump(batch // 10)
    logger.close()


def make_run(
    directory: Any,
    *,
    formats: Any = ("csv",),
    result: Any = None,
    status: str = "COMPLETED",
) -> Any:
    (directory / "monitor").mkdir(parents=True)
    stored = {
        "format_version": 1,
        "script": "train_imitation",
        "command": "bc",
        "settings": {"seed": 0, "environment": {"gym_id": "<Env>-v0"}, "bc": {}},
    }
    (directory / "settings.json").write_text(json.dumps(stored))
    write_metrics(directory / "log", list(formats))
    for i, rows in enumerate(("1.5,10,0.5\n3.5,11,2.0\n", "2.5,12,1.0\n")):
        path = directory / "monitor" / f"mon{i:03d}.monitor.csv"
        path.write_text('#{"t_start": 1.0, "env_id": "E"}\nr,l,t\n' + rows)
    sacred = directory / "sacred"
    sacred.mkdir()
    (sacred / "run.json").write_text(json.dumps({"status": status, "result": result}))
    return directory


def test_curves_leave_out_rows_without_the_metric() -> None:
    rows = [{"y": 2.0, "l": 1.0, "s": 0.5}, {"t": 2.0}, {"y": 3.0}, {"y": math.nan}]
    at = [1.0, 2.0, math.nan, 4.0]
    between = charts.curve(rows, at, "y", "y", "c0", ["l", "y"])
    assert (between.x, between.y, between.low) == ([1.0], [2.0], [1.0])
    around = charts.curve(rows, at, "y", "y", "c0", ["s"])
    assert (around.low, around.high) == ([1.5], [2.5])


@pytest.mark.parametrize("formats", ["csv", "json", "tensorboard"])
def test_metrics_are_the_same_in_every_format(
    tmp_path: pathlib.Path, formats: str
) -> None:
    write_metrics(tmp_path, [formats])
    rows = [
        {key: value for key, value in row.items() if key != "step"}
        for row in runs.read_metrics(tmp_path)
    ]
    expected = [
        {"bc/batch": 0.0, "bc/loss": 1.0, "batch_size": 32.0},
        *(
            {
                "bc/batch": float(b),
                "bc/loss": 1 / (1 + b),
                "batch_size": 32.0,
                "rollout/return_mean": b,
                "rollout/return_min": b - 1.0,
                "rollout/return_max": b + 1.0,
            }
            for b in (10, 20)
        ),
    ]
    assert rows == [pytest.approx(row, rel=1e-6) for row in expected]


def test_no_metrics_are_no_error(tmp_path: pathlib.Path) -> None:
    assert runs.read_metrics(tmp_path / "missing") == []


def test_a_run_is_read(tmp_path: pathlib.Path) -> None:
    result = {"expert_stats": STATS, "imit_stats": STATS}
    run = runs.read_run(make_run(tmp_path / "run", result=result))
    assert (run.command, run.script, run.status) == (
        "bc",
        "train_imitation",
        "COMPLETED",
    )
    assert list(run.result) == ["imit_stats", "expert_stats"]
    assert run.result["imit_stats"] == STATS
    assert [e.episode_return for e in run.episodes] == [1.5, 2.5, 3.5]
    assert [e.length for e in run.episodes] == [10, 12, 11]
    assert len(run.metrics) == 3


def test_what_a_kill_leaves_is_read(tmp_path: pathlib.Path) -> None:
    directory = make_run(tmp_path / "run", status="RUNNING")
    for path, text in (
        (directory / "monitor" / "mon000.monitor.csv", "7.0,1"),
        (directory / "log" / "progress.csv", "30,0.5"),
    ):
        with open(path, "a") as file:
            file.write(text)
    run = runs.read_run(directory)
    assert [e.episode_return for e in run.episodes] == [1.5, 2.5, 3.5]
    assert run.result == {}
    assert len(run.metrics) == 4
    assert "Still running, or killed." in run_page.build(run).to_html()


def test_what_a_kill_leaves_of_a_json_log_is_read(tmp_path: pathlib.Path) -> None:
    write_metrics(tmp_path, ["json"])
    with open(tmp_path / "progress.json", "a") as file:
        file.write('{"bc/batch": 3')
    assert [row["bc/batch"] for row in runs.read_metrics(tmp_path)] == [0, 10, 20]


def test_numbers_that_are_not_finite_are_left_out(tmp_path: pathlib.Path) -> None:
    directory = make_run(tmp_path / "run")
    (directory / "log" / "progress.csv").write_text("step,a\nnan,1\nnan,2\n")
    with open(directory / "monitor" / "mon000.monitor.csv", "a") as file:
        file.write("nan,10,3.0\n9.5,10,4.0\n")
    run = runs.read_run(directory)
    assert [e.episode_return for e in run.episodes] == [1.5, 2.5, 3.5, 9.5]
    text = run_page.build(run).to_html()
    assert "4 episodes with a mean return of 4.25" in text
    assert "<strong>a</strong>" not in text


def test_the_curve_of_many_episodes_stays_small(tmp_path: pathlib.Path) -> None:
    directory = make_run(tmp_path / "run")
    rows = "".join(f"{i % 7},10,{i}\n" for i in range(20_000))
    (directory / "monitor" / "mon000.monitor.csv").write_text("#{}\nr,l,t\n" + rows)
    text = run_page.build(runs.read_run(directory)).to_html()
    assert "20,001 episodes with a mean return of" in text
    assert len(text) < 50_000


def test_the_page_of_a_run(tmp_path: pathlib.Path) -> None:
    result = {"expert_stats": STATS, "imit_stats": {**STATS, "n_traj": 1}}
    run = runs.read_run(make_run(tmp_path / "run", result=result))
    text = run_page.build(run).to_html()
    check_page(text)
    assert "bc on &lt;Env&gt;-v0" in text
    assert "Mean return: imit_stats 12.5, expert_stats 12.5." in text
    assert "resume=" not in text, "the run is complete"
    for title in ("bc/loss", "rollout/return_mean", "Return of the monitored episodes"):
        assert f"<strong>{title}</strong>" in text
    for left_out in ("batch_size", "rollout/return_min", "bc/batch"):
        assert f"<strong>{left_out}</strong>" not in text
    assert "optimizer steps" in text
    assert "environment.gym_id" in text


def test_an_interrupted_run_says_how_to_go_on(tmp_path: pathlib.Path) -> None:
    run = runs.read_run(make_run(tmp_path / "a run", status="INTERRUPTED"))
    text = run_page.build(run).to_html()
    check_page(text)
    assert f"imitation bc with &#x27;resume={run.path}&#x27;" in text


def test_a_run_with_nothing_but_settings(tmp_path: pathlib.Path) -> None:
    stored = {"script": "eval_policy", "command": "eval_policy", "settings": {}}
    (tmp_path / "settings.json").write_text(json.dumps(stored))
    run = runs.read_run(tmp_path)
    assert (run.status, run.metrics, run.episodes) == ("unknown", (), ())
    check_page(run_page.build(run).to_html())


def test_a_flat_result_is_of_the_policy(tmp_path: pathlib.Path) -> None:
    run = runs.read_run(make_run(tmp_path / "run", result={**STATS, "name": "x"}))
    assert run.result == {"policy": STATS}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("settings.json", None, "is not a run directory: it has no settings.json"),
        ("settings.json", "{", "cannot read .*settings.json as JSON"),
        ("settings.json", "[]", "settings.json does not describe a run"),
        ("settings.json", '{"script": "bc"}', "does not describe a run"),
        (
            "settings.json",
            '{"script": "a", "command": "b", "settings": {"environment": []}}',
            "settings.json does not describe a run",
        ),
        ("sacred/run.json", "{", "cannot read .*run.json as JSON"),
        ("sacred/run.json", "[]", "run.json does not describe a run"),
        ("log/progress.csv", "a,b\n1,x\n", "cannot read metrics: .*progress.csv"),
        ("log/progress.json", '{"a": 1}\n{"a"\n', "cannot read metrics: .*json"),
        ("log/progress.json", "[1]\n", "a row must be a JSON object, got .1"),
        ("monitor/mon000.monitor.csv", "\ud800", "cannot read episodes: .*mon000"),
    ],
)
def test_damaged_runs(
    tmp_path: pathlib.Path, name: str, content: str | None, message: str
) -> None:
    formats = ["json"] if name.endswith("progress.json") else ["csv"]
    directory = make_run(tmp_path / "run", formats=formats)
    if content is None:
        (directory / name).unlink()
    else:
        (directory / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ArtifactError, match=message):
        runs.read_run(directory)
