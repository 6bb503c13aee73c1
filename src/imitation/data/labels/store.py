"""The SQLite file below a label queue: its tables, transactions and durability.

In WAL mode readers never wait for a writer, and with ``synchronous=FULL`` a commit
returns when the disk has it: a kill or a power cut after that loses nothing.
"""

import collections
import contextlib
import pathlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, cast

from imitation.errors import ArtifactError, reason

# Name of the file in the directory of a queue.
FILE_NAME = "labels.sqlite3"

# 1 called the labeler `labeller`.
_VERSION = 2
_BUSY_SECONDS = 30.0

_SCHEMA = """
CREATE TABLE pairs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    clip_a TEXT,
    clip_b TEXT,
    meta TEXT NOT NULL,
    model_probability REAL,
    n_verdicts INTEGER NOT NULL DEFAULT 0,
    retired INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX open_pairs ON pairs (retired, n_verdicts, id);
CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    pair_id INTEGER NOT NULL REFERENCES pairs (id),
    labeler TEXT NOT NULL,
    preference REAL,
    time REAL NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0,
    key TEXT UNIQUE
);
CREATE UNIQUE INDEX one_verdict_each ON verdicts (pair_id, labeler) WHERE undone = 0;
CREATE INDEX verdicts_of ON verdicts (labeler, id) WHERE undone = 0;
CREATE TABLE leases (
    pair_id INTEGER NOT NULL REFERENCES pairs (id),
    labeler TEXT NOT NULL,
    expires REAL NOT NULL,
    rank REAL NOT NULL,
    PRIMARY KEY (pair_id, labeler)
);
CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO settings VALUES ('overlap', 1);
"""


T = TypeVar("T")


class _Job(Generic[T]):
    """A step of a transaction that a thread waits for."""

    def __init__(self, step: Callable[[sqlite3.Connection], T]) -> None:
        self._step = step
        self._outcome: T | BaseException | None = None
        self.done = False

    def run(self, connection: sqlite3.Connection) -> None:
        """Takes the step, without a trace if it raises."""
        # Jobs share a transaction: one that fails must not undo the others.
        connection.execute("SAVEPOINT job")
        try:
            self._outcome = self._step(connection)
        except Exception as error:
            connection.execute("ROLLBACK TO job")
            self._outcome = error
        connection.execute("RELEASE job")

    def fail(self, error: BaseException) -> None:
        """Gives up, as the transaction has failed."""
        self._outcome = error

    def result(self) -> T:
        """Returns or raises what the step did."""
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return cast(T, self._outcome)


class LabelStore:
    """One queue's file. Threads may share it; processes each open their own.

    Args:
        directory: where the file lies.
        create: make directory and file where they are missing.

    Raises:
        ArtifactError: there is no queue, or the file is damaged or of another version.
    """

    def __init__(self, directory: pathlib.Path, *, create: bool) -> None:
        self.path = directory / FILE_NAME
        if not create and not self.path.is_file():
            raise ArtifactError(
                f"{directory} holds no label queue ({FILE_NAME}); start a run that "
                "asks for labels there"
            )
        directory.mkdir(parents=True, exist_ok=True)
        self._read_lock, self._write_lock = threading.Lock(), threading.Lock()
        self._jobs: collections.deque[_Job[Any]] = collections.deque()
        self._writer, self._reader = self._connect(), self._connect()
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self.close()
            raise ArtifactError(
                f"cannot open the label queue {self.path}: {reason(error)}"
            ) from error

    def write(self, step: Callable[[sqlite3.Connection], T]) -> T:
        """Takes a step in a transaction; the disk has it when this returns.

        Waiting for the disk takes longer than everything else. So what other threads
        have asked for meanwhile goes into one transaction, and all wait once.

        Returns what the step returns. If it raises, nothing is stored.
        """
        job = _Job(step)
        self._jobs.append(job)
        with self._write_lock:
            if not job.done:
                self._run_jobs()
        return job.result()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yields a connection in a transaction that sees one state of the queue."""
        with self._read_lock:
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("COMMIT")

    def close(self) -> None:
        """Closes the file."""
        with self._read_lock, self._write_lock:
            self._reader.close()
            self._writer.close()

    def _run_jobs(self) -> None:
        """Runs the jobs that have come so far in one transaction."""
        # One fsync for all: those that came while another thread's transaction waited
        # for the disk. deque.popleft is atomic, so no lock guards the queue.
        jobs = [self._jobs.popleft() for _ in range(len(self._jobs))]
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.run(self._writer)
            self._writer.execute("COMMIT")
        except BaseException as error:
            for job in jobs:
                job.fail(error)
            raise
        finally:
            # SQLite may have rolled back by itself, as it does when the disk is full.
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            for job in jobs:
                job.done = True

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=_BUSY_SECONDS,
            # Autocommit: transactions begin and end where this class says so.
            isolation_level=None,
            # Locks of ours serialize the use of each connection.
            check_same_thread=False,
        )
        connection.row_factory = sqlite3.Row
        return connection

    def _prepare(self) -> None:
        """Creates the tables, or brings those of an older version up to this one."""
        self._writer.execute("PRAGMA journal_mode=WAL")
        # NORMAL would lose the last commits in a power cut: labels are people's work.
        self._writer.execute("PRAGMA synchronous=FULL")
        self._writer.execute("PRAGMA foreign_keys=ON")

        def create_or_migrate(connection: sqlite3.Connection) -> None:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
            elif version == 1:
                for table in ("verdicts", "leases"):
                    # Indexes and keys that name the column follow by themselves.
                    connection.execute(
                        f"ALTER TABLE {table} RENAME COLUMN labeller TO labeler"
                    )
            elif version != _VERSION:
                raise sqlite3.DatabaseError(
                    f"expected version {_VERSION} or older, got {version}"
                )
            connection.execute(f"PRAGMA user_version={_VERSION}")

        self.write(create_or_migrate)
