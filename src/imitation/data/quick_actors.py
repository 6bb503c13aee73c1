"""Acting with a small actor-critic policy at the cost of its layers.

For a network of two hidden layers, nine tenths of the time of
``BasePolicy.predict`` go into what surrounds the layers: walking through the modules,
checking the observations again, calling containers of modules, building a distribution
object. A rollout checks all that once. The actions are those that ``predict`` would
return, and use the same random numbers.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch as th
from gymnasium import spaces
from stable_baselines3.common import distributions, torch_layers
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.preprocessing import is_image_space

__all__ = ["quick_actor"]

Array = npt.NDArray[Any]
Layer = Callable[[th.Tensor], th.Tensor]
Draw = Callable[[th.Tensor, bool], th.Tensor]
Actor = Callable[[Array], Array]

_EXPECTED_METHODS = (
    "_get_action_dist_from_latent",
    "_predict",
    "extract_features",
    "forward",
    "get_distribution",
    "obs_to_tensor",
    "predict",
)


def quick_actor(policy: BasePolicy, deterministic: bool) -> Actor | None:
    """Returns a quick version of ``policy.predict`` if there is one.

    It reads the weights in place, so the policy may be trained meanwhile, but must stay
    on its device.

    Args:
        policy: any policy.
        deterministic: asks for the most likely action.

    Returns:
        A function from observations of shape ``(n_envs, *observation_shape)`` to
        actions of shape ``(n_envs, *action_shape)``; None if the policy is not a
        ``ActorCriticPolicy`` of plain layers over a vector observation, with
        categorical or normally distributed actions, or if anything in it is overridden
        or hooked.
    """
    if not isinstance(policy, ActorCriticPolicy) or not _is_plain(policy):
        return None
    layers = [
        _layer(part) for part in (*policy.mlp_extractor.policy_net, policy.action_net)
    ]
    draw = _draw(policy)
    if draw is None:
        return None
    device, space = policy.device, policy.action_space

    def act(obs: Array) -> Array:
        with th.no_grad():
            hidden = th.as_tensor(np.ascontiguousarray(obs), device=device).float()
            hidden = hidden.flatten(1)
            for layer in layers:
                hidden = layer(hidden)
            acts: Array = draw(hidden, deterministic).cpu().numpy()
        if isinstance(space, spaces.Box):
            return np.clip(acts.reshape(-1, *space.shape), space.low, space.high)
        return acts

    return act


def _is_plain(policy: ActorCriticPolicy) -> bool:
    """Whether a policy is nothing but layers from the observation to the action."""
    return (
        isinstance(policy.observation_space, spaces.Box)
        and not is_image_space(policy.observation_space)
        and not policy.squash_output
        and type(policy.pi_features_extractor) is torch_layers.FlattenExtractor
        and type(policy.mlp_extractor) is torch_layers.MlpExtractor
        and type(policy.mlp_extractor.policy_net) is th.nn.Sequential
        and all(
            getattr(type(policy), name) is getattr(ActorCriticPolicy, name)
            for name in _EXPECTED_METHODS
        )
        and not any(
            part._forward_hooks or part._forward_pre_hooks for part in policy.modules()
        )
    )


def _layer(module: th.nn.Module) -> Layer:
    if type(module) is th.nn.Linear:
        return functools.partial(
            th.nn.functional.linear, weight=module.weight, bias=module.bias
        )
    forward: Layer = module.forward  # without the search for hooks of a call
    return forward


def _draw(policy: ActorCriticPolicy) -> Draw | None:
    """How to get from the output of the last layer to actions."""
    if type(policy.action_dist) is distributions.CategoricalDistribution:
        return _category
    if type(policy.action_dist) is distributions.DiagGaussianDistribution:
        return functools.partial(_normal, policy.log_std)
    return None


def _category(logits: th.Tensor, deterministic: bool) -> th.Tensor:
    """One category per row, shape (n_envs,)."""
    if deterministic:
        return th.argmax(logits, dim=1)
    # An exponential race: the category of rate p is first with probability p. It is
    # how torch.multinomial draws one sample, less its checks of the probabilities.
    probs = th.softmax(logits, dim=1)
    return th.argmax(probs / th.empty_like(probs).exponential_(), dim=1)


def _normal(log_std: th.Tensor, mean: th.Tensor, deterministic: bool) -> th.Tensor:
    """One vector per row, shape (n_envs, action_dim)."""
    return mean if deterministic else mean + th.randn_like(mean) * log_std.exp()
