"""Spectral normalisation of a discriminator (Miyato et al. 2018)."""

import copy
from typing import TypeVar

import torch as th
from torch.nn.utils import parametrizations, parametrize

__all__ = ["add_spectral_norm", "without_spectral_norm"]

M = TypeVar("M", bound=th.nn.Module)


def add_spectral_norm(net: th.nn.Module) -> None:
    """Divides the weights of layers by their largest singular value from now on.

    Args:
        net: its linear and convolutional layers are changed in place.
    """
    for module in list(net.modules()):
        if isinstance(module, th.nn.Linear | th.nn.Conv1d | th.nn.Conv2d):
            parametrizations.spectral_norm(module)


def without_spectral_norm(net: M) -> M:
    """Copies a network with plain weights, as they are after normalisation.

    Args:
        net: is left as it is.

    Returns:
        A copy that computes the same; `net` itself if it has no such layers.
    """
    if not any(parametrize.is_parametrized(module) for module in net.modules()):
        return net
    plain = copy.deepcopy(net).eval()  # in training mode, reading a weight changes it
    for module in list(plain.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return plain
