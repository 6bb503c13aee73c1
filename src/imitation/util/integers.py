"""Rounding to integers under a constraint on their sum."""

import numpy as np

from imitation.errors import DataError

__all__ = ["oric", "split_in_half"]


def oric(x: np.ndarray) -> np.ndarray:
    """Rounds numbers to integers so that their sum stays the same.

    "Optimal rounding under integer constraints" (https://arxiv.org/abs/1501.00014):
    round all down, then round up those with the largest fractional parts until the sum
    is right. Among all integer vectors with that sum the result is the nearest to `x`
    in every Lp norm with p ≥ 1. Of equal fractions, the earlier elements are rounded
    up. Takes O(n log n) time.

    Args:
        x: shape (n,), finite, with a sum that is an integer up to rounding error.

    Returns:
        Integer array of shape (n,) with the sum of `x`.

    Raises:
        ValueError: `x` is not one-dimensional and finite, or its sum no integer.
    """
    x = np.asarray(x)
    if x.ndim != 1 or not np.all(np.isfinite(x)):
        raise DataError(f"oric rounds a 1-D array of finite numbers, got {x!r}")
    total = x.sum(dtype=np.float64)
    if abs(total - np.rint(total)) > 1e-6 * max(1.0, np.abs(x).sum(dtype=np.float64)):
        raise DataError(f"oric needs numbers whose sum is an integer, got {total}")
    floor = np.floor(x)
    rounded: np.ndarray = floor.astype(np.int64)
    n_up = int(np.rint(total)) - int(rounded.sum())
    largest_fractions = np.argsort(floor - x, kind="stable")[:n_up]
    rounded[largest_fractions] += 1
    return rounded


def split_in_half(x: int) -> tuple[int, int]:
    """Splits an integer into two halves, the second larger by one if `x` is odd.

    >>> split_in_half(5)
    (2, 3)

    Args:
        x: any integer.

    Returns:
        Two integers that sum to `x`.
    """
    half = x // 2
    return half, x - half
