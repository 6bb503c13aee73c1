"""DAgger survives SIGKILL at any instant: see dagger_kill_driver.py for the checks."""

import pathlib
import subprocess
import sys
from typing import Any

import pytest

DRIVER = pathlib.Path(__file__).with_name("dagger_kill_driver.py")


def drive(tmp_path: pathlib.Path, n_kills: Any, seed: Any) -> None:
    result = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), str(n_kills), str(seed)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.endswith("ok\n")


def test_killed_three_times(tmp_path: pathlib.Path) -> None:
    drive(tmp_path, n_kills=3, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_killed_twenty_times(tmp_path: pathlib.Path, seed: Any) -> None:
    drive(tmp_path, n_kills=5, seed=seed)
