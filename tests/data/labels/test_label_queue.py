"""The label queue: its rules one by one, and against a slow version of all of them."""

import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from imitation.data.labels import queue as label_queue
from imitation.data.labels.queue import Answer, LabelQueue, PairRecord
from imitation.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    LabelConflictError,
    UnknownPairError,
)


class Clock:
    """Stands for the module ``time`` in the queue."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(label_queue, "time", made)
    return made


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[LabelQueue]:
    with LabelQueue(tmp_path, lease_seconds=60) as opened:
        yield opened


def ids(pairs: Any) -> list[int]:
    return [pair.id for pair in pairs]


def test_pairs_come_in_order_and_their_answers_are_read(queue: LabelQueue) -> None:
    (tmp_clip := queue.directory / "a.mp4").write_bytes(b"clip")
    added = queue.add([PairRecord("a.mp4", None, {"iteration": 3}), PairRecord()])
    assert added == [1, 2]
    first = queue.lease("ann")[0]
    assert (first.id, first.clip_a, first.clip_b) == (1, "a.mp4", None)
    assert first.meta == {"iteration": 3}
    assert queue.clip_path(1, 0) == tmp_clip
    queue.submit(1, "ann", 0.0)
    assert queue.pending() == 1
    [answer] = queue.answers()
    assert isinstance(answer, Answer)
    assert (answer.pair_id, answer.preference, answer.labeler) == (1, 0.0, "ann")
    assert queue.answers(since=answer.id) == []
    assert ids(queue.lease("ann", 5)) == [2]


def test_no_pair_is_handed_to_two(queue: LabelQueue) -> None:
    queue.add([PairRecord()] * 5)
    assert ids(queue.lease("ann", 2)) == [1, 2]
    assert ids(queue.lease("bob", 2)) == [3, 4]
    assert ids(queue.lease("ann", 2)) == [1, 2], "who comes back gets the same pairs"
    assert ids(queue.lease("cleo", 9)) == [5]
    assert queue.lease("dan") == []


def test_overlap_hands_a_pair_to_as_many(queue: LabelQueue) -> None:
    queue.add([PairRecord()])
    queue.set_overlap(2)
    for name in ("ann", "bob"):
        assert ids(queue.lease(name)) == [1]
    assert queue.lease("cleo") == []
    queue.submit(1, "ann", 1.0)
    assert queue.pending() == 1
    assert queue.lease("ann") == []
    queue.submit(1, "bob", 0.5)
    assert queue.pending() == 0
    assert [answer.preference for answer in queue.answers()] == [1.0, 0.5]
    with LabelQueue(queue.directory) as other:
        assert other.overlap == 2


def test_lease_ends_and_the_next_one_may_judge(queue: LabelQueue, clock: Clock) -> None:
    queue.add([PairRecord()])
    queue.lease("ann")
    clock.now += 59
    assert queue.lease("bob") == []
    clock.now += 2
    assert ids(queue.lease("ann")) == [1], "still hers while nobody else wants it"
    clock.now += 61
    assert ids(queue.lease("bob")) == [1]
    with pytest.raises(LabelConflictError, match="someone else"):
        queue.submit(1, "ann", 1.0)
    queue.submit(1, "bob", 0.0)
    assert queue.lease("ann") == []


def test_late_answer_counts_while_nobody_else_has_the_pair(
    queue: LabelQueue, clock: Clock
) -> None:
    queue.add([PairRecord()])
    queue.lease("ann")
    clock.now += 10_000
    assert queue.submit(1, "ann", 1.0).preference == 1.0


def test_skip_settles_a_pair_without_an_answer(queue: LabelQueue) -> None:
    queue.add([PairRecord()])
    queue.lease("ann")
    queue.submit(1, "ann", None)
    assert queue.answers() == []
    assert [verdict.preference for verdict in queue.verdicts()] == [None]
    assert queue.pending() == 0


def test_undo_brings_the_pair_back_first(queue: LabelQueue) -> None:
    queue.add([PairRecord()] * 4)
    for pair in queue.lease("ann", 3):
        queue.submit(pair.id, "ann", 1.0)
    assert queue.undo("ann").pair_id == 3
    assert queue.undo("ann").pair_id == 2
    assert ids(queue.lease("ann", 4)) == [2, 3, 4]
    assert ids(queue.lease("bob", 4)) == []
    again = queue.submit(2, "ann", 0.0)
    assert [(a.pair_id, a.preference) for a in queue.answers()] == [(1, 1.0), (2, 0.0)]
    assert again.id == queue.answers()[-1].id > 3


def test_undo_of_one_verdict_is_repeatable(queue: LabelQueue) -> None:
    queue.add([PairRecord()] * 2)
    first, second = (
        queue.submit(pair.id, "ann", 1.0) for pair in queue.lease("ann", 2)
    )
    for _ in range(2):
        assert queue.undo("ann", first.id).pair_id == 1
    assert [answer.id for answer in queue.answers()] == [second.id]


def test_repeat_with_the_same_key_changes_nothing(queue: LabelQueue) -> None:
    queue.add([PairRecord()])
    queue.lease("ann")
    stored = queue.submit(1, "ann", 1.0, key="once")
    assert queue.submit(1, "ann", 1.0, key="once") == stored
    with pytest.raises(LabelConflictError, match="other content"):
        queue.submit(1, "ann", 0.0, key="once")
    queue.undo("ann")
    with pytest.raises(LabelConflictError, match="undone since"):
        queue.submit(1, "ann", 1.0, key="once")
    assert queue.answers() == []


def test_retired_pairs_are_final(queue: LabelQueue) -> None:
    queue.add([PairRecord()] * 3)
    queue.lease("ann", 3)
    queue.submit(1, "ann", 1.0)
    assert queue.retire([1, 2]) == {1: [1.0], 2: []}
    assert queue.pending() == 1
    with pytest.raises(LabelConflictError, match="used for training"):
        queue.undo("ann")
    with pytest.raises(LabelConflictError, match="no longer wanted"):
        queue.submit(2, "ann", 1.0)
    assert ids(queue.lease("ann", 3)) == [3]
    assert queue.retire([99]) == {}


def test_pairs_are_retired_with_enough_verdicts_only(queue: LabelQueue) -> None:
    queue.add([PairRecord()] * 3)
    queue.set_overlap(2)
    for labeler in ("ann", "bob"):
        queue.lease(labeler, 3)
        queue.submit(1, labeler, 1.0)
        queue.submit(2, labeler, None)
    queue.undo("ann")  # of the second pair
    assert queue.retire([1, 2, 3], 2) == {1: [1.0, 1.0]}
    assert queue.pending() == 2
    queue.submit(2, "ann", 0.5)
    assert queue.retire([2, 1], 2) == {1: [1.0, 1.0], 2: [0.5]}  # those of before too


REFUSED_SUBMISSIONS = [
    ((2, "ann", 1.0), LabelConflictError, "judged by ann before"),
    ((3, "ann", 1.0), LabelConflictError, "not handed to ann"),
    ((99, "ann", 1.0), UnknownPairError, "no pair 99"),
    ((0, "ann", 1.0), UnknownPairError, "no pair 0"),
    ((-1, "ann", 1.0), UnknownPairError, "no pair -1"),
    ((1, "ann", 0.7), DataError, "preference"),
    ((1, "ann", float("nan")), DataError, "preference"),
    ((1, "", 1.0), DataError, "name"),
    ((1, "x" * 65, 1.0), DataError, "name"),
    ((1, "line\nbreak", 1.0), DataError, "name"),
    ((1, "bob", 1.0), LabelConflictError, "not handed to bob"),
]


@pytest.mark.parametrize(("arguments", "error", "text"), REFUSED_SUBMISSIONS)
def test_refused_submissions_store_nothing(
    queue: LabelQueue, arguments: Any, error: type[Exception], text: str
) -> None:
    queue.add([PairRecord()] * 3)
    queue.lease("ann", 2)
    queue.submit(2, "ann", 0.5)
    before = queue.verdicts()
    with pytest.raises(error, match=text):
        queue.submit(*arguments)
    assert queue.verdicts() == before


REFUSED_PAIRS = [
    PairRecord("/etc/passwd"),
    PairRecord("../other.mp4"),
    PairRecord("a/../../other.mp4"),
    PairRecord("missing.mp4"),
    PairRecord("."),
    PairRecord(""),
    PairRecord(meta={"x": {1, 2}}),
    PairRecord(meta=cast(Any, [1])),
]


@pytest.mark.parametrize("pair", REFUSED_PAIRS, ids=repr)
def test_refused_pairs_add_nothing(queue: LabelQueue, pair: PairRecord) -> None:
    (queue.directory.parent / "other.mp4").touch()
    with pytest.raises(DataError):
        queue.add([PairRecord(), pair])
    assert queue.pending() == 0


def test_undo_needs_a_verdict_of_ones_own(queue: LabelQueue) -> None:
    queue.add([PairRecord()])
    with pytest.raises(UnknownPairError, match="no verdict yet"):
        queue.undo("ann")
    queue.lease("ann")
    verdict = queue.submit(1, "ann", 1.0)
    with pytest.raises(UnknownPairError, match="bob gave no verdict"):
        queue.undo("bob", verdict.id)
    with pytest.raises(UnknownPairError):
        queue.undo("ann", 12345)
    assert len(queue.answers()) == 1


def test_clips_that_are_gone_or_lead_out_are_not_served(queue: LabelQueue) -> None:
    clip = queue.directory / "a.mp4"
    clip.touch()
    queue.add([PairRecord("a.mp4", None)])
    with pytest.raises(ArtifactError, match="no clip"):
        queue.clip_path(1, 1)
    with pytest.raises(UnknownPairError):
        queue.clip_path(2, 0)
    clip.unlink()
    with pytest.raises(ArtifactError, match="missing"):
        queue.clip_path(1, 0)
    outside = queue.directory.parent / "secret"
    outside.touch()
    clip.symlink_to(outside)
    with pytest.raises(ArtifactError, match="missing"):
        queue.clip_path(1, 0)


def test_wait_returns_when_others_have_answered(queue: LabelQueue) -> None:
    added = queue.add([PairRecord()] * 3)
    assert not queue.wait(added, timeout=0)
    assert not queue.wait(timeout=0.01)
    assert queue.wait([], timeout=0)

    def label() -> None:
        with LabelQueue(queue.directory) as other:
            for pair in other.lease("ann", 2):
                other.submit(pair.id, "ann", 1.0)

    thread = threading.Thread(target=label)
    thread.start()
    assert queue.wait(added[:2], timeout=30)
    thread.join()
    assert queue.pending(added) == 1


def test_directories_without_a_queue_are_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no label queue"):
        LabelQueue(tmp_path, create=False)
    (tmp_path / label_queue.FILE_NAME).write_bytes(b"no database at all" * 100)
    with pytest.raises(ArtifactError, match="cannot open the label queue"):
        LabelQueue(tmp_path)


def test_files_of_another_version_are_told(tmp_path: Path) -> None:
    LabelQueue(tmp_path).close()
    connection = sqlite3.connect(tmp_path / label_queue.FILE_NAME)
    connection.execute("PRAGMA user_version=7")
    connection.close()
    with pytest.raises(ArtifactError, match="expected version 2 or older, got 7"):
        LabelQueue(tmp_path)


VERSION_1 = """
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
INSERT INTO settings VALUES ('overlap', 2);
INSERT INTO pairs (meta, n_verdicts, retired)
    VALUES ('{"iteration": 1}', 2, 1), ('{}', 1, 0), ('{}', 1, 0), ('{}', 0, 0);
