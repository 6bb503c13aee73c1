"""A queue of pairs of clips that people compare, safe for any number of processes.

A trainer adds pairs and reads the answers; the labeling app hands pairs out and
stores what people say. Both may run, stop, be killed and come back at any time: all
there is lies in one SQLite file, and what a method has returned for is on disk.

- A pair is *handed out* by a lease, so that no two people judge it, unless more are
  asked for (`LabelQueue.set_overlap`). A lease ends after `lease_seconds`; until then
  its holder gets the same pair again, and after that still if nobody else has it.
- A *verdict* is a preference or a skip. A skip says that the clips cannot be compared;
  such a pair is left out of the data (Christiano et al. 2017, "Deep reinforcement
  learning from human preferences", section 2.2.2).
- A pair is *pending* until it has as many verdicts as the overlap, or is retired.
- A *retired* pair is handed out no more, and its verdicts cannot be undone.
"""

import json
import pathlib
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from types import TracebackType

from imitation.data.labels import transactions
from imitation.data.labels.records import (
    PREFERENCES,
    Answer,
    PairRecord,
    QueuedPair,
    Verdict,
)
from imitation.data.labels.statistics import QueueStatistics, read_statistics
from imitation.data.labels.store import FILE_NAME, LabelStore
from imitation.errors import ArtifactError, ConfigError, DataError, UnknownPairError
from imitation.util.paths import AnyPath, parse_path

__all__ = [
    "FILE_NAME",
    "PREFERENCES",
    "Answer",
    "LabelQueue",
    "PairRecord",
    "QueuedPair",
    "Verdict",
]

LEASE_SECONDS = 600.0
_POLL_SECONDS = 0.2
_MAX_NAME = 64
_COLUMNS = "v.pair_id, v.preference, v.labeler, v.time, v.id"


