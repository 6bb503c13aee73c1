"""Nested mappings with dotted names."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

# Settings by name, nested or dotted: plain values as JSON has them, and classes.
Config: TypeAlias = Mapping[str, Any]
ConfigDict: TypeAlias = dict[str, Any]
# Named configs.
Presets: TypeAlias = Mapping[str, Config]


def merge(base: Config, update: Config) -> ConfigDict:
    """Merges two nested mappings; `update` wins, neither is changed."""
    merged = copy.deepcopy(dict(base))
    for key, value in update.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            merged[key] = merge(old, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def expand_dotted(config: Config) -> ConfigDict:
    """Nests keys written with dots: `{"rl.batch_size": 8}` → `{"rl": {...}}`."""
    expanded: ConfigDict = {}
    for key, value in config.items():
        inner = expand_dotted(value) if isinstance(value, Mapping) else value
        for part in reversed(str(key).split(".")):
            inner = {part: inner}
        expanded = merge(expanded, inner)
    return expanded


def flatten(config: Mapping[str, object], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the dotted name and value of every leaf of a nested mapping."""
    for key, value in config.items():
        name = f"{path}.{key}" if path else str(key)
        # An empty mapping is a leaf: it is what some defaults are.
        if isinstance(value, Mapping) and value:
            yield from flatten(value, name)
        else:
            yield name, value
