import gymnasium as gym
import numpy as np
import pytest
import torch as th

from imitation.data import types
from imitation.rewards import reward_nets
from imitation.testing import checks
from imitation.testing.reward_nets import MockRewardNet, make_ensemble
from imitation.util import networks

BOX = gym.spaces.Box(-1, 1, (3,), np.float32)
DISCRETE = gym.spaces.Discrete(2)
DICT = gym.spaces.Dict({"a": BOX, "b": gym.spaces.Discrete(3)})
USES = ("use_state", "use_action", "use_next_state", "use_done")


def batch(space=BOX, action_space=DISCRETE, n=5):
    def draw():
        if isinstance(space, gym.spaces.Dict):
            return types.DictObs(
                {k: np.stack([s.sample() for _ in range(n)]) for k, s in space.items()}
            )
        return np.stack([space.sample() for _ in range(n)])

    acts = np.stack([action_space.sample() for _ in range(n)])
    return draw(), acts, draw(), np.array([False] * (n - 1) + [True])


@pytest.mark.parametrize("space", [BOX, DICT, gym.spaces.Discrete(4)], ids=str)
@pytest.mark.parametrize("action_space", [BOX, DISCRETE], ids=str)
def test_one_reward_per_transition(space, action_space):
    net = reward_nets.BasicRewardNet(space, action_space, use_next_state=True)
    data = batch(space, action_space)
    rewards = net.predict(*data)
    assert rewards.shape == (5,) and rewards.dtype == np.float32
    np.testing.assert_array_equal(rewards, net.predict_processed(*data))
    single = [net.predict(*(part[i : i + 1] for part in data))[0] for i in range(5)]
    np.testing.assert_allclose(rewards, single, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("used", USES)
def test_a_reward_depends_on_what_it_uses_only(used):
    net = reward_nets.BasicRewardNet(BOX, BOX, **{use: use == used for use in USES})
    data, other = batch(action_space=BOX), batch(action_space=BOX)
    other = (*other[:3], ~data[3])
    before = net.predict(*data)
    for use, position in zip(USES, range(4), strict=True):
        changed = [*data]
        changed[position] = other[position]
        assert np.array_equal(net.predict(*changed), before) == (use != used)


def test_a_reward_of_nothing_is_refused():
    with pytest.raises(ValueError, match="must depend on something"):
        reward_nets.BasicRewardNet(BOX, BOX, use_state=False, use_action=False)


def test_gradients_reach_every_tensor():
    net = reward_nets.BasicRewardNet(BOX, DISCRETE, use_next_state=True, use_done=True)
    data = net.preprocess(*batch(n=64))
    checks.check_gradients(net.named_parameters(), lambda: net(*data).sum().backward())


def test_predicting_leaves_mode_and_statistics_alone():
    net = reward_nets.BasicRewardNet(
        BOX, DISCRETE, normalize_input_layer=networks.RunningNorm
    )
    net.train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.predict(*batch())
    assert net.training
    assert all(th.equal(before[key], value) for key, value in net.state_dict().items())


def test_images_are_scaled():
    space = gym.spaces.Box(0, 255, (3, 8, 8), np.uint8)
    net = MockRewardNet(space, DISCRETE)
    state, *_ = net.preprocess(*batch(space))
    assert state.min() >= 0 and state.max() <= 1


def test_a_mock_is_constant_and_on_the_cpu():
    net = MockRewardNet(BOX, DISCRETE, value=3.5)
    np.testing.assert_array_equal(net.predict(*batch()), np.full(5, 3.5))
    assert net.device == th.device("cpu") and net.dtype == th.float32


def test_moments_of_an_ensemble():
    ensemble = make_ensemble(BOX, DISCRETE, num_members=3, hid_sizes=(8,))
    data = batch()
    each = np.stack([member.predict(*data) for member in ensemble.members], axis=-1)
    mean, variance = ensemble.predict_reward_moments(*data)
    assert ensemble.num_members == 3
    np.testing.assert_allclose(
        ensemble.predict_processed_all(*data), each, rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(mean, each.mean(axis=1), rtol=1e-5)
    expected = ((each - each.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) / 2
    np.testing.assert_allclose(variance, expected, rtol=1e-4)
    np.testing.assert_array_equal(ensemble.predict(*data), mean)


def test_an_ensemble_needs_two_members_and_has_no_forward():
    with pytest.raises(ValueError, match="at least 2 member in the ensemble"):
        make_ensemble(BOX, DISCRETE, num_members=1)
    with pytest.raises(NotImplementedError):
        make_ensemble(BOX, DISCRETE)(None, None, None, None)
