"""The equations of IQ-Learn.

Garg et al. (2021), https://arxiv.org/abs/2106.12142. A function Q stands for the reward
r(s, a, s') = Q(s, a) − γ V(s') (the inverse soft Bellman operator, equation 5, for one
sampled s'), with V the soft value of Q under its own policy. The χ² divergence between
the expert's occupancy ρ_E and the learner's gives the objective (equation 9 with
φ(x) = x − x² / 4α, table 1):

  max_Q  E_ρE[r] − (1 − γ) E_ρ0[V(s₀)] − 1/(4α) E[r²]

- The second term is E[V(s) − γ V(s')] over *any* policy's transitions (section 5.1):
  the expert's where there are no others, and half of each where there are.
- The third is taken over the same rows, which keeps rewards bounded also where the
  expert never goes (appendix, online training).
"""

import dataclasses

import torch as th


@dataclasses.dataclass(frozen=True)
class IQTerms:
    """The three terms of the objective, scalars with gradients."""

    expert_reward: th.Tensor
    """E_ρE[r], to be high."""

    initial_value: th.Tensor
    """E[V(s) − γ V(s')], an estimate of (1 − γ) E_ρ0[V(s₀)], to be low."""

    penalty: th.Tensor
    """1/(4α) E[r²], to be low."""

    @property
    def loss(self) -> th.Tensor:
        """The minimized loss: the objective with its sign changed."""
        return self.initial_value + self.penalty - self.expert_reward


def inverse_bellman(
    q_taken: th.Tensor, next_values: th.Tensor, dones: th.Tensor, discount: float
) -> th.Tensor:
    """Computes the reward that a Q-function stands for, Q(s, a) − γ (1 − d) V(s').

    Args:
        q_taken: Q(s, a) of the actions taken, shape ``(B, 1)``.
        next_values: V(s'), shape ``(B, 1)``.
        dones: d, 1 where the task ended and 0 elsewhere, time limits included, shape
            ``(B, 1)``.
        discount: γ in [0, 1].

    Returns:
        Rewards, shape ``(B, 1)``.
    """
    return q_taken - discount * (1 - dones) * next_values


def iq_terms(
    q_taken: th.Tensor,
    values: th.Tensor,
    next_values: th.Tensor,
    dones: th.Tensor,
    from_expert: th.Tensor,
    discount: float,
    chi2_alpha: float,
) -> IQTerms:
    """Computes the terms of the χ²-regularized objective on a batch.

    Args:
        q_taken: Q(s, a) of the actions taken, shape ``(B, 1)``.
        values: V(s), shape ``(B, 1)``.
        next_values: V(s'), shape ``(B, 1)``.
        dones: 1 where the task ended and 0 elsewhere, shape ``(B, 1)``.
        from_expert: which rows are the expert's, booleans of shape ``(B, 1)``; at
            least one is.
        discount: γ in [0, 1].
        chi2_alpha: α > 0; the larger, the larger the rewards.

    Returns:
        The terms; means over the expert's rows, all rows, and all rows.
    """
    rewards = inverse_bellman(q_taken, next_values, dones, discount)
    value_steps = inverse_bellman(values, next_values, dones, discount)
    return IQTerms(
        expert_reward=rewards[from_expert].mean(),
        initial_value=value_steps.mean(),
        penalty=rewards.square().mean() / (4 * chi2_alpha),
    )
