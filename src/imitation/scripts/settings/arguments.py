"""Classes and keyword arguments in settings: found, and checked for their names."""

import contextlib
import importlib
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from imitation.errors import ConfigError, ImitationError
from imitation.scripts.settings.conversion import class_path
from imitation.scripts.settings.nested import Config, ConfigDict

_CLASS_KEYS = ("_class", "_cls", "_fn", "_layer", "activation")


def load_class(path: str, base: type, name: str) -> type[Any]:
    """Imports a class named in the settings and checks what it is.

    Raises:
        ConfigError: there is no such class or it does not derive from `base`.
    """
    module_name, _, attribute = path.partition(":")
    try:
        found: object = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{name}={path!r} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(
            f"{name} must name a subclass of {base.__name__}, got {path!r}"
        )
    return found


def load_classes(kwargs: Config, base: type, name: str) -> ConfigDict:
    """Replaces class names in keyword arguments by the classes.

    A string of the form "module:attribute" or "module.attribute" under a key that ends
    in ``_class``, ``_cls``, ``_fn`` or ``_layer``, or is ``activation``, names a class,
    at any depth.

    Args:
        kwargs: keyword arguments as they stand in the settings.
        base: the class that every named class must derive from.
        name: the dotted name of the setting, for error messages.

    Returns:
        A copy with the classes in place.

    Raises:
        ConfigError: a named class does not exist or does not derive from `base`.
    """
    loaded: ConfigDict = {}
    for key, value in kwargs.items():
        where = f"{name}.{key}"
        if isinstance(value, Mapping):
            loaded[key] = load_classes(value, base, where)
        elif str(key).endswith(_CLASS_KEYS) and class_path(value)[0]:
            loaded[key] = load_class(class_path(value)[1], base, where)
        else:
            loaded[key] = value
    return loaded


@contextlib.contextmanager
def building(what: str) -> Iterator[None]:
    """Explains what a constructor says about arguments that come from settings.

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
    kwargs: Mapping[str, object],
    function: Callable[..., object],
    name: str,
    filled: Collection[str] = (),
) -> None:
    """Checks that a function has arguments of the names given in a setting.

    A class stands for its constructor; `filled` are arguments that the command fills in
    itself.

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


def _parameters(function: Callable[..., object]) -> Iterator[str]:
    """Yields the names of the arguments, also of those passed on to base classes."""
    constructors: list[Callable[..., object]] = [function]
    if isinstance(function, type):
        classes = function.__mro__
        constructors = [
            c.__dict__["__init__"] for c in classes if "__init__" in vars(c)
        ]
    for constructor in constructors:
        parameters = inspect.signature(constructor).parameters.values()
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        yield from (p.name for p in parameters if p.kind not in variable)
        # Without **kwargs nothing reaches the constructor of the next base class.
        if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters):
            return
