"""Helpers under the paths of release 1.0: some live here, others in topical modules."""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

import numpy as np

from imitation.errors import DataError
from imitation.util.paths import (
    make_unique_timestamp,
    parse_optional_path,
    parse_path,
)
from imitation.util.policy_io import save_policy
from imitation.util.seeding import make_seeds
from imitation.util.tensors import safe_to_numpy, safe_to_tensor, tensor_iter_norm
from imitation.util.vec_envs import make_vec_env

__all__ = [
    "clear_screen",
    "docstring_parameter",
    "endless_iter",
    "get_first_iter_element",
    "make_seeds",
    "make_unique_timestamp",
    "make_vec_env",
    "oric",
    "parse_optional_path",
    "parse_path",
    "safe_to_numpy",
    "safe_to_tensor",
    "save_policy",
    "split_in_half",
    "tensor_iter_norm",
]

T = TypeVar("T")


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
    # In float64: float32 sums of many numbers may miss an integer.
    total = x.sum(dtype=np.float64)
    if abs(total - np.rint(total)) > 1e-6 * max(1.0, np.abs(x).sum(dtype=np.float64)):
        raise DataError(f"oric needs numbers whose sum is an integer, got {total}")
    floor = np.floor(x)
    rounded: np.ndarray = floor.astype(np.int64)
    n_up = int(np.rint(total)) - int(rounded.sum())
    # floor - x is minus the fractional part: the largest fractions sort first.
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


def get_first_iter_element(iterable: Iterable[T]) -> tuple[T, Iterable[T]]:
    """Returns the first element, and an iterable that still has all of them.

    Args:
        iterable: anything to iterate over; an iterator loses its first element.

    Returns:
        The first element, and `iterable` itself, or for an iterator a new one with
        the first element put back in front.

    Raises:
        ValueError: `iterable` is empty.
    """
    iterator = iter(iterable)
    try:
        first = next(iterator)
    except StopIteration:
        raise DataError(
            f"iterable {iterable} had no elements to iterate over."
        ) from None
    if isinstance(iterable, Iterator):
        return first, itertools.chain([first], iterator)
    return first, iterable


def endless_iter(iterable: Iterable[T]) -> Iterator[T]:
    """Yields the elements of `iterable` again and again, without storing them.

    >>> elements = endless_iter(range(2))
    >>> [next(elements) for _ in range(5)]
    [0, 1, 0, 1, 0]

    Args:
        iterable: what to iterate over, afresh each time its end is reached. An
            iterable without a length is iterated over once more, for its first
            element, to find out whether it has any.

    Returns:
        An iterator without an end.

    Raises:
        ValueError: `iterable` is empty, or is an iterator and so cannot restart.
    """
    if isinstance(iterable, Iterator):
        raise DataError(
            "endless_iter needs a non-iterator Iterable. Got "
            f"{type(iterable).__name__}, which can be iterated over only once; pass a "
            "list or another collection."
        )
    # repeat() of an empty iterable would loop forever without yielding.
    if not (isinstance(iterable, Sized) and len(iterable)):
        get_first_iter_element(iterable)
    return itertools.chain.from_iterable(itertools.repeat(iterable))


def docstring_parameter(*args: object, **kwargs: object) -> Callable[[T], T]:
    """Makes a decorator that formats a docstring with these arguments.

    >>> @docstring_parameter(default=3)
    ... def f():
    ...     '''Waits {default} seconds.'''
    >>> f.__doc__
    'Waits 3 seconds.'

    Args:
        *args: for the positional fields of the docstring.
        **kwargs: for the named fields of the docstring.

    Returns:
        A decorator for a class or function; without a docstring it changes nothing.
    """

    def decorate(obj: T) -> T:
        if obj.__doc__ is not None:
            obj.__doc__ = obj.__doc__.format(*args, **kwargs)
        return obj

    return decorate


def clear_screen() -> None:
    """Clears the terminal and moves the cursor to its top left corner."""
    # ANSI: erase the screen (2J) and the scrollback (3J), move home (H).
    sys.stdout.write("\033[2J\033[3J\033[H")
    sys.stdout.flush()
