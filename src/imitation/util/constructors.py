"""Remembering the arguments that an object was constructed with.

Saving a network as its class, its constructor arguments and its tensors needs no
pickle, but needs the arguments, which PyTorch modules do not keep.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import gymnasium as gym
import numpy as np
from torch import nn

C = TypeVar("C", bound=type)

_ATTRIBUTE = "_constructor_arguments"
_MARK = "_remembers_arguments"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """The arguments of a constructor call.

    Holds JSON values, spaces, classes and modules, in lists and dictionaries of their
    own; in the place of everything else there is an `Unsavable`.
    """

    args: tuple[Any, ...]
    """The positional arguments."""

    kwargs: dict[str, Any]
    """The keyword arguments."""


@dataclasses.dataclass(frozen=True)
class Unsavable:
    """Stands for an argument that is not kept, so that copying stays cheap."""

    type_name: str
    """The type of the argument."""


def remember_arguments(cls: C) -> C:
    """Lets every new instance of a class remember its arguments.

    Args:
        cls: a class whose instances have a ``__dict__``. The arguments of the outermost
            constructor count: those of a subclass, if that remembers its own. Iterators
            among them reach the constructor as lists.

    Returns:
        `cls` itself, changed.
    """
    construct = cls.__init__  # type: ignore[misc]  # of this very class
    if hasattr(construct, _MARK):
        return cls

    @functools.wraps(construct)
    def remembering(self: Any, *args: Any, **kwargs: Any) -> None:
        # An iterator would be used up when it is time to save it.
        args = tuple(list(a) if isinstance(a, Iterator) else a for a in args)
        kwargs = {
            k: list(v) if isinstance(v, Iterator) else v for k, v in kwargs.items()
        }
        # Set already: this is a base class's constructor, called by the outermost one.
        if _ATTRIBUTE not in vars(self):
            # Into __dict__, since modules refuse attributes before their constructor.
            vars(self)[_ATTRIBUTE] = Arguments(
                tuple(_kept(a) for a in args), {k: _kept(v) for k, v in kwargs.items()}
            )
        construct(self, *args, **kwargs)

    setattr(remembering, _MARK, True)
    setattr(cls, "__init__", remembering)  # noqa: B010  # mypy forbids the assignment
    return cls


def remembered_arguments(value: object) -> Arguments | None:
    """Returns what an object was constructed with, None if that is not known."""
    found = vars(value).get(_ATTRIBUTE)
    return found if isinstance(found, Arguments) else None


def _kept(value: Any) -> Any:
    """Copies containers and drops what cannot be saved."""
    # JSON holds Python's numbers, not NumPy's.
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple | range | nn.ModuleList):
        return [_kept(item) for item in value]
    if value is None or isinstance(
        value, bool | int | float | str | type | gym.Space | nn.Module
    ):
        return value
    if isinstance(value, Mapping):  # which some spaces are, too
        return {key: _kept(item) for key, item in value.items()}
    return Unsavable(type(value).__name__)
