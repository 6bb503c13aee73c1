"""Values of settings: which type each has, in words too, and as plain data."""

import collections.abc
import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, NewType

from imitation.scripts.settings.nested import ConfigDict

# The name of a class, "module:attribute"; "module.attribute" is understood too.
ClassPath = NewType("ClassPath", str)

_CLASS_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def to_config(settings: Any) -> ConfigDict:
    """Turns settings into nested dicts of plain values; classes become their names."""
    return {
        field.name: plain(getattr(settings, field.name))
        for field in dataclasses.fields(settings)
    }


def convert(value: object, hint: object) -> tuple[bool, Any]:
    """Returns whether a value fits a type, and the value in that type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        # The first type that fits wins, so that 1 stays an int in int | float.
        for option in args:
            matched, converted = convert(value, option)
            if matched:
                return True, converted
        return False, value
    if origin is typing.Literal:
        return value in args, value
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, collections.abc.Sequence):
            return False, value
        # tuple[X, ...] only; no setting has items of different types.
        pairs = [convert(item, args[0]) for item in value]
        return all(matched for matched, _ in pairs), tuple(item for _, item in pairs)
    if origin is collections.abc.Mapping:
        if not isinstance(value, Mapping):
            return False, value
        return True, plain(value)
    return _convert_scalar(value, hint)


def _convert_scalar(value: Any, hint: object) -> tuple[bool, object]:
    """The part of `convert` for single values."""
    if hint is Any:
        return True, plain(value)
    if hint is ClassPath:
        return class_path(value)
    if hint is bool or hint is str or hint is type(None):
        return isinstance(value, hint), value
    # bool is an int to Python, and a mistake in a number here.
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        # 1e6 on the command line is a float; NaN and infinity are not whole.
        whole = number and (isinstance(value, int) or value.is_integer())
        return whole, int(value) if whole else value
    assert hint is float, f"no rule for a setting of type {hint}"
    return number, float(value) if number else value


def class_path(value: object) -> tuple[bool, Any]:
    """Brings a class or its name to the form "module:attribute"."""
    if isinstance(value, type):
        return True, ClassPath(f"{value.__module__}:{value.__qualname__}")
    if not isinstance(value, str):
        return False, value
    if ":" not in value:
        value = ":".join(value.rsplit(".", 1))
    return _CLASS_NAME.fullmatch(value) is not None, ClassPath(value)


def describe(hint: object) -> str:
    """A type in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(option) for option in args)
    if origin is typing.Literal:
        return "one of " + ", ".join(repr(arg) for arg in args)
    if origin is tuple:
        return f"a list of {describe(args[0])}"
    if origin is collections.abc.Mapping:
        return "a dict"
    words: dict[Any, str] = {
        Any: "anything",
        bool: "True or False",
        int: "a whole number",
        float: "a number",
        str: "a string",
        type(None): "None",
        ClassPath: 'a class name such as "package.module:Class"',
    }
    return words[hint]


def plain(value: object) -> Any:
    """A deep copy in plain values: settings and mappings → dict, classes → names."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_config(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    return value
