"""Fused optimizers, which update many small tensors in one call."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch as th

# Optimizers whose fused form does in one call what takes a dozen calls otherwise.
FUSED = (th.optim.Adam, th.optim.AdamW)

# What torch's optimizers keep for each parameter, in the parameter's own shape.
_MOMENTS = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "square_avg", "momentum_buffer")


def make_optimizer(
    optimizer_cls: type[th.optim.Optimizer],
    parameters: Iterable[th.nn.Parameter],
    optimizer_kwargs: Mapping[str, Any] | None = None,
) -> th.optim.Optimizer:
    """Builds an optimizer, fused where torch offers it and nothing else was asked for.

    Args:
        optimizer_cls: the class.
        parameters: what to optimize.
        optimizer_kwargs: further arguments of the class.

    Returns:
        The optimizer.
    """
    kwargs = dict(optimizer_kwargs or {})
    parameters = list(parameters)
    # Torch refuses `fused` beside `foreach`, and for parameters that are not floats.
    fusible = all(p.is_floating_point() for p in parameters) and not (
        {"fused", "foreach", "capturable", "differentiable"} & kwargs.keys()
    )
    if optimizer_cls in FUSED and fusible:
        kwargs["fused"] = True
    return optimizer_cls(parameters, **kwargs)


@contextlib.contextmanager
def fused(optimizers: Iterable[th.optim.Optimizer]) -> Iterator[None]:
    """Lets optimizers that others have built update fused within a block.

    Only Adam and AdamW on the CPU, where the default is a loop over the tensors, and
    only where their owner has chosen no form.

    Args:
        optimizers: any optimizers; the others stay as they are.
    """
    groups = [
        group
        for optimizer in optimizers
        if type(optimizer) in FUSED
        for group in optimizer.param_groups
        if group["fused"] is None
        and group["foreach"] is None
        and not (group["capturable"] or group["differentiable"])
        and all(p.is_floating_point() and p.is_cpu for p in group["params"])
    ]
    # Adam reads the flag from the group in every step, so it takes effect at once.
    for group in groups:
        group["fused"] = True
    try:
        yield
    finally:
        for group in groups:
            group["fused"] = None


def load_state(optimizer: th.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Restores an optimizer from its `state_dict`, and checks what it holds then.

    Raises:
        ValueError: the state does not fit.
    """
    optimizer.load_state_dict(dict(state))
    check_state(optimizer)


def check_state(optimizer: th.optim.Optimizer) -> None:
    """Checks the moments of an optimizer, which `load_state_dict` takes unseen.

    Torch would fail at the next step, or update with moments of another parameter.

    Raises:
        ValueError: moments are missing, or of another shape than their parameter.
    """
    # `state` makes an entry for a parameter when it is asked for one.
    states = [(key, values) for key, values in optimizer.state.items() if values]
    for parameter, values in states:
        if values.keys() != states[0][1].keys():
            raise ValueError("the optimizer's state is incomplete")
        for name in values.keys() & set(_MOMENTS):
            shape = getattr(values[name], "shape", None)
            # Without momentum, SGD keeps None.
            if shape != parameter.shape and values[name] is not None:
                raise ValueError(
                    f"the optimizer's {name} has the shape {shape}, its parameter "
                    f"{tuple(parameter.shape)}"
                )
