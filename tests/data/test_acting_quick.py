"""A quick actor acts exactly as the policy's own ``predict``."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy

from imitation.data.acting import quick_actor
from imitation.errors import DataError

OBS = gym.spaces.Box(-10, 10, (4,), np.float32)
SPACES = [gym.spaces.Discrete(3), gym.spaces.Box(-0.5, 1, (2, 2), np.float32)]


def make_policy(acts: Any, **kwargs: Any) -> ActorCriticPolicy:
    with th.random.fork_rng():
        th.manual_seed(0)
        return ActorCriticPolicy(OBS, acts, lambda _: 1.0, **kwargs)


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("n_envs", [1, 8])
@pytest.mark.parametrize("acts", SPACES, ids=repr)
def test_equals_predict(acts: Any, n_envs: int, deterministic: bool) -> None:
    policy = make_policy(acts, log_std_init=-1.0)
    actor = quick_actor(policy, deterministic)
    assert actor is not None
    obs = np.random.default_rng(0).normal(size=(20, n_envs, 4)).astype(np.float32)
    with th.random.fork_rng():
        th.manual_seed(1)
        expected = [policy.predict(o, deterministic=deterministic)[0] for o in obs]
        th.manual_seed(1)
        got = [actor(o) for o in obs]
    np.testing.assert_array_equal(got, expected)
    assert got[0].dtype == expected[0].dtype


def test_frequencies_are_the_probabilities() -> None:
    policy: Any = make_policy(gym.spaces.Discrete(3))
    with th.no_grad():
        policy.action_net.bias.copy_(th.tensor([0.0, 1.0, 2.0]))
        policy.action_net.weight.zero_()
    actor = quick_actor(policy, deterministic=False)
    assert actor is not None
    n = 20_000
    with th.random.fork_rng():
        th.manual_seed(0)
        counts = np.bincount(actor(np.zeros((n, 4), np.float32)), minlength=3)
    probs = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    # five standard deviations of the binomial counts
    assert np.all(abs(counts - n * probs) < 5 * np.sqrt(n * probs * (1 - probs)))


@pytest.mark.parametrize("acts", SPACES, ids=repr)
@pytest.mark.parametrize("what", ["weights", "observations"])
def test_refuses_what_is_not_finite(acts: Any, what: str) -> None:
    policy: Any = make_policy(acts)
    actor = quick_actor(policy, deterministic=False)
    assert actor is not None
    obs = np.zeros((2, 4), np.float32)
    if what == "weights":
        with th.no_grad():
            policy.action_net.bias.fill_(np.nan)
    else:
        obs[1, 2] = np.nan
    with pytest.raises(DataError, match="not finite"):
        actor(obs)


def test_declines_what_is_more_than_layers() -> None:
    policy = make_policy(gym.spaces.MultiBinary(3))
    assert quick_actor(policy, deterministic=True) is None


@pytest.mark.parametrize("change", ["read-only", "reversed", "big-endian"])
def test_takes_observations_in_any_memory(change: str) -> None:
    policy = make_policy(gym.spaces.Discrete(3))
    actor = quick_actor(policy, deterministic=True)
    assert actor is not None
    obs = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    same = obs[::-1].copy()[::-1] if change == "reversed" else obs.copy()
    if change == "big-endian":
        same = same.astype(">f4")
    same.flags.writeable = change != "read-only"
    np.testing.assert_array_equal(actor(same), actor(obs))
