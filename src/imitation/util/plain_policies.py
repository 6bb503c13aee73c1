"""Calling a simple actor-critic policy at the cost of its layers.

For a network of two hidden layers most of the time of ``ActorCriticPolicy`` goes into
what surrounds the layers: checking observations, calling containers of modules, looking
for hooks, building a distribution object. Loops that call the same policy many times
check once that there is nothing to it but layers, and then call only those.
"""

import functools
from collections.abc import Callable

import torch as th
from gymnasium import spaces
from stable_baselines3.common import distributions, torch_layers
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.preprocessing import is_image_space

# From observations, shape ``(B, *observation_shape)``, to the output of the action
# layer: logits of shape ``(B, n_actions)``, or means of shape ``(B, action_dim)``.
PlainNetwork = Callable[[th.Tensor], th.Tensor]

# A policy that overrides one of these may be more than its layers.
_METHODS = (
    "_get_action_dist_from_latent",
    "_predict",
    "evaluate_actions",
    "extract_features",
    "forward",
    "get_distribution",
    "obs_to_tensor",
    "predict",
)


def plain_network(policy: BasePolicy, *, gradients: bool = True) -> PlainNetwork | None:
    """Returns the actor of a policy as one function, if it is nothing but layers.

    The function reads the weights in place: the policy may be trained meanwhile.

    Args:
        policy: any policy.
        gradients: False makes a quicker function that need not be called under
            ``torch.no_grad``.

    Returns:
        A function with the values and the gradients of the policy's own modules; None
        unless `policy` is an ``ActorCriticPolicy`` of plain layers over a vector
        observation, with categorical or normally distributed actions, and nothing in
        it is overridden or hooked.
    """
    if not isinstance(policy, ActorCriticPolicy) or not _is_plain(policy):
        return None
    parts = (*policy.mlp_extractor.policy_net, policy.action_net)
    layers = [_layer(part, gradients=gradients) for part in parts]

    def network(obs: th.Tensor) -> th.Tensor:
        hidden = obs.float().flatten(1)
        for layer in layers:
            hidden = layer(hidden)
        return hidden

    return network


def _is_plain(policy: ActorCriticPolicy) -> bool:
    return (
        isinstance(policy.observation_space, spaces.Box)
        and not is_image_space(policy.observation_space)
        and not policy.squash_output
        and type(policy.pi_features_extractor) is torch_layers.FlattenExtractor
        and type(policy.mlp_extractor) is torch_layers.MlpExtractor
        and type(policy.mlp_extractor.policy_net) is th.nn.Sequential
        and type(policy.action_dist)
        in (
            distributions.CategoricalDistribution,
            distributions.DiagGaussianDistribution,
        )
        and all(
            getattr(type(policy), name) is getattr(ActorCriticPolicy, name)
            for name in _METHODS
        )
        # Torch runs hooks in `__call__`, which is skipped here.
        and not any(
            part._forward_hooks
            or part._forward_pre_hooks
            or part._backward_hooks
            or part._backward_pre_hooks
            for part in policy.modules()
        )
    )


def _layer(module: th.nn.Module, *, gradients: bool) -> PlainNetwork:
    if type(module) is th.nn.Linear and module.bias is not None:
        weight, bias = module.weight, module.bias
        if gradients:
            return functools.partial(th.nn.functional.linear, weight=weight, bias=bias)
        # A transposed view: in-place updates of the weights are seen.
        transposed, offset = weight.detach().t(), bias.detach()
        return lambda rows: th.addmm(offset, rows, transposed)
    forward: PlainNetwork = module.forward  # without the search for hooks of a call
    has_weights = next(module.parameters(), None) is not None
    return forward if gradients or not has_weights else th.no_grad()(forward)
