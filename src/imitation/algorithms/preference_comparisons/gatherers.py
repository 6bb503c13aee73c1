"""Gathering preferences: from true rewards, or from people in the labeling app.

All that people are asked and answer lies in a queue's directory, fragments included. So
a training may stop, be killed and go on: answers given meanwhile, or about pairs that
the training does not remember, are found there.
"""

import abc
import functools
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch as th
from scipy.special import expit
from typing_extensions import override

from imitation.algorithms.preference_comparisons.fragments import (
    FragmentArrays,
    PairStore,
)
from imitation.algorithms.preference_comparisons.model import PreferenceModel
from imitation.algorithms.preference_comparisons.parts import (
    Part,
    check_positive,
    check_within,
)
from imitation.data import types
from imitation.data.labels import clips
from imitation.data.labels.queue import LabelQueue, PairRecord, QueuedPair
from imitation.errors import ConfigError, DataError, UnknownPairError
from imitation.training import state_files
from imitation.util import logger as imit_logger
from imitation.util.artifacts import JSON, State
from imitation.util.paths import AnyPath, parse_path

Preferences = npt.NDArray[np.float32]

KIND = "fragments"
POLL_SECONDS = 0.2


class PreferenceGatherer(Part, abc.ABC):
    """Base of what gathers preferences; `rng` is None if nothing is random."""

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(custom_logger)
        self.rng = rng

    @abc.abstractmethod
    def __call__(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> Preferences:
        """Gathers the preferences of n pairs.

        Returns:
            Probabilities that the first fragments are preferred, shape ``(n,)`` and
            dtype float32, in [0, 1]; 0.5 if both are as good.
        """

    def gather(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> tuple[Sequence[types.TrajectoryPair], Preferences]:
        """Asks about new pairs, and returns the answers so far.

        A gatherer that does not wait for answers overrides this.

        Args:
            fragment_pairs: n new pairs; none in a round without questions, where there
                may be late answers all the same.

        Returns:
            Pairs of this call or of earlier ones, and their preferences.
        """
        if not len(fragment_pairs):
            return [], np.zeros(0, dtype=np.float32)
        return fragment_pairs, self(fragment_pairs)


class SyntheticGatherer(PreferenceGatherer):
    """Prefers by the true rewards, with noise.

    With R₁ and R₂ the discounted returns and τ the temperature, the first fragment is
    preferred with probability 1 / (1 + exp((R₂ − R₁) / τ)).

    Args:
        temperature: τ; 0 always prefers the higher return, with 0.5 for equal ones.
        discount_factor: of the returns.
        sample: draw preferences of 0 or 1; False gives the probabilities instead.
        rng: draws; not needed with `sample` False or temperature 0.
        threshold: (R₁ − R₂) / τ is clipped to this size.
        custom_logger: where to log to; None creates a new logger.

    Raises:
        ConfigError: `sample` is true and there is no `rng`, or a number is negative.
    """

    def __init__(
        self,
        temperature: float = 1,
        discount_factor: float = 1,
        sample: bool = True,
        rng: np.random.Generator | None = None,
        threshold: float = 50,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(rng, custom_logger)
        if sample and rng is None:
            raise ConfigError("If `sample` is True, then `rng` must be provided.")
        check_within(np.inf, temperature=temperature, threshold=threshold)
        check_within(np.inf, discount_factor=discount_factor)
        self.temperature = temperature
        self.discount_factor = discount_factor
        self.sample = sample
        self.threshold = threshold

    @override
    def __call__(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> Preferences:
        """Gathers preferences.

        The mean entropy of the probabilities, in nats, is logged as ``entropy``; not
        with temperature 0.

        Raises:
            DataError: a fragment has no rewards, or some that are not finite.
        """
        if not fragment_pairs:
            return np.zeros(0, dtype=np.float32)
        difference = self._return_differences(fragment_pairs)
        if self.temperature == 0:
            return ((np.sign(difference) + 1) / 2).astype(np.float32)  # 0, ½ or 1
        logits = np.clip(difference / self.temperature, -self.threshold, self.threshold)
        probs = expit(logits)
        # -p ln p - (1-p) ln(1-p), by ln(1 + e^x) so that nothing is rounded to ln 0.
        entropy = probs * np.logaddexp(0, -logits) + expit(-logits) * np.logaddexp(
            0, logits
        )
        self.logger.record("entropy", float(entropy.mean()))
        if self.sample:
            assert self.rng is not None
            return self.rng.binomial(n=1, p=probs).astype(np.float32)
        return probs.astype(np.float32)

    def _return_differences(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> npt.NDArray[np.float64]:
        arrays = FragmentArrays.of_pairs(fragment_pairs)
        if not arrays.has_rewards.all():
            raise DataError(
                "synthetic preferences need fragments with rewards, got some without"
            )
        returns = PairStore(arrays).true_returns(self.discount_factor)
        if not np.isfinite(returns).all():
            raise DataError(
                "synthetic preferences need finite rewards, got NaN or infinite ones; "
                "check the environment or the trajectories"
            )
        difference: npt.NDArray[np.float64] = returns[:, 0] - returns[:, 1]
        return difference


class HumanGatherer(PreferenceGatherer):
    """Asks people to compare clips of the fragments.

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
            there; None waits forever.
        min_answers: with "async", how many preferences to wait for at first, as there
            is nothing to train on without any.
        preference_model: tells the app what the reward model thinks of each pair, for
            the agreement that it shows; people do not see it before they answer.
        custom_logger: where to log to; None creates a new logger.

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
        check_positive(fps=fps, min_answers=min_answers)
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
            pass  # creates it, for the app to open

    @override
    def __call__(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> Preferences:
        """Asks about n pairs and waits for all of them, whatever the mode.

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

    @override
    def gather(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> tuple[Sequence[types.TrajectoryPair], Preferences]:
        with LabelQueue(self.queue_dir) as queue:
            # A resumed training asks its round again: pairs that the queue holds beyond
            # those of the state were asked before the interruption, and stand in.
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
        """Writes fragments and clips of pairs, and adds the pairs to the queue."""
        if not len(pairs):
            return []
        name = f"{self._n_calls:04d}-{secrets.token_hex(4)}"
        arrays = FragmentArrays.of_pairs(pairs)
        state_files.save_state(queue.directory / "fragments" / name, KIND, vars(arrays))
        metas: list[JSON] = [{} for _ in pairs]
        if arrays.has_rewards.all():
            returns = PairStore(arrays).true_returns(1.0)  # (n, 2)
            for meta, of_pair in zip(metas, returns.tolist(), strict=True):
                meta["true_returns"] = of_pair
        if self.preference_model is not None:
            with th.no_grad():
                probs, _ = self.preference_model(pairs)
            # (n,), or (n, members) of an ensemble
            means = probs.reshape(len(pairs), -1).mean(dim=1)
            for meta, prob in zip(metas, means.tolist(), strict=True):
                meta["model_probability"] = prob
        records = []
        for i, (pair, meta) in enumerate(zip(pairs, metas, strict=True)):
            names = [f"clips/{name}-{i:04d}-{side}.mp4" for side in "ab"]
            frames = clips.frames_of_pair(*pair)
            for clip, pictures in zip(names, frames, strict=True):
                clips.write_clip(queue.directory / clip, pictures, self.fps)
            meta |= {"fragments": name, "index": i, "iteration": self._n_calls}
            records.append(PairRecord(names[0], names[1], meta))
        self._n_calls += 1
        return queue.add(records)

    def _look(self, queue: LabelQueue) -> None:
        """Notes new pairs whose fragments are stored; others may add pairs, too."""
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
            f"Waiting for people to compare {wanted or n_open} pairs; ask them to run: "
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
        # Pairs that want more verdicts stay. If none does, a verdict may be undone
        # before they are retired, so at least one is asked for.
        enough = queue.overlap if queue.pending(ids) else 1
        done = queue.retire(ids, enough)
        given = _means(done)
        self._taken.update(done)
        self.logger.record("answered", len(given))
        self.logger.record("skipped", len(done) - len(given))
        self.logger.record("waiting", len(ids) - len(done))
        pairs = []
        for i in given:
            meta = self._pairs[i].meta
            arrays = _load(str(self.queue_dir / "fragments" / str(meta["fragments"])))
            index = meta["index"]
            assert isinstance(index, int), "this class wrote it"
            pairs.append(arrays.pair(index))
        return pairs, np.array(list(given.values()), dtype=np.float32)


def _means(given: Mapping[int, Sequence[float]]) -> dict[int, float]:
    """The mean preference of each pair that was not only skipped."""
    return {i: float(np.mean(values)) for i, values in given.items() if values}


@functools.lru_cache(maxsize=8)
def _load(path: str) -> FragmentArrays:
    """Reads the fragments of one call; they are never changed."""
    return FragmentArrays.of_state(state_files.load_state(path, KIND))
