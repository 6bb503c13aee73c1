"""Means and their bootstrap intervals."""

import dataclasses
import math
import random

import numpy as np
import pytest

from imitation.errors import DataError
from imitation.util.statistics import Interval, bootstrap_interval, mean_interval

RNG = np.random.default_rng(0)
SCORES = RNG.normal(-160, 90, size=50)


def bounds(interval: Interval) -> np.ndarray:
    return np.array([interval.low, interval.high])


def test_mean_interval_agrees_with_a_slow_bootstrap() -> None:
    rng = random.Random(1)
    n, values = 4000, list(SCORES)
    means = sorted(sum(rng.choices(values, k=50)) / 50 for _ in range(n))
    slow = np.array([means[round(0.025 * n)], means[round(0.975 * n) - 1]])
    width = slow[1] - slow[0]
    np.testing.assert_allclose(bounds(mean_interval(SCORES)), slow, atol=0.06 * width)


def test_mean_interval_is_about_normal_for_many_episodes() -> None:
    sample = RNG.normal(size=1000)
    expected = sample.mean() + np.array([-1.96, 1.96]) * sample.std() / np.sqrt(1000)
    np.testing.assert_allclose(bounds(mean_interval(sample)), expected, atol=0.006)


def test_mean_interval_moves_and_stretches_with_the_returns() -> None:
    moved = bounds(mean_interval(3 * SCORES + 7))
    np.testing.assert_allclose(moved, 3 * bounds(mean_interval(SCORES)) + 7)


def test_more_confidence_is_wider() -> None:
    narrow, wide = (bounds(mean_interval(SCORES, c)) for c in (0.5, 0.95))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_the_same_returns_give_the_same_interval() -> None:
    assert mean_interval(SCORES) == mean_interval(list(SCORES))


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert dataclasses.astuple(mean_interval([500.0] * 50)) == (500, 500, 500)


def test_single_value_has_no_interval() -> None:
    interval = mean_interval([3.0])
    assert interval.value == 3.0
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_samples_are_resampled_independently() -> None:
    """The difference of two means has the sum of their variances."""
    n = 400
    samples = {"a": RNG.normal(size=n), "b": RNG.normal(size=n)}
    found = bootstrap_interval(
        samples, lambda a, b, axis=-1: a.mean(axis) - b.mean(axis)
    )
    expected = 1.96 * np.sqrt((samples["a"].var() + samples["b"].var()) / n)
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "values must hold at least one value"),
        ([[0.0]], r"values must hold.*\(1, 1\)"),
        ([1.0, math.nan], "values must be finite, got nan"),
    ],
)
def test_malformed_values(values: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        mean_interval(values)
