"""The SQLite file below a label queue: its tables, transactions and durability.

In WAL mode readers never wait for a writer, and with ``synchronous=FULL`` a commit
returns when the disk has it: a kill or a power cut after that loses nothing.
"""

import contextlib
import pathlib
import sqlite3
import threading
from collections.abc import Iterator

from imitation.errors import ArtifactError, reason

__all__ = ["FILE_NAME", "LabelStore"]

FILE_NAME = "labels.sqlite3"
"""Name of the file in the directory of a queue."""

_VERSION = 1
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
    labeller TEXT NOT NULL,
    preference REAL,
    time REAL NOT NULL,
    undone INTEGER NOT NULL DEFAULT 0,
    key TEXT UNIQUE
);
CREATE UNIQUE INDEX one_verdict_each ON verdicts (pair_id, labeller) WHERE undone = 0;
CREATE INDEX verdicts_of ON verdicts (labeller, id) WHERE undone = 0;
CREATE TABLE leases (
    pair_id INTEGER NOT NULL REFERENCES pairs (id),
    labeller TEXT NOT NULL,
    expires REAL NOT NULL,
    rank REAL NOT NULL,
    PRIMARY KEY (pair_id, labeller)
);
CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO settings VALUES ('overlap', 1);
"""


class LabelStore:
    """A connection that threads may share; processes each open their own.

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
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            self.path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self.close()
            raise ArtifactError(
                f"cannot open the label queue {self.path}: {reason(error)}"
            ) from error

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        with self.writing() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={_VERSION}")
            elif version != _VERSION:
                raise sqlite3.DatabaseError(
                    f"expected version {_VERSION}, got {version}"
                )

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yields the connection in a transaction that no other writer disturbs.

        It is committed to disk when the block ends, and undone if the block raises.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yields the connection in a transaction that sees one state of the queue."""
        with self._lock:
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("COMMIT")

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            self._connection.close()
