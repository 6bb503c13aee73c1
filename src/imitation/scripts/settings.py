"""Typed settings: nested frozen dataclasses built from plain nested mappings.

A command's settings are one frozen dataclass whose fields are numbers, strings,
mappings or further settings (one per ingredient). This module turns the mapping that
the command line produces into such an object and back, and explains in one line what
is wrong with a mapping that does not fit. It knows neither Sacred nor torch.
"""

import ast
import collections.abc
import contextlib
import copy
import dataclasses
import difflib
import functools
import importlib
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NewType, TypeVar

from imitation.errors import ConfigError, ImitationError

__all__ = [
    "ClassPath",
    "build",
    "building",
    "check_keys",
    "expand_dotted",
    "field_docs",
    "flatten",
    "load_class",
    "load_classes",
    "merge",
    "require",
    "sub_settings",
    "to_config",
]

T = TypeVar("T")

ClassPath = NewType("ClassPath", str)
"""The name of a class, "module:attribute"; "module.attribute" is understood too."""

_CLASS_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_CLASS_KEYS = ("_class", "_cls", "_fn")


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
    known = [
        key
        for key in inspect.signature(function).parameters
        if key not in taken and not key.startswith("_")
    ]
    for key in kwargs:
        if key not in known:
            raise ConfigError(
                f"{name}.{key} is not known; possible are {', '.join(sorted(known))}"
            )


def build(cls: type[T], config: Mapping[str, Any], path: str = "") -> T:
    """Builds settings from a nested mapping, with the class's defaults for the rest.

    Args:
        cls: a dataclass.
        config: values by field name; mappings for fields that are settings.
        path: the dotted name under which `cls` lives, for error messages.

    Returns:
        An instance of `cls`.

    Raises:
        ConfigError: a key is unknown or a value has the wrong type or range.
    """
    hints = _hints(typing.cast(type, cls))
    values: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{path}.{key}" if path else str(key)
        if key not in hints:
            raise ConfigError(_unknown(name, path, hints))
        values[key] = _coerce(value, hints[key], name)
    return cls(**values)


def to_config(settings: Any) -> dict[str, Any]:
    """Turns settings into nested dicts of plain values; classes become their names."""
    return {
        field.name: _plain(getattr(settings, field.name))
        for field in dataclasses.fields(settings)
    }


def merge(base: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """Merges two nested mappings; `update` wins, neither is changed."""
    merged = copy.deepcopy(dict(base))
    for key, value in update.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            merged[key] = merge(old, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def expand_dotted(config: Mapping[str, Any]) -> dict[str, Any]:
    """Nests keys written with dots: `{"rl.batch_size": 8}` → `{"rl": {...}}`."""
    expanded: dict[str, Any] = {}
    for key, value in config.items():
        inner = expand_dotted(value) if isinstance(value, Mapping) else value
        for part in reversed(str(key).split(".")):
            inner = {part: inner}
        expanded = merge(expanded, inner)
    return expanded


def flatten(config: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the dotted name and value of every leaf of a nested mapping."""
    for key, value in config.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from flatten(value, name)
        else:
            yield name, value


def sub_settings(cls: type) -> dict[str, type]:
    """Returns the fields of a settings class that are settings themselves."""
    return {
        name: typing.cast(type, hint)
        for name, hint in _hints(cls).items()
        if dataclasses.is_dataclass(hint)
    }


@functools.cache
def field_docs(cls: type) -> dict[str, str]:
    """Returns the docstring under each field of a settings class, bases included.

    Args:
        cls: a dataclass whose source is available.

    Returns:
        One line of text per documented field.
    """
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        definition = tree.body[0]
        assert isinstance(definition, ast.ClassDef)
        for node, after in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                text = _docstring(after)
                if text:
                    docs[node.target.id] = text
    return docs


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
    in ``_class``, ``_cls`` or ``_fn`` names a class, at any depth.

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
        elif str(key).endswith(_CLASS_KEYS) and _convert_class(value)[0]:
            loaded[key] = load_class(_convert_class(value)[1], base, where)
        else:
            loaded[key] = value
    return loaded


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """The resolved type of each field of a dataclass."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _unknown(name: str, path: str, hints: Mapping[str, Any]) -> str:
    """The message about a key that no setting has, with close matches."""
    choices = [f"{path}.{key}" if path else key for key in hints]
    close = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    if close:
        return f"unknown setting {name!r}; did you mean {' or '.join(close)}?"
    return f"unknown setting {name!r}; known are {', '.join(choices)}"


def _coerce(value: Any, hint: Any, name: str) -> Any:
    """Converts a value to the type of its field, or raises a one-line error."""
    if dataclasses.is_dataclass(hint):
        if isinstance(value, Mapping):
            return build(typing.cast(type, hint), value, name)
        raise ConfigError(f"{name} is a group of settings, got {value!r}; set its keys")
    matched, converted = _convert(value, hint)
    if not matched:
        raise ConfigError(f"{name} must be {_describe(hint)}, got {value!r}")
    return converted


def _convert(value: Any, hint: Any) -> tuple[bool, Any]:
    """Whether a value fits a type, and the value in that type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for option in args:
            matched, converted = _convert(value, option)
            if matched:
                return True, converted
        return False, value
    if origin is typing.Literal:
        return value in args, value
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, collections.abc.Sequence):
            return False, value
        pairs = [_convert(item, args[0]) for item in value]
        return all(matched for matched, _ in pairs), tuple(item for _, item in pairs)
    if origin is collections.abc.Mapping:
        if not isinstance(value, Mapping):
            return False, value
        return True, _plain(value)
    return _convert_scalar(value, hint)


def _convert_scalar(value: Any, hint: Any) -> tuple[bool, Any]:
    """The part of `_convert` for single values."""
    if hint is Any:
        return True, _plain(value)
    if hint is ClassPath:
        return _convert_class(value)
    if hint is bool or hint is str or hint is type(None):
        return isinstance(value, hint), value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        whole = number and (isinstance(value, int) or value.is_integer())
        return whole, int(value) if whole else value
    assert hint is float, f"no rule for a setting of type {hint}"
    return number, float(value) if number else value


def _convert_class(value: Any) -> tuple[bool, Any]:
    """Brings a class or its name to the form "module:attribute"."""
    if isinstance(value, type):
        return True, ClassPath(f"{value.__module__}:{value.__qualname__}")
    if not isinstance(value, str):
        return False, value
    if ":" not in value:
        value = ":".join(value.rsplit(".", 1))
    return _CLASS_NAME.fullmatch(value) is not None, ClassPath(value)


def _describe(hint: Any) -> str:
    """A type in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_describe(option) for option in args)
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(arg) for arg in args)
    if origin is tuple:
        return f"a list of {_describe(args[0])}"
    if origin is collections.abc.Mapping:
        return "a dict"
    words: dict[Any, str] = {
        bool: "True or False",
        int: "a whole number",
        float: "a number",
        str: "a string",
        type(None): "None",
        ClassPath: 'a class name such as "package.module:Class"',
    }
    return words[hint]


def _plain(value: Any) -> Any:
    """A deep copy in plain values: settings and mappings → dict, classes → names."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_config(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    return value


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


def _docstring(node: ast.stmt) -> str | None:
    """The text of a string statement, on one line."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        text = node.value.value
        return " ".join(text.split()) if isinstance(text, str) else None
    return None
