"""Building small networks, and switching them between training and evaluation."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch as th
from torch import nn

from imitation.errors import ConfigError
from imitation.util.norm_layers import BaseNorm, EMANorm, RunningNorm

__all__ = [
    "BaseNorm",
    "EMANorm",
    "RunningNorm",
    "SqueezeLayer",
    "build_cnn",
    "build_mlp",
    "evaluating",
    "submodules",
    "training",
    "training_mode",
]

M = TypeVar("M", bound=nn.Module)


@contextlib.contextmanager
def training_mode(m: M, mode: bool = False) -> Iterator[M]:
    """Switches a module and its submodules to training or evaluation for a block.

    Args:
        m: the module.
        mode: True for training mode, False for evaluation mode.

    Yields:
        The module. When the block ends, by an exception too, every submodule gets
        back the mode it was in, even if they differed.
    """
    # Quicker than m.train(), which for a small network takes longer than its forward.
    before = [(module, module.training) for module in submodules(m)]
    for module, was_training in before:
        if type(module).train is not nn.Module.train:
            module.train(mode)
        elif was_training is not mode:
            _set_training(module, mode)
    try:
        yield m
    finally:
        for module, was_training in before:
            if module.training is not was_training:
                _set_training(module, was_training)


def _set_training(module: nn.Module, mode: bool) -> None:
    attributes = vars(module)
    if "training" in attributes:
        attributes["training"] = mode  # nn.Module.__setattr__ takes 20 times as long
    else:  # a scripted module, which keeps it elsewhere
        module.training = mode


def submodules(m: nn.Module) -> Iterator[nn.Module]:
    """Yields a module and those inside it, as ``m.modules()`` does but quicker.

    Yields:
        The modules, each before those inside it; one that has several parents comes
        several times.
    """
    pending = [m]
    while pending:
        module = pending.pop()
        yield module
        children = module._modules
        if children:
            # A stack: reversed, so that the first child comes out first.
            pending += [child for child in reversed(children.values()) if child]


def training(m: M, *, mode: bool = True) -> contextlib.AbstractContextManager[M]:
    """Switches a module to training mode for a block, as `training_mode` does.

    Returns:
        A context manager that yields the module.
    """
    return training_mode(m, mode)


def evaluating(m: M, *, mode: bool = False) -> contextlib.AbstractContextManager[M]:
    """Switches a module to evaluation mode for a block, as `training_mode` does.

    Returns:
        A context manager that yields the module.
    """
    return training_mode(m, mode)


class SqueezeLayer(nn.Module):
    """Turns a tensor of shape (B, 1) into one of shape (B,)."""

    def forward(self, x: th.Tensor) -> th.Tensor:
        """Returns `x` of shape (B, 1) with shape (B,)."""
        assert x.ndim == 2 and x.shape[1] == 1, f"expected (B, 1), got {x.shape}"
        # Not squeeze(), which would also drop the batch dimension of a batch of one.
        return x.squeeze(1)


def build_mlp(
    in_size: int,
    hid_sizes: Iterable[int],
    out_size: int = 1,
    name: str | None = None,
    activation: type[nn.Module] = nn.ReLU,
    dropout_prob: float = 0.0,
    squeeze_output: bool = False,
    flatten_input: bool = False,
    normalize_input_layer: type[nn.Module] | None = None,
) -> nn.Module:
    """Builds a multi-layer perceptron.

    Its layers are called `flatten`, `normalize_input`, `dense0`, `act0`, `dropout0`,
    `dense1`, …, `dense_final` and `squeeze`, in that order, those that are asked for.

    Args:
        in_size: length of an input vector.
        hid_sizes: lengths of the hidden layers; none makes the network linear.
        out_size: length of an output vector.
        name: prefix of the names of the layers, separated by an underscore.
        activation: what follows each hidden layer.
        dropout_prob: probability of dropout after each activation; 0 for no layer.
        squeeze_output: for `out_size` 1: return shape (B,) instead of (B, 1).
        flatten_input: flatten inputs of shape (B, ...) to (B, in_size).
        normalize_input_layer: class called with `in_size`, such as `RunningNorm` or
            `torch.nn.BatchNorm1d`, for a layer that normalizes the input.

    Returns:
        A module from (B, in_size) to (B, out_size), or to (B,) if squeezed.

    Raises:
        ValueError: `squeeze_output` with `out_size` other than 1, or a
            `normalize_input_layer` that cannot be built with the number of features.
    """
    _check_squeeze(squeeze_output, out_size)
    layers: dict[str, nn.Module] = {}
    if flatten_input:
        layers["flatten"] = nn.Flatten()
    if normalize_input_layer is not None:
        try:
            layers["normalize_input"] = normalize_input_layer(in_size)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"normalize_input_layer={normalize_input_layer} is not a valid "
                "normalization layer type accepting only one argument (in_size): "
                f"{error}"
            ) from error
    size = in_size
    for i, hid_size in enumerate(hid_sizes):
        layers[f"dense{i}"] = nn.Linear(size, hid_size)
        layers[f"act{i}"] = activation()
        if dropout_prob > 0:
            layers[f"dropout{i}"] = nn.Dropout(dropout_prob)
        size = hid_size
    layers["dense_final"] = nn.Linear(size, out_size)
    return _sequential(layers, name, squeeze_output)


def build_cnn(
    in_channels: int,
    hid_channels: Iterable[int],
    out_size: int = 1,
    name: str | None = None,
    activation: type[nn.Module] = nn.ReLU,
    kernel_size: int = 3,
    stride: int = 1,
    padding: int | str = "same",
    dropout_prob: float = 0.0,
    squeeze_output: bool = False,
) -> nn.Module:
    """Builds a convolutional network: convolutions, global average, a linear layer.

    Its layers are called `conv0`, `act0`, `dropout0`, `conv1`, …, `avg_pool`,
    `flatten`, `dense_final` and `squeeze`, in that order, those that are asked for.

    Args:
        in_channels: number of channels of the input images.
        hid_channels: numbers of channels after each convolution; none makes the
            network linear in the channel means.
        out_size: length of an output vector.
        name: prefix of the names of the layers, separated by an underscore.
        activation: what follows each convolution.
        kernel_size: side of the convolutions' square kernels, in pixels.
        stride: stride of the convolutions, in pixels; "same" padding allows only 1.
        padding: padding of the convolutions, in pixels, or "same" or "valid".
        dropout_prob: probability of dropout after each activation; 0 for no layer.
        squeeze_output: for `out_size` 1: return shape (B,) instead of (B, 1).

    Returns:
        A module from (B, in_channels, height, width) to (B, out_size), or to (B,) if
        squeezed.

    Raises:
        ValueError: `squeeze_output` with `out_size` other than 1, or a padding that
            does not go with the stride.
    """
    _check_squeeze(squeeze_output, out_size)
    layers: dict[str, nn.Module] = {}
    channels = in_channels
    for i, hid in enumerate(hid_channels):
        layers[f"conv{i}"] = nn.Conv2d(
            channels, hid, kernel_size, stride=stride, padding=padding
        )
        layers[f"act{i}"] = activation()
        if dropout_prob > 0:
            layers[f"dropout{i}"] = nn.Dropout(dropout_prob)
        channels = hid
    layers["avg_pool"] = nn.AdaptiveAvgPool2d(1)  # (B, channels, 1, 1)
    layers["flatten"] = nn.Flatten()
    layers["dense_final"] = nn.Linear(channels, out_size)
    return _sequential(layers, name, squeeze_output)


def _check_squeeze(squeeze_output: bool, out_size: int) -> None:
    if squeeze_output and out_size != 1:
        raise ConfigError(
            f"squeeze_output is only applicable when out_size=1, got {out_size}"
        )


def _sequential(
    layers: dict[str, nn.Module], name: str | None, squeeze_output: bool
) -> nn.Sequential:
    """Chains named layers, each name prefixed by `name`."""
    if squeeze_output:
        layers["squeeze"] = SqueezeLayer()
    # Names are keys of saved state dicts: changing one breaks loading.
    prefix = f"{name}_" if name else ""
    model = nn.Sequential()
    for layer_name, layer in layers.items():
        model.add_module(prefix + layer_name, layer)
    return model
