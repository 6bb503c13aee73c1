"""Normalized scores and their intervals."""

import dataclasses
import math
import random
from typing import Any

import numpy as np
import pytest

from imitation.errors import DataError
from imitation.reports.statistics import normalized_interval

RNG = np.random.default_rng(0)
SCORES = RNG.normal(-160, 90, size=50)
EXPERT = RNG.normal(-150, 80, size=50)
RANDOM = RNG.normal(-1200, 250, size=40)


def bounds(interval: Any) -> np.ndarray:
    return np.array(dataclasses.astuple(interval)[1:])


def slow_percentiles(draw: Any, n: int = 4000) -> np.ndarray:
    """The bootstrap in plain Python: sort the resampled statistics, cut off 2.5%."""
    values = sorted(draw() for _ in range(n))
    return np.array([values[round(0.025 * n)], values[round(0.975 * n) - 1]])


def resampled_mean(sample: Any, rng: Any) -> Any:
    return sum(rng.choices(list(sample), k=len(sample))) / len(sample)


def test_normalized_interval_agrees_with_a_slow_bootstrap() -> None:
    rng = random.Random(2)

    def draw() -> Any:
        score, expert, low = (
            resampled_mean(group, rng) for group in (SCORES, EXPERT, RANDOM)
        )
        return (score - low) / (expert - low)

    slow = slow_percentiles(draw)
    fast = normalized_interval(SCORES, EXPERT, RANDOM)
    np.testing.assert_allclose(bounds(fast), slow, atol=0.06 * (slow[1] - slow[0]))
    low = RANDOM.mean()
    assert fast.value == pytest.approx((SCORES.mean() - low) / (EXPERT.mean() - low))


def test_normalized_interval_does_not_depend_on_the_scale() -> None:
    groups: Any = (SCORES, EXPERT, RANDOM)
    stretched = normalized_interval(*(0.1 * group - 5 for group in groups))
    np.testing.assert_allclose(
        dataclasses.astuple(stretched),
        dataclasses.astuple(normalized_interval(*groups)),
    )


def test_equal_returns_have_an_interval_of_no_width() -> None:
    perfect = normalized_interval([500.0] * 50, [500.0] * 50, RANDOM)
    np.testing.assert_allclose(dataclasses.astuple(perfect), 1.0)


def test_one_episode_has_no_interval() -> None:
    assert math.isnan(normalized_interval([1.0, 2.0], [3.0, 4.0], [0.0]).low)


def test_resamples_without_a_scale_leave_the_value_and_no_interval() -> None:
    for scores, value in (([1.0, 0.0], 0.5), ([-2.0, 0.0], -1.0)):
        interval = normalized_interval(scores, [2.0, 0.0], [0.0, 0.0])
        assert interval.value == value
        assert math.isnan(interval.low)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (([], [1.0], [0.0]), "scores must hold"),
        (([1.0], [], [0.0]), "expert must hold"),
        (([1.0], [1.0], [[0.0]]), r"random must hold.*\(1, 1\)"),
        (([math.nan], [1.0], [0.0]), "scores must be finite, got nan"),
        (([1.0], [math.inf], [0.0]), "expert must be finite, got inf"),
        (([1.0], [2.0, 4.0], [3.0]), "same mean return, 3: there is no scale"),
    ],
)
def test_malformed_returns(groups: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        normalized_interval(*groups)
