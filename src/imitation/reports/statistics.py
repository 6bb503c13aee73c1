"""Normalized scores with intervals; the intervals are those of `util.statistics`.

Episodes are what is resampled, so they say how sure we are of *this* policy's mean
return, not how much another training seed would change it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from imitation.errors import DataError
from imitation.util.statistics import Interval, bootstrap_interval, mean_interval

__all__ = ["Interval", "mean_interval", "normalised_interval"]

Scores = npt.ArrayLike
"""Returns of single episodes, shape (n_episodes,)."""


def normalised_interval(
    scores: Scores, expert: Scores, random: Scores, confidence: float = 0.95
) -> Interval:
    """Computes (score − random) / (expert − random), each a mean over episodes.

    The three groups are resampled independently, so the interval includes what is
    unknown about the two references.

    Args:
        scores: returns of the policy in question.
        expert: returns of the expert, whose normalised score is 1.
        random: returns of random actions, whose normalised score is 0.
        confidence: the interval's coverage, in (0, 1).

    Returns:
        The normalised score; the bounds are NaN if a group has a single episode.

    Raises:
        DataError: a group is empty or not finite, or expert and random have the same
            mean, so that there is no scale.
    """
    samples = {"scores": scores, "expert": expert, "random": random}
    interval = bootstrap_interval(samples, _normalised, confidence)
    low = np.asarray(random, dtype=np.float64).mean()
    if np.asarray(expert, dtype=np.float64).mean() == low:
        raise DataError(
            "the expert and the random policy have the same mean return, "
            f"{low:g}: there is no scale to normalize by"
        )
    return interval


def _normalised(
    scores: npt.NDArray[Any],
    expert: npt.NDArray[Any],
    random: npt.NDArray[Any],
    axis: int = -1,
) -> Any:
    low = random.mean(axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = (scores.mean(axis) - low) / (expert.mean(axis) - low)
    return np.where(np.isfinite(score), score, np.nan)
