"""The objective of behavioral cloning, as pure functions of tensors.

For a batch of expert pairs (s, a), the loss is

    L(θ) = −mean log π_θ(a|s) − w_ent · mean H(π_θ(·|s)) + w_l2 · ½ Σ θ²

Pomerleau, "Efficient Training of Artificial Neural Networks for Autonomous Navigation",
Neural Computation 3(1), 1991, is the first use of the likelihood term for control.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch as th
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from gymnasium import spaces
from stable_baselines3.common import distributions
from stable_baselines3.common.policies import ActorCriticPolicy

from imitation.data import types
from imitation.util import tensors
from imitation.util.plain_policies import PlainNetwork, plain_network
from imitation.util.spaces import Space

TensorObs = th.Tensor | dict[str, th.Tensor]


@dataclasses.dataclass(frozen=True)
class BCTrainingMetrics:
    """The parts of the loss on one batch; scalars on the policy's device."""

    neglogp: th.Tensor
    """−mean log π(a|s), in nats."""

    entropy: th.Tensor | None
    """Mean entropy of π(·|s), in nats; None where the distribution has no formula."""

    ent_loss: th.Tensor
    """−ent_weight · entropy; zero where there is no entropy."""

    prob_true_act: th.Tensor
    """Mean probability (density, for continuous actions) of the expert's action."""

    l2_norm: th.Tensor
    """Half the sum of squares of all parameters, under its documented name."""

    l2_loss: th.Tensor
    """l2_weight · l2_norm."""

    loss: th.Tensor
    """The objective: neglogp + ent_loss + l2_loss."""


@dataclasses.dataclass(frozen=True)
class BehaviorCloningLossCalculator:
    """Computes the loss of a policy on a batch of expert pairs."""

    ent_weight: float
    """Weight of the entropy bonus, ≥ 0."""

    l2_weight: float
    """Weight of half the sum of squared parameters, ≥ 0."""

    def __call__(
        self,
        policy: ActorCriticPolicy,
        obs: types.AnyTensor | types.DictObs | Mapping[str, types.AnyTensor],
        acts: types.AnyTensor,
    ) -> BCTrainingMetrics:
        """Computes the loss with all its parts.

        Args:
            policy: the policy to train.
            obs: observations, shape ``(B, *obs_shape)``; arrays, tensors, or
                dictionaries of them.
            acts: the expert's actions, shape ``(B, *act_shape)``.

        Returns:
            The parts; `loss` carries the gradient.
        """
        log_prob, entropy = _log_prob_and_entropy(
            policy, *policy_inputs(policy, obs, acts), plain_network(policy)
        )
        neglogp = -log_prob.mean()
        l2_norm = _half_sum_of_squares(policy)
        l2_loss = self.l2_weight * l2_norm
        ent_loss = self._ent_loss(entropy, neglogp)
        return BCTrainingMetrics(
            neglogp=neglogp,
            entropy=entropy,
            ent_loss=ent_loss,
            prob_true_act=log_prob.exp().mean(),
            l2_norm=l2_norm,
            l2_loss=l2_loss,
            loss=neglogp + ent_loss + l2_loss,
        )

    def loss(
        self,
        policy: ActorCriticPolicy,
        obs: TensorObs,
        acts: th.Tensor,
        network: PlainNetwork | None = None,
    ) -> th.Tensor:
        """Computes the objective alone, for the steps between two log entries.

        Args:
            policy: the policy to train.
            obs: observations on the policy's device, as from `policy_inputs`.
            acts: actions on the policy's device.
            network: the policy's `plain_network` if the caller, who takes many
                steps, has looked for it.

        Returns:
            A scalar, equal to the `loss` of the full metrics.
        """
        log_prob, entropy = _log_prob_and_entropy(policy, obs, acts, network)
        loss = -log_prob.mean()
        if self.ent_weight != 0 and entropy is not None:
            loss = loss - self.ent_weight * entropy
        if self.l2_weight != 0:
            loss = loss + self.l2_weight * _half_sum_of_squares(policy)
        return loss

    def _ent_loss(self, entropy: th.Tensor | None, like: th.Tensor) -> th.Tensor:
        """The entropy term, on the device of the loss even where it is zero."""
        return th.zeros_like(like) if entropy is None else -self.ent_weight * entropy


