"""Rewards loaded by their type."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.adversarial.gail import RewardNetFromDiscriminatorLogit
from imitation.errors import ConfigError, ImitationError
from imitation.rewards import reward_nets, serialize
from imitation.testing.reward_nets import make_ensemble
from imitation.util import networks

BOX = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
ACTIONS = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)


class Venv(VecEnv):
    """Spaces without an environment."""

    def __init__(
        self, observation_space: Any = BOX, action_space: Any = ACTIONS
    ) -> None:
        self.observation_space = observation_space
        self.action_space = action_space

    def _unused(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    unused: Any = _unused
    reset = step_async = step_wait = close = env_is_wrapped = unused
    get_attr = set_attr = env_method = unused


Venv.__abstractmethods__ = frozenset()


def batch(seed: int = 0, n: int = 9) -> Any:
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(n, 3)).astype(np.float32),
        rng.normal(size=(n, 2)).astype(np.float32),
        rng.normal(size=(n, 3)).astype(np.float32),
        np.arange(n) % 3 == 0,
    )


def basic() -> reward_nets.BasicRewardNet:
    return reward_nets.BasicRewardNet(BOX, ACTIONS, hid_sizes=(4,))


def shaped(base: None = None) -> reward_nets.ShapedRewardNet:
    potential = reward_nets.BasicPotentialMLP(BOX, (4,))
    return reward_nets.ShapedRewardNet(base or basic(), potential, 0.9)


def normalized(net: Any) -> Any:
    wrapped = reward_nets.NormalizedRewardNet(net, networks.RunningNorm)
    wrapped.predict_processed(*batch(1))
    return wrapped


def std_added() -> reward_nets.AddSTDRewardWrapper:
    return reward_nets.AddSTDRewardWrapper(make_ensemble(BOX, ACTIONS), 0.7)


def gail(net: Any) -> RewardNetFromDiscriminatorLogit:
    return RewardNetFromDiscriminatorLogit(net)


NETS: Any = {
    "basic": basic,
    "shaped": shaped,
    "basic_shaped": lambda: reward_nets.BasicShapedRewardNet(BOX, ACTIONS),
    "normalized": lambda: normalized(basic()),
    "normalized_shaped": lambda: normalized(shaped()),
    "ensemble": lambda: make_ensemble(BOX, ACTIONS),
    "std_added": std_added,
    "normalized_std_added": lambda: normalized(std_added()),
    "twice_normalized": lambda: normalized(normalized(basic())),
    "gail": lambda: gail(basic()),
    "gail_normalized": lambda: gail(normalized(basic())),
    "gail_shaped": lambda: gail(shaped()),
}


def processed(net: Any, **kwargs: Any) -> Any:
    return net.predict_processed(*batch(), update_stats=False, **kwargs)


def raw(net: Any) -> Any:
    return net.predict(*batch())


# What the reward is, as a function of the network; missing where the type does not fit.
EXPECTED: Any = {
    "RewardNet_shaped": {
        "shaped": raw,
        "basic_shaped": raw,
        "gail_shaped": raw,
    },
    "RewardNet_unshaped": {
        "basic": raw,
        "shaped": lambda net: raw(net.base),
        "basic_shaped": lambda net: raw(net.base),
        "normalized": raw,
        "normalized_shaped": lambda net: raw(net.base.base),
        "ensemble": raw,
        "std_added": raw,
        "normalized_std_added": raw,
        "twice_normalized": raw,
        "gail": raw,
        "gail_normalized": raw,
        "gail_shaped": raw,
    },
    "RewardNet_normalized": {
        "normalized": processed,
        "normalized_shaped": processed,
        "normalized_std_added": processed,
        "twice_normalized": processed,
        "gail_normalized": processed,
    },
    "RewardNet_unnormalized": dict.fromkeys(NETS, raw),
    "RewardNet_std_added": {
        "std_added": processed,
        "normalized_std_added": lambda net: processed(net.base),
    },
}

CASES = [(key, name) for key in EXPECTED for name in NETS]


@pytest.mark.parametrize(("key", "name"), CASES)
def test_each_type_takes_its_wrappers_and_no_others(
    tmp_path: pathlib.Path, key: Any, name: Any
) -> None:
    net = NETS[name]()
    serialize.save_reward_net(net, tmp_path / "net")
    load = functools.partial(serialize.load_reward, key, tmp_path / "net", Venv())
    if name in EXPECTED[key]:
        expected = EXPECTED[key][name](net)
        reward_fn = load()
        for _ in range(2):  # asking changes nothing
            np.testing.assert_array_equal(reward_fn(*batch()), expected)
    else:
        with pytest.raises(TypeError, match="Wrapper structure should match") as info:
            load()
        assert isinstance(info.value, ImitationError)


def test_the_error_names_both_structures(tmp_path: pathlib.Path) -> None:
    serialize.save_reward_net(normalized(shaped()), tmp_path / "net")
    for key, text in (
        ("RewardNet_shaped", "[ShapedRewardNet]"),
        (
            "RewardNet_std_added",
            "[AddSTDRewardWrapper] or [NormalizedRewardNet,AddSTDRewardWrapper]",
        ),
    ):
        with pytest.raises(TypeError) as info:
            serialize.load_reward(key, tmp_path / "net", Venv())
        assert str(info.value) == (
            f"Wrapper structure should match {text} but found "
            "[NormalizedRewardNet,ShapedRewardNet,BasicRewardNet]"
        )


def test_the_documented_keys_are_registered() -> None:
    assert set(serialize.reward_registry.keys()) >= {*EXPECTED, "zero"}
    with pytest.raises(KeyError, match="not registered"):
        serialize.load_reward("nonsense", "path", Venv())


def test_a_file_of_torch_loads_too(tmp_path: pathlib.Path) -> None:
    net = normalized(shaped())
    th.save(net, tmp_path / "net.pt")
    path = str(tmp_path / "net.pt")
    reward_fn = serialize.load_reward("RewardNet_unnormalized", path, Venv())
    np.testing.assert_array_equal(reward_fn(*batch()), raw(net))


def test_update_stats_is_bound(tmp_path: pathlib.Path) -> None:
    net = normalized(basic())
    serialize.save_reward_net(net, tmp_path / "net")
    reward_fn = serialize.load_reward(
        "RewardNet_normalized", tmp_path / "net", Venv(), update_stats=True
    )
    first, second = (reward_fn(*batch(2)) for _ in range(2))
    assert not np.allclose(first, second)
    np.testing.assert_array_equal(net.predict_processed(*batch(2)), first)


def test_alpha_is_bound(tmp_path: pathlib.Path) -> None:
    net = normalized(std_added())
    serialize.save_reward_net(net, tmp_path / "net")
    mean, var = net.base.base.predict_reward_moments(*batch())
    kwargs: Any
    for kwargs, alpha in (({}, 0.7), ({"alpha": -2.0}, -2.0)):
        reward_fn = serialize.load_reward(
            "RewardNet_std_added", tmp_path / "net", Venv(), **kwargs
        )
        np.testing.assert_allclose(
            reward_fn(*batch()), mean + alpha * np.sqrt(var), rtol=1e-5
        )


def test_the_statistics_of_members_are_not_changed_by_asking(
    tmp_path: pathlib.Path,
) -> None:
    members = [normalized(basic()), normalized(basic())]
    ensemble = reward_nets.RewardEnsemble(BOX, ACTIONS, members)
    net = reward_nets.AddSTDRewardWrapper(ensemble, 0.7)
    serialize.save_reward_net(net, tmp_path / "net")
    reward_fn = serialize.load_reward("RewardNet_std_added", tmp_path / "net", Venv())
    first, second = (reward_fn(*batch(2)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("venv", "message"),
    [
        (Venv(observation_space=ACTIONS), "observation space"),
        (Venv(action_space=BOX), "action space"),
        (Venv(action_space=gym.spaces.Discrete(2)), "action space"),
    ],
)
def test_other_spaces_are_refused(
    tmp_path: pathlib.Path, venv: Any, message: str
) -> None:
    serialize.save_reward_net(basic(), tmp_path / "net")
    with pytest.raises(ConfigError, match=message) as info:
        serialize.load_reward("RewardNet_unshaped", tmp_path / "net", venv)
    assert "\n" not in str(info.value)


def test_zero_is_zero() -> None:
    for reward_fn in (
        serialize.load_reward("zero", "nowhere", Venv()),
        serialize.load_zero("nowhere", Venv()),
    ):
        rewards = reward_fn(*batch())
        np.testing.assert_array_equal(rewards, np.zeros(9))
        assert rewards.dtype == np.float64


@pytest.mark.parametrize("shape", [(), (8,), (9, 1), (1, 9)])
def test_rewards_of_another_shape_fail_an_assertion(
    shape: tuple[()] | tuple[int, int] | tuple[int],
) -> None:
    reward_fn = serialize.ValidateRewardFn(lambda *_: np.zeros(shape))
    with pytest.raises(AssertionError, match=r"expected \(9,\)"):
        reward_fn(*batch())


def test_rewards_of_the_right_shape_pass() -> None:
    rewards = np.arange(9.0)
    assert serialize.ValidateRewardFn(lambda *_: rewards)(*batch()) is rewards


def test_loaders_of_users_get_what_release_1_0_gave_them() -> None:
    def loader(path: Any, venv: Any, factor: float = 1.0) -> Callable[..., Any]:
        return lambda state, action, next_state, done: factor * np.ones(len(action))

    serialize.reward_registry.register("test_mine", loader)
    reward_fn = serialize.load_reward("test_mine", "path", Venv(), factor=3.0)
    np.testing.assert_array_equal(reward_fn(*batch()), np.full(9, 3.0))
