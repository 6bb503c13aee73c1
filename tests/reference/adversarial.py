"""Adversarial imitation from the papers, one sample at a time, in float64.

GAIL: Ho and Ermon, arXiv 1606.03476. AIRL: Fu et al., arXiv 1710.11248. FAIRL:
Ghasemipour et al., arXiv 1911.02256. R1: Mescheder et al., arXiv 1801.04406. WGAN-GP:
Gulrajani et al., arXiv 1704.00028. Spectral normalisation: Miyato et al., arXiv
1802.05957. Generalised advantages: Schulman et al., arXiv 1506.02438.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch as th


def probability(logit: float) -> float:
    """D, the probability that a sample is the expert's."""
    return 1 / (1 + math.exp(-logit))


def cross_entropy(
    logits: Sequence[float], labels: Sequence[int], smoothing: float = 0.0
) -> float:
    """GAIL, eq. 17, with the labels swapped: minus the mean log-likelihood of them."""
    total = 0.0
    for logit, label in zip(logits, labels, strict=True):
        target = 1 - smoothing if label else smoothing
        d = probability(logit)
        total -= target * math.log(d) + (1 - target) * math.log(1 - d)
    return total / len(logits)


def gail_reward(logit: float) -> float:
    """GAIL, algorithm 1: the cost is log D' with D' = 1 - D high for the generator."""
    return -math.log(1 - probability(logit))


def airl_reward(logit: float) -> float:
    """AIRL, section 6: log D - log(1 - D)."""
    d = probability(logit)
    return math.log(d) - math.log(1 - d)


def fairl_reward(logit: float) -> float:
    """FAIRL, section 3: -h exp(h), with h the log of the density ratio D / (1 - D)."""
    d = probability(logit)
    ratio = d / (1 - d)
    return -ratio * math.log(ratio)


def entropy(logits: Sequence[float]) -> float:
    """Mean entropy of Bernoulli variables, in nats."""
    total = 0.0
    for logit in logits:
        for p in (probability(logit), 1 - probability(logit)):
            total -= p * math.log(p)
    return total / len(logits)


def statistics(logits: Sequence[float], labels: Sequence[int]) -> dict[str, float]:
    """Counts what `compute_train_stats` documents, the loss left out."""
    pairs = [(logit > 0, bool(label)) for logit, label in zip(logits, labels)]  # noqa: B905  # the lengths are the caller's
    expert = [called for called, is_expert in pairs if is_expert]
    generated = [called for called, is_expert in pairs if not is_expert]
    return {
        "disc_acc": sum(a == b for a, b in pairs) / len(pairs),
        "disc_acc_expert": sum(expert) / len(expert) if expert else math.nan,
        "disc_acc_gen": (
            sum(not called for called in generated) / len(generated)
            if generated
            else 0.0
        ),
        "disc_entropy": entropy(logits),
        "disc_proportion_expert_true": len(expert) / len(pairs),
        "disc_proportion_expert_pred": sum(called for called, _ in pairs) / len(pairs),
        "n_expert": float(len(expert)),
        "n_generated": float(len(generated)),
    }


def squared_gradient_norm(
    logit_of: Callable[..., th.Tensor], sample: Sequence[th.Tensor]
) -> th.Tensor:
    """The squared norm of a logit's gradient by all parts of one sample."""
    parts = [part.detach().clone().requires_grad_() for part in sample]
    logit = logit_of(*(part.unsqueeze(0) for part in parts)).squeeze(0)
    total = th.zeros(())
    for part in parts:
        (gradient,) = th.autograd.grad(
            logit, part, create_graph=True, allow_unused=True
        )
        if gradient is not None:
            total = total + (gradient**2).sum()
    return total


def r1(
    logit_of: Callable[..., th.Tensor], experts: Sequence[Sequence[th.Tensor]]
) -> th.Tensor:
    """R1, eq. 9 with gamma = 1: half the mean squared gradient norm at real samples."""
    norms = [squared_gradient_norm(logit_of, sample) for sample in experts]
    return 0.5 * sum(norms, start=th.zeros(())) / len(norms)


def wgan_gp(
    logit_of: Callable[..., th.Tensor], points: Sequence[Sequence[th.Tensor]]
) -> th.Tensor:
    """WGAN-GP, eq. 3: the mean of (norm of the gradient - 1)^2 at given points."""
    total = th.zeros(())
    for sample in points:
        total = total + (squared_gradient_norm(logit_of, sample).sqrt() - 1) ** 2
    return total / len(points)


def largest_singular_value(weight: th.Tensor) -> float:
    """Spectral norm of a layer's weight, eq. 7; convolutions as in section 3.1."""
    matrix = weight.detach().reshape(len(weight), -1).double()
    return float(th.linalg.svdvals(matrix)[0])


def gaussian_log_density(x: Any, mean: Any, std: Any) -> float:
    """The log-density of independent normal variables."""
    total = 0.0
    for xi, mi, si in zip(x, mean, std, strict=True):
        total -= 0.5 * ((xi - mi) / si) ** 2 + math.log(si * math.sqrt(2 * math.pi))
    return total


def advantages(
    rewards: Any,
    values: Any,
    last_values: Any,
    dones: Any,
    time_limit_values: Any,
    discount: float,
    gae_lambda: float,
) -> Any:
    """Generalised advantages, each as the sum of its own discounted residuals.

    Args:
        rewards: ``(T, n)``.
        values: V of the state before each step, ``(T, n)``.
        last_values: V of the state after the last step, ``(n,)``.
        dones: whether the step ended an episode, ``(T, n)``.
        time_limit_values: V of the state after the step where a time limit ended the
            episode, else 0, ``(T, n)``.
        discount: gamma.
        gae_lambda: lambda.

    Returns:
        Advantages, ``(T, n)``.
    """
    n_steps, n_envs = rewards.shape
    result = np.zeros((n_steps, n_envs))
    for env in range(n_envs):
        for start in range(n_steps):
            weight = 1.0
            for t in range(start, n_steps):
                if dones[t, env]:
                    after = time_limit_values[t, env]
                elif t + 1 < n_steps:
                    after = values[t + 1, env]
                else:
                    after = last_values[env]
                residual = rewards[t, env] + discount * after - values[t, env]
                result[start, env] += weight * residual
                weight *= discount * gae_lambda
                if dones[t, env]:
                    break
    return result
