"""Wrappers: what each changes, in which order they go, and normalisation."""

import itertools
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th

from imitation.rewards import reward_nets
from imitation.testing import checks
from imitation.testing.reward_nets import MockRewardNet, make_ensemble
from imitation.util.networks import EMANorm, RunningNorm

BOX = gym.spaces.Box(-1, 1, (3,), np.float32)
DISCRETE = gym.spaces.Discrete(2)


class StateSum(reward_nets.RewardNet):
    """The sum of the state, plus the keyword `bonus` when processed."""

    def forward(self, state: Any, action: Any, next_state: Any, done: Any) -> Any:
        return state.sum(dim=1)

    def predict_processed(
        self,
        state: Any,
        action: Any,
        next_state: Any,
        done: Any,
        bonus: float = 0.0,
        **kwargs: Any,
    ) -> Any:
        return self.predict(state, action, next_state, done) + bonus


class Doubling(reward_nets.ForwardWrapper):
    def forward(self, state: Any, action: Any, next_state: Any, done: Any) -> Any:
        return 2 * self.base(state, action, next_state, done)


class Negating(reward_nets.PredictProcessedWrapper):
    def predict_processed(self, *batch: Any, **kwargs: Any) -> Any:
        return -self.base.predict_processed(*batch, **kwargs)


def batch(n: int = 6) -> Any:
    return checks.sample_transitions(BOX, DISCRETE, n)


def plain() -> "StateSum":
    return StateSum(BOX, DISCRETE)


def normalized(base: Any, layer: Any = RunningNorm) -> reward_nets.NormalizedRewardNet:
    return reward_nets.NormalizedRewardNet(base, layer)


def shaped(base: Any) -> reward_nets.ShapedRewardNet:
    return reward_nets.ShapedRewardNet(base, lambda state: state[:, 0], 0.9)


def with_std(base: Any) -> reward_nets.AddSTDRewardWrapper:
    return reward_nets.AddSTDRewardWrapper(base)


BASES: Any = {
    "plain": plain,
    "constant": lambda: MockRewardNet(BOX, DISCRETE),
    "basic": lambda: reward_nets.BasicRewardNet(BOX, DISCRETE),
    "ensemble": lambda: make_ensemble(BOX, DISCRETE),
}
FORWARD: Any = {"doubling": Doubling, "shaped": shaped}
PROCESSED = {"negating": Negating, "normalized": normalized}


@pytest.mark.parametrize(
    "names",
    list(itertools.product(BASES, FORWARD | PROCESSED, FORWARD | PROCESSED)),
    ids="-".join,
)
def test_forward_wrappers_go_inside(names: Any) -> None:
    base, inner, outer = names
    wrapped = (FORWARD | PROCESSED)[inner](BASES[base]())
    wrap = (FORWARD | PROCESSED)[outer]
    if inner in PROCESSED and outer in FORWARD:
        message = (
            r"^ForwardWrapper cannot be applied on top of PredictProcessedWrapper!"
        )
        with pytest.raises(ValueError, match=message):
            wrap(wrapped)
        return
    net = wrap(wrapped)
    assert net.base is wrapped
    assert net.device == wrapped.device and net.dtype == wrapped.dtype
    assert net.observation_space is wrapped.observation_space
    if base != "ensemble" or ("doubling" not in names and "shaped" not in names):
        assert net.predict_processed(*batch()).shape == (6,)


@pytest.mark.parametrize("base", ["plain", "constant", "basic"])
def test_a_std_needs_a_variance(base: Any) -> None:
    with pytest.raises(TypeError, match="not an instance of RewardNetWithVariance"):
        with_std(BASES[base]())
    with pytest.raises(TypeError, match="got NormalizedRewardNet"):
        with_std(normalized(BASES["ensemble"]()))


def test_forward_wrappers_change_every_way_of_asking() -> None:
    data, state_sum = batch(), batch()[0].sum(axis=1)
    net = Doubling(Doubling(plain()))
    for rewards in (
        net.predict(*data),
        net.predict_processed(*data),
        net.predict_th(*data).numpy(),
        net(*net.preprocess(*data)).numpy(),
    ):
        np.testing.assert_allclose(rewards, 4 * state_sum, rtol=1e-5)


def test_processed_wrappers_change_one_way_of_asking() -> None:
    data, state_sum = batch(), batch()[0].sum(axis=1)
    net = Negating(Doubling(plain()))
    for rewards in (
        net.predict(*data),
        -net.predict_processed(*data),
        net.predict_th(*data).numpy(),
        net(*net.preprocess(*data)).numpy(),
    ):
        np.testing.assert_allclose(rewards, 2 * state_sum, rtol=1e-5)


