"""Ensembles: moments, and members at once against members one after the other."""

import copy
import pathlib
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch as th

from imitation.data import types
from imitation.rewards import reward_nets, serialize
from imitation.rewards.reward_nets.stacked import StackedMembers
from imitation.testing import checks
from imitation.testing.reward_nets import MockRewardNet, make_ensemble
from imitation.util.networks import EMANorm, RunningNorm

BOX = gym.spaces.Box(-1, 1, (3,), np.float32)
DISCRETE = gym.spaces.Discrete(2)
DICT = gym.spaces.Dict({"a": BOX, "b": gym.spaces.Discrete(3)})
IMAGE = gym.spaces.Box(0, 255, (8, 8, 1), np.uint8)
MIXED = gym.spaces.Dict({"a": BOX, "image": IMAGE})


def basic(space: Any = BOX, **kwargs: Any) -> reward_nets.BasicRewardNet:
    return reward_nets.BasicRewardNet(space, DISCRETE, **kwargs)


def shaped(space: Any = BOX, **kwargs: Any) -> reward_nets.BasicShapedRewardNet:
    return reward_nets.BasicShapedRewardNet(space, DISCRETE, **kwargs)


def composed() -> reward_nets.ShapedRewardNet:
    potential = reward_nets.BasicPotentialMLP(BOX, (4,))
    return reward_nets.ShapedRewardNet(basic(use_done=True), potential, 0.5)


def normalized(base: Any, layer: Any = RunningNorm) -> reward_nets.NormalizedRewardNet:
    return reward_nets.NormalizedRewardNet(base, layer)


def inputs_normalized(space: Any = BOX) -> Any:
    net = basic(space, normalize_input_layer=RunningNorm, use_next_state=True)
    # Other statistics for each, as if each had been trained on data of its own.
    states = [th.randn(9, net.obs_features.size) for _ in range(2)]
    net(states[0], th.eye(2)[[0] * 9], states[1], th.zeros(9))
    return net


class Tripled(reward_nets.BasicRewardNet):
    def forward(self, *batch: Any) -> Any:
        return 3 * super().forward(*batch)


AT_ONCE = {
    "basic": basic,
    "linear": lambda: basic(hid_sizes=()),
    "of all inputs": lambda: basic(use_next_state=True, use_done=True),
    "of dictionaries": lambda: basic(DICT),
    "tanh and dropout": lambda: basic(activation=th.nn.Tanh, dropout_prob=0.5),
    "inputs normalised": inputs_normalized,
    "shaped": shaped,
    "shaped dictionaries": lambda: shaped(DICT),
    "shaped and composed": composed,
    "normalised": lambda: normalized(basic()),
    "normalised twice": lambda: normalized(inputs_normalized(), EMANorm),
    "normalised shaped": lambda: normalized(shaped()),
}
IN_TURN = {
    "constants": lambda: MockRewardNet(BOX, DISCRETE, np.random.rand()),
    "a subclass": lambda: Tripled(BOX, DISCRETE),
    "images": lambda: reward_nets.CnnRewardNet(IMAGE, DISCRETE, hid_channels=(2,)),
    "images in dictionaries": lambda: basic(MIXED),
    "shaped with images": lambda: shaped(MIXED),
    "shaped by functions": lambda: reward_nets.ShapedRewardNet(
        basic(), lambda state: state[:, 0], 0.9
    ),
    "other sizes": lambda: basic(hid_sizes=(np.random.randint(1, 9999),)),
    "batch normalisation": lambda: basic(normalize_input_layer=th.nn.BatchNorm1d),
    "normalised nowhere": lambda: normalized(basic(), th.nn.Identity),
    "normalised one and a half times": lambda: normalized(normalized(basic())),
    "other types": lambda: [basic, shaped][np.random.randint(2)](),
}


def ensemble_of(make: Any, n: int = 4) -> reward_nets.RewardEnsemble:
    members = [make() for _ in range(n)]
    space = members[0].observation_space
    return reward_nets.RewardEnsemble(space, DISCRETE, members)


