"""Studies on a real Ray: the documented commands, failures, a killed driver."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from imitation.errors import ConfigError
from imitation.scripts.parallel import parallel_ex
from imitation.scripts.studies.journal import read_trial
from imitation.scripts.tuning import tuning_ex

ray = pytest.importorskip("ray")

pytestmark = [
    pytest.mark.slow,
    # Ray 2.60 leaves pipes and log files to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

FAST = ["cartpole", "fast", "environment.fast", "rl.fast"]
N_TRIALS = 8


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One Ray for all tests that do not kill it."""
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()
    del os.environ["RAY_CHDIR_TO_TRIAL_DIR"]


def table(directory: Any) -> Any:
    with open(directory / "trials.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_parallel_fast(cluster: Any, workdir: pathlib.Path) -> None:
    done = parallel_ex.run(
        named_configs=["fast"], config_updates={"logging.log_dir": "study"}
    )
    trials = done.result.trials
    assert [trial.status for trial in trials] == ["TERMINATED"] * 2
    assert len(done.result.results_df) == 2
    seeds = sorted(row["config_updates.seed"] for row in table(workdir / "study"))
    assert seeds == ["0", "1"]
    assert ray.is_initialized(), "a Ray of the caller's is left alone"
    path = done.result.experiment_path
    read = parallel_ex.run(
        config_updates={
            "experiment_checkpoint_path": path,
            "logging.log_dir": "reading",
        }
    )
    assert len(read.result.trials) == 2


def test_tuning_fast(cluster: Any, workdir: pathlib.Path) -> None:
    done = tuning_ex.run(
        named_configs=["fast"], config_updates={"logging.log_dir": "tuning", "seed": 0}
    )
    assert done.result is None
    best = json.loads((workdir / "tuning" / "best.json").read_text())
    assert best["search"]["n"] == 1 and best["evaluation"]["n"] == 1
    rate = best["settings"]["config_updates"]["rl"]["rl_kwargs"]["learning_rate"]
    assert 1e-4 <= rate <= 1e-3
    (evaluated,) = table(workdir / "tuning" / "evaluation")
    assert int(evaluated["seed"]) >= 2**30
    for row in table(workdir / "tuning" / "search"):
        assert int(row["seed"]) < 2**30
    stamp = (workdir / "tuning/search/trials").stat().st_mtime_ns
    again = tuning_ex.run(config_updates={"resume": "tuning"})
    assert again.info["evaluation"] == best["evaluation"]
    assert (workdir / "tuning/search/trials").stat().st_mtime_ns == stamp


def test_searching_with_repetitions(cluster: Any, workdir: pathlib.Path) -> None:
    parallel_config = {
        "sacred_ex_name": "train_rl",
        "base_named_configs": FAST,
        "search_space.config_updates.rl.rl_kwargs.ent_coef": {"uniform": [0, 0.1]},
        "num_samples": 2,
        "repeat": 2,
    }
    parallel_ex.run(config_updates={**parallel_config, "logging.log_dir": "study"})
    rows = table(workdir / "study")
    coefficients = [row["config_updates.rl.rl_kwargs.ent_coef"] for row in rows]
    assert coefficients[0] == coefficients[1] != coefficients[2] == coefficients[3]
    assert rows[0]["seed"] == rows[2]["seed"] != rows[1]["seed"]


def test_a_failed_trial_does_not_take_the_study_down(
    cluster: Any, workdir: pathlib.Path
) -> None:
    rates = {"grid_search": [1e-3, -1.0]}
    updates = {
        "base_named_configs": FAST,
        "search_space.config_updates.rl.rl_kwargs.learning_rate": rates,
        "logging.log_dir": "study",
    }
    done = parallel_ex.run(config_updates=updates)
    assert sorted(t.status for t in done.result.trials) == ["ERROR", "TERMINATED"]
    good, bad = table(workdir / "study")
    assert (good["status"], bad["status"]) == ("finished", "failed")
    assert "learning rate" in bad["error"].lower()


def test_all_failed_is_one_line(cluster: Any, workdir: pathlib.Path) -> None:
    updates = {
        "base_named_configs": FAST,
        "base_config_updates": {"rl.rl_kwargs.learning_rate": -1.0},
        "logging.log_dir": "study",
    }
    with pytest.raises(ConfigError, match="all 1 trials failed, the first one with"):
        parallel_ex.run(config_updates=updates)


def start(
    workdir: pathlib.Path, *words: Any, script: str = "parallel"
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"imitation.scripts.{script}", "with", *words]
    with open(workdir / "driver.log", "a") as log:
        return subprocess.Popen(command, cwd=workdir, stdout=log, stderr=log)


def test_wrong_arguments_of_ray_are_one_line(workdir: pathlib.Path) -> None:
    """In a process of its own: where Ray runs, it is taken as it is."""
    words = ("fast", "init_kwargs.nonsense=1", "logging.log_dir=study")
    assert start(workdir, *words).wait() == 2
    last = (workdir / "driver.log").read_text().splitlines()[-1]
    assert "init_kwargs={'nonsense': 1}: Ray does not start" in last


def finished(study: Any) -> Any:
    return {path.parent.name for path in study.glob("trials/*/result.json")}


def wait_until(condition: Any, seconds: Any, driver: Any) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert driver.poll() is None, "the driver ended early"
        assert time.monotonic() < deadline, "too slow"
        time.sleep(0.05)


def test_killed_driver_loses_no_finished_trial(workdir: pathlib.Path) -> None:
    config = {
        "sacred_ex_name": "train_rl",
        "run_name": "killed",
        "base_named_configs": ["cartpole"],
        "base_config_updates": {
            "total_timesteps": 4000,
            "environment": {"num_vec": 2, "parallel": False},
            "rl": {"batch_size": 256},
            "policy_save_interval": 1000,
            "rollout_save_final": False,
            "policy_evaluation": {"n_episodes_eval": 1},
        },
        "search_space": {
            "config_updates": {"seed": {"grid_search": list(range(N_TRIALS))}}
        },
        "init_kwargs": {"num_cpus": 2},
    }
    (workdir / "study.json").write_text(json.dumps(config))
    study = workdir / "study"
    driver = start(workdir, "study.json", f"logging.log_dir={study}")
    wait_until(lambda: len(finished(study)) >= N_TRIALS // 2, 600, driver)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    time.sleep(2)  # workers notice that their driver is gone
    kept = finished(study)
    assert N_TRIALS // 2 <= len(kept) < N_TRIALS
    stamps = {n: (study / f"trials/{n}/result.json").stat().st_mtime_ns for n in kept}
    resumed = start(workdir, f"resume={study}")
    assert resumed.wait(600) == 0, (workdir / "driver.log").read_text()[-2000:]
    rows = table(study)
    assert [row["status"] for row in rows] == ["finished"] * N_TRIALS
    assert [row["seed"] for row in rows] == [str(i) for i in range(N_TRIALS)]
    for name, stamp in stamps.items():
        assert (study / f"trials/{name}/result.json").stat().st_mtime_ns == stamp
        assert len(list((study / f"trials/{name}/sacred").glob("[0-9]*"))) == 1
    assert len(finished(study)) == N_TRIALS


def test_killed_tuning_goes_on(workdir: pathlib.Path) -> None:
    config = {
        "parallel_run_config": {
            "num_samples": 3,
            "repeat": 2,
            "init_kwargs": {"num_cpus": 2},
        }
    }
    (workdir / "more.json").write_text(json.dumps(config))
    tuning = workdir / "tuning"
    words = ["fast", "more.json", f"logging.log_dir={tuning}"]
    driver = start(workdir, *words, script="tuning")
    search = tuning / "search"
    wait_until(lambda: len(finished(search)) >= 2, 600, driver)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    time.sleep(2)
    kept = finished(search)
    proposed = [read_trial(p.parent) for p in search.glob("trials/*/trial.json")]
    resumed = start(workdir, f"resume={tuning}", script="tuning")
    assert resumed.wait(600) == 0, (workdir / "driver.log").read_text()[-2000:]
    assert len(finished(search)) == 6 and kept <= finished(search)
    for trial in proposed:
        assert read_trial(trial.directory).sampled == trial.sampled
    for name in kept:
        assert len(list((search / f"trials/{name}/sacred").glob("[0-9]*"))) == 1
    best = json.loads((tuning / "best.json").read_text())
    assert best["search"]["n"] == 2 and best["evaluation"]["n"] == 1
