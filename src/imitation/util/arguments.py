"""Constructor arguments as JSON, for artifacts of policies and networks.

Scalars, lists and dictionaries stay as they are; spaces, classes and networks become
dictionaries with one key that says what they are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from torch import nn

from imitation.errors import ArtifactError
from imitation.util import artifacts, spaces
from imitation.util.artifacts import JSON
from imitation.util.constructors import Unsavable

_CLASS, _SPACE, _MODULE = "__class__", "__space__", "__module__"


def to_json(
    value: Any, name: str, number: Callable[[nn.Module], int] | None = None
) -> JSON:
    """Turns an argument into JSON values.

    Args:
        value: a scalar, a space, a class, a network, or lists and dictionaries of them.
        name: what to call the argument in an error, such as "the argument size".
        number: gives the place of a network in the list that `from_json` is called
            with; None if networks cannot be saved.

    Returns:
        What `from_json` turns back, but with lists in the place of tuples.

    Raises:
        ArtifactError: the argument is of another kind.
    """
    if isinstance(value, gym.Space):
        return {_SPACE: spaces.space_to_json(value)}
    if isinstance(value, type):
        return {_CLASS: artifacts.class_path(value)}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [to_json(item, name, number) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item, name, number) for key, item in value.items()}
    if isinstance(value, nn.Module) and number is not None:
        return {_MODULE: number(value)}
    kind = value.type_name if isinstance(value, Unsavable) else type(value).__name__
    networks = "" if number is None else ", networks"
    raise ArtifactError(
        f"{name} is a {kind}, which cannot be saved safely; use numbers, strings, "
        f"classes, spaces{networks}, or lists and dictionaries of them"
    )


def from_json(value: JSON, modules: Sequence[nn.Module] = ()) -> JSON:
    """Turns JSON values back into an argument.

    Args:
        value: what `to_json` returned, or what somebody else wrote.
        modules: the networks that it may refer to.

    Returns:
        The argument.

    Raises:
        ArtifactError: it names a class that is not known to be safe, or a network that
            is not there.
    """
    if isinstance(value, list):
        return [from_json(item, modules) for item in value]
    if not isinstance(value, dict):
        return value
    if _SPACE in value:
        return spaces.space_from_json(value[_SPACE])
    if _CLASS in value:
        cls = artifacts.resolve_class(value[_CLASS])
        # The constructor will call it: only what is safe to call may be named.
        safe = issubclass(cls, nn.Module | th.optim.Optimizer)
        if not (safe or artifacts.is_yours(cls)):
            raise ArtifactError(
                f"it names {value[_CLASS]!r} as an argument, which is neither a "
                "network nor an optimizer"
            )
        return cls
    if _MODULE in value:
        number = value[_MODULE]
        if not (isinstance(number, int) and 0 <= number < len(modules)):
            raise ArtifactError(
                f"it refers to network {number}, which does not come before"
            )
        return modules[number]
    return {key: from_json(item, modules) for key, item in value.items()}
