"""Classes that settings name."""

import importlib
from collections.abc import Mapping
from typing import Any

from imitation.errors import ConfigError
from imitation.scripts.settings.conversion import class_path

__all__ = ["load_class", "load_classes"]

_CLASS_KEYS = ("_class", "_cls", "_fn", "_layer", "activation")


def load_class(path: str, base: type, name: str) -> type[Any]:
    """Imports a class named in the settings and checks what it is.

    Args:
        path: "module:attribute" or "module.attribute".
        base: the class it must derive from.
        name: the dotted name of the setting, for error messages.

    Returns:
        The class.

    Raises:
        ConfigError: there is no such class or it does not derive from `base`.
    """
    found = _import(path, name)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(
            f"{name} must name a subclass of {base.__name__}, got {path!r}"
        )
    return found


def load_classes(kwargs: Mapping[str, Any], base: type, name: str) -> dict[str, Any]:
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
    loaded: dict[str, Any] = {}
    for key, value in kwargs.items():
        where = f"{name}.{key}"
        if isinstance(value, Mapping):
            loaded[key] = load_classes(value, base, where)
        elif str(key).endswith(_CLASS_KEYS) and class_path(value)[0]:
            loaded[key] = load_class(class_path(value)[1], base, where)
        else:
            loaded[key] = value
    return loaded


def _import(path: str, name: str) -> Any:
    """Imports what "module:attribute" names."""
    module_name, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{name}={path!r} cannot be imported: {error}") from error
    return found
