"""Judging whether an agent got better from samples of its returns."""

from collections.abc import Iterable

import numpy as np
from scipy import stats

from imitation.errors import DataError


def is_significant_reward_improvement(
    old_rewards: Iterable[float],
    new_rewards: Iterable[float],
    p_value: float = 0.05,
) -> bool:
    """Tests whether new returns are better than old ones beyond lucky sampling.

    A one-sided permutation test on the difference of means: if both samples came from
    one distribution, how often would exchanging returns between them give a difference
    as large as the observed one? Samples with more than 9999 different exchanges are
    judged by as many random ones, always the same.

    >>> is_significant_reward_improvement((5, 6, 7, 4, 4), (7, 5, 9, 9, 12))
    True
    >>> is_significant_reward_improvement((5, 6, 7, 4, 4), (7, 5, 9, 7, 4))
    False
    >>> is_significant_reward_improvement((5, 6, 7, 4, 4), (7, 5, 9, 7, 4), p_value=0.3)
    True

    Args:
        old_rewards: returns of episodes before training.
        new_rewards: returns of episodes after training.
        p_value: the largest tolerated probability of a false alarm, in (0, 1).

    Returns:
        True if the probability that the new returns are not better is below `p_value`.

    Raises:
        ValueError: a sample has fewer than two returns or one that is not finite, or
            `p_value` is out of range.
    """
    if not 0 < p_value < 1:
        raise DataError(f"p_value must lie between 0 and 1, got {p_value}")
    old = _returns("old_rewards", old_rewards, minimum=2)
    new = _returns("new_rewards", new_rewards, minimum=2)
    result = stats.permutation_test(
        (old, new),
        lambda old, new, axis: old.mean(axis=axis) - new.mean(axis=axis),
        vectorized=True,
        alternative="less",
        random_state=np.random.default_rng(0),
    )
    return bool(result.pvalue < p_value)


def mean_reward_improved_by(
    old_rews: Iterable[float], new_rews: Iterable[float], min_improvement: float
) -> bool:
    """Returns whether the mean return improved by at least some amount.

    >>> mean_reward_improved_by([5, 8, 7], [8, 9, 10], 2)
    True
    >>> mean_reward_improved_by([5, 8, 7], [8, 9, 10], 5)
    False

    Raises:
        ValueError: a sample is empty or has a return that is not finite.
    """
    old = _returns("old_rews", old_rews, minimum=1)
    new = _returns("new_rews", new_rews, minimum=1)
    return bool(new.mean() - old.mean() >= min_improvement)


def _returns(name: str, values: Iterable[float], minimum: int) -> np.ndarray:
    """Returns a checked float64 array of shape (n,)."""
    array = np.asarray(list(values), dtype=np.float64)
    if array.ndim != 1 or len(array) < minimum or not np.all(np.isfinite(array)):
        raise DataError(
            f"{name} must be at least {minimum} finite returns, got {array}"
        )
    return array
