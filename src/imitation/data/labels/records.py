"""The contents of a label queue: pairs of clips, and people's verdicts on them."""

import dataclasses
import math
from collections.abc import Mapping

# The first clip is better, both are equal, the second is better.
PREFERENCES = (1.0, 0.5, 0.0)


@dataclasses.dataclass(frozen=True)
class PairRecord:
    """Two clips to compare."""

    clip_a: str | None = None
    """File of the first clip, relative to the queue's directory; None for none."""

    clip_b: str | None = None
    """File of the second clip."""

    meta: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """Anything that JSON can hold. People see none of it before they answer.

    The app knows ``iteration`` (of the training run), ``model_probability`` (that the
    reward model prefers the first clip, in [0, 1]) and ``true_returns`` (of both).
    """

    @property
    def model_probability(self) -> float | None:
        """The reward model's probability that the first clip is better, if known."""
        value = self.meta.get("model_probability")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if math.isfinite(value) else None


@dataclasses.dataclass(frozen=True)
class QueuedPair(PairRecord):
    """A pair in a queue."""

    id: int = 0
    """Its number in the queue, from 1."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A person's answer about a pair: a preference or a skip."""

    pair_id: int
    """The pair."""

    preference: float | None
    """One of `PREFERENCES`, or None for a skip."""

    labeler: str
    """The person's name."""

    time: float
    """Time of the answer, in seconds since 1970."""

    id: int
    """Grows with every verdict of the queue."""


@dataclasses.dataclass(frozen=True)
class Answer(Verdict):
    """A verdict that is a preference."""

    preference: float
    """1.0: the first clip is better; 0.5: both are equal; 0.0: the second is."""
