"""Tests of the statistical judgement of improvement."""

import doctest
import itertools

import numpy as np
import pytest

from imitation.testing import reward_improvement
from imitation.testing.reward_improvement import (
    is_significant_reward_improvement,
    mean_reward_improved_by,
)


def test_docstring_examples() -> None:
    results = doctest.testmod(reward_improvement)
    assert results.attempted >= 5
    assert results.failed == 0


def exact_p_value(old: list[float], new: list[float]) -> float:
    """Share of all splits of the pooled returns at least as favourable to the new."""
    pooled = np.array(old + new)
    n_old = len(old)
    observed = np.mean(old) - np.mean(new)
    splits = itertools.combinations(range(len(pooled)), n_old)
    differences = []
    for split in splits:
        is_old = np.isin(np.arange(len(pooled)), split)
        differences.append(pooled[is_old].mean() - pooled[~is_old].mean())
    return float(np.mean(np.array(differences) <= observed + 1e-12))


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_exact_permutation_distribution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    old = rng.integers(0, 10, size=5).astype(float).tolist()
    new = rng.integers(2, 12, size=4).astype(float).tolist()
    p = exact_p_value(old, new)
    assert 0 < p < 1
    assert is_significant_reward_improvement(old, new, p_value=p + 1e-6)
    assert not is_significant_reward_improvement(old, new, p_value=p - 1e-6)


def test_is_one_sided_takes_iterators_and_repeats() -> None:
    rng = np.random.default_rng(0)
    worse, better = rng.normal(size=30), rng.normal(loc=2, size=30)
    assert is_significant_reward_improvement(iter(worse), iter(better))
    assert not is_significant_reward_improvement(better, worse)
    assert not is_significant_reward_improvement(worse, worse)


def test_mean_improvement() -> None:
    assert mean_reward_improved_by(iter([1.0]), iter([2.0]), 1)
    assert not mean_reward_improved_by([1.0], [2.0], 1.01)
    assert mean_reward_improved_by([1.0], [0.5], -0.5)


@pytest.mark.parametrize(
    ("old", "new"), [([], [1, 2]), ([1, 2], []), ([1, np.nan], [1, 2]), ([1], [1, 2])]
)
def test_refuses_samples_it_cannot_judge(old: list[float], new: list[float]) -> None:
    with pytest.raises(ValueError, match="finite returns"):
        is_significant_reward_improvement(old, new)


@pytest.mark.parametrize("p_value", [0, 1, -1, np.nan])
def test_refuses_p_value(p_value: float) -> None:
    with pytest.raises(ValueError, match="p_value"):
        is_significant_reward_improvement([1, 2], [3, 4], p_value)


def test_mean_refuses_empty_samples() -> None:
    with pytest.raises(ValueError, match="finite returns"):
        mean_reward_improved_by([], [1], 0)
