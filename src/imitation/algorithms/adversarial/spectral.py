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
        net: its linear and convolutional layers are changed in place, unless they
            have been before.
    """
    for module in list(net.modules()):
        is_layer = isinstance(module, th.nn.Linear | th.nn.Conv1d | th.nn.Conv2d)
        if is_layer and not parametrize.is_parametrized(module, "weight"):
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
            _make_plain(module)
    return plain


def _make_plain(module: th.nn.Module) -> None:
    """Gives a layer its normalised weight as an ordinary parameter.

    ``parametrize.remove_parametrizations`` would change the class that torch made for
    the layer, which the layer that this one was copied from has too.
    """
    weight = module.weight
    assert isinstance(weight, th.Tensor)
    original = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    module.__class__ = original
    module.weight = th.nn.Parameter(weight.detach().clone())