def policy_inputs(
    policy: ActorCriticPolicy,
    obs: types.AnyTensor | types.DictObs | Mapping[str, types.AnyTensor],
    acts: types.AnyTensor,
) -> tuple[TensorObs, th.Tensor]:
    """Brings a batch to the policy's device as tensors.

    Args:
        policy: the policy that will see the batch.
        obs: observations: arrays, tensors, or dictionaries of them.
        acts: actions: array or tensor.

    Returns:
        Observations and actions as tensors on `policy.device`.
    """
    device = policy.device
    if isinstance(obs, Mapping | types.DictObs):
        moved: TensorObs = {
            key: tensors.safe_to_tensor(value).to(device) for key, value in obs.items()
        }
    else:
        moved = tensors.safe_to_tensor(obs).to(device)
    return moved, tensors.safe_to_tensor(acts).to(device)


def _log_prob_and_entropy(
    policy: ActorCriticPolicy,
    obs: TensorObs,
    acts: th.Tensor,
    network: PlainNetwork | None,
) -> tuple[th.Tensor, th.Tensor | None]:
    """Log-probability of each action, shape (B,), and the mean entropy.

    The value head is not evaluated: the objective does not depend on it.
    """
    if network is not None and isinstance(obs, th.Tensor):
        output = network(obs)
        if isinstance(policy.action_space, spaces.Discrete):
            return _of_categories(F.log_softmax(output, dim=-1), acts)
        return _of_normals(output, policy.log_std, acts)
    distribution: Any = policy.get_distribution(obs)
    if isinstance(distribution, distributions.CategoricalDistribution):
        # The logits of a Categorical are normalized: they are log-probabilities.
        return _of_categories(distribution.distribution.logits, acts)
    acts = acts.float()
    if policy.squash_output:  # the distribution is one of actions scaled to [-1, 1]
        acts = _scaled(acts, policy.action_space)
    log_prob = distribution.log_prob(acts)
    entropy = distribution.entropy()
    return log_prob, None if entropy is None else entropy.mean()


def _scaled(acts: th.Tensor, space: Space) -> th.Tensor:
    """Maps actions from the bounds of their space to [-1, 1]."""
    assert isinstance(space, spaces.Box), space
    low, high = (th.as_tensor(b, device=acts.device) for b in (space.low, space.high))
    return 2 * (acts - low) / (high - low) - 1


def _of_categories(
    log_probs: th.Tensor, acts: th.Tensor
) -> tuple[th.Tensor, th.Tensor]:
    """For log-probabilities of shape (B, n_actions)."""
    log_prob = -F.nll_loss(log_probs, acts.long().reshape(-1), reduction="none")
    return log_prob, -(log_probs.exp() * log_probs).sum(dim=-1).mean()


def _of_normals(
    mean: th.Tensor, log_std: th.Tensor, acts: th.Tensor
) -> tuple[th.Tensor, th.Tensor]:
    """For means of shape (B, action_dim) and their common log σ, (action_dim,).

    log N(a; μ, σ) = −½ ((a − μ)/σ)² − log σ − ½ log 2π and H = ½ + ½ log 2π + log σ.
    """
    z = (acts.float().reshape(mean.shape) - mean) * (-log_std).exp()
    log_scale = (log_std + 0.5 * math.log(2 * math.pi)).sum()
    return -0.5 * z.square().sum(dim=-1) - log_scale, log_scale + 0.5 * len(log_std)


def _half_sum_of_squares(policy: ActorCriticPolicy) -> th.Tensor:
    """½ Σ θ² over all parameters."""
    squares = [parameter.square().sum() for parameter in policy.parameters()]
    return 0.5 * th.stack(squares).sum()
