"""One-line errors about settings, for what only their users can judge."""

import contextlib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from imitation.errors import ConfigError, ImitationError

__all__ = ["building", "check_keys", "require"]


def require(condition: bool, name: str, expected: str, value: Any) -> None:
    """Raises a one-line error unless a setting is as it should be.

    Args:
        condition: whether the value is acceptable.
        name: the dotted name of the setting, such as "rl.batch_size".
        expected: what it must be, such as "a positive integer".
        value: what it is.

    Raises:
        ConfigError: `condition` is false.
    """
    if not condition:
        raise ConfigError(f"{name} must be {expected}, got {value!r}")


@contextlib.contextmanager
def building(what: str) -> Iterator[None]:
    """Explains what a constructor says about arguments that come from settings.

    Args:
        what: what the block builds, with the names of the settings.

    Raises:
        ConfigError: the block raised a TypeError, a ValueError or an AssertionError.
    """
    try:
        yield
    except ImitationError:
        raise
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigError(f"cannot build {what}: {error}") from error


def check_keys(
    kwargs: Mapping[str, Any],
    function: Callable[..., Any],
    name: str,
    filled: Collection[str] = (),
) -> None:
    """Checks that a function has arguments of the names given in a setting.

    Args:
        kwargs: keyword arguments as they stand in the settings.
        function: what will get them; a class stands for its constructor.
        name: the dotted name of the setting.
        filled: arguments that the command fills in itself.

    Raises:
        ConfigError: an argument is unknown or not for the user.
    """
    taken = {"self", *filled}
    known = {
        key
        for key in _parameters(function)
        if key not in taken and not key.startswith("_")
    }
    for key in kwargs:
        if key not in known:
            raise ConfigError(
                f"{name}.{key} is not known; possible are {', '.join(sorted(known))}"
            )


def _parameters(function: Callable[..., Any]) -> Iterator[str]:
    """The names of the arguments, also of those passed on to base classes."""
    constructors = [function]
    if isinstance(function, type):
        classes = function.__mro__
        constructors = [
            c.__dict__["__init__"] for c in classes if "__init__" in vars(c)
        ]
    for constructor in constructors:
        parameters = inspect.signature(constructor).parameters.values()
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        yield from (p.name for p in parameters if p.kind not in variable)
        if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters):
            return