class LabelQueue:
    """A label queue. Threads may share it; processes each open their own.

    Args:
        path: directory of the queue, which holds the SQLite file and the clips.
        create: make a queue where there is none.
        lease_seconds: how long a pair is kept for the person it was handed to.

    Raises:
        ArtifactError: there is no queue, or the file is damaged.
    """

    def __init__(
        self,
        path: AnyPath,
        *,
        create: bool = True,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.directory: pathlib.Path = parse_path(path)
        self.lease_seconds = lease_seconds
        self._store = LabelStore(self.directory, create=create)

    def add(self, pairs: Sequence[PairRecord]) -> list[int]:
        """Adds pairs at the end of the queue, all of them or none.

        Clips must be written before. Returns the numbers of the pairs.

        Raises:
            DataError: a clip lies outside the queue's directory, or meta data
                cannot be written as JSON.
        """
        rows = [self._row(pair) for pair in pairs]
        query = (
            "INSERT INTO pairs (clip_a, clip_b, meta, model_probability) "
            "VALUES (?, ?, ?, ?)"
        )
        ids = self._store.write(
            lambda connection: [connection.execute(query, r).lastrowid for r in rows]
        )
        return [pair_id for pair_id in ids if pair_id is not None]

    def pair(self, pair_id: int) -> QueuedPair:
        """Returns a pair; raises UnknownPairError if there is none of that number."""
        query = "SELECT * FROM pairs WHERE id = ?"
        with self._store.reading() as connection:
            row = connection.execute(query, (pair_id,)).fetchone()
        if row is None:
            raise UnknownPairError(f"the queue holds no pair {pair_id}")
        return _pair(row)

    def clip_path(self, pair_id: int, side: int) -> pathlib.Path:
        """Returns the file of a clip.

        Args:
            pair_id: the pair.
            side: 0 for the first clip, 1 for the second.

        Raises:
            UnknownPairError: there is no such pair.
            ArtifactError: the pair has no such clip, or its file is gone.
        """
        pair = self.pair(pair_id)
        name = (pair.clip_a, pair.clip_b)[side]
        if name is None:
            raise ArtifactError(f"pair {pair_id} has no clip to show")
        # Symbolic links are followed first: a link must not lead out of the queue,
        # whose
        # clips are served to browsers.
        path = (self.directory / name).resolve()
        if not path.is_relative_to(self.directory) or not path.is_file():
            raise ArtifactError(f"the clip {name} of pair {pair_id} is missing")
        return path

    def lease(self, labeler: str, n: int = 1) -> list[QueuedPair]:
        """Leases pairs to a labeler, those that they already hold first.

        Args:
            labeler: the person who will judge them.
            n: the greatest number; with more than one, clips can load ahead.

        Returns:
            The pairs in the order to judge them, possibly none.

        Raises:
            DataError: the labeler's name is empty or long.
        """
        _check_name(labeler)
        now = time.time()
        expires = now + self.lease_seconds
        rows = self._store.write(
            lambda connection: transactions.hand_out(
                connection, labeler, n, now, expires
            )
        )
        return [_pair(row) for row in rows]

    def submit(
        self,
        pair_id: int,
        labeler: str,
        preference: float | None,
        *,
        key: str | None = None,
    ) -> Verdict:
        """Stores a verdict; it is on disk when this returns.

        Args:
            pair_id: a pair that was handed to the labeler.
            labeler: whose verdict it is.
            preference: one of `PREFERENCES`, or None to skip.
            key: any text that is unique to this decision. A repeat with the same key,
                as after a lost connection, changes nothing.

        Returns:
            The verdict as stored.

        Raises:
            DataError: the preference or the name is invalid.
            UnknownPairError: there is no such pair.
            LabelConflictError: the pair was judged, retired, or is in other hands.
        """
        _check_name(labeler)
        if preference is not None and preference not in PREFERENCES:
            raise DataError(
                f"expected a preference of {PREFERENCES} or None, got {preference!r}"
            )
        verdict = Verdict(pair_id, preference, labeler, time.time(), 0)
        return self._store.write(
            lambda connection: transactions.store_verdict(connection, verdict, key)
        )

    def undo(self, labeler: str, verdict_id: int | None = None) -> Verdict:
        """Undoes a verdict; its pair is handed to the labeler next.

        Args:
            labeler: who gave it.
            verdict_id: the verdict; None for the labeler's latest. One that is undone
                already stays so.

        Returns:
            The verdict, which no longer counts.

        Raises:
            UnknownPairError: the labeler gave no such verdict.
            LabelConflictError: it is used for training already.
        """
        expires = time.time() + self.lease_seconds
        return self._store.write(
            lambda connection: transactions.undo_verdict(
                connection, labeler, verdict_id, expires
            )
        )

    def answers(self, since: int = 0) -> list[Answer]:
        """Returns the preferences given so far, oldest first, without skips."""
        found = self._select("v.preference IS NOT NULL AND v.id > ?", (since,))
        return [Answer(*row) for row in found]

    def verdicts(
        self, labeler: str | None = None, last: int | None = None
    ) -> list[Verdict]:
        """Returns the verdicts that count, of one person or the latest, in order."""
        condition, values = ("v.labeler = ?", [labeler]) if labeler else ("1", [])
        # SQLite reads a negative LIMIT as no limit. The latest come first, so that
        # LIMIT keeps them, and are reversed below.
        limit = -1 if last is None else last
        found = self._select(condition, (*values, limit), "DESC LIMIT ?")
        return [Verdict(*row) for row in reversed(found)]

    def statistics(self) -> QueueStatistics:
        """Returns the progress, and how far people and the reward model agree."""
        with self._store.reading() as connection:
            return read_statistics(connection, transactions.overlap(connection))

    def pending(self, ids: Collection[int] | None = None) -> int:
        """Counts the pairs, of these or of all, that still want verdicts."""
        query = (
            "SELECT id FROM pairs WHERE retired = 0 AND n_verdicts < "
            "(SELECT value FROM settings WHERE name = 'overlap')"
        )
        with self._store.reading() as connection:
            found = {row["id"] for row in connection.execute(query)}
        return len(found if ids is None else found.intersection(ids))

    def wait(
        self, ids: Collection[int] | None = None, timeout: float | None = None
    ) -> bool:
        """Blocks until pairs want no more verdicts.

        Args:
            ids: the pairs; None for all there are.
            timeout: in seconds; None waits forever.

        Returns:
            True when all of them have their verdicts, False after the timeout.
        """
        # Polled, because labelers may write from another process, which cannot notify.
        end = None if timeout is None else time.monotonic() + timeout
        while self.pending(ids):
            rest = _POLL_SECONDS if end is None else end - time.monotonic()
            if rest <= 0:
                return False
            time.sleep(min(rest, _POLL_SECONDS))
        return True

    def retire(self, ids: Iterable[int], n_verdicts: int = 0) -> dict[int, list[float]]:
        """Retires pairs: used for training, or not wanted any more.

        Nobody is asked about them from now on and no verdict on them can be undone, so
        what this returns is final.

        Args:
            ids: the pairs.
            n_verdicts: pairs with fewer verdicts stay in the queue.

        Returns:
            The preferences about each pair taken off, oldest first; none where
            everybody skipped it.
        """
        wanted = sorted(set(ids))
        retired = self._store.write(
            lambda connection: transactions.retire(connection, wanted, n_verdicts)
        )
        given: dict[int, list[float]] = {pair_id: [] for pair_id in retired}
        # After the transaction: no verdict on a retired pair can be added or undone.
        for answer in self.answers():
            if answer.pair_id in given:
                given[answer.pair_id].append(answer.preference)
        return given

    @property
    def overlap(self) -> int:
        """The number of people who judge each pair."""
        with self._store.reading() as connection:
            return transactions.overlap(connection)

    def set_overlap(self, overlap: int) -> None:
        """Sets the number of people who judge each pair; kept in the queue.

        Raises:
            ConfigError: the number is not positive.
        """
        if overlap < 1:
            raise ConfigError(f"overlap must be 1 or more, got {overlap}")
        query = "UPDATE settings SET value = ? WHERE name = 'overlap'"
        self._store.write(lambda connection: connection.execute(query, (overlap,)))

    def close(self) -> None:
        """Closes the file."""
        self._store.close()

    def __enter__(self) -> "LabelQueue":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _select(
        self, condition: str, values: tuple[object, ...], order: str = "ASC"
    ) -> list[sqlite3.Row]:
        query = (
            f"SELECT {_COLUMNS} FROM verdicts v "
            f"WHERE v.undone = 0 AND {condition} ORDER BY v.id {order}"
        )
        with self._store.reading() as connection:
            return connection.execute(query, values).fetchall()

    def _row(
        self, pair: PairRecord
    ) -> tuple[str | None, str | None, str, float | None]:
        """Checks a pair and returns its row."""
        for name in (pair.clip_a, pair.clip_b):
            if name is None:
                continue
            path = pathlib.PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or name != path.as_posix():
                raise DataError(
                    "expected the name of a clip relative to the queue's directory "
                    f"{self.directory}, got {name!r}"
                )
            if not (self.directory / path).is_file():
                raise DataError(f"the clip {name!r} is not in {self.directory}")
        try:
            meta = json.dumps(dict(pair.meta))
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(
                f"expected meta data that JSON can hold, got {pair.meta!r}"
            ) from error
        return pair.clip_a, pair.clip_b, meta, pair.model_probability


def _pair(row: sqlite3.Row) -> QueuedPair:
    return QueuedPair(row["clip_a"], row["clip_b"], json.loads(row["meta"]), row["id"])


def _check_name(labeler: str) -> None:
    if not 1 <= len(labeler) <= _MAX_NAME or not labeler.isprintable():
        raise DataError(
            f"expected a labeler's name of 1 to {_MAX_NAME} printable characters, "
            f"got {labeler[:80]!r}"
        )
