"""The equations of soft Q-learning with discrete actions.

Haarnoja et al. (2017), https://arxiv.org/abs/1702.08165, with temperature α:

- soft value: V(s) = α log Σ_a exp(Q(s, a) / α), equation 9;
- policy: π(a | s) = exp((Q(s, a) − V(s)) / α), equation 6;
- the squared soft Bellman error that is minimized, equation 11:
  ½ E[(r + γ (1 − d) V(s') − Q(s, a))²], d = 1 where the task itself ended.

As α → 0 these become the maximum, the greedy policy, and the error of Q-learning.
"""

import torch as th
from torch.nn import functional


def soft_value(q_values: th.Tensor, temperature: float) -> th.Tensor:
    """Computes V(s) = α log Σ_a exp(Q(s, a) / α).

    Args:
        q_values: Q(s, ·), shape ``(B, n_actions)``.
        temperature: α > 0, in units of the reward.

    Returns:
        Soft values, shape ``(B, 1)``: between max Q and max Q + α log n_actions.
    """
    return temperature * th.logsumexp(q_values / temperature, dim=1, keepdim=True)


def log_policy(q_values: th.Tensor, temperature: float) -> th.Tensor:
    """Computes log π(a | s) = (Q(s, a) − V(s)) / α.

    Args:
        q_values: Q(s, ·), shape ``(B, n_actions)``.
        temperature: α > 0, in units of the reward.

    Returns:
        Log-probabilities, shape ``(B, n_actions)``, at most 0.
    """
    return functional.log_softmax(q_values / temperature, dim=1)


def soft_bellman_loss(
    q_taken: th.Tensor,
    rewards: th.Tensor,
    dones: th.Tensor,
    next_values: th.Tensor,
    discount: float | th.Tensor,
) -> th.Tensor:
    """Computes ½ E[(r + γ (1 − d) V(s') − Q(s, a))²].

    Args:
        q_taken: Q(s, a) of the actions taken, shape ``(B, 1)``.
        rewards: r, shape ``(B, 1)``.
        dones: d, 1 where the task ended and 0 elsewhere, time limits included, shape
            ``(B, 1)``.
        next_values: V(s'), shape ``(B, 1)``; without gradients.
        discount: γ in [0, 1], or one for each row, shape ``(B, 1)``.

    Returns:
        The loss, a scalar.
    """
    targets = rewards + (1 - dones) * discount * next_values
    return 0.5 * functional.mse_loss(q_taken, targets)
