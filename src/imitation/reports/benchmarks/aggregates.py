"""Aggregates over runs and environments with stratified bootstrap intervals.

From "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (Agarwal et
al., 2021, https://arxiv.org/abs/2108.13264): the interquartile mean (section 4.3),
probability of improvement (section 4.3, appendix A.2), performance profiles (section
4.2), and intervals from resampling the runs of each environment with replacement,
independently of the other environments (section 4.1).

Every function takes ``strata``, one array of scores of runs per environment, whose
lengths may differ, and

- ``confidence``: the interval's coverage, in (0, 1);
- ``n_resamples``: the number of bootstrap resamples;
- ``rng``: what resampling draws from.

It returns bounds of NaN if every environment has a single run, for there is nothing to
resample then, and raises a `DataError` if there is no environment, one of them has no
run, or a score is not finite. Unlike `imitation.util.statistics`, which resamples each
of its samples, it takes environments with a single run beside others.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from imitation.errors import DataError
from imitation.util import seeding
from imitation.util.statistics import Interval

Floats = npt.NDArray[np.float64]
# The scores of the runs of each environment, each of shape (n_runs,).
Strata = Sequence[npt.ArrayLike]

# Resamples by default; the bounds of two seeds then differ by about 1%.
N_RESAMPLES = 10_000

# Numbers that a resample may hold at once: 32 MB.
_CHUNK = 4_000_000


@dataclasses.dataclass(frozen=True)
class Profile:
    """A performance profile: how many runs score more than each threshold."""

    thresholds: Floats
    """Scores τ, shape (n_thresholds,)."""

    fraction: Floats
    """Mean over environments of the share of runs above τ, in [0, 1], same shape."""

    low: Floats
    """Pointwise lower bounds, same shape."""

    high: Floats
    """Pointwise upper bounds, same shape."""


def mean_interval(
    strata: Strata,
    *,
    confidence: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    rng: np.random.Generator | int = 0,
) -> Interval:
    """Computes the mean over environments of their mean scores."""
    samples = _checked(strata)
    value = float(np.mean([sample.mean() for sample in samples]))

    def resampled(generator: np.random.Generator, n: int) -> Floats:
        # Linear in the empirical distribution: weights, (n, n_runs), do for indices.
        total = np.zeros(n)
        for sample in samples:
            total += _weights(generator, n, len(sample)) @ sample
        return total / len(samples)

    return _interval(value, samples, resampled, confidence, n_resamples, rng)


def iqm_interval(
    strata: Strata,
    *,
    confidence: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    rng: np.random.Generator | int = 0,
) -> Interval:
    """Computes the interquartile mean: that of the middle half of all runs.

    The runs of all environments are pooled, and a quarter of them (rounded down) is
    left out at either end.
    """
    samples = _checked(strata)
    value = float(_interquartile_mean(np.concatenate(samples)))

    def resampled(generator: np.random.Generator, n: int) -> Floats:
        # Quantiles are not linear: each resample is drawn as indices, (n, n_runs).
        drawn = [
            sample[generator.integers(len(sample), size=(n, len(sample)))]
            for sample in samples
        ]
        return _interquartile_mean(np.concatenate(drawn, axis=1))

    return _interval(value, samples, resampled, confidence, n_resamples, rng)


def probability_of_improvement(
    strata: Strata,
    baseline: Strata,
    *,
    confidence: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    rng: np.random.Generator | int = 0,
) -> Interval:
    """Computes how likely a run scores more than a run of a baseline.

    In each environment P(X > Y) + ½ P(X = Y), which is the Mann-Whitney statistic
    divided by the number of pairs; then the mean over environments.
    The baseline has scores Y in the same environments, in this order; both algorithms
    are resampled.

    Raises:
        DataError: the numbers of environments differ, too.
    """
    ours, theirs = _checked(strata), _checked(baseline)
    if len(ours) != len(theirs):
        raise DataError(
            f"a comparison needs the same environments, got {len(ours)} and "
            f"{len(theirs)} of them"
        )
    # 1 where a run beats one of the baseline, ½ at a draw: (n_x, n_y) by environment
    wins = [
        np.asarray((x[:, None] > y) + 0.5 * (x[:, None] == y), dtype=np.float64)
        for x, y in zip(ours, theirs, strict=True)
    ]
    value = float(np.mean([win.mean() for win in wins]))

    def resampled(generator: np.random.Generator, n: int) -> Floats:
        total = np.zeros(n)
        for win in wins:
            rows = _weights(generator, n, win.shape[0])
            columns = _weights(generator, n, win.shape[1])
            # w_xᵀ W w_y of each resample, without the (n, n_x, n_y) of an einsum.
            total += ((rows @ win) * columns).sum(1)
        return total / len(wins)

    both = [*ours, *theirs]
    return _interval(value, both, resampled, confidence, n_resamples, rng)


def performance_profile(
    strata: Strata,
    thresholds: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    rng: np.random.Generator | int = 0,
) -> Profile:
    """Computes the share of runs that score more than each threshold.

    The thresholds are scores τ, shape (n_thresholds,). The share is the mean over
    environments, its bounds are pointwise.
    """
    samples = _checked(strata)
    taus = np.asarray(thresholds, dtype=np.float64)
    # (n_runs, n_thresholds) of each environment
    above = [(sample[:, None] > taus).astype(np.float64) for sample in samples]
    fraction = np.mean([share.mean(0) for share in above], axis=0)
    if max(map(len, samples)) < 2:
        bounds = np.full((2, len(taus)), np.nan)
        return Profile(taus, fraction, bounds[0], bounds[1])
    generator = seeding.make_rng(rng)
    total = np.zeros((n_resamples, len(taus)))
    for share in above:
        total += _weights(generator, n_resamples, len(share)) @ share
    low, high = _percentiles(total / len(above), confidence)
    return Profile(taus, fraction, low, high)


def _interquartile_mean(scores: Floats) -> Floats:
    """The mean over the last axis without the lowest and the highest quarter."""
    n = scores.shape[-1]
    cut = n // 4
    middle = np.sort(scores, axis=-1)[..., cut : n - cut]
    return np.asarray(middle.mean(-1), dtype=np.float64)


def _weights(generator: np.random.Generator, n: int, n_runs: int) -> Floats:
    """Resamples of n_runs runs as weights that add up to 1, shape (n, n_runs)."""
    counts = generator.multinomial(n_runs, np.full(n_runs, 1 / n_runs), size=n)
    return np.asarray(counts / n_runs, dtype=np.float64)


def _interval(
    value: float,
    samples: Sequence[Floats],
    resampled: Callable[[np.random.Generator, int], Floats],
    confidence: float,
    n_resamples: int,
    rng: np.random.Generator | int,
) -> Interval:
    """The value with the percentiles of its resamples, drawn in chunks."""
    if max(map(len, samples)) < 2:
        return Interval(value, float("nan"), float("nan"))
    generator = seeding.make_rng(rng)
    chunk = max(1, _CHUNK // sum(map(len, samples)))
    sizes = [min(chunk, n_resamples - done) for done in range(0, n_resamples, chunk)]
    values = np.concatenate([resampled(generator, size) for size in sizes])
    low, high = _percentiles(values, confidence)
    return Interval(value, float(low), float(high))


def _percentiles(values: Floats, confidence: float) -> tuple[Floats, Floats]:
    """The bounds that leave out equally many resamples at either end of axis 0."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail], axis=0)
    return low, high


def _checked(strata: Strata) -> list[Floats]:
    """The strata as arrays, at least one run in each."""
    samples = [np.asarray(stratum, dtype=np.float64) for stratum in strata]
    if not samples or any(s.ndim != 1 or s.size == 0 for s in samples):
        raise DataError(
            "scores must hold at least one environment with at least one run each, "
            f"got arrays of shapes {[s.shape for s in samples]}"
        )
    if not all(np.isfinite(sample).all() for sample in samples):
        raise DataError("scores must be finite; leave out the runs that have none")
    return samples
