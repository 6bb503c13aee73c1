"""The law of actions that are clipped to the bounds of their space."""

from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy

from imitation.algorithms.adversarial.airl import action_log_probs


def make_policy(
    mean: Any, std: Any, low: Any = -2.0, high: float = 3.0, n_dims: int = 1
) -> Any:
    policy: Any = ActorCriticPolicy(
        spaces.Box(-1, 1, (2,)), spaces.Box(low, high, (n_dims,)), lambda _: 1e-3
    )
    with th.no_grad():
        policy.action_net.weight.zero_()
        policy.action_net.bias.fill_(mean)
        policy.log_std.fill_(float(np.log(std)))
    return policy


def log_probs(policy: Any, actions: Any) -> Any:
    obs = np.zeros((len(actions), 2), dtype=np.float32)
    return action_log_probs(policy, obs, np.asarray(actions, dtype=np.float32)).numpy()


@pytest.mark.parametrize("mean", [0.0, 2.5, -4.0, 30.0])
@pytest.mark.parametrize("std", [0.2, 1.0])
def test_probabilities_of_clipped_actions_sum_to_one(mean: float, std: float) -> None:
    policy = make_policy(mean, std)
    inside = np.linspace(-2, 3, 20_001)[1:-1, None]
    density = np.exp(log_probs(policy, inside)).sum() * (inside[1, 0] - inside[0, 0])
    at_bounds = np.exp(log_probs(policy, [[-2.0], [3.0]])).sum()
    assert density + at_bounds == pytest.approx(1, abs=2e-3)


def test_a_bound_is_as_likely_as_what_is_clipped_to_it() -> None:
    policy = make_policy(mean=2.0, std=1.5)
    rng = np.random.default_rng(0)
    clipped = np.clip(rng.normal(2.0, 1.5, 200_000), -2, 3)
    probability = np.exp(log_probs(policy, [[3.0]]))[0]
    assert probability == pytest.approx(np.mean(clipped == 3), abs=5e-3)


def test_a_mean_far_outside_makes_the_bound_certain() -> None:
    policy = make_policy(mean=1e3, std=0.1)
    assert log_probs(policy, [[3.0]])[0] == pytest.approx(0, abs=1e-6)
    assert log_probs(policy, [[0.0]])[0] < -1e6


def test_dimensions_are_independent() -> None:
    two = make_policy(0.5, 1.0, n_dims=2)
    one = make_policy(0.5, 1.0)
    each = log_probs(one, [[3.0], [0.3]])
    assert log_probs(two, [[3.0, 0.3]])[0] == pytest.approx(each.sum(), rel=1e-6)


def test_unbounded_actions_have_a_density() -> None:
    policy = make_policy(0.5, 1.0, low=-np.inf, high=np.inf)
    expected = th.distributions.Normal(0.5, 1.0).log_prob(th.tensor(3.0)).item()
    assert log_probs(policy, [[3.0]])[0] == pytest.approx(expected, rel=1e-6)
