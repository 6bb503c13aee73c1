"""Conversions between NumPy arrays and torch tensors, and the norm of many tensors."""

import math
import warnings
from collections.abc import Iterable
from typing import Any, overload

import numpy as np
import torch as th

from imitation.errors import ConfigError


def safe_to_tensor(array: np.ndarray | th.Tensor, **kwargs: Any) -> th.Tensor:
    """Converts a NumPy array to a torch tensor, sharing memory where that is safe.

    A read-only array is copied: a tensor has no read-only flag, so writing to the
    tensor would change data its owner declared constant. Negative strides and foreign
    byte orders, which torch does not have, are copied too.

    Args:
        array: array or tensor of any shape and dtype.
        **kwargs: passed to `torch.as_tensor`, such as `device` and `dtype`.

    Returns:
        A tensor with the same content.
    """
    if isinstance(array, np.ndarray):
        flags = array.flags
        # The common case; `as_tensor` would inspect the array once more.
        if flags.carray and array.dtype.isnative and not kwargs:
            return th.from_numpy(array)
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        elif not flags.writeable or min(array.strides, default=0) < 0:
            array = array.copy()
    return th.as_tensor(array, **kwargs)


@overload
def safe_to_numpy(obj: np.ndarray | th.Tensor, warn: bool = False) -> np.ndarray: ...


@overload
def safe_to_numpy(obj: None, warn: bool = False) -> None: ...


def safe_to_numpy(
    obj: np.ndarray | th.Tensor | None, warn: bool = False
) -> np.ndarray | None:
    """Converts a torch tensor to a NumPy array.

    Args:
        obj: a tensor on any device, with or without gradients; an array or None is
            returned as it is.
        warn: whether to warn if `obj` is a tensor, for callers on a hot path.

    Returns:
        An array, sharing memory with a CPU tensor; None for None.
    """
    if obj is None or isinstance(obj, np.ndarray):
        return obj
    if warn:
        warnings.warn(
            "Converted a tensor to a numpy array, which costs performance; "
            "pass a numpy array instead.",
            UserWarning,
            stacklevel=2,
        )
    array: np.ndarray = obj.detach().cpu().numpy()
    return array


def tensor_iter_norm(
    tensor_iter: Iterable[th.Tensor], ord: int | float = 2
) -> th.Tensor:
    """Computes the p-norm of the concatenation of tensors, without concatenating.

    (Σᵢ |xᵢ|^p)^(1/p) over all elements equals the p-norm of the tensors' p-norms.

    Args:
        tensor_iter: tensors of any shapes, on any devices.
        ord: the p of the p-norm: any number except 0 and NaN, ±∞ included.

    Returns:
        Scalar tensor on the first tensor's device, 0 when there are no elements.

    Raises:
        ValueError: `ord` is 0 or NaN.
    """
    if ord == 0:
        raise ConfigError("This function cannot compute p-norms for p=0.")
    if math.isnan(ord):
        raise ConfigError("ord must be a number, got NaN; use 2 for the l2 norm")
    norms = [
        th.linalg.vector_norm(tensor, ord=ord)
        for tensor in tensor_iter
        if tensor.numel()
    ]
    if not norms:
        return th.zeros(())
    # Tensors of one model may lie on several GPUs.
    device = norms[0].device
    stacked = th.stack([norm.to(device) for norm in norms])
    total: th.Tensor = th.linalg.vector_norm(stacked, ord=ord)
    return total
