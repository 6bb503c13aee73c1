"""One update of a discriminator: losses of minibatches, accumulated, one step."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch as th

from imitation.algorithms.adversarial import losses
from imitation.algorithms.adversarial.batches import DiscriminatorBatch
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.util import networks

__all__ = ["Update", "update"]

Logits = Callable[..., th.Tensor]


@dataclasses.dataclass(frozen=True)
class Update:
    """What an update saw, detached."""

    logits: th.Tensor
    """``(2n,)``."""
    labels: th.Tensor
    """``(2n,)``, 1 for the expert."""
    loss: th.Tensor
    """Mean cross-entropy over the whole batch, ``()``."""
    grad_penalty: th.Tensor
    """Unweighted gradient penalty, ``()``; 0 without one."""


def update(
    net: th.nn.Module,
    logits_of: Logits,
    optimizer: th.optim.Optimizer,
    batch: DiscriminatorBatch,
    minibatch_size: int,
    options: DiscriminatorOptions,
) -> Update:
    """Takes one optimiser step on the whole batch.

    Args:
        net: the discriminator's network, in training mode.
        logits_of: `AdversarialTrainer.logits_expert_is_high`.
        optimizer: of the network's parameters.
        batch: expert and generator samples.
        minibatch_size: rows of each kind to hold a graph for at a time.
        options: regularisation.

    Returns:
        Logits, labels and losses.
    """
    optimizer.zero_grad()
    parts: list[Update] = []
    weight = 2 * minibatch_size / len(batch)
    scales = _feature_scales(batch) if options.gradient_penalty else []
    with _frozen_statistics(net, logits_of, batch, minibatch_size):
        for minibatch in batch.minibatches(minibatch_size):
            part, total = _losses(net, logits_of, minibatch, options, scales)
            th.autograd.backward(total * weight)
            parts.append(part)
    optimizer.step()
    if len(parts) == 1:
        return parts[0]
    return Update(
        logits=th.cat([part.logits for part in parts]),
        labels=th.cat([part.labels for part in parts]),
        loss=th.stack([part.loss for part in parts]).mean(),
        grad_penalty=th.stack([part.grad_penalty for part in parts]).mean(),
    )


@contextlib.contextmanager
def _frozen_statistics(
    net: th.nn.Module, logits_of: Logits, batch: DiscriminatorBatch, size: int
) -> Iterator[None]:
    """Makes minibatches normalise their inputs as the whole batch would.

    A layer of running statistics would see the first minibatch alone before it
    normalises it. So the batch passes as a whole first, without a graph, and then the
    statistics stand still.
    """
    if 2 * size == len(batch):
        yield
        return
    norms = [m for m in net.modules() if isinstance(m, networks.BaseNorm)]
    norms = [norm for norm in norms if norm.training]
    if not norms:
        yield
        return
    with th.no_grad():
        _logits(logits_of, batch)
    for norm in norms:
        norm.training = False
    try:
        yield
    finally:
        for norm in norms:
            norm.training = True


def _losses(
    net: th.nn.Module,
    logits_of: Logits,
    batch: DiscriminatorBatch,
    options: DiscriminatorOptions,
    scales: Sequence[th.Tensor],
) -> tuple[Update, th.Tensor]:
    """The parts to report, and the loss to minimise."""
    if options.instance_noise:
        batch = _with_noise(batch, options.instance_noise)
    uses_r1 = options.gradient_penalty == "r1"
    if uses_r1:
        for part in batch.float_inputs():
            part.requires_grad_()
    logits = _logits(logits_of, batch)
    loss = losses.discriminator_loss(logits, batch.labels, options.label_smoothing)
    total, penalty = loss, th.zeros_like(loss)
    if options.entropy_coef:
        total = total - options.entropy_coef * losses.bernoulli_entropy(logits)
    if uses_r1:
        expert = logits[: len(logits) // 2]
        # Rows do not depend on each other, so only the expert's have a gradient.
        penalty = 2 * losses.r1_penalty(expert, batch.float_inputs(), scales)
    elif options.gradient_penalty == "wgan-gp":
        penalty = _wgan_gp(net, logits_of, batch, scales)
    if options.gradient_penalty:
        total = total + options.gradient_penalty_coef * penalty
    record = Update(logits.detach(), batch.labels, loss.detach(), penalty.detach())
    return record, total


def _wgan_gp(
    net: th.nn.Module,
    logits_of: Logits,
    batch: DiscriminatorBatch,
    scales: Sequence[th.Tensor],
) -> th.Tensor:
    """The penalty at random points between expert and generator samples."""
    half = len(batch) // 2
    u = th.rand(half, device=batch.labels.device)

    def between(part: th.Tensor) -> th.Tensor:
        weight = u.reshape(-1, *[1] * (part.ndim - 1)).to(part.dtype)
        return weight * part[:half] + (1 - weight) * part[half:]

    points = batch.map(between)
    for part in points.float_inputs():
        part.requires_grad_()
    with networks.evaluating(net):
        logits = _logits(logits_of, points)
    return losses.wgan_gp_penalty(logits, points.float_inputs(), scales)


def _feature_scales(batch: DiscriminatorBatch) -> list[th.Tensor]:
    """The standard deviation of each feature, for gradients by standardised inputs."""
    return [part.detach().std(dim=0) for part in batch.float_inputs()]


def _with_noise(batch: DiscriminatorBatch, scale: float) -> DiscriminatorBatch:
    """Adds noise of `scale` standard deviations of each feature."""

    def noisy(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: noisy(value) for key, value in part.items()}
        return part + scale * part.std(dim=0, keepdim=True) * th.randn_like(part)

    return dataclasses.replace(
        batch,
        state=noisy(batch.state),
        action=noisy(batch.action),
        next_state=noisy(batch.next_state),
    )


def _logits(logits_of: Logits, batch: DiscriminatorBatch) -> th.Tensor:
    return logits_of(
        batch.state,
        batch.action,
        batch.next_state,
        batch.done,
        batch.log_policy_act_prob,
    )
