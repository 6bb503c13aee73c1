"""What a report says about returns: means and normalised scores with intervals.

Intervals are percentile bootstrap intervals (Efron and Tibshirani, "An Introduction to
the Bootstrap", 1993, chapter 13) of `scipy.stats.bootstrap`. Episodes are what is
resampled, so they say how sure we are of *this* policy's mean return, not how much
another training seed would change it.
"""

import dataclasses
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from imitation.errors import DataError
from imitation.util import seeding

__all__ = ["Interval", "mean_interval", "normalised_interval"]

Scores = npt.ArrayLike
"""Returns of single episodes, shape (n_episodes,)."""

N_RESAMPLES = 9_999

_SEED = 0
"""Resampling is part of a formula here: the same returns give the same interval."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate and the bounds of its interval."""

    value: float
    """The estimate."""

    low: float
    """Lower bound; NaN if there are too few episodes for an interval."""

    high: float
    """Upper bound; NaN likewise."""


def mean_interval(scores: Scores, confidence: float = 0.95) -> Interval:
    """Computes the mean return and its bootstrap interval.

    Args:
        scores: returns, at least one.
        confidence: the interval's coverage, in (0, 1).

    Returns:
        The mean; the bounds are NaN for a single episode.

    Raises:
        DataError: there are no returns, or some are not finite.
    """
    sample = _checked(scores, "scores")
    return _bootstrap((sample,), _mean, confidence)


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
    names = ("scores", "expert", "random")
    samples = tuple(
        _checked(group, name)
        for group, name in zip((scores, expert, random), names, strict=True)
    )
    if samples[1].mean() == samples[2].mean():
        raise DataError(
            "the expert and the random policy have the same mean return, "
            f"{samples[1].mean():g}: there is no scale to normalise by"
        )
    return _bootstrap(samples, _normalised, confidence)


def _mean(scores: npt.NDArray[Any], axis: int = -1) -> Any:
    return scores.mean(axis)


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


def _bootstrap(
    samples: tuple[npt.NDArray[np.float64], ...], statistic: Any, confidence: float
) -> Interval:
    """The statistic of all samples and its percentile interval."""
    from scipy import stats

    value = float(statistic(*samples))
    if min(map(len, samples)) < 2:
        return Interval(value, float("nan"), float("nan"))
    with warnings.catch_warnings():
        # A resample without a scale makes the bounds NaN, which is answer enough.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        bounds = stats.bootstrap(
            samples,
            statistic,
            n_resamples=N_RESAMPLES,
            vectorized=True,
            paired=False,
            confidence_level=confidence,
            method="percentile",
            random_state=seeding.make_rng(_SEED),
        ).confidence_interval
    return Interval(value, float(bounds.low), float(bounds.high))


def _checked(scores: Scores, name: str) -> npt.NDArray[np.float64]:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise DataError(
            f"{name} must hold the return of at least one episode in one dimension, "
            f"got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise DataError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array
