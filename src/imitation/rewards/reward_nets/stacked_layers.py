"""Several networks of the same layers as one, on the same memory.

An ensemble of small networks that rates a few transitions spends its time on starting
operations, not on carrying them out. Here one operation on stacked tensors does the
work of all networks. Products of stacked matrices are several times quicker for this
than `torch.func.vmap`, which for networks as small as these is slower than a loop.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch as th
from torch import nn

from imitation.util import networks
from imitation.util.norm_layers import BaseNorm, EMANorm, RunningNorm

__all__ = ["SharedTensors", "StackedMlp", "can_stack_norms", "stacked_norm"]

ELEMENTWISE = (
    nn.Identity,
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Tanh,
)
NORMS = (RunningNorm, EMANorm)
MANY_ROWS = 512
"""Rows from which on the networks are evaluated one after the other on a CPU."""

Layer = Callable[[th.Tensor], th.Tensor]


class SharedTensors:
    """Tensors of several modules, moved into one stack of which each is a slice.

    A change of a module's tensor in place, whoever makes it, is a change of the stack,
    and the other way round. `in_place` notices when a tensor has been replaced or moved
    instead.
    """

    def __init__(self) -> None:
        self._places: list[tuple[dict[str, Any], str, int]] = []

    def stack(self, modules: Sequence[nn.Module], name: str) -> th.Tensor:
        """Stacks a parameter or buffer.

        Args:
            modules: modules with a tensor of this name, all alike in shape and place.
            name: its name.

        Returns:
            The stack, shape ``(len(modules), ...)``, without gradients.
        """
        stores = [
            cast(dict[str, Any], m._parameters if name in m._parameters else m._buffers)
            for m in modules
        ]
        # Outside inference mode, or the modules could never be trained again.
        with th.inference_mode(False), th.no_grad():
            stacked = th.stack([store[name].detach() for store in stores])
            for store, part in zip(stores, stacked, strict=True):
                store[name].data = part
                self._places.append((store, name, part.data_ptr()))
        return stacked

    def in_place(self) -> bool:
        """Whether every tensor still is the slice that it was made to be."""
        for store, name, address in self._places:
            tensor = store.get(name)
            if tensor is None or tensor.data_ptr() != address:
                return False
        return True


class StackedMlp:
    """The multi-layer perceptrons of `networks.build_mlp`, evaluated at once.

    It computes what they do in evaluation mode, without gradients.

    Args:
        mlps: networks for which `can_stack`.
        shared: where their tensors go.
    """

    def __init__(self, mlps: Sequence[nn.Module], shared: SharedTensors) -> None:
        self._mlps = tuple(mlps)
        by_place = zip(*map(_layers, mlps), strict=True)
        self._layers = [
            layer
            for alike in by_place
            if (layer := _stacked_layer(alike, shared)) is not None
        ]

    @staticmethod
    def can_stack(mlps: Sequence[nn.Module]) -> bool:
        """Whether networks have the same layers, all of kinds known here."""
        known = (nn.Linear, nn.Dropout, networks.SqueezeLayer, *NORMS, *ELEMENTWISE)
        return alike(mlps) and all(
            type(mlp) is nn.Sequential and all(type(m) in known for m in _layers(mlp))
            for mlp in mlps
        )

    def __call__(self, x: th.Tensor) -> th.Tensor:
        """Maps one input ``(B, in_size)`` for all to ``(n_networks, B)``."""
        if x.device.type == "cpu" and len(x) >= MANY_ROWS:
            # The arithmetic takes the time, and the plain products do it best.
            return th.stack([_evaluated(mlp, x) for mlp in self._mlps])
        x = x.expand(len(self._mlps), *x.shape)
        for layer in self._layers:
            x = layer(x)
        return x.squeeze(2)


def _layers(mlp: nn.Module) -> list[nn.Module]:
    return [layer for layer in mlp._modules.values() if layer is not None]


def _evaluated(mlp: nn.Module, x: th.Tensor) -> th.Tensor:
    with networks.evaluating(mlp):
        outputs: th.Tensor = mlp(x)
    return outputs


def alike(modules: Sequence[nn.Module]) -> bool:
    """Whether modules look the same and have tensors of one type and place."""
    first, *others = modules
    # What torch's layers and ours print are their settings.
    return all(
        repr(other) == repr(first) and _kinds(other) == _kinds(first)
        for other in others
    )


def _kinds(module: nn.Module) -> list[tuple[str, th.Size, th.dtype, th.device]]:
    tensors = (*module.named_parameters(), *module.named_buffers())
    return [(name, t.shape, t.dtype, t.device) for name, t in tensors]


def _stacked_layer(alike: Sequence[nn.Module], shared: SharedTensors) -> Layer | None:
    """Builds what does the work of several layers; None where there is none."""
    first = alike[0]
    if isinstance(first, nn.Linear):
        weights = shared.stack(alike, "weight").transpose(1, 2)  # (n, in, out)
        if first._parameters["bias"] is None:
            return lambda x: th.bmm(x, weights)
        biases = shared.stack(alike, "bias").unsqueeze(1)  # (n, 1, out)
        return lambda x: th.baddbmm(biases, x, weights)
    if isinstance(first, BaseNorm):
        means = shared.stack(alike, "running_mean").unsqueeze(1)  # (n, 1, features)
        variances = shared.stack(alike, "running_var").unsqueeze(1)
        eps = first.eps

        def normalize(x: th.Tensor) -> th.Tensor:
            scale = (variances + eps).rsqrt_().to(x.dtype)
            return (x - means.to(x.dtype)).mul_(scale)

        return normalize
    if isinstance(first, nn.Dropout | networks.SqueezeLayer):
        return None
    return first.forward


def can_stack_norms(norms: Sequence[nn.Module]) -> bool:
    """Whether layers normalise in the same way, one known here."""
    return type(norms[0]) in NORMS and alike(norms)


def stacked_norm(norms: Sequence[nn.Module], shared: SharedTensors) -> BaseNorm:
    """Makes one layer of several features of layers that normalise one feature each.

    Args:
        norms: layers for which `can_stack_norms`.
        shared: where their statistics go.

    Returns:
        A layer that does to column i of ``(B, len(norms))`` what ``norms[i]`` does to
        ``(B, 1)``, statistics included.
    """
    merged = copy.deepcopy(norms[0])
    assert isinstance(merged, BaseNorm)
    merged.num_features = len(norms)
    for name in norms[0]._buffers:
        # Counts too become vectors; the layers' arithmetic is elementwise throughout.
        merged.register_buffer(name, shared.stack(norms, name).flatten())
    return merged
