"""The mathematics of adversarial imitation: pure functions of tensors.

The discriminator's logit ℓ is high for the expert: D = σ(ℓ) is the probability that a
transition comes from the expert, whose label is 1.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch as th
from torch.nn import functional

RewardForm = Literal["softplus", "airl", "fairl"]

# Beyond this FAIRL's reward is that of this logit: −ℓ·eˡ would overflow.
FAIRL_MAX_LOGIT = 5.0


def _fairl(logits: th.Tensor) -> th.Tensor:
    bounded = logits.clamp(max=FAIRL_MAX_LOGIT)
    return -bounded * bounded.exp()


# Rewards of the generator as functions of the logit ℓ, by name. - softplus: −log(1 − D)
# = softplus(ℓ) ≥ 0, the reward of GAIL (Ho and Ermon 2016, with the labels swapped),
# which minimizes the Jensen-Shannon divergence. - airl: log D − log(1 − D) = ℓ, of
# either sign, which minimizes the reverse KL divergence (Fu et al. 2018). - fairl:
# −ℓ·eˡ, which minimizes the forward KL divergence (Ghasemipour et al. 2020, "A
# Divergence Minimization Perspective on Imitation Learning Methods", section 4).
REWARD_FORMS: dict[str, Callable[[th.Tensor], th.Tensor]] = {
    "softplus": functional.softplus,
    "airl": lambda logits: logits,
    "fairl": _fairl,
}


def discriminator_loss(
    logits: th.Tensor, labels: th.Tensor, label_smoothing: float = 0.0
) -> th.Tensor:
    """Binary cross-entropy, −E[y·log D + (1 − y)·log(1 − D)].

    Args:
        logits: high for the expert, shape ``(B,)``.
        labels: 1 for the expert, 0 for the generator, shape ``(B,)``.
        label_smoothing: the targets are 1 − s and s instead.

    Returns:
        The mean over the batch, in nats, shape ``()``.
    """
    targets = labels.to(logits.dtype)
    if label_smoothing:
        targets = targets * (1 - 2 * label_smoothing) + label_smoothing
    return functional.binary_cross_entropy_with_logits(logits, targets)


def bernoulli_entropy(logits: th.Tensor) -> th.Tensor:
    """Mean entropy of the decisions, H(σ(ℓ)) = softplus(ℓ) − ℓ·σ(ℓ), in nats."""
    return (functional.softplus(logits) - logits * th.sigmoid(logits)).mean()


def r1_penalty(
    logits: th.Tensor,
    inputs: Sequence[th.Tensor],
    scales: Sequence[th.Tensor] | None = None,
) -> th.Tensor:
    """½·E‖∂ℓ/∂x‖² at the given samples (Mescheder et al. 2018, eq. 9).

    Args:
        logits: of expert samples, shape ``(B,)``, with a graph to `inputs`.
        inputs: what they depend on, each ``(B, ...)`` and requiring gradients.
        scales: for each input the unit that its features are measured in, shape
            ``(...)``, so that the penalty does not depend on the units of observations;
            None for 1.

    Returns:
        The penalty, differentiable, shape ``()``.
    """
    return 0.5 * _squared_norms(logits, inputs, scales).mean()


def wgan_gp_penalty(
    logits: th.Tensor,
    inputs: Sequence[th.Tensor],
    scales: Sequence[th.Tensor] | None = None,
) -> th.Tensor:
    """E(‖∂ℓ/∂x‖ − 1)² at points between samples (Gulrajani et al. 2017, eq. 3).

    Args:
        logits: of the points, shape ``(B,)``, with a graph to `inputs`.
        inputs: the points, each ``(B, ...)`` and requiring gradients.
        scales: see `r1_penalty`.

    Returns:
        The penalty, differentiable, shape ``()``.
    """
    # The root has no gradient at zero.
    norms = (_squared_norms(logits, inputs, scales) + 1e-12).sqrt()
    return (norms - 1).square().mean()


def _squared_norms(
    logits: th.Tensor,
    inputs: Sequence[th.Tensor],
    scales: Sequence[th.Tensor] | None,
) -> th.Tensor:
    """‖∂ℓᵢ/∂xᵢ‖² over all inputs, shape ``(B,)``; unused inputs count as 0."""
    # One backward pass for all rows: a logit depends on its own row only.
    gradients = th.autograd.grad(
        logits.sum(), inputs, create_graph=True, allow_unused=True
    )
    norms = [
        (gradient if scales is None else gradient * scales[i])
        .flatten(1)
        .square()
        .sum(dim=1)
        for i, gradient in enumerate(gradients)
        if gradient is not None
    ]
    return th.stack(norms).sum(dim=0) if norms else th.zeros_like(logits)