def batch(net: Any, n: int = 6) -> Any:
    return checks.sample_transitions(net.observation_space, DISCRETE, n)


def one_by_one(ensemble: Any, data: Any, **kwargs: Any) -> Any:
    """Asks copies of the members, which share nothing with each other."""
    members = [copy.deepcopy(member) for member in ensemble.members]
    rewards = [member.predict_processed(*data, **kwargs) for member in members]
    return np.stack(rewards, axis=1), members


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def is_at_once(ensemble: Any) -> Any:
    return StackedMembers(list(ensemble.members)).possible


@pytest.mark.parametrize("n", [0, 1, 6, 600])
@pytest.mark.parametrize("name", AT_ONCE)
def test_at_once_as_one_by_one(name: Any, n: int) -> None:
    # In float64, as normalising the reward of one transition magnifies rounding.
    ensemble = ensemble_of(AT_ONCE[name]).double()
    assert is_at_once(ensemble)
    for _ in range(2):
        data = [
            types.map_maybe_dict(lambda part: part[:n], part)
            for part in batch(ensemble, 600)
        ]
        expected, members = one_by_one(ensemble, data)
        rewards = ensemble.predict_processed_all(*data)
        assert rewards.shape == (n, 4)
        close(rewards, expected)
        for member, reference in zip(ensemble.members, members, strict=True):
            th.testing.assert_close(member.state_dict(), reference.state_dict())
        close(
            ensemble.predict(*data),
            one_by_one(ensemble, data, update_stats=False)[0].mean(1),
        )


@pytest.mark.parametrize("name", IN_TURN)
def test_others_in_turn(name: Any) -> None:
    ensemble = ensemble_of(IN_TURN[name])
    data = batch(ensemble)
    assert not is_at_once(ensemble)
    expected, _ = one_by_one(ensemble, data)
    np.testing.assert_array_equal(ensemble.predict_processed_all(*data), expected)


@pytest.mark.parametrize(
    "change",
    [
        {"use_done": True},
        {"activation": th.nn.Tanh},
        {"hid_sizes": (32, 31)},
        {"normalize_input_layer": RunningNorm},
        {"use_action": False},
    ],
    ids=str,
)
def test_members_that_differ_are_asked_in_turn(change: dict[str, Any]) -> None:
    members = [basic(), basic(), basic(**change)]
    ensemble = reward_nets.RewardEnsemble(BOX, DISCRETE, members)
    assert not is_at_once(ensemble)
    data = batch(ensemble)
    np.testing.assert_array_equal(
        ensemble.predict_processed_all(*data), one_by_one(ensemble, data)[0]
    )


def with_other_slope() -> Any:
    net: Any = basic(activation=th.nn.LeakyReLU)
    net.mlp.act0.negative_slope = np.random.rand()
    return net


def test_settings_of_layers_count() -> None:
    assert not is_at_once(ensemble_of(with_other_slope))
    assert is_at_once(ensemble_of(lambda: basic(activation=th.nn.LeakyReLU)))


def test_discount_factors_may_differ_and_change() -> None:
    ensemble: Any = ensemble_of(lambda: shaped(discount_factor=np.random.rand()))
    data = batch(ensemble)
    close(ensemble.predict_processed_all(*data), one_by_one(ensemble, data)[0])
    ensemble.members[0].discount_factor = 0.123
    close(ensemble.predict_processed_all(*data), one_by_one(ensemble, data)[0])


def train(ensemble: Any) -> None:
    optimizer = th.optim.Adam(ensemble.parameters(), lr=0.1)
    member = ensemble.members[1]
    member(*member.preprocess(*batch(ensemble))).sum().backward()
    optimizer.step()


def fill_data(ensemble: Any) -> None:
    for parameter in ensemble.members[2].parameters():
        parameter.data.mul_(0.5)


def set_data(ensemble: Any) -> None:
    for parameter in ensemble.members[2].parameters():
        parameter.data = parameter.data * 0.5


