"""Fused optimisers, which update many small tensors in one call."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch as th

# Optimisers whose fused form does in one call what takes a dozen calls otherwise.
FUSED = (th.optim.Adam, th.optim.AdamW)


def make_optimizer(
    optimizer_cls: type[th.optim.Optimizer],
    parameters: Iterable[th.nn.Parameter],
    optimizer_kwargs: Mapping[str, Any] | None = None,
) -> th.optim.Optimizer:
    """Builds an optimiser, fused where torch offers it and nothing else was asked for.

    Args:
        optimizer_cls: the class.
        parameters: what to optimise.
        optimizer_kwargs: further arguments of the class.

    Returns:
        The optimiser.
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
    """Lets optimisers that others have built update fused within a block.

    Only Adam and AdamW on the CPU, where the default is a loop over the tensors, and
    only where their owner has chosen no form.

    Args:
        optimizers: any optimisers; the others stay as they are.
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
    for group in groups:
        group["fused"] = True
    try:
        yield
    finally:
        for group in groups:
            group["fused"] = None
