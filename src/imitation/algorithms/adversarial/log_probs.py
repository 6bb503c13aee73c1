"""Log-probabilities of actions under a generator's policy, in the environment's units.

Stable-Baselines3's policies disagree about units: a squashed policy (SAC, gSDE with
``squash_output``) has its density over actions scaled to [−1, 1]. With a = low +
(high − low)·(u + 1)/2, the density of a is that of u times ∏ 2/(high − low).

Other Gaussian policies are clipped to the bounds of the action space before they act.
So at a bound an action has the probability of all that lies beyond it, not a density:
an expert that acts at the bounds would otherwise look impossible to a policy whose mean
is far outside.
"""

from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch as th
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.sac.policies import SACPolicy

from imitation.data import types
from imitation.util import networks, tensors

__all__ = ["STOCHASTIC_POLICIES", "action_log_probs", "can_tell_log_probs"]

STOCHASTIC_POLICIES = (ActorCriticPolicy, SACPolicy)
"""Policies that can tell the probability of an action."""


def can_tell_log_probs(policy: BasePolicy) -> bool:
    """Whether the probability of an action follows from the policy and one state.

    That of a recurrent policy depends on the whole episode.
    """
    is_recurrent = hasattr(policy, "lstm_actor")  # sb3-contrib may not be installed
    return isinstance(policy, STOCHASTIC_POLICIES) and not is_recurrent


def action_log_probs(
    policy: BasePolicy, obs: Any, acts: npt.NDArray[Any] | th.Tensor
) -> th.Tensor:
    """Computes log π(a|s) without gradients.

    Args:
        policy: one of `STOCHASTIC_POLICIES`.
        obs: observations of the environment, ``(B, *observation_shape)``, or a
            dictionary of such arrays.
        acts: actions of the environment, ``(B, *action_shape)``.

    Returns:
        Log-probabilities, shape ``(B,)``, on the policy's device: of a density for
        continuous actions inside their bounds.
    """
    assert isinstance(policy, STOCHASTIC_POLICIES)
    arrays = types.map_maybe_dict(tensors.safe_to_numpy, obs)
    observations, _ = policy.obs_to_tensor(arrays)
    actions = tensors.safe_to_tensor(acts).to(policy.device)
    space, squashed = policy.action_space, policy.squash_output
    if squashed:
        assert isinstance(space, spaces.Box)
        low = th.as_tensor(space.low, device=policy.device)
        high = th.as_tensor(space.high, device=policy.device)
        actions = 2 * (actions.to(low.dtype) - low) / (high - low) - 1
    if actions.ndim > 2:
        actions = actions.flatten(1)  # as the policy's network does
    with th.no_grad(), networks.evaluating(policy):
        distribution = _distribution(policy, observations)
        if isinstance(space, spaces.Box) and not squashed:
            return _clipped_log_probs(distribution.distribution, actions, space)
        log_probs = distribution.log_prob(actions)
    if squashed:
        assert isinstance(space, spaces.Box)
        log_probs = log_probs - float(np.log((space.high - space.low) / 2).sum())
    return cast(th.Tensor, log_probs)


def _distribution(policy: ActorCriticPolicy | SACPolicy, observations: Any) -> Any:
    if isinstance(policy, ActorCriticPolicy):
        return policy.get_distribution(observations)
    mean, log_std, kwargs = policy.actor.get_action_dist_params(observations)
    actor = policy.actor.action_dist
    return actor.proba_distribution(mean, log_std, **kwargs)


def _clipped_log_probs(normal: Any, actions: th.Tensor, space: spaces.Box) -> th.Tensor:
    """Log-probabilities of normally distributed actions clipped to the bounds."""
    low = th.as_tensor(space.low, device=actions.device).flatten()
    high = th.as_tensor(space.high, device=actions.device).flatten()
    below = th.special.log_ndtr((low - normal.loc) / normal.scale)
    above = th.special.log_ndtr((normal.loc - high) / normal.scale)
    log_probs = normal.log_prob(actions)  # (B, action_dim)
    log_probs = th.where(actions <= low, below, log_probs)
    log_probs = th.where(actions >= high, above, log_probs)
    return log_probs.sum(dim=1)
