"""Tests of the conversions between NumPy and torch."""

import math

import numpy as np
import pytest
import torch as th

from imitation.util.tensors import safe_to_numpy, safe_to_tensor, tensor_iter_norm


def test_writable_array_is_shared() -> None:
    array = np.zeros(3)
    safe_to_tensor(array)[0] = 1
    assert array[0] == 1


def test_read_only_array_is_copied_without_warning() -> None:
    array = np.zeros(3)
    array.setflags(write=False)
    tensor = safe_to_tensor(array, dtype=th.float32)
    tensor[0] = 1
    assert array[0] == 0
    assert tensor.dtype == th.float32


@pytest.mark.parametrize(
    "array",
    [np.arange(3)[::-1], np.arange(3, dtype=">i4"), np.array(2.5), np.zeros((0, 2))],
    ids=["reversed", "big-endian", "scalar", "empty"],
)
def test_unusual_arrays(array: np.ndarray) -> None:
    np.testing.assert_array_equal(safe_to_tensor(array).numpy(), array)


def test_tensor_is_returned_as_it_is() -> None:
    tensor = th.ones(2)
    assert safe_to_tensor(tensor) is tensor
    assert safe_to_tensor(tensor, dtype=th.int64).dtype == th.int64


def test_to_numpy() -> None:
    array = np.ones(2)
    assert safe_to_numpy(array, warn=True) is array
    assert safe_to_numpy(None, warn=True) is None
    tensor = th.ones(2, requires_grad=True)
    np.testing.assert_array_equal(safe_to_numpy(tensor), [1, 1])
    with pytest.warns(UserWarning, match="performance"):
        safe_to_numpy(tensor, warn=True)


@pytest.mark.parametrize("ord", [1, 2, 3.5, 0.5, -1, math.inf, -math.inf])
def test_norm_is_that_of_the_concatenation(ord: float) -> None:
    tensors = [th.randn(3, 4), th.randn(()), th.randn(5), th.empty(0, 2)]
    flat = th.cat([tensor.flatten() for tensor in tensors])
    expected = th.linalg.vector_norm(flat, ord=ord)
    th.testing.assert_close(tensor_iter_norm(iter(tensors), ord), expected)


def test_norm_of_nothing_and_its_gradient() -> None:
    assert tensor_iter_norm([]) == 0
    parameter = th.tensor([3.0, 4.0], requires_grad=True)
    tensor_iter_norm([parameter]).backward()
    th.testing.assert_close(parameter.grad, th.tensor([0.6, 0.8]))


@pytest.mark.parametrize("ord", [0, 0.0, math.nan])
def test_norm_refuses_orders(ord: float) -> None:
    with pytest.raises(ValueError, match=r"p=0|NaN"):
        tensor_iter_norm([th.ones(2)], ord)
