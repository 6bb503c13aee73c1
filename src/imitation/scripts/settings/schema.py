"""Settings classes: instances from nested mappings, their groups and their texts."""

import ast
import dataclasses
import difflib
import functools
import inspect
import textwrap
import typing
from collections.abc import Mapping
from typing import TypeVar

from imitation.errors import ConfigError
from imitation.scripts.settings.conversion import convert, describe
from imitation.scripts.settings.nested import ConfigDict

T = TypeVar("T")


def build(cls: type[T], config: Mapping[str, object], path: str = "") -> T:
    """Builds settings from a nested mapping, with the class's defaults for the rest.

    Raises:
        ConfigError: a key is unknown or a value has the wrong type or range.
    """
    hints = field_types(typing.cast(type, cls))
    values: ConfigDict = {}
    for key, value in config.items():
        name = f"{path}.{key}" if path else str(key)
        if key not in hints:
            raise ConfigError(_unknown(name, path, hints))
        hint = hints[key]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise ConfigError(
                    f"{name} is a group of settings, got {value!r}; set its keys"
                )
            values[key] = build(typing.cast(type, hint), value, name)
            continue
        matched, values[key] = convert(value, hint)
        if not matched:
            raise ConfigError(f"{name} must be {describe(hint)}, got {value!r}")
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
                value = getattr(after, "value", None)
                if isinstance(after, ast.Expr) and isinstance(value, ast.Constant):
                    docs[node.target.id] = " ".join(str(value.value).split())
    return docs


@functools.cache
def field_types(cls: type) -> ConfigDict:
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
