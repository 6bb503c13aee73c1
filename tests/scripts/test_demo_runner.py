"""The runner of the demo's rows: order, failures, interruptions, what is kept."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

from imitation.scripts.demo import runner
from scripts.demo_rows import Toy

TESTS = pathlib.Path(__file__).parents[1]


class Listener:
    """Keeps what the runner tells."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []

    def __call__(self, states: Sequence[runner.State]) -> None:
        self.seen.append({state.row.name: state.status for state in states})


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("n_workers", [0, 2])
def test_one_row_that_fails_leaves_the_others_alone(
    tmp_path: pathlib.Path, n_workers: int
) -> None:
    names = ["raises", "last", "first"] + (["dies"] if n_workers else [])
    rows = [Toy(tmp_path, name, seconds=1 - i) for i, name in enumerate(names)]
    listener = Listener()
    states = runner.run_rows(rows, listener, n_workers)
    assert [state.row.name for state in states] == names
    found = {state.row.name: (state.status, state.error) for state in states}
    assert found["raises"] == ("failed", "ValueError: two lines")
    assert found["first"] == found["last"] == ("done", "")
    if n_workers:
        assert found["dies"] == ("failed", "its process ended with exit status 7")
        pids = {int((tmp_path / n / "result").read_text()) for n in ("first", "last")}
        assert os.getpid() not in pids
        assert not any(map(is_alive, pids))
    text = (tmp_path / "raises" / runner.OUTPUT).read_text()
    assert "a warning" in text
    assert "Traceback" in text
    assert set(listener.seen[0].values()) == {"waiting"}
    assert any("running" in seen.values() for seen in listener.seen)
    assert listener.seen[-1] == {state.row.name: state.status for state in states}


def test_quick_rows_come_first(tmp_path: pathlib.Path) -> None:
    rows = [Toy(tmp_path, name, seconds) for name, seconds in (("b", 2), ("a", 1))]
    listener = Listener()
    runner.run_rows(rows, listener, 0)
    order = [name for seen in listener.seen for name in seen if seen[name] == "running"]
    assert order == ["a", "b"]


def test_the_first_process_takes_quick_rows_and_the_others_long_ones(
    tmp_path: pathlib.Path,
) -> None:
    rows = [Toy(tmp_path, name, i) for i, name in enumerate("abcd")]
    listener = Listener()
    runner.run_rows(rows, listener, 2)
    running = [{n for n in seen if seen[n] == "running"} for seen in listener.seen]
    assert next(filter(None, running)) == {"a", "d"}


def test_rows_use_one_thread(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    runner.run_rows([Toy(tmp_path, "a")], Listener(), 1)
    assert "a at 1 threads" in (tmp_path / "a" / runner.OUTPUT).read_text()
    assert "OMP_NUM_THREADS" not in os.environ


def test_finished_rows_are_kept_and_unfinished_ones_begin_anew(
    tmp_path: pathlib.Path,
) -> None:
    kept, lost = Toy(tmp_path, "kept"), Toy(tmp_path, "lost")
    kept.directory.mkdir()
    (kept.directory / "result").write_text("before")
    lost.directory.mkdir()
    (lost.directory / "half").touch()
    listener = Listener()
    states = runner.run_rows([kept, lost], listener, 0)
    assert [state.status for state in states] == ["done", "done"]
    assert listener.seen[0] == {"kept": "done", "lost": "waiting"}
    assert (kept.directory / "result").read_text() == "before"
    assert not (lost.directory / "half").exists()


SCRIPT = """
import pathlib, signal, sys
from imitation.scripts.demo import runner
from scripts.demo_rows import Toy

def changed(states):
    words = " ".join(f"{s.row.name}={s.status}:{s.error}" for s in states)
    pathlib.Path("states").write_text(words)

if __name__ == "__main__":
    # A shell that runs tests in the background ignores it for all of them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rows = [Toy(pathlib.Path("out"), name) for name in ("done", "hangs", "waits")]
    try:
        runner.run_rows(rows, changed, 1)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_an_interruption_ends_the_processes_and_keeps_what_is_done(
    workdir: pathlib.Path, signal_number: int
) -> None:
    (workdir / "demo.py").write_text(SCRIPT)
    path = os.pathsep.join([str(TESTS), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "demo.py"],
        env={**os.environ, "PYTHONPATH": path},
    )
    pid_file = workdir / "out" / "hangs" / "pid"
    end = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text()):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal_number)
    status = process.wait(30)
    pid = int(pid_file.read_text())
    while is_alive(pid):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert (workdir / "out" / "done" / "result").exists()
    if signal_number == signal.SIGINT:
        assert status == 130
        told = (workdir / "states").read_text()
        assert told == "done=done: hangs=failed:interrupted waits=failed:interrupted"
