"""Looking at the first element of an iterable, and repeating one forever."""

import itertools
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from imitation.errors import DataError

__all__ = ["endless_iter", "get_first_iter_element"]

T = TypeVar("T")


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
    if not _length(iterable):
        get_first_iter_element(iterable)
    return itertools.chain.from_iterable(itertools.repeat(iterable))


def _length(iterable: Iterable[object]) -> int:
    """Returns the length, or 0 where it is unknown."""
    return len(iterable) if isinstance(iterable, Sized) else 0
