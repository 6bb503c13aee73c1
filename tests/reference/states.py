"""Comparing nested states of trainers."""

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch as th


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
