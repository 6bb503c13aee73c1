"""Many people at once, with the app killed under them: no answer is lost or doubled."""

import contextlib
import http.client
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from apps.labeling_app import App
from imitation.data.labels.queue import LabelQueue

pytest.importorskip("fastapi", reason="needs the extra 'apps'")
pytest.importorskip("uvicorn", reason="needs the extra 'apps'")

N_LABELERS = 20


class Labeler(threading.Thread):
    """Labels as the page does, as fast as it can, until there is nothing left."""

    def __init__(self, app: App, name: str) -> None:
        super().__init__(name=name)
        self.app = app
        self.stored: dict[int, float] = {}
        self.answer_seconds: list[float] = []
        self.rng = random.Random(name)
        self.connection = app.connect()

    def run(self) -> None:
        while pairs := self.ask("/api/lease", {"n": 3})["pairs"]:
            choice, preference = self.rng.choice([("first", 1.0), ("second", 0.0)])
            key = f"{self.rng.getrandbits(128):032x}"
            pair = pairs[0]["pair"]
            answer = {"pair": pair, "choice": choice, "key": key}
            self.ask("/api/answers", answer, self.answer_seconds)
            self.stored[pair] = preference

    def ask(
        self, path: str, body: dict[str, object], seconds: list[float] | None = None
    ) -> dict[str, list[dict[str, int]]]:
        """Repeats a request until the app answers."""
        while True:
            start = time.perf_counter()
            try:
                reply = self.app.request(
                    "POST",
                    path,
                    {"labeler": self.name, **body},
                    connection=self.connection,
                )
            except (OSError, http.client.HTTPException):
                self.connection.close()
                time.sleep(0.05)
                continue
            if seconds is not None:
                seconds.append(time.perf_counter() - start)
            assert reply.status in (200, 201), reply.body
            found: dict[str, list[dict[str, int]]] = reply.json
            return found


def label_all(app: App, queue: LabelQueue, n_pairs: int) -> list[float]:
    """Lets everybody label and checks what is stored; returns the answers' times."""
    people = [Labeler(app, f"labeler {i}") for i in range(N_LABELERS)]
    for person in people:
        person.start()
    for person in people:
        person.join()
        person.connection.close()
    stored = [(a.pair_id, a.labeler, a.preference) for a in queue.answers()]
    assert Counter(pair for pair, _, _ in stored) == Counter(range(1, n_pairs + 1))
    assert set(stored) == {
        (pair, person.name, preference)
        for person in people
        for pair, preference in person.stored.items()
    }
    return [seconds for person in people for seconds in person.answer_seconds]


@pytest.mark.parametrize("n_pairs", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_twenty_people_lose_no_answer(
    make_queue: Callable[..., LabelQueue], run_app: Callable[..., App], n_pairs: int
) -> None:
    queue = make_queue(n_pairs)
    seconds = label_all(run_app(queue), queue, n_pairs)
    assert len(seconds) == n_pairs
    p50, p99 = 1000 * np.quantile(seconds, [0.5, 0.99])
    text = f"{N_LABELERS} labelers, {n_pairs} labels: answer p50 {p50:.0f} ms"
    sys.stdout.write(f"\n{text}, p99 {p99:.0f} ms\n")


def test_killed_app_loses_and_doubles_no_answer(
    make_queue: Callable[..., LabelQueue], run_app: Callable[..., App]
) -> None:
    n_pairs = 200
    queue = make_queue(n_pairs)
    app = run_app(queue)

    def kill_twice() -> None:
        for part in (0.3, 0.6):
            while queue.pending() > (1 - part) * n_pairs:
                time.sleep(0.01)
            app.kill()
            app.start()

    killer = threading.Thread(target=kill_twice)
    killer.start()
    with contextlib.ExitStack() as stack:
        stack.callback(killer.join)
        label_all(app, queue, n_pairs)
