"""Settings classes: instances from nested mappings, their groups and their texts."""

import ast
import dataclasses
import difflib
import functools
import inspect
import textwrap
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from imitation.errors import ConfigError
from imitation.scripts.settings.conversion import convert, describe

T = TypeVar("T")


def build(cls: type[T], config: Mapping[str, object], path: str = "") -> T:
    """Builds settings from a nested mapping, with the class's defaults for the rest.

    Raises:
        ConfigError: a key is unknown or a value has the wrong type or range.
    """
    hints = field_types(typing.cast(type, cls))
    values: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{path}.{key}" if path else str(key)
        if key not in hints:
            raise ConfigError(_unknown(name, path, hints))
        values[key] = _coerce(value, hints[key], name)
    return cls(**values)


def sub_settings(cls: type) -> dict[str, type]:
    """Returns the fields of a settings class that are settings themselves."""
    return {
        name: typing.cast(type, hint)
        for name, hint in field_types(cls).items()
        if dataclasses.is_dataclass(hint)
    }


@functools.cache
def field_docs(cls: type) -> dict[str, str]:
    """Returns the docstring under each field of a settings class, bases included.

    Returns:
        One line of text per documented field.
    """
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        # Python keeps no docstrings of attributes; Sphinx reads them in the same way.
        tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        definition = tree.body[0]
        assert isinstance(definition, ast.ClassDef)
        for node, after in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                text = _docstring(after)
                if text:
                    docs[node.target.id] = text
    return docs


@functools.cache
def field_types(cls: type) -> dict[str, Any]:
    """Returns the resolved type of each field of a dataclass."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _unknown(name: str, path: str, hints: Mapping[str, object]) -> str:
    """The message about a key that no setting has, with close matches."""
    choices = [f"{path}.{key}" if path else key for key in hints]
    close = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    if close:
        return f"unknown setting {name!r}; did you mean {' or '.join(close)}?"
    return f"unknown setting {name!r}; known are {', '.join(choices)}"


def _coerce(value: object, hint: object, name: str) -> object:
    """Converts a value to the type of its field, or raises a one-line error."""
    if dataclasses.is_dataclass(hint):
        if isinstance(value, Mapping):
            return build(typing.cast(type, hint), value, name)
        raise ConfigError(f"{name} is a group of settings, got {value!r}; set its keys")
    matched, converted = convert(value, hint)
    if not matched:
        raise ConfigError(f"{name} must be {describe(hint)}, got {value!r}")
    return converted


def _docstring(node: ast.stmt) -> str | None:
    """The text of a string statement, on one line."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        text = node.value.value
        return " ".join(text.split()) if isinstance(text, str) else None
    return None
