"""Policies that are not learnt, and the prescribed network shapes."""

import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3.common import vec_env
from torch import nn

from imitation.policies import base
from imitation.util import policy_io

BOX = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
DICT = gym.spaces.Dict(
    {
        "a": BOX,
        "b": gym.spaces.Discrete(4),
        "c": gym.spaces.Box(0, 255, (8, 8, 1), np.uint8),
    }
)
OBS_SPACES = {
    "box": BOX,
    "discrete": gym.spaces.Discrete(4),
    "image": gym.spaces.Box(0, 255, (36, 36, 3), np.uint8),
    "dict": DICT,
}
ACT_SPACES = {
    "box": gym.spaces.Box(-2.0, 2.0, (2,), np.float32),
    "discrete": gym.spaces.Discrete(5),
    "multi_discrete": gym.spaces.MultiDiscrete([3, 4]),
    "multi_binary": gym.spaces.MultiBinary(3),
}


def _batch(space: Any, n: Any) -> Any:
    samples = [space.sample() for _ in range(n)]
    if isinstance(space, gym.spaces.Dict):
        return {k: np.stack([s[k] for s in samples]) for k in space}
    return np.stack(samples)


@pytest.mark.parametrize("cls", [base.RandomPolicy, base.ZeroPolicy])
@pytest.mark.parametrize("act_space", ACT_SPACES.values(), ids=ACT_SPACES)
@pytest.mark.parametrize("obs_space", OBS_SPACES.values(), ids=OBS_SPACES)
def test_one_action_in_the_space_per_environment(
    cls: Any, obs_space: Any, act_space: Any
) -> None:
    policy = cls(obs_space, act_space)
    for n in (1, 2, 7):
        acts, state = policy.predict(_batch(obs_space, n))
        assert acts.shape == (n, *act_space.shape)
        assert acts.dtype == act_space.dtype
        assert state is None
        assert all(act_space.contains(act) for act in acts)


def test_an_unbatched_observation_gives_an_unbatched_action() -> None:
    policy = base.RandomPolicy(DICT, ACT_SPACES["box"])
    acts, _ = policy.predict(DICT.sample())
    assert ACT_SPACES["box"].contains(acts)


def test_random_policy_covers_the_space_uniformly() -> None:
    space = gym.spaces.Discrete(3)
    policy = base.RandomPolicy(BOX, space, rng=np.random.default_rng(0))
    acts, _ = policy.predict(np.zeros((3000, 3), np.float32))
    counts = np.bincount(acts, minlength=3)
    assert np.all(np.abs(counts - 1000) < 130)  # five standard deviations


