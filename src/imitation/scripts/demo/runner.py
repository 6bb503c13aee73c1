"""Runs the rows of a demo in processes of their own; every demo is a list of rows.

One process per core, each with one thread of torch: small networks gain nothing from
more. The first process takes the quickest of the waiting rows, so that there is soon
something to see; the others take the longest, so that none is left alone with one at
the end. A row that fails, or whose process dies, leaves the others alone.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import pathlib
import shutil
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Literal, Protocol

# More would only fill the memory: each process holds its own torch.
MAX_WORKERS = 8

# The file in a row's directory that takes its output.
OUTPUT = "output.txt"


class Row(Protocol):
    """One result of a demo; rows are pickled, and independent of each other."""

    @property
    def name(self) -> str:
        """Its name for the user."""

    @property
    def seconds(self) -> float:
        """Its time, about; only the order of rows depends on it."""

    @property
    def directory(self) -> pathlib.Path:
        """A directory of its own, which is emptied before it runs."""

    def finished(self) -> bool:
        """Returns whether an earlier run has left its result in the directory."""

    def run(self) -> None:
        """Writes its result to the directory, last of all what `finished` looks for."""


@dataclasses.dataclass
class State:
    """The state of a row."""

    row: Row
    """The row."""

    status: Literal["waiting", "running", "done", "failed"] = "waiting"
    """Rows that an earlier run has finished are done from the start."""

    error: str = ""
    """Why it failed, in one line."""


@dataclasses.dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    connection: Connection
    quick: bool
    state: State | None = None


def run_rows(
    rows: Sequence[Row],
    changed: Callable[[Sequence[State]], None],
    n_workers: int | None = None,
) -> list[State]:
    """Runs rows, as many at a time as there are cores.

    Args:
        rows: those that are `Row.finished` are not run again.
        changed: called at the start, whenever a row starts or ends, and once more if
            the user interrupts.
        n_workers: how many processes; None for one per core, 0 for none at all, which
            runs the rows here.

    Returns:
        The states of all rows, in their order.
    """
    states = [State(row, "done" if row.finished() else "waiting") for row in rows]
    changed(states)
    queue = sorted(
        (state for state in states if state.status == "waiting"),
        key=lambda state: state.row.seconds,
    )
    if n_workers is None:
        n_workers = os.cpu_count() or 1
        with contextlib.suppress(AttributeError):  # macOS and Windows do not know it
            n_workers = len(os.sched_getaffinity(0))
        n_workers = min(n_workers, MAX_WORKERS)
    try:
        if n_workers:
            _run_in_processes(queue, lambda: changed(states), n_workers)
        for state in queue:  # here, if there are no workers
            state.status = "running"
            changed(states)
            _end(state, _outcome(state.row))
            changed(states)
    except KeyboardInterrupt:
        for state in states:
            if state.status in ("waiting", "running"):
                _end(state, "interrupted")
        changed(states)
        raise
    return states


def _end(state: State, error: str) -> None:
    state.status, state.error = ("failed" if error else "done"), error


def _run_in_processes(
    queue: list[State], changed: Callable[[], None], n_workers: int
) -> None:
    """Empties the queue of states, which is ordered by cost."""
    workers: list[_Worker] = []
    try:
        while queue or any(worker.state for worker in workers):
            while queue and len(workers) < n_workers:
                # The quick lane is open whenever no other worker has it.
                workers.append(_start(not any(worker.quick for worker in workers)))
            for worker in workers:
                if worker.state is None and queue:
                    worker.state = queue.pop(0 if worker.quick else -1)
                    worker.state.status = "running"
                    worker.connection.send(worker.state.row)
            changed()
            busy = [worker for worker in workers if worker.state]
            ready = wait([worker.connection for worker in busy])
            for worker in busy:
                state = worker.state
                if state is None or worker.connection not in ready:
                    continue
                worker.state = None
                try:
                    _end(state, worker.connection.recv())
                except EOFError:
                    worker.process.join()
                    status = worker.process.exitcode
                    _end(state, f"its process ended with exit status {status}")
                    workers.remove(worker)
        changed()
        for worker in workers:
            worker.connection.send(None)
            worker.process.join()
    finally:
        for worker in workers:  # those that an exception has left running
            worker.process.kill()
            worker.process.join()


def _start(quick: bool) -> _Worker:
    # Not forked: torch's threads do not survive that.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), name="demo row")
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    return _Worker(process, ours, quick)


def _work(connection: Connection) -> None:
    """Runs the rows that are sent, up to None; answers each with an error, or ""."""
    # Ctrl-C reaches the whole process group; the parent decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    # Before NumPy and torch are loaded, whose thread pools read it once.
    for name in ("OMP_NUM_THREADS", "IMITATION_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    import torch as th

    th.set_num_threads(1)
    while (row := connection.recv()) is not None:
        connection.send(_outcome(row))


def _exit_with_parent() -> None:
    """Ends this process if its parent was killed in a way that it could not handle."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _outcome(row: Row) -> str:
    """Runs a row in its emptied directory; returns an error in one line, or ""."""
    shutil.rmtree(row.directory, ignore_errors=True)
    row.directory.mkdir(parents=True)
    # What Python prints goes to a file: rows run side by side.
    with (
        open(row.directory / OUTPUT, "w", encoding="utf-8") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        try:
            row.run()
        except Exception as error:
            traceback.print_exc()
            text = " ".join(str(error).split())
            return f"{type(error).__name__}: {text}" if text else type(error).__name__
    return ""