def replace_parameter(ensemble: Any) -> None:
    layer = ensemble.members[0].mlp.dense0
    layer.weight = th.nn.Parameter(th.ones_like(layer.weight))


def load(ensemble: Any, assign: bool = False) -> None:
    other = ensemble_of(lambda: inputs_normalized())
    ensemble.load_state_dict(other.state_dict(), assign=assign)


def replace_layer(ensemble: Any) -> None:
    ensemble.members[3].mlp.act0 = th.nn.Tanh()


def constrain(ensemble: Any) -> None:
    th.nn.utils.parametrizations.spectral_norm(ensemble.members[3].mlp.dense0)


def hook(ensemble: Any) -> None:
    ensemble.members[3].mlp.act0.register_forward_hook(lambda _, x, y: y * 2)


def learn_statistics(ensemble: Any) -> None:
    member = ensemble.members[1].train()
    member(*member.preprocess(*batch(ensemble, 50)))


def reset_statistics(ensemble: Any) -> None:
    ensemble.members[1].mlp.normalize_input.reset_running_stats()


CHANGES = [
    train,
    fill_data,
    set_data,
    replace_parameter,
    load,
    lambda e: load(e, assign=True),
    lambda e: e.double().float(),
    lambda e: e.members.__setitem__(0, inputs_normalized()),
    lambda e: e.members.append(inputs_normalized()),
    replace_layer,
    constrain,
    hook,
    learn_statistics,
    reset_statistics,
]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_between_calls_count(change: Any) -> None:
    ensemble: Any = ensemble_of(inputs_normalized)
    data = batch(ensemble)
    before = ensemble.predict_processed_all(*data)
    change(ensemble)
    after = ensemble.predict_processed_all(*data)
    assert (
        before.shape != after.shape
        or not np.allclose(before, after)
        or (
            change is CHANGES[6]  # back and forth between types
        )
    )
    looped = [m.predict_processed(*data) for m in ensemble.members]
    close(after, np.stack(looped, axis=1))


@pytest.mark.parametrize("inference", [False, True])
def test_members_train_after_they_were_asked(inference: bool) -> None:
    ensemble = ensemble_of(lambda: normalized(inputs_normalized()))
    data = batch(ensemble)
    with th.inference_mode(inference):
        ensemble.predict_processed(*data)
    for member in cast("Any", ensemble.members):
        named = [(n, p) for n, p in member.named_parameters()]
        parts = member.preprocess(*data)
        checks.check_gradients(named, lambda m=member, p=parts: m(*p).sum().backward())  # type: ignore[misc]  # a default, not an argument


def test_asking_between_forward_and_backward() -> None:
    ensemble = ensemble_of(basic)
    reference: Any = copy.deepcopy(ensemble.members[0])
    data = batch(ensemble)
    member: Any = ensemble.members[0]
    loss = member(*member.preprocess(*data)).square().sum()
    ensemble.predict(*data)
    loss.backward()
    reference(*reference.preprocess(*data)).square().sum().backward()
    for mine, other in zip(member.parameters(), reference.parameters(), strict=True):
        th.testing.assert_close(mine.grad, other.grad)


def test_the_same_member_twice() -> None:
    net: Any = normalized(inputs_normalized())
    ensemble = reward_nets.RewardEnsemble(BOX, DISCRETE, [net, net])
    data = batch(ensemble)
    for _ in range(2):
        rewards = ensemble.predict_processed_all(*data, update_stats=False)
        close(rewards[:, 0], net.predict_processed(*data, update_stats=False))
        close(rewards[:, 1], rewards[:, 0])


