"""Contracts as reusable checks: call one on an algorithm of ours or of yours."""

from collections.abc import Callable, Iterable

import numpy as np
import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy

from imitation.data import types

__all__ = ["actor_parameters", "check_gradients", "check_imitates"]


def actor_parameters(policy: ActorCriticPolicy) -> dict[str, th.nn.Parameter]:
    """Returns the parameters that a policy's actions depend on, by name.

    Args:
        policy: an actor-critic policy.

    Returns:
        All its parameters but those of the value function alone.
    """
    value_only = ("value_net.", "mlp_extractor.value_net.", "vf_features_extractor.")
    own = not policy.share_features_extractor
    skip = value_only if own else value_only[:2]
    return {
        name: parameter
        for name, parameter in policy.named_parameters()
        if not name.startswith(skip)
    }


def check_gradients(
    named_parameters: Iterable[tuple[str, th.nn.Parameter]],
    update: Callable[[], None],
) -> None:
    """Checks that an update reaches every trainable tensor with a gradient.

    Args:
        named_parameters: what shall be trained.
        update: computes gradients, and may step an optimizer.

    Raises:
        AssertionError: a tensor has no gradient, or one that is zero or not finite.
    """
    named_parameters = list(named_parameters)
    for _, parameter in named_parameters:
        parameter.grad = None
    update()
    for name, parameter in named_parameters:
        assert parameter.grad is not None, f"{name} receives no gradient"
        assert th.isfinite(parameter.grad).all(), f"{name} has a gradient not finite"
        assert parameter.grad.abs().sum() > 0, f"{name} has a zero gradient"


def check_imitates(
    policy: BasePolicy, transitions: types.TransitionsMinimal, min_agreement: float
) -> None:
    """Checks that a policy with discrete actions acts like the demonstrations.

    Args:
        policy: the trained policy.
        transitions: what it was trained on, or held-out data.
        min_agreement: share of equal actions that is enough, in [0, 1].

    Raises:
        AssertionError: the policy agrees less often.
    """
    # Copies, because torch warns about the read-only arrays of transitions.
    obs = types.map_maybe_dict(np.array, types.maybe_unwrap_dictobs(transitions.obs))
    acts, _ = policy.predict(obs, deterministic=True)
    agreement = float(np.mean(acts == transitions.acts))
    assert agreement >= min_agreement, f"agreement {agreement:.3f} < {min_agreement}"
