"""Means with bootstrap intervals.

Intervals are percentile bootstrap intervals (Efron and Tibshirani, "An Introduction to
the Bootstrap", 1993, chapter 13) of `scipy.stats.bootstrap`.
"""

import dataclasses
import warnings
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from imitation.errors import DataError
from imitation.util import seeding

Floats = npt.NDArray[np.float64]

# With this number, the 2.5% and 97.5% percentiles are order statistics.
N_RESAMPLES = 9_999


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate and the bounds of its interval."""

    value: float
    """The estimate."""

    low: float
    """Lower bound; NaN if there are too few values for an interval."""

    high: float
    """Upper bound; NaN likewise."""


def mean_interval(
    values: npt.ArrayLike,
    confidence: float = 0.95,
    *,
    n_resamples: int = N_RESAMPLES,
    rng: np.random.Generator | int = 0,
) -> Interval:
    """Computes a mean and its bootstrap interval.

    Args:
        values: one per independent observation, such as an episode's return, shape
            `[n]`, at least one.
        confidence: the interval's coverage, in (0, 1).
        n_resamples: number of bootstrap resamples.
        rng: what resampling draws from. By default the same values always give the
            same interval.

    Returns:
        The mean; the bounds are NaN for a single value.

    Raises:
        DataError: there are no values, or some are not finite.
    """
    return bootstrap_interval(
        {"values": values},
        lambda sample, axis=-1: sample.mean(axis),
        confidence,
        n_resamples=n_resamples,
        rng=rng,
    )


def bootstrap_interval(
    samples: Mapping[str, npt.ArrayLike],
    statistic: Callable[..., Floats],
    confidence: float = 0.95,
    *,
    n_resamples: int = N_RESAMPLES,
    rng: np.random.Generator | int = 0,
) -> Interval:
    """Computes a statistic of independent samples and its bootstrap interval.

    Args:
        samples: the samples by name, each of shape `[n]`; each is resampled on its
            own.
        statistic: takes the samples in order and `axis`, the axis of the values; there
            may be axes before it.
        confidence: the interval's coverage, in (0, 1).
        n_resamples: number of bootstrap resamples.
        rng: what resampling draws from.

    Returns:
        The statistic; the bounds are NaN if a sample has a single value.

    Raises:
        DataError: a sample is empty, has several dimensions or is not finite.
    """
    from scipy import stats  # takes longer to import than a mean takes to compute

    arrays = [_checked(values, name) for name, values in samples.items()]
    value = float(statistic(*arrays))
    if min(map(len, arrays)) < 2:
        return Interval(value, float("nan"), float("nan"))
    with warnings.catch_warnings():
        # A resample without a scale makes the bounds NaN, which is answer enough.
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        bounds = stats.bootstrap(
            arrays,
            statistic,
            n_resamples=n_resamples,
            vectorized=True,
            paired=False,
            confidence_level=confidence,
            method="percentile",
            random_state=seeding.make_rng(rng),
        ).confidence_interval
    return Interval(value, float(bounds.low), float(bounds.high))


def _checked(values: npt.ArrayLike, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise DataError(
            f"{name} must hold at least one value in one dimension, "
            f"got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise DataError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array