def test_copies_and_saved_ensembles_share_nothing(tmp_path: pathlib.Path) -> None:
    ensemble: Any = ensemble_of(lambda: normalized(inputs_normalized()))
    data = batch(ensemble)
    before = ensemble.predict(*data)
    serialize.save_reward_net(ensemble, tmp_path / "all")
    serialize.save_reward_net(ensemble.members[1], tmp_path / "one")
    copies = [copy.deepcopy(ensemble), serialize.load_reward_net(tmp_path / "all")]
    one = serialize.load_reward_net(tmp_path / "one")
    close(one.predict(*data), ensemble.members[1].predict(*data))
    fill_data(ensemble)
    for copied in copies:
        np.testing.assert_array_equal(copied.predict(*data), before)
        fill_data(copied)
        close(copied.predict(*data), ensemble.predict(*data))
    train(copies[0])
    assert not np.allclose(copies[0].predict(*data), ensemble.predict(*data))


def test_moments() -> None:
    ensemble = make_ensemble(BOX, DISCRETE, num_members=3, hid_sizes=(8,))
    data = batch(ensemble)
    each, _ = one_by_one(ensemble, data)
    mean, variance = ensemble.predict_reward_moments(*data)
    assert ensemble.num_members == 3
    close(mean, each.mean(axis=1))
    close(variance, each.var(axis=1, ddof=1))
    for rewards in (
        ensemble.predict(*data),
        ensemble.predict_processed(*data),
        ensemble.predict_th(*data).numpy(),
    ):
        close(rewards, mean)


class OneTwoFour(reward_nets.RewardEnsemble):
    def predict_processed_all(
        self, state: Any, action: Any, next_state: Any, done: Any, **kwargs: Any
    ) -> Any:
        return np.tile([1.0, 2.0, 4.0], (len(done), 1))


def test_moments_are_those_of_the_processed_rewards() -> None:
    members = [basic() for _ in range(3)]
    ensemble = OneTwoFour(BOX, DISCRETE, members)
    mean, variance = ensemble.predict_reward_moments(*batch(ensemble))
    np.testing.assert_allclose(mean, np.full(6, 7 / 3))
    np.testing.assert_allclose(variance, np.full(6, 7 / 3))
    np.testing.assert_allclose(ensemble.predict_processed(*batch(ensemble)), mean)


@pytest.mark.parametrize("name", ["normalised", "normalised nowhere"])
def test_predicting_leaves_statistics_alone_unless_asked(name: str) -> None:
    ensemble: Any = ensemble_of((AT_ONCE | IN_TURN)[name])
    data = batch(ensemble)
    before = copy.deepcopy(ensemble.state_dict())
    ensemble.predict(*data)
    ensemble.predict_th(*data)
    ensemble.predict_processed(*data, update_stats=False)
    th.testing.assert_close(ensemble.state_dict(), before)
    if name == "normalised":
        ensemble.predict_processed(*data)
        assert all(m.normalize_output_layer.count == 6 for m in ensemble.members)


def test_an_ensemble_has_no_forward() -> None:
    with pytest.raises(NotImplementedError, match="one by one"):
        make_ensemble(BOX, DISCRETE)(None, None, None, None)


@pytest.mark.gpu
@pytest.mark.parametrize("name", AT_ONCE)
def test_moving_to_the_gpu_and_back(name: Any) -> None:
    ensemble = ensemble_of(AT_ONCE[name])
    data = batch(ensemble)
    for device in ("cpu", "cuda", "cpu", "cuda"):
        ensemble.to(device)
        looped, _ = one_by_one(ensemble, data)
        rewards = ensemble.predict_processed_all(*data)
        np.testing.assert_allclose(rewards, looped, rtol=1e-3, atol=1e-4)
        assert is_at_once(ensemble)


@pytest.mark.parametrize("kind", [*AT_ONCE, *IN_TURN])
def test_predict_th_all_leaves_members_unprocessed(kind: Any) -> None:
    ensemble: Any = ensemble_of((AT_ONCE | IN_TURN)[kind])
    data = batch(ensemble)
    ensemble.predict_processed_all(*data)  # gives layers that normalise statistics
    expected = [copy.deepcopy(m).predict_th(*data).numpy() for m in ensemble.members]
    rewards = ensemble.predict_th_all(*data)
    assert not rewards.requires_grad
    close(rewards.numpy(), np.stack(expected, axis=1))
