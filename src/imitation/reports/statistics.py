"""Normalized scores, shares and correlations with intervals.

Means, and the bootstrap that normalized scores use, are in `imitation.util.statistics`.

Episodes are what is resampled, so they say how sure we are of *this* policy's mean
return, not how much another training seed would change it.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from imitation.errors import DataError
from imitation.util import seeding
from imitation.util.statistics import Interval, bootstrap_interval

Floats = npt.NDArray[np.float64]
# Returns of single episodes, shape (n_episodes,).
Scores = npt.ArrayLike

N_PAIR_RESAMPLES = 2_000

_SEED = 0

# The 97.5% quantile of the normal distribution.
_Z = 1.959963984540054


def normalized_interval(
    scores: Scores, expert: Scores, random: Scores, confidence: float = 0.95
) -> Interval:
    """Computes (score − random) / (expert − random), each a mean over episodes.

    The three groups are resampled independently, so the interval includes what is
    unknown about the two references.

    Args:
        scores: returns of the policy in question.
        expert: returns of the expert, whose normalized score is 1.
        random: returns of random actions, whose normalized score is 0.
        confidence: the interval's coverage, in (0, 1).

    Returns:
        The normalized score; the bounds are NaN if a group has a single episode.

    Raises:
        DataError: a group is empty or not finite, or expert and random have the same
            mean, so that there is no scale.
    """
    # The same stream for the same returns: the interval is part of a formula here.
    samples = {"scores": scores, "expert": expert, "random": random}
    interval = bootstrap_interval(samples, _normalized, confidence)
    low = np.asarray(random, dtype=np.float64).mean()
    if np.asarray(expert, dtype=np.float64).mean() == low:
        raise DataError(
            "the expert and the random policy have the same mean return, "
            f"{low:g}: there is no scale to normalize by"
        )
    return interval


def share_interval(successes: float, n: int) -> Interval:
    """Computes a share with its 95% interval, which is never empty.

    Wilson (1927), "Probable Inference, the Law of Succession, and Statistical
    Inference", Journal of the American Statistical Association 22, p. 209.

    Args:
        successes: in [0, n]; ties may count half.
        n: trials, independent of each other.

    Returns:
        The share; NaN for no trials.
    """
    if n == 0:
        return Interval(math.nan, math.nan, math.nan)
    share = successes / n
    scale = 1 + _Z**2 / n
    middle = (share + _Z**2 / (2 * n)) / scale
    half = _Z / scale * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> Interval:
    """Computes Pearson's correlation and its 95% bootstrap interval over pairs.

    Args:
        first: ``(n,)``, finite.
        second: ``(n,)``, finite.

    Returns:
        The correlation; NaN if either does not vary, or for fewer than 3 pairs.

    Raises:
        DataError: shapes differ, or values are not finite.
    """
    x, y = _checked_pairs(first, second)
    value = float(_pearson(x[None], y[None])[0])
    if len(x) < 3 or math.isnan(value):
        return Interval(math.nan, math.nan, math.nan)
    # Pairs are resampled together, unlike the groups of `bootstrap_interval`: (B, n).
    rows = seeding.make_rng(_SEED).integers(len(x), size=(N_PAIR_RESAMPLES, len(x)))
    resampled = _pearson(x[rows], y[rows])
    # A resample of one pair alone does not vary and has no correlation.
    low, high = np.nanquantile(resampled, (0.025, 0.975))
    return Interval(value, float(low), float(high))


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> Interval:
    """Computes Spearman's correlation, that of the ranks; see `correlation`."""
    from scipy import stats

    x, y = _checked_pairs(first, second)
    return correlation(stats.rankdata(x), stats.rankdata(y))


def _normalized(
    scores: np.ndarray,
    expert: np.ndarray,
    random: np.ndarray,
    axis: int = -1,
) -> Any:
    low = random.mean(axis)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = (scores.mean(axis) - low) / (expert.mean(axis) - low)
    return np.where(np.isfinite(score), score, np.nan)


def _pearson(x: Floats, y: Floats) -> Floats:
    """Of each row, ``(rows, n)``; NaN where either does not vary."""
    varies = (np.ptp(x, axis=1) > 0) & (np.ptp(y, axis=1) > 0)
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(varies, (x * y).sum(axis=1) / size, np.nan))


def _checked_pairs(
    first: npt.ArrayLike, second: npt.ArrayLike
) -> tuple[Floats, Floats]:
    x, y = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise DataError(
            f"expected two vectors of one length, got shapes {x.shape} and {y.shape}"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("expected finite values, got others")
    return x, y
