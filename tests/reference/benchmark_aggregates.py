"""Slow versions of the aggregates, one resample at a time, written from the paper."""

from typing import Any

import numpy as np


def iqm(strata: Any) -> Any:
    scores = sorted(score for stratum in strata for score in stratum)
    cut = len(scores) // 4
    middle = scores[cut : len(scores) - cut]
    return sum(middle) / len(middle)


def mean(strata: Any) -> Any:
    return sum(sum(s) / len(s) for s in strata) / len(strata)


def improvement(strata: Any, baseline: Any) -> Any:
    shares = []
    for xs, ys in zip(strata, baseline, strict=True):
        won = 0.0
        for x in xs:
            for y in ys:
                won += 1.0 if x > y else 0.5 if x == y else 0.0
        shares.append(won / (len(xs) * len(ys)))
    return sum(shares) / len(shares)


def profile(strata: Any, threshold: Any) -> Any:
    return mean([[float(score > threshold) for score in s] for s in strata])


def resample(rng: Any, strata: Any) -> Any:
    return [[s[i] for i in rng.integers(len(s), size=len(s))] for s in strata]


def interval(
    statistic: Any, groups: Any, n_resamples: Any, seed: Any, confidence: float = 0.95
) -> Any:
    """Percentiles of a statistic of groups of strata, all resampled."""
    rng = np.random.default_rng(seed)
    values = [
        statistic(*(resample(rng, group) for group in groups))
        for _ in range(n_resamples)
    ]
    tail = (1 - confidence) / 2
    return np.quantile(values, [tail, 1 - tail])
