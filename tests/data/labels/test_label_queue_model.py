"""Random use of the label queue, against its rules written down a second time."""

import os
import tempfile
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from imitation.data.labels import queue as label_queue
from imitation.data.labels.queue import LabelQueue, PairRecord
from imitation.errors import LabelConflictError, UnknownPairError

LEASE = 60.0
PEOPLE = st.sampled_from(["ann", "bob", "cleo"])
PREFERENCES = st.sampled_from([1.0, 0.5, 0.0, None])
PAIRS = st.integers(0, 7)


class QueueMachine(RuleBasedStateMachine):
    """Keeps lists and dictionaries beside the queue and compares after each step."""

    def __init__(self) -> None:
        super().__init__()
        # What is tested here are the rules, not the disk: memory, where there is one.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.TemporaryDirectory(dir=memory)
        self.queue = self.open()
        self.now = 1000.0
        module: Any = label_queue
        self.real_time = module.time
        module.time = self
        self.n_pairs = 0
        self.retired: set[int] = set()
        # (pair, person) -> preference, in the order they were given
        self.given: dict[tuple[int, str], float | None] = {}
        # (pair, person) -> (expires, rank)
        self.leases: dict[tuple[int, str], tuple[float, float]] = {}

    def open(self) -> LabelQueue:
        return LabelQueue(self.folder.name, lease_seconds=LEASE)

    def time(self) -> float:
        """Stands for `time.time` in the queue."""
        return self.now

    def teardown(self) -> None:
        module: Any = label_queue
        module.time = self.real_time
        self.queue.close()
        self.folder.cleanup()

    @initialize(overlap=st.integers(1, 3), n=st.integers(1, 4))
    def start(self, overlap: int, n: int) -> None:
        self.overlap = overlap
        self.queue.set_overlap(overlap)
        self.add(n)

    def judges(self, pair: int) -> list[str]:
        return [person for judged, person in self.given if judged == pair]

    def wants(self, pair: int) -> bool:
        return pair not in self.retired and len(self.judges(pair)) < self.overlap

    def live_others(self, pair: int, person: str) -> int:
        return sum(
            leased == pair and holder != person and expires > self.now
            for (leased, holder), (expires, _) in self.leases.items()
        )

    def has_room(self, pair: int, person: str) -> bool:
        taken = len(self.judges(pair)) + self.live_others(pair, person)
        return self.wants(pair) and taken < self.overlap

    @rule(n=st.integers(1, 2))
    @precondition(lambda self: self.n_pairs < 6)
    def add(self, n: int) -> None:
        expected = list(range(self.n_pairs + 1, self.n_pairs + n + 1))
        assert self.queue.add([PairRecord()] * n) == expected
        self.n_pairs += n

    @rule(person=PEOPLE, n=st.integers(1, 3))
    def lease(self, person: str, n: int) -> None:
        held = [
            (rank, pair)
            for (pair, holder), (expires, rank) in self.leases.items()
            if holder == person
            and self.wants(pair)
            and (expires > self.now or self.has_room(pair, person))
        ]
        free = [
            pair
            for pair in range(1, self.n_pairs + 1)
            if self.has_room(pair, person)
            and (pair, person) not in self.leases
            and (pair, person) not in self.given
        ]
        expected = ([pair for _, pair in sorted(held)] + free)[:n]
        assert [pair.id for pair in self.queue.lease(person, n)] == expected
        for pair in expected:
            rank = self.leases.get((pair, person), (0, float(pair)))[1]
            self.leases[pair, person] = (self.now + LEASE, rank)

    @rule(person=PEOPLE, pair=PAIRS, preference=PREFERENCES)
    def submit(self, person: str, pair: int, preference: float | None) -> None:
        if not 1 <= pair <= self.n_pairs:
            self.refuses(UnknownPairError, pair, person, preference)
            return
        lease = self.leases.get((pair, person))
        allowed = (
            lease is not None
            and (pair, person) not in self.given
            and self.wants(pair)
            and (lease[0] > self.now or self.has_room(pair, person))
        )
        if not allowed:
            self.refuses(LabelConflictError, pair, person, preference)
            return
        self.queue.submit(pair, person, preference)
        self.given[pair, person] = preference
        del self.leases[pair, person]

    def refuses(self, error: type[Exception], *arguments: Any) -> None:
        try:
            self.queue.submit(*arguments)
        except error:
            return
        raise AssertionError(f"{arguments} should be refused")

    @rule(person=PEOPLE)
    def undo(self, person: str) -> None:
        own = [pair for pair, judge in self.given if judge == person]
        try:
            undone = self.queue.undo(person).pair_id
        except UnknownPairError:
            assert own == []
        except LabelConflictError:
            assert own[-1] in self.retired
        else:
            assert own[-1] == undone not in self.retired
            del self.given[undone, person]
            expires = self.now + LEASE
            self.leases[undone, person] = (expires, -expires)

    @rule(pair=PAIRS)
    def retire(self, pair: int) -> None:
        self.queue.retire([pair])
        if 1 <= pair <= self.n_pairs:
            self.retired.add(pair)
        self.leases = {k: v for k, v in self.leases.items() if k[0] != pair}

    @rule(seconds=st.sampled_from([1.0, 25.0, 70.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds + 1e-3  # no two steps at the same time

    @rule()
    def reopen(self) -> None:
        self.queue.close()
        self.queue = self.open()

    @invariant()
    def agrees(self) -> None:
        stored = {(v.pair_id, v.labeler): v.preference for v in self.queue.verdicts()}
        assert stored == self.given
        answers = [(a.pair_id, a.labeler) for a in self.queue.answers()]
        assert answers == [k for k, v in self.given.items() if v is not None]
        pending = sum(self.wants(pair) for pair in range(1, self.n_pairs + 1))
        assert self.queue.pending() == pending
        for pair in range(1, self.n_pairs + 1):
            assert len(self.judges(pair)) <= self.overlap


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, database=None
)
