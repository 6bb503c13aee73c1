"""Preferences of people, who compare clips in the labelling app.

All that is asked and answered lies in the queue's directory, fragments included. So a
training may stop, be killed and go on: what people have said meanwhile, or on pairs
that the training does not remember, is found there.
"""

import functools
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch as th
from typing_extensions import override

from imitation.algorithms.preference_comparisons.fragments import FragmentArrays
from imitation.algorithms.preference_comparisons.gatherers import (
    PreferenceGatherer,
    Preferences,
)
from imitation.algorithms.preference_comparisons.model import PreferenceModel
from imitation.algorithms.preference_comparisons.pairs import PairStore
from imitation.data import types
from imitation.data.labels import clips
from imitation.data.labels.queue import LabelQueue, PairRecord, QueuedPair
from imitation.errors import ConfigError, UnknownPairError
from imitation.training import state_files as checkpoint
from imitation.util import logger as imit_logger
from imitation.util.artifacts import State
from imitation.util.paths import AnyPath, parse_path

__all__ = ["HumanGatherer"]

KIND = "fragments"
POLL_SECONDS = 0.2


class HumanGatherer(PreferenceGatherer):
    """Lets people compare clips of the fragments.

    Pairs go into a queue, from which ``imitation label QUEUE_DIR`` hands them out. The
    clips show rendered images, image observations, or a plot; see `clips.frames_of`. A
    pair that somebody skips gives no preference; one that several people judge, the
    mean of theirs.

    Pairs that are in the queue already, such as those of an interrupted training, are
    used before new ones are asked about.

    Args:
        queue_dir: directory of the queue.
        mode: "sync" waits until every pair has been judged; "async" returns what has
            been said since the last call, so that training goes on meanwhile.
        fps: frames per second of the clips.
        timeout: seconds after which waiting ends and training goes on with what is
            there; None waits for ever.
        min_answers: with "async", how many preferences to wait for at first, as there
            is nothing to train on without any.
        preference_model: tells the app what the reward model thinks of each pair, for
            the agreement that it shows; people do not see it before they answer.
        custom_logger: where to log to; None makes a new logger.

    Raises:
        ConfigError: a setting has another value.
        ArtifactError: the queue is damaged.
    """

    def __init__(
        self,
        queue_dir: AnyPath,
        *,
        mode: Literal["sync", "async"] = "sync",
        fps: float = 30,
        timeout: float | None = None,
        min_answers: int = 1,
        preference_model: PreferenceModel | None = None,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(None, custom_logger)
        if mode not in ("sync", "async"):
            raise ConfigError(f"mode must be 'sync' or 'async', got {mode!r}")
        for name, value in (("fps", fps), ("min_answers", min_answers)):
            if not value > 0:
                raise ConfigError(f"{name} must be positive, got {value}")
        self.queue_dir = parse_path(queue_dir)
        self.mode = mode
        self.fps = fps
        self.timeout = timeout
        self.min_answers = min_answers
        self.preference_model = preference_model
        self._asked = 0  # pairs that were wanted so far
        self._taken: set[int] = set()  # those whose preferences were returned
        self._pairs: dict[int, QueuedPair] = {}  # those of the queue with fragments
        self._last_id = 0
        self._n_calls = 0
        with LabelQueue(self.queue_dir):
            pass  # there is one from now on, for the app to open

    def __call__(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> Preferences:
        """Asks about some pairs and waits for all of them, whatever the mode.

        Args:
            fragment_pairs: n pairs.

        Returns:
            Preferences, shape ``(n,)``; a tie, 0.5, for a pair that was skipped or not
            judged in time. `gather` leaves these out.
        """
        with LabelQueue(self.queue_dir) as queue:
            ids = self._add(queue, fragment_pairs)
            self._asked += len(ids)
            self._wait(queue, ids)
            given = _means(queue.retire(ids))
        self._taken.update(ids)
        return np.array([given.get(i, 0.5) for i in ids], dtype=np.float32)

    def gather(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> tuple[Sequence[types.TrajectoryPair], Preferences]:
        """Asks about some pairs, and returns what is known by now.

        Args:
            fragment_pairs: n new pairs.

        Returns:
            Pairs of this call or of earlier ones that people have judged since, and
            their preferences.
        """
        with LabelQueue(self.queue_dir) as queue:
            self._look(queue)
            n_there = min(len(fragment_pairs), max(0, len(self._pairs) - self._asked))
            self._add(queue, fragment_pairs[n_there:])
            self._asked += len(fragment_pairs)
            self._look(queue)
            open_ids = sorted(self._pairs.keys() - self._taken)
            if self.mode == "sync":
                self._wait(queue, open_ids)
            elif not self._taken:
                self._wait(queue, open_ids, self.min_answers)
            return self._take(queue, open_ids)

    @override
    def state_dict(self) -> State:
        return {
            "asked": self._asked,
            "taken": sorted(self._taken),
            "calls": self._n_calls,
        }

    @override
    def load_state_dict(self, state: State) -> None:
        self._asked = int(state["asked"])
        self._taken = set(state["taken"])
        self._n_calls = int(state["calls"])

    def _add(
        self, queue: LabelQueue, pairs: Sequence[types.TrajectoryPair]
    ) -> list[int]:
        """Writes fragments and clips of pairs, and puts them into the queue."""
        if not len(pairs):
            return []
        name = f"{self._n_calls:04d}-{secrets.token_hex(4)}"
        arrays = FragmentArrays.of([fragment for pair in pairs for fragment in pair])
        checkpoint.save_state(queue.directory / "fragments" / name, KIND, vars(arrays))
        records = []
        for i, (pair, meta) in enumerate(zip(pairs, self._meta(arrays), strict=True)):
            names = [f"clips/{name}-{i:04d}-{side}.mp4" for side in "ab"]
            frames = clips.frames_of_pair(*pair)
            for clip, pictures in zip(names, frames, strict=True):
                clips.write_clip(queue.directory / clip, pictures, self.fps)
            meta |= {"fragments": name, "index": i, "iteration": self._n_calls}
            records.append(PairRecord(names[0], names[1], meta))
        self._n_calls += 1
        return queue.add(records)

    def _meta(self, arrays: FragmentArrays) -> list[dict[str, Any]]:
        """What the app may know of each pair."""
        store = PairStore(arrays)
        metas: list[dict[str, Any]] = [{} for _ in range(len(store))]
        if arrays.has_rewards.all():
            for meta, returns in zip(metas, store.true_returns(1.0), strict=True):
                meta["true_returns"] = returns.tolist()
        if self.preference_model is not None:
            with th.no_grad():
                probs, _ = self.preference_model(store.all())
            means = probs.reshape(len(store), -1).mean(dim=1)
            for meta, prob in zip(metas, means.tolist(), strict=True):
                meta["model_probability"] = prob
        return metas

    def _look(self, queue: LabelQueue) -> None:
        """Finds the pairs of the queue whose fragments were stored."""
        while True:
            try:
                pair = queue.pair(self._last_id + 1)
            except UnknownPairError:
                return
            self._last_id += 1
            if "fragments" in pair.meta:
                self._pairs[pair.id] = pair

    def _wait(
        self, queue: LabelQueue, ids: Sequence[int], wanted: int | None = None
    ) -> None:
        """Waits until pairs have been judged, or `wanted` of them preferred."""
        n_open = queue.pending(ids)
        if n_open == 0:
            return
        self.logger.log(
            f"Waiting for people to compare {wanted or n_open} pairs; let them run: "
            f"imitation label {self.queue_dir}"
        )
        end = None if self.timeout is None else time.monotonic() + self.timeout
        known = set(ids)
        while queue.pending(ids) and not (
            wanted and len(known & {a.pair_id for a in queue.answers()}) >= wanted
        ):
            if end is not None and time.monotonic() >= end:
                self.logger.warn(
                    f"{queue.pending(ids)} pairs were not compared within "
                    f"{self.timeout} s; training goes on without them for now"
                )
                return
            time.sleep(POLL_SECONDS)

    def _take(
        self, queue: LabelQueue, ids: Sequence[int]
    ) -> tuple[list[types.TrajectoryPair], Preferences]:
        """Takes what people have said about pairs, for good."""
        enough = queue.overlap if queue.pending(ids) else 1
        done = queue.retire(ids, enough)
        given = _means(done)
        self._taken.update(done)
        self.logger.record("answered", len(given))
        self.logger.record("skipped", len(done) - len(given))
        self.logger.record("waiting", len(ids) - len(done))
        pairs = [self._fragments(self._pairs[i]) for i in given]
        return pairs, np.array(list(given.values()), dtype=np.float32)

    def _fragments(self, pair: QueuedPair) -> types.TrajectoryPair:
        name = str(pair.meta["fragments"])
        arrays = _load(str(self.queue_dir / "fragments" / name))
        first = 2 * int(pair.meta["index"])
        return arrays.fragment(first), arrays.fragment(first + 1)


def _means(given: Mapping[int, Sequence[float]]) -> dict[int, float]:
    """The mean preference of each pair that was not only skipped."""
    return {i: float(np.mean(values)) for i, values in given.items() if values}


@functools.lru_cache(maxsize=8)
def _load(path: str) -> FragmentArrays:
    """Reads the fragments of one call; they are never changed."""
    state: dict[str, npt.NDArray[Any]] = checkpoint.load_state(path, KIND)
    return FragmentArrays(**state)  # type: ignore[arg-type]  # obs is a dictionary