INSERT INTO verdicts (pair_id, labeller, preference, time, undone, key) VALUES
    (1, 'ann', 1.0, 10.0, 0, 'key of a'), (1, 'bob', 0.5, 11.0, 0, 'key of b'),
    (2, 'ann', NULL, 12.0, 0, NULL), (3, 'ann', 0.0, 13.0, 1, NULL),
    (3, 'ann', 1.0, 14.0, 0, NULL);
INSERT INTO leases VALUES (4, 'ann', 1e12, 4.0);
PRAGMA user_version=1;
"""


def test_file_of_version_1_keeps_its_verdicts_and_takes_new_ones(
    tmp_path: Path,
) -> None:
    file = tmp_path / label_queue.FILE_NAME
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(VERSION_1)
    with LabelQueue(tmp_path, create=False) as queue:
        stored = [(v.id, v.pair_id, v.labeler, v.preference) for v in queue.verdicts()]
        before = [(1, 1, "ann", 1.0), (2, 1, "bob", 0.5), (3, 2, "ann", None)]
        assert stored == [*before, (5, 3, "ann", 1.0)]
        assert queue.submit(1, "ann", 1.0, key="key of a").id == 1
        assert ids(queue.lease("ann", 8)) == [4]
        assert queue.submit(4, "ann", 0.5).id == 6
        with pytest.raises(LabelConflictError, match="judged by ann before"):
            queue.submit(3, "ann", 1.0)
        assert queue.undo("ann", 5).pair_id == 3
        assert ids(queue.lease("bob", 8)) == [2, 3, 4]
    LabelQueue(tmp_path / "new").close()
    schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    with (
        contextlib.closing(sqlite3.connect(file)) as migrated,
        contextlib.closing(sqlite3.connect(tmp_path / "new" / file.name)) as created,
    ):
        assert migrated.execute("PRAGMA user_version").fetchone() == (2,)
        unquoted = [
            (*row[:3], row[3] and row[3].replace('"', ""))
            for row in migrated.execute(schema)
        ]
        assert unquoted == created.execute(schema).fetchall()


def test_overlap_is_checked(queue: LabelQueue) -> None:
    with pytest.raises(ConfigError, match="overlap must be 1 or more, got 0"):
        queue.set_overlap(0)


def test_many_threads_share_a_queue_and_lose_nothing(queue: LabelQueue) -> None:
    queue.add([PairRecord()] * 60)
    stored: list[tuple[int, str]] = []

    def label(name: str) -> None:
        while pairs := queue.lease(name):
            queue.submit(pairs[0].id, name, 1.0)
            stored.append((pairs[0].id, name))

    threads = [threading.Thread(target=label, args=(f"p{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pair for pair, _ in stored) == list(range(1, 61))
    assert {(a.pair_id, a.labeler) for a in queue.answers()} == set(stored)


def test_step_that_fails_leaves_those_beside_it_alone(queue: LabelQueue) -> None:
    """Threads share transactions, but not their failures."""
    queue.add([PairRecord()] * 8)
    queue.lease("ann", 8)
    outcomes: dict[int, str] = {}
    barrier = threading.Barrier(16)

    def submit(pair_id: int) -> None:
        barrier.wait()
        try:
            queue.submit(pair_id, "ann", 1.0)
            outcomes[pair_id] = "stored"
        except UnknownPairError:
            outcomes[pair_id] = "unknown"

    threads = [threading.Thread(target=submit, args=(i,)) for i in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {i: "stored" if i <= 8 else "unknown" for i in range(1, 17)}
    assert sorted(answer.pair_id for answer in queue.answers()) == list(range(1, 9))


WRITER = """
import sys
from imitation.data.labels.queue import LabelQueue
queue = LabelQueue(sys.argv[1], create=False)
while pairs := queue.lease("ann", 3):
    verdict = queue.submit(pairs[0].id, "ann", 1.0)
    print(verdict.pair_id, flush=True)
"""


def test_killed_writers_lose_no_answer_and_double_none(queue: LabelQueue) -> None:
    queue.add([PairRecord()] * 2000)
    rng = random.Random(0)
    acknowledged: list[int] = []
    for _ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(queue.directory)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        acknowledged.append(int(writer.stdout.readline()))
        time.sleep(rng.uniform(0, 0.1))
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate()[0]
        # The last line may be torn; the answer behind it may be stored or not.
        acknowledged += [int(line) for line in rest.split("\n")[:-1]]
        stored = [answer.pair_id for answer in queue.answers()]
        assert len(stored) == len(set(stored))
        assert set(acknowledged) <= set(stored)
        assert len(stored) <= len(acknowledged) + 4
    connection = sqlite3.connect(queue.directory / label_queue.FILE_NAME)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
