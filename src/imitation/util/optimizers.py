"""Building optimisers, fused where that is quicker."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch as th

__all__ = ["make_optimizer"]

FUSED = (th.optim.Adam, th.optim.AdamW)
"""Optimisers whose fused form does in one call what takes a dozen calls otherwise."""


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
    fusible = all(p.is_floating_point() for p in parameters) and not (
        {"fused", "foreach", "capturable", "differentiable"} & kwargs.keys()
    )
    if optimizer_cls in FUSED and fusible:
        kwargs["fused"] = True
    return optimizer_cls(parameters, **kwargs)
