"""Checkpoints: what is saved when, the best, and kills at any instant."""

import math
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from imitation.errors import ArtifactError, ConfigError
from imitation.training.checkpoints import Checkpoints
from training.test_trainer import Player, Regression, trained


def names(directory: pathlib.Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def run(
    directory: pathlib.Path, until: int, by: int = 1, **intervals: int
) -> Regression:
    trainer = trained(Regression, 0)
    saver = Checkpoints(trainer, directory, **intervals)
    while trainer.progress < until:
        trainer.train(by)
        saver.after(trainer.progress)
    saver.finish()
    return trainer


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ({}, ["final", "latest"]),
        ({"export_every": 2}, ["00002", "00004", "final", "latest"]),
        ({"export_every": -1, "state_every": 2}, ["latest"]),
        ({"export_every": 0, "state_every": -1}, ["final"]),
        ({"export_every": 3, "state_every": -1}, ["00003", "final"]),
    ],
)
def test_what_is_saved(
    tmp_path: pathlib.Path, intervals: dict[str, int], expected: list[str]
) -> None:
    run(tmp_path, 5, **intervals)
    assert names(tmp_path) == expected


def test_nothing_is_written_when_nothing_is_asked_for(tmp_path: pathlib.Path) -> None:
    run(tmp_path / "none", 2, export_every=-1, state_every=-1)
    assert names(tmp_path) == []
    trainer = trained(Regression, 1)
    saver = Checkpoints(trainer, None, export_every=1, state_every=1)
    assert saver.after(1) is False and saver.save() is False
    assert saver.keep_best(1.0) and not saver.keep_best(1.0)
    saver.finish()
    assert saver.resume() == 1


@pytest.mark.parametrize("by", [1, 3, 4])
def test_progress_may_pass_the_moment(tmp_path: pathlib.Path, by: int) -> None:
    run(tmp_path, 12, by, export_every=5)
    numbers = [int(n) for n in names(tmp_path) if n.isdigit()]
    assert [n // 5 for n in numbers] == [1, 2] and all(n % by == 0 for n in numbers)


@pytest.mark.parametrize("stop", range(1, 12))
def test_the_same_is_due_after_a_resume(tmp_path: pathlib.Path, stop: int) -> None:
    """Saving restarts episodes, so it must come at the same progress."""
    trainer = trained(Player, 0)
    saver = Checkpoints(trainer, tmp_path, export_every=-1, state_every=4)
    for _ in range(stop):
        trainer.train(3)
        saver.after(trainer.progress)
    resumed = trained(Player, 0)
    again = Checkpoints(resumed, tmp_path, export_every=-1, state_every=4)
    start = again.resume()
    saved = []
    while resumed.progress < 36:
        resumed.train(3)
        if again.after(resumed.progress):
            saved.append(resumed.progress)
    assert saved == [p for p in (6, 9, 12, 18, 21, 24, 30, 33, 36) if p > start]


def test_the_best_is_kept(tmp_path: pathlib.Path) -> None:
    trainer = trained(Regression, 1)
    saver = Checkpoints(trainer, tmp_path)
    assert [saver.keep_best(s) for s in (math.nan, -1.0, -2.0, -1.0, 0.5)] == [
        False,
        True,
        False,
        False,
        True,
    ]
    trainer.save(tmp_path / "latest")
    resumed = Checkpoints(trained(Regression, 0), tmp_path)
    resumed.resume()
    assert not resumed.keep_best(0.5)
    assert resumed.keep_best(0.75)
    assert "weight.txt" in names(tmp_path / "best")


def test_a_new_training_has_a_best_of_its_own(tmp_path: pathlib.Path) -> None:
    Checkpoints(trained(Regression, 1), tmp_path).keep_best(10.0)
    assert Checkpoints(trained(Regression, 1), tmp_path).keep_best(1.0)


def test_a_directory_that_cannot_be_created(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot save checkpoints in"):
        Checkpoints(trained(Regression, 0), tmp_path / "file" / "c")


def test_what_cannot_be_exported_is_said_first(tmp_path: pathlib.Path) -> None:
    class Unsavable(Regression):
        def check_export(self) -> None:
            raise ArtifactError("the net cannot be saved")

    with pytest.raises(ArtifactError, match="cannot be saved"):
        Checkpoints(Unsavable(), tmp_path / "c")
    assert names(tmp_path) == []
    Checkpoints(Unsavable(), tmp_path / "c", export_every=-1)


PROGRAM = """
import os, pathlib, signal, sys
sys.path.insert(0, sys.argv[2])
from imitation.training.checkpoints import Checkpoints
from training.test_trainer import Regression, trained

trainer = trained(Regression, 0)
saver = Checkpoints(trainer, sys.argv[1], export_every=5, state_every=2)
saver.resume()
stop = int(sys.argv[3])
original = trainer.export if stop % 2 else trainer.save_parts

def die(directory):
    original(directory)
    if trainer.progress >= stop:
        os.kill(os.getpid(), signal.SIGKILL)

if stop:
    setattr(trainer, "export" if stop % 2 else "save_parts", die)
while trainer.progress < 12:
    trainer.train(1)
    saver.after(trainer.progress)
saver.finish()
print(trainer.net.weight.item())
"""


@pytest.mark.parametrize("stop", [2, 5, 8])
def test_killed_while_saving_resumes_bit_identical(
    tmp_path: pathlib.Path, stop: int
) -> None:
    def program(directory: pathlib.Path, at: int) -> "subprocess.CompletedProcess[str]":
        tests = str(pathlib.Path(__file__).parent.parent)
        command = [sys.executable, "-c", PROGRAM, str(directory), tests, str(at)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = program(tmp_path / "whole", 0)
    assert whole.returncode == 0, whole.stderr
    killed = program(tmp_path / "killed", stop)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert program(tmp_path / "killed", 0).stdout == whole.stdout
    visible = [n for n in names(tmp_path / "killed") if not n.startswith(".")]
    assert visible == names(tmp_path / "whole") == ["00005", "00010", "final", "latest"]
    assert os.listdir(tmp_path / "killed" / "final") == ["weight.txt"]