def test_random_policy_repeats_with_the_same_rng_and_leaves_the_space_alone() -> None:
    space = gym.spaces.Discrete(100, seed=3)
    untouched = gym.spaces.Discrete(100, seed=3)
    obs = np.zeros((20, 3), np.float32)
    first, second = (
        base.RandomPolicy(BOX, space, rng=np.random.default_rng(5)).predict(obs)[0]
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert space.sample() == untouched.sample()


def test_random_policy_follows_a_seeded_space() -> None:
    space = gym.spaces.Discrete(100)
    policy = base.RandomPolicy(BOX, space)
    obs = np.zeros((20, 3), np.float32)
    space.seed(7)
    first, _ = policy.predict(obs)
    space.seed(7)
    second, _ = policy.predict(obs)
    np.testing.assert_array_equal(first, second)


def test_zero_policy_acts_zero() -> None:
    policy = base.ZeroPolicy(BOX, ACT_SPACES["box"])
    acts, _ = policy.predict(np.ones((4, 3), np.float32))
    np.testing.assert_array_equal(acts, np.zeros((4, 2)))


@pytest.mark.parametrize(
    "space", [gym.spaces.Box(1.0, 2.0, (2,)), gym.spaces.Discrete(3, start=1)]
)
def test_zero_policy_needs_zero_in_the_action_space(space: Any) -> None:
    with pytest.raises(ValueError, match="zero action is not in"):
        base.ZeroPolicy(BOX, space)


def test_non_trainable_policy_has_no_forward() -> None:
    policy = base.ZeroPolicy(BOX, ACT_SPACES["box"])
    with pytest.raises(NotImplementedError, match=r"predict\(\)"):
        policy(th.zeros(1, 3))


def test_a_rule_sees_each_environment_of_a_dict_batch() -> None:
    class Rule(base.NonTrainablePolicy):
        def _choose_action(self, obs: Any) -> int:
            assert set(obs) == {"a", "b", "c"}
            assert obs["a"].shape == (3,)
            return int(obs["b"])

    policy = Rule(DICT, gym.spaces.Discrete(4))
    batch = _batch(DICT, 6)
    acts, _ = policy.predict(batch)
    np.testing.assert_array_equal(acts, batch["b"])


def _widths(module: Any) -> Any:
    return [layer.out_features for layer in module if isinstance(layer, nn.Linear)]


def test_feed_forward_32_policy_has_two_layers_of_32() -> None:
    policy = base.FeedForward32Policy(BOX, ACT_SPACES["box"], lambda _: 1e-3)
    assert _widths(policy.mlp_extractor.policy_net) == [32, 32]
    assert _widths(policy.mlp_extractor.value_net) == [32, 32]


def test_sac_1024_policy_has_two_layers_of_1024() -> None:
    policy = base.SAC1024Policy(BOX, ACT_SPACES["box"], lambda _: 1e-3)
    assert _widths(policy.actor.latent_pi) == [1024, 1024]
    assert _widths(policy.critic.q_networks[0]) == [1024, 1024, 1]


@pytest.mark.parametrize("obs_space", [BOX, DICT], ids=["box", "dict"])
def test_normalize_features_extractor_standardises_each_feature(obs_space: Any) -> None:
    policy = base.FeedForward32Policy(
        obs_space,
        ACT_SPACES["discrete"],
        lambda _: 1e-3,
        features_extractor_class=base.NormalizeFeaturesExtractor,
    )
    expected_size = 3 if obs_space is BOX else 3 + 4 + 64
    extractor = policy.features_extractor
    assert extractor.features_dim == expected_size
    obs, _ = policy.obs_to_tensor(_batch(obs_space, 256))
    policy.set_training_mode(True)
    policy.extract_features(obs)
    policy.set_training_mode(False)
    features: Any = policy.extract_features(obs, extractor)
    assert features.shape == (256, expected_size)
    th.testing.assert_close(
        features.mean(0), th.zeros(expected_size), atol=1e-3, rtol=0
    )
    th.testing.assert_close(
        features.var(0, unbiased=False), th.ones(expected_size), atol=2e-2, rtol=0
    )


def test_normalize_features_extractor_takes_any_layer_that_keeps_the_shape() -> None:
    extractor = base.NormalizeFeaturesExtractor(BOX, normalize_class=nn.LayerNorm)
    out = extractor(th.tensor([[1.0, 2.0, 3.0]]))
    th.testing.assert_close(out.mean(), th.tensor(0.0))


class _Spaces(gym.Env):
    def __init__(self, observation_space: Any, action_space: Any) -> None:
        self.observation_space = observation_space
        self.action_space = action_space


@pytest.mark.parametrize(
    ("obs_space", "act_space", "complaint"),
    [
        (gym.spaces.Box(-1, 1, (4,)), ACT_SPACES["box"], "Observation spaces do not"),
        (gym.spaces.Discrete(3), ACT_SPACES["box"], "Observation spaces do not"),
        (BOX, ACT_SPACES["discrete"], "Action spaces do not match"),
        (BOX, gym.spaces.Box(-1.0, 1.0, (2,)), "Action spaces do not match"),
    ],
)
def test_check_spaces_names_both_spaces(
    obs_space: Any, act_space: Any, complaint: str
) -> None:
    venv = vec_env.DummyVecEnv([lambda: _Spaces(obs_space, act_space)])
    policy = base.ZeroPolicy(BOX, ACT_SPACES["box"])
    with pytest.raises(ValueError, match=complaint) as caught:
        base.check_spaces(policy, venv, "a file")
    assert str(obs_space if "Observation" in complaint else act_space) in str(
        caught.value
    )


def test_check_spaces_ignores_the_bounds_of_observations() -> None:
    wider = gym.spaces.Box(-np.inf, np.inf, (3,))
    venv = vec_env.DummyVecEnv([lambda: _Spaces(wider, ACT_SPACES["box"])])
    base.check_spaces(base.ZeroPolicy(BOX, ACT_SPACES["box"]), venv, "a file")


@pytest.mark.parametrize("cls", [base.ZeroPolicy, base.RandomPolicy])
def test_policies_without_networks_are_saved_and_loaded(
    cls: Any, tmp_path: pathlib.Path
) -> None:
    box = gym.spaces.Box(-1, 1, (3,), np.float32)
    policy_io.save_policy(cls(box, gym.spaces.Discrete(2)), tmp_path / "policy")
    loaded = policy_io.load_policy(tmp_path / "policy")
    assert type(loaded) is cls
    assert loaded.predict(_batch(box, 3))[0].shape == (3,)
