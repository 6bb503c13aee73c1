"""Slow versions of the aggregates, one resample at a time, written from the paper."""

import numpy as np


def iqm(strata):
    scores = sorted(score for stratum in strata for score in stratum)
    cut = len(scores) // 4
    middle = scores[cut : len(scores) - cut]
    return sum(middle) / len(middle)


def mean(strata):
    return sum(sum(s) / len(s) for s in strata) / len(strata)


def improvement(strata, baseline):
    shares = []
    for xs, ys in zip(strata, baseline, strict=True):
        won = 0.0
        for x in xs:
            for y in ys:
                won += 1.0 if x > y else 0.5 if x == y else 0.0
        shares.append(won / (len(xs) * len(ys)))
    return sum(shares) / len(shares)


def profile(strata, threshold):
    return mean([[float(score > threshold) for score in s] for s in strata])


def resample(rng, strata):
    return [[s[i] for i in rng.integers(len(s), size=len(s))] for s in strata]


def interval(statistic, groups, n_resamples, seed, confidence=0.95):
    """Percentiles of a statistic of groups of strata, all resampled."""
    rng = np.random.default_rng(seed)
    values = [
        statistic(*(resample(rng, group) for group in groups))
        for _ in range(n_resamples)
    ]
    tail = (1 - confidence) / 2
    return np.quantile(values, [tail, 1 - tail])
