"""Docstrings with parameters, and clearing the terminal."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["clear_screen", "docstring_parameter"]

T = TypeVar("T")


def docstring_parameter(*args: Any, **kwargs: Any) -> Callable[[T], T]:
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
    sys.stdout.write("\033[2J\033[3J\033[H")
    sys.stdout.flush()
