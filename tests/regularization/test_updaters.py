"""The updater that keeps validation loss / training loss within an interval."""

from typing import Any

import numpy as np
import pytest
import torch as th
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation.errors import ConfigError
from imitation.regularization.updaters import IntervalParamScaler

SCALER = IntervalParamScaler(0.1, (0.5, 2.0))


@pytest.mark.parametrize(
    ("train", "val", "expected"),
    [
        (1.0, 1.0, 1.0),
        (1.0, 2.0, 1.0),
        (1.0, 0.5, 1.0),
        (1.0, 2.01, 1.1),
        (1.0, 0.49, 0.9),
        (0.0, 0.0, 1.0),
        (1e-20, 1e-20, 1.0),
        (0.0, 0.3, 1.1),
        (0.3, 0.0, 0.9),
        (1e-9, 1e-9, 1.0),
        (th.tensor(1.0), th.tensor(3.0), 1.1),
        (np.float64(1.0), np.float64(3.0), 1.1),
        (1, 3, 1.1),
    ],
)
def test_scaling(train: Any, val: Any, expected: float) -> None:
    assert SCALER(1.0, train, val) == pytest.approx(expected)


@settings(max_examples=50)
@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_only_the_ratio_of_losses_matters(lam: float, train: float, val: float) -> None:
    once = SCALER(lam, train, val)
    assert SCALER(lam, 8 * train, 8 * val) == once  # a power of two: no rounding
    grows, shrinks = val > 2 * train, val < train / 2
    assert (once > lam, once < lam) == (grows, shrinks)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, th.ones(2), 1.0), "train_loss must be a scalar"),
        ((1.0, 1.0, th.ones(1)), "val_loss must be a scalar"),
        ((1.0, "x", 1.0), "train_loss must be a scalar"),
        ((1.0, 1.0, None), "val_loss must be a scalar"),
        ((1, 1.0, 1.0), "lambda_ must be a float"),
        ((th.tensor(1.0), 1.0, 1.0), "lambda_ must be a float"),
        (("1", 1.0, 1.0), "lambda_ must be a float"),
        ((0.0, 1.0, 1.0), "lambda_ must not be zero"),
        ((1e-40, 1.0, 1.0), "lambda_ must not be zero"),
        ((-1.0, 1.0, 1.0), "lambda_ must be non-negative"),
        ((1.0, -1.0, 1.0), "losses must be non-negative for this updater"),
        ((1.0, 1.0, -1.0), "losses must be non-negative for this updater"),
    ],
)
def test_wrong_arguments(arguments: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SCALER(*arguments)


FACTOR = r"scaling_factor must be in \(0, 1\) within machine precision"
LENGTH = "tolerable_interval must be a tuple of length 2"
ORDER = (
    "tolerable_interval must be a tuple whose first element is at least 0 and the "
    "second element is greater than the first"
)


@pytest.mark.parametrize(
    ("factor", "interval", "message"),
    [
        (0.0, (1.0, 2.0), FACTOR),
        (1.0, (1.0, 2.0), FACTOR),
        (1e-20, (1.0, 2.0), FACTOR),
        (1 - 1e-17, (1.0, 2.0), FACTOR),
        (-0.5, (1.0, 2.0), FACTOR),
        (float("nan"), (1.0, 2.0), FACTOR),
        (0.5, (1.0,), LENGTH),
        (0.5, (1.0, 2.0, 3.0), LENGTH),
        (0.5, 1.0, LENGTH),
        (0.5, (-1.0, 2.0), ORDER),
        (0.5, (2.0, 1.0), ORDER),
        (0.5, (1.0, 1.0), ORDER),
        (0.5, (float("nan"), 1.0), ORDER),
    ],
)
def test_wrong_settings(factor: float, interval: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        IntervalParamScaler(factor, interval)
