"""Queues with clips, and the labeling app over them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.labeling_app import App
from imitation.data.labels import clips
from imitation.data.labels.queue import LabelQueue, PairRecord


@pytest.fixture(scope="session")
def clip_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    frames = np.zeros((10, 120, 160, 3), dtype=np.uint8)
    for i, frame in enumerate(frames):
        frame[40:80, 10 * i : 10 * i + 30] = (230, 120, 40)
    clips.write_clip(path, frames, 20)
    return path.read_bytes()


@pytest.fixture
def make_queue(
    tmp_path: Path, clip_bytes: bytes
) -> Iterator[Callable[..., LabelQueue]]:
    """Makes a queue of so many pairs, with a clip each for the first and second."""
    with contextlib.ExitStack() as stack:

        def make(n: int, meta: Any = lambda i: {}) -> LabelQueue:
            queue = stack.enter_context(LabelQueue(tmp_path / "queue"))
            for side in "ab":
                (queue.directory / f"{side}.mp4").write_bytes(clip_bytes)
            queue.add([PairRecord("a.mp4", "b.mp4", meta(i + 1)) for i in range(n)])
            return queue

        yield make


@pytest.fixture
def run_app() -> Iterator[Callable[..., App]]:
    """Starts apps that end with the test."""
    started: list[App] = []

    def run(queue: LabelQueue, *options: str) -> App:
        started.append(App(queue.directory, *options).start())
        return started[-1]

    yield run
    for app in started:
        app.kill()
