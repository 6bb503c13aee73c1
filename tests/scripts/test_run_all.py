"""The benchmark of all algorithms: its cells, resuming, failed cells."""

import importlib.util
import os
import pathlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from imitation.scripts.registry import load_experiment
from imitation.scripts.studies.journal import Journal

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "returns" / "run_all.py"
FAST = ("--fast", "--environments", "cartpole", "--jobs", "2")


def load() -> Any:
    spec: Any = importlib.util.spec_from_file_location("run_all", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run_all = load()


def run(folder: Any, *words: Any) -> Any:
    command = [sys.executable, "-W", "ignore", str(SCRIPT), "--out", str(folder)]
    return subprocess.run(
        [*command, *FAST, *words], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("fast", [False, True])
def test_cells_are_sound(fast: bool) -> None:
    options = run_all.parse(["--out", "x", "--n-seeds", "1", *["--fast"][: int(fast)]])
    found = list(run_all.cells(options))
    assert len(found) == 7 * 2
    for cell in found:
        arguments = cell["run"]
        script = load_experiment(cell["sacred_ex_name"]).script
        settings = script.make_settings(
            arguments["command_name"],
            arguments["config_updates"],
            arguments["named_configs"],
        )
        assert settings.seed == 0
        assert arguments["command_name"] in script.commands


def test_new_cells_join_old_ones(tmp_path: pathlib.Path) -> None:
    words = ["--out", str(tmp_path), "--algorithms", "bc", "--environments", "cartpole"]
    first = run_all.prepare(run_all.parse([*words, "--n-seeds", "1"]))
    both = run_all.prepare(run_all.parse([*words, "--n-seeds", "2"]))
    assert both[0] == first[0]
    assert [record.index for record in both] == [0, 1]


@pytest.mark.slow
def test_finished_cells_are_kept_and_failed_ones_named(tmp_path: pathlib.Path) -> None:
    options = ["--algorithms", "bc", "--n-seeds", "2"]
    journal = Journal(tmp_path, {"benchmark": "run_all", "fast": True, "cwd": "."})
    bad = {"command_name": "bc", "named_configs": ["nowhere"], "config_updates": {}}
    journal.add(
        index=0,
        group=0,
        repeat=0,
        sampled={"algorithm": "bc", "env": "cartpole", "seed": 1},
        run=bad,
        sacred_ex_name="train_imitation",
        run_name="run_all",
        cwd=".",
    )
    done = run(tmp_path, *options)
    assert done.returncode == 1
    assert "seed=1: " in done.stderr and "unknown named config" in done.stderr
    assert "2/2" in done.stdout
    assert "### BC" in (tmp_path / "summary.md").read_text()
    (result,) = tmp_path.glob("trials/*/result.json")
    stamp = result.stat().st_mtime_ns
    assert "1 of them finished" in run(tmp_path, *options).stdout
    assert result.stat().st_mtime_ns == stamp


@pytest.mark.slow
def test_killed_benchmark_goes_on(tmp_path: pathlib.Path) -> None:
    options = ["--algorithms", "bc", "dagger", "--n-seeds", "2", "--jobs", "1"]
    command = [sys.executable, "-W", "ignore", str(SCRIPT), "--out", str(tmp_path)]
    driver = subprocess.Popen([*command, *FAST, *options], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while len(list(tmp_path.glob("trials/*/result.json"))) < 2:
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    kept = {p: p.stat().st_mtime_ns for p in tmp_path.glob("trials/*/result.json")}
    assert len(kept) < 4
    done = run(tmp_path, *options)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("trials/*/result.json"))) == 4
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in kept.items())


@pytest.mark.slow
def test_unknown_environment_is_one_line(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "--environments", "cartpol")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "did you mean cartpole" in line
