"""SIGKILL at random instants of saving leaves the old data or the new."""

import pathlib
import subprocess
import sys
from typing import Any

import pytest

DRIVER = """
import os, pathlib, random, signal, sys, time
import numpy as np
from imitation.data import serialize, types

N_STEPS = 100
path, n_kills = pathlib.Path(sys.argv[1]), int(sys.argv[2])

def save(version):
    acts = np.full(N_STEPS, version)
    obs = np.full((N_STEPS + 1, 84, 84, 1), version % 256, np.uint8)
    infos = [{"version": version}] * N_STEPS
    serialize.save(path, [types.Trajectory(obs, acts, infos, True)] * 2)

def read_version():
    "The version stored, after checking that every byte belongs to it."
    first, second = serialize.load(path)
    version = int(first.acts[0])
    assert first == second
    assert (first.acts == version).all()
    assert (first.obs == version % 256).all()
    assert list(first.infos) == [{"version": version}] * N_STEPS
    return version

def save_forever(start, report):
    version = int.from_bytes(os.read(start, 8), "little")
    while True:
        version += 1
        save(version)
        os.write(report, version.to_bytes(8, "little"))

# Forked before anything starts a thread, so that importing is paid once.
writers = []
for _ in range(n_kills):
    start, report = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            save_forever(start[0], report[1])
        finally:
            os._exit(1)
    os.close(report[1])
    writers.append((pid, start[1], report[0]))

rng = random.Random(0)
save(1)
for pid, start, report in writers:
    os.write(start, read_version().to_bytes(8, "little"))
    os.read(report, 8)
    began = time.monotonic()
    reported = int.from_bytes(os.read(report, 8), "little")
    # Within two rounds of saving, wherever that hits.
    time.sleep(rng.random() * 2 * (time.monotonic() - began))
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    while more := os.read(report, 8):
        reported = int.from_bytes(more, "little")
    # What was reported as saved is there; at most the one after it is, too.
    assert read_version() - reported in (0, 1)
print("survived", n_kills)
"""


def _kill(path: Any, times: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(path), str(times)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout == f"survived {times}\n", done.stderr


def test_kill_while_saving(tmp_path: pathlib.Path) -> None:
    _kill(tmp_path / "set", times=3)


@pytest.mark.slow
def test_kill_while_saving_twenty_times(tmp_path: pathlib.Path) -> None:
    _kill(tmp_path / "set", times=20)
