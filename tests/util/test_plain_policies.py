"""The plain network is the policy's own actor: same values, same gradients."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium.spaces import Box, Discrete
from stable_baselines3.common.policies import ActorCriticPolicy
from torch.nn import PReLU, ReLU, Tanh

from imitation.util.plain_policies import plain_network

OBS = gym.spaces.Box(-10, 10, (2, 2), np.float32)
SPACES = [gym.spaces.Discrete(3), gym.spaces.Box(-0.5, 1, (2,), np.float32)]


def make_policy(
    acts: Any, obs: Any = OBS, cls: Any = ActorCriticPolicy, **kwargs: Any
) -> Any:
    with th.random.fork_rng():
        th.manual_seed(0)
        return cls(obs, acts, lambda _: 1.0, **kwargs)


@pytest.mark.parametrize("acts", SPACES, ids=repr)
@pytest.mark.parametrize(
    "kwargs",
    [{"net_arch": [32, 32]}, {"net_arch": []}, {"activation_fn": th.nn.ReLU}],
    ids=repr,
)
def test_values_and_gradients_are_those_of_the_modules(
    acts: Box | Discrete, kwargs: dict[str, list[Any] | list[int] | type[ReLU]]
) -> None:
    policy = make_policy(acts, **kwargs)
    network = plain_network(policy)
    assert network is not None
    obs = th.randn(5, 2, 2, generator=th.Generator().manual_seed(0))
    actor = [
        p for n, p in policy.named_parameters() if "value" not in n and n != "log_std"
    ]

    distribution = policy.get_distribution(obs).distribution
    if isinstance(acts, gym.spaces.Discrete):
        expected, got = distribution.logits, network(obs).log_softmax(-1)
    else:
        expected, got = distribution.mean, network(obs)
    np.testing.assert_allclose(got.detach(), expected.detach(), rtol=1e-6)

    weights = th.randn(expected.shape, generator=th.Generator().manual_seed(1))
    expected_grads = th.autograd.grad((expected * weights).sum(), actor)
    got_grads = th.autograd.grad((got * weights).sum(), actor)
    for mine, theirs in zip(got_grads, expected_grads, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation_fn", [th.nn.Tanh, th.nn.PReLU])
def test_without_gradients_the_values_are_the_same(
    activation_fn: type[PReLU] | type[Tanh],
) -> None:
    policy = make_policy(SPACES[0], activation_fn=activation_fn)
    policy.mlp_extractor.policy_net[2] = th.nn.Linear(64, 64, bias=False)
    network, quick = plain_network(policy), plain_network(policy, gradients=False)
    assert network is not None and quick is not None
    obs = th.randn(5, 2, 2, generator=th.Generator().manual_seed(0))
    assert network(obs).requires_grad
    assert not quick(obs).requires_grad
    np.testing.assert_array_equal(quick(obs), network(obs).detach())


@pytest.mark.parametrize("gradients", [True, False])
def test_reads_the_weights_in_place(gradients: bool) -> None:
    policy = make_policy(SPACES[0])
    network = plain_network(policy, gradients=gradients)
    assert network is not None
    policy.load_state_dict(
        {k: th.zeros_like(v) for k, v in policy.state_dict().items()}
    )
    assert not network(th.ones(1, 2, 2)).any()


class OwnForward(ActorCriticPolicy):
    def evaluate_actions(self, obs: Any, actions: Any) -> Any:
        return super().evaluate_actions(obs, actions)


@pytest.mark.parametrize(
    "policy",
    [
        make_policy(SPACES[0], cls=OwnForward),
        make_policy(SPACES[0], obs=gym.spaces.Discrete(5)),
        make_policy(SPACES[0], obs=gym.spaces.Box(0, 255, (36, 36, 1), np.uint8)),
        make_policy(gym.spaces.MultiBinary(3)),
        make_policy(SPACES[1], use_sde=True),
        make_policy(SPACES[1], use_sde=True, squash_output=True),
    ],
    ids=["override", "discrete", "image", "binary", "sde", "squash"],
)
def test_declines_what_is_more_than_layers(
    policy: ActorCriticPolicy | OwnForward,
) -> None:
    assert plain_network(policy) is None


@pytest.mark.parametrize(
    "register", ["register_forward_hook", "register_full_backward_hook"]
)
def test_declines_hooks(register: str) -> None:
    policy = make_policy(SPACES[0])
    getattr(policy.action_net, register)(lambda *_: None)
    assert plain_network(policy) is None
