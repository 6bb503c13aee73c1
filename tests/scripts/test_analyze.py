"""The command analyze: tables of runs, TensorBoard logs in one place, what to skip."""

import json
import pathlib
from typing import Any

import pandas as pd
import pytest

from imitation.errors import ConfigError
from imitation.scripts.analyze import analysis_ex

SOURCE = "output/sacred/train_adversarial"
QUIET = {"print_table": False, "logging.log_dir": "analysis"}


def store(
    root: Any,
    name: Any,
    command: Any,
    env: str = "CartPole-v1",
    status: str = "COMPLETED",
    run_name: Any = None,
) -> Any:
    """A run with its Sacred directory and two TensorBoard logs."""
    sacred = root / SOURCE / name
    sacred.mkdir(parents=True)
    log_dir = f"output/{command}/{name}"
    stats = {"monitor_return_mean": 480.0, "monitor_return_std": 8.0, "n_traj": 50}
    expert = {"monitor_return_mean": 500.0, "monitor_return_std": 0.0, "n_traj": 10}
    run = {
        "command": command,
        "status": status,
        "experiment": {"name": run_name or "train_adversarial"},
        "result": {"imit_stats": stats, "expert_stats": expert},
    }
    config = {
        "seed": int(name),
        "environment": {"gym_id": env},
        "demonstrations": {"n_expert_demos": 10},
        "logging": {"log_dir": log_dir},
    }
    (sacred / "run.json").write_text(json.dumps(run))
    (sacred / "config.json").write_text(json.dumps(config))
    for place in ("log", "log/raw/disc"):
        events = root / log_dir / place
        events.mkdir(parents=True, exist_ok=True)
        (events / "events.out.tfevents.1.host").write_bytes(b"")
    return sacred


@pytest.fixture
def runs(workdir: pathlib.Path) -> Any:
    store(workdir, "1", "gail")
    store(workdir, "2", "bc", run_name="study")
    store(workdir, "3", "dagger", env="Pendulum-v1")
    store(workdir, "4", "gail", status="FAILED")
    return workdir


def analyze(**updates: Any) -> Any:
    return analysis_ex.run("analyze_imitation", {**QUIET, **updates}).result


def test_table_of_runs(runs: Any) -> None:
    table = analyze()
    assert isinstance(table, pd.DataFrame)
    assert list(table["algo"]) == ["bc", "dagger", "gail"]
    assert set(table["imit_return_summary"]) == {"480.00 ± 8.00 (n=50)"}
    assert set(table["expert_return_summary"]) == {"500.00 ± 0.00 (n=10)"}
    assert list(table["n_expert_demos"]) == [10, 10, 10]


@pytest.mark.parametrize(
    ("updates", "seeds"),
    [
        ({}, [2, 3, 1]),
        ({"skip_failed_runs": False}, [2, 3, 1, 4]),
        ({"run_name": "study"}, [2]),
        ({"env_name": "Pendulum-v1"}, [3]),
        ({"source_dirs": [f"{SOURCE}/1", f"{SOURCE}/3"]}, [3, 1]),
        ({"source_dir_str": f"{SOURCE}/1;{SOURCE}/2", "split_str": ";"}, [2, 1]),
    ],
)
def test_selection(runs: Any, updates: dict[str, Any], seeds: list[int]) -> None:
    assert list(analyze(table_verbosity=2, **updates)["seed"]) == seeds


def test_verbosity_adds_columns(runs: Any) -> None:
    widths = [len(analyze(table_verbosity=level).columns) for level in range(4)]
    assert widths == sorted(set(widths))
    table = analyze(table_verbosity=3)
    assert list(table["expert_stats.monitor_return_mean"]) == [500.0] * 3


def test_files_and_print(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    analyze(csv_output_path="t.csv", tex_output_path="t.tex", print_table=True)
    assert list(pd.read_csv("t.csv")["algo"]) == ["bc", "dagger", "gail"]
    text = (runs / "t.tex").read_text()
    assert r"\toprule" in text and r"imit\_return\_summary" in text
    assert "480.00 ± 8.00" in capsys.readouterr().out


def test_tensorboard_logs_in_one_place(runs: Any) -> None:
    result = analysis_ex.run("gather_tb_directories", QUIET).result
    assert result["n_tb_dirs"] == 3
    gather_dir = runs / "analysis" / "tensorboard"
    assert result["gather_dir"] == str(gather_dir)
    assert sorted(p.name for p in gather_dir.iterdir()) == [
        "bc-CartPole-v1-2",
        "dagger-Pendulum-v1-3",
        "gail-CartPole-v1-1",
    ]
    found = gather_dir / "gail-CartPole-v1-1" / "log" / "raw" / "disc"
    assert (found / "events.out.tfevents.1.host").exists()


def test_logs_of_a_study_are_called_as_its_trials(workdir: pathlib.Path) -> None:
    trial = workdir / "study" / "trials" / "00000-seed=1"
    sacred = store(workdir, "1", "bc")
    (trial / "sacred").mkdir(parents=True)
    sacred.rename(trial / "sacred" / "1")
    (workdir / "output" / "bc" / "1").rename(trial / "run")
    (trial / "trial.json").write_text("{}")
    updates = {**QUIET, "source_dir_str": "study"}
    result = analysis_ex.run("gather_tb_directories", updates).result
    assert result["n_tb_dirs"] == 1
    link = workdir / "analysis" / "tensorboard" / "00000-seed=1" / "log"
    assert link.resolve() == trial / "run" / "log"


def test_damaged_run_is_named_and_left_out(
    runs: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (runs / SOURCE / "1" / "run.json").write_text('{"status":')
    table = analyze()
    assert list(table["algo"]) == ["bc", "dagger"]
    (line,) = [r.getMessage() for r in caplog.records if "Left out" in r.getMessage()]
    assert "1/run.json" in line and "\n" not in line


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ({"source_dirs": ["nowhere"]}, "expected a folder of runs"),
        ({"source_dirs": ["empty"]}, "holds no runs"),
        ({"table_verbosity": 4}, r"table_verbosity must be an integer in \[0, 3\]"),
    ],
)
def test_malformed_input(
    workdir: pathlib.Path, updates: dict[str, Any], message: str
) -> None:
    (workdir / "empty").mkdir()
    with pytest.raises(ValueError, match=message):
        analyze(**updates)
    assert [path.name for path in workdir.iterdir()] == ["empty"]


def test_environments_that_are_no_names(runs: Any) -> None:
    path = runs / SOURCE / "1" / "config.json"
    path.write_text('{"environment": {"gym_id": ["CartPole-v1"]}}')
    assert sorted(analyze()["env_name"]) == ["?", "CartPole-v1", "Pendulum-v1"]


def test_its_own_runs_are_no_rows(runs: Any) -> None:
    store(runs, "5", "analyze_imitation", status="RUNNING")
    assert len(analyze()) == 3


def test_nothing_selected(runs: Any) -> None:
    with pytest.raises(
        ValueError, match=r"no run in .* is selected by run_name='none'"
    ):
        analyze(run_name="none")


def test_documented_command_line(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["analyze_imitation", "with", "run_name=study"]
    assert analysis_ex.run_line(words, "program") == 0
    assert "bc CartPole-v1" in " ".join(capsys.readouterr().out.split())
    words = ["gather_tb_directories", "with", f"source_dir_str={SOURCE}"]
    assert analysis_ex.run_line(words, "program") == 0


def test_a_command_must_be_named(runs: Any) -> None:
    with pytest.raises(ConfigError, match="analyze_imitation, gather_tb_directories"):
        analysis_ex.run()