def test_keywords_reach_the_innermost_network() -> None:
    data = batch()
    net = Negating(Negating(plain()))
    difference = net.predict_processed(*data, bonus=3.0) - net.predict_processed(*data)
    np.testing.assert_allclose(difference, np.full(6, 3.0), rtol=1e-5)
    once = normalized(Negating(plain()), th.nn.Identity)
    difference = once.predict_processed(*data) - once.predict_processed(
        *data, bonus=2.0
    )
    np.testing.assert_allclose(difference, np.full(6, 2.0), rtol=1e-5)


def test_normalisation_by_all_rewards_seen() -> None:
    net: Any = normalized(plain())
    seen = []
    for n in (5, 1, 9):
        data = batch(n)
        data[0][:] *= n
        seen.extend(data[0].sum(axis=1))
        rewards = net.predict_processed(*data)
        expected = (data[0].sum(axis=1) - np.mean(seen)) / np.sqrt(np.var(seen) + 1e-5)
        np.testing.assert_allclose(rewards, expected, rtol=1e-4, atol=1e-5)
        assert rewards.dtype == np.float32 and rewards.shape == (n,)
    state = {k: v.clone() for k, v in net.state_dict().items()}
    again = net.predict_processed(*data, update_stats=False)
    np.testing.assert_array_equal(again, rewards)
    net.train()
    np.testing.assert_array_equal(net.predict(*data), plain().predict(*data))
    th.testing.assert_close(net.state_dict(), state)
    assert net.normalize_output_layer.training


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", [RunningNorm, EMANorm], ids=lambda x: x.__name__)
def test_update_stats_decides_whether_statistics_change(
    layer: Any, training: bool
) -> None:
    net: Any = normalized(plain(), layer).train(training)
    net.predict_processed(*batch(), update_stats=False)
    assert net.normalize_output_layer.count == 0
    net.predict_processed(*batch())
    assert net.normalize_output_layer.count == 6
    assert net.normalize_output_layer.training == training


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (th.nn.Identity, lambda r: r),
        (th.nn.LayerNorm, np.zeros_like),
        (th.nn.BatchNorm1d, lambda r: (r - r.mean()) / np.sqrt(r.var() + 1e-5)),
    ],
    ids=["identity", "layer", "batch"],
)
def test_any_module_that_keeps_the_shape_normalises(layer: Any, expected: Any) -> None:
    net = normalized(plain(), layer)
    rewards = net.predict_processed(*batch())
    np.testing.assert_allclose(
        rewards, expected(batch()[0].sum(axis=1)), rtol=1e-4, atol=1e-5
    )


def test_normalising_tensors_with_gradients() -> None:
    net = normalized(plain())
    rewards = th.tensor([1.0, 3.0], requires_grad=True)
    result = net.normalize(rewards, update_stats=True)
    th.testing.assert_close(result, th.tensor([-1.0, 1.0]), rtol=1e-4, atol=0)
    assert not result.requires_grad
    assert net.normalize(th.empty(0), update_stats=True).shape == (0,)


@pytest.mark.gpu
def test_normalising_on_the_gpu() -> None:
    net = normalized(reward_nets.BasicRewardNet(BOX, DISCRETE))
    expected = net.predict_processed(*batch())
    on_gpu = normalized(reward_nets.BasicRewardNet(BOX, DISCRETE))
    on_gpu.base.load_state_dict(net.base.state_dict())
    rewards = on_gpu.to("cuda").predict_processed(*batch())
    np.testing.assert_allclose(rewards, expected, rtol=1e-3, atol=1e-4)
    constant = normalized(MockRewardNet(BOX, DISCRETE, 2.0)).to("cuda")
    np.testing.assert_array_equal(constant.predict_processed(*batch()), np.zeros(6))


def test_std_is_added_as_often_as_asked() -> None:
    ensemble = make_ensemble(BOX, DISCRETE, num_members=3)
    net: Any = reward_nets.AddSTDRewardWrapper(ensemble, default_alpha=0.5)
    data = batch()
    mean, variance = ensemble.predict_reward_moments(*data)
    for alpha, factor in ((None, 0.5), (0.0, 0.0), (-2.0, -2.0)):
        np.testing.assert_allclose(
            net.predict_processed(*data, alpha=alpha),
            mean + factor * np.sqrt(variance),
            rtol=1e-5,
            atol=1e-6,
        )
    np.testing.assert_allclose(net.predict(*data), mean, rtol=1e-5, atol=1e-6)
    assert reward_nets.AddSTDRewardWrapper(ensemble).default_alpha == 0.0
