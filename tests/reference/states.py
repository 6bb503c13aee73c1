"""Comparing nested states of trainers, and damaging saved ones."""

import contextlib
import copy
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch as th

DAMAGES: list[tuple[tuple[str, ...], Any]] = [
    (("env_seed",), "x"),
    (("rng",), None),
    (("rng", "uinteger"), -1),
    (("randomness", "numpy"), []),
]
"""Where in the state of a trainer with an agent, and what stands there instead."""


def damage(path: pathlib.Path, keys: tuple[str, ...], value: Any) -> None:
    """Replaces something in a saved state."""
    document = json.loads((path / "state.json").read_text())
    part = document["state"]
    for key in keys[:-1]:
        part = part[key]
    assert keys[-1] in part, "what is to be damaged"
    part[keys[-1]] = value
    (path / "state.json").write_text(json.dumps(document))


@contextlib.contextmanager
def unchanged(state: Callable[[Any], Any], trainer: Any) -> Iterator[None]:
    """Asserts that a block leaves the state of a trainer as it was."""
    before = copy.deepcopy(state(trainer))
    yield
    assert_same(before, state(trainer))


def assert_same(one: Any, other: Any, where: str = "state") -> None:
    """Asserts that two states are equal to the bit."""
    assert type(one) is type(other), where
    if isinstance(one, Mapping):
        assert list(one) == list(other), where
        for key, value in one.items():
            assert_same(value, other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for i, (value, its) in enumerate(zip(one, other, strict=True)):
            assert_same(value, its, f"{where}/{i}")
    elif isinstance(one, th.Tensor):
        assert th.equal(one, other), where
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, where)
    else:
        assert one == other, where
