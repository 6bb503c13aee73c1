"""Nested mappings with dotted names."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any


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


def flatten(config: Mapping[str, object], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the dotted name and value of every leaf of a nested mapping."""
    for key, value in config.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from flatten(value, name)
        else:
            yield name, value
