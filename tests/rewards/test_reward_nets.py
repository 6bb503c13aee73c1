"""The reward networks: what all promise, and what each computes."""

import copy
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch as th

from imitation.data import types
from imitation.rewards import reward_nets
from imitation.testing import checks
from imitation.testing.reward_nets import MockRewardNet, make_ensemble
from imitation.util import networks
from imitation.util.networks import EMANorm, RunningNorm

spaces = gym.spaces
BOX = spaces.Box(-1, 1, (3,), np.float32)
MATRIX = spaces.Box(-1, 1, (2, 3), np.float64)
DISCRETE = spaces.Discrete(2)
LAST = spaces.Box(0, 255, (12, 10, 3), np.uint8)
FIRST = spaces.Box(0, 255, (3, 12, 10), np.uint8)
VECTORS = spaces.Dict({"a": BOX, "b": spaces.Discrete(3)})
MIXED = spaces.Dict(
    {
        "camera": LAST,
        "grid": spaces.Box(0, 255, (1, 9, 9), np.uint8),
        "kind": spaces.Discrete(4, start=2),
        "many": spaces.MultiDiscrete([2, 3]),
        "on": spaces.MultiBinary(3),
        "place": MATRIX,
    }
)
OBSERVATIONS = {
    "box": BOX,
    "matrix": MATRIX,
    "discrete": spaces.Discrete(4),
    "discrete from 3": spaces.Discrete(4, start=3),
    "multidiscrete": spaces.MultiDiscrete([2, 4]),
    "binary": spaces.MultiBinary(5),
    "image": FIRST,
    "vectors": VECTORS,
    "mixed": MIXED,
}
ACTIONS = {
    "box": spaces.Box(-1, 1, (2,), np.float32),
    "discrete": spaces.Discrete(3, start=-1),
    "multidiscrete": spaces.MultiDiscrete([2, 2]),
    "binary": spaces.MultiBinary(2),
}
USES = ("use_state", "use_action", "use_next_state", "use_done")
ALL = dict.fromkeys(USES, True)


def batch(space: Any = BOX, action_space: Any = DISCRETE, n: int = 6) -> Any:
    return checks.sample_transitions(space, action_space, n)


def basic(space: Any, action_space: Any, **kwargs: Any) -> Any:
    return reward_nets.BasicRewardNet(space, action_space, **kwargs)


def shaped(
    space: Any, action_space: Any, **kwargs: Any
) -> reward_nets.BasicShapedRewardNet:
    return reward_nets.BasicShapedRewardNet(space, action_space, **kwargs)


def normalized(space: Any, action_space: Any) -> reward_nets.NormalizedRewardNet:
    net = basic(space, action_space, **ALL, normalize_input_layer=RunningNorm)
    return reward_nets.NormalizedRewardNet(net, RunningNorm)


def ensemble_of_normalized(space: Any, action_space: Any) -> reward_nets.RewardEnsemble:
    members = [normalized(space, action_space) for _ in range(3)]
    return reward_nets.RewardEnsemble(space, action_space, members)


def with_std(space: Any, action_space: Any) -> reward_nets.AddSTDRewardWrapper:
    ensemble = make_ensemble(space, action_space, **ALL)
    return reward_nets.AddSTDRewardWrapper(ensemble, default_alpha=0.5)


NETS = {
    "basic": lambda o, a: basic(o, a, **ALL),
    "shaped": lambda o, a: shaped(o, a, **ALL),
    "normalized": normalized,
    "ensemble": ensemble_of_normalized,
    "with std": with_std,
    "constant": MockRewardNet,
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_what_all_promise(net: Any, observation: Any) -> None:
    obs_space: Any
    obs_space, action_space = OBSERVATIONS[observation], ACTIONS["discrete"]
    checks.check_reward_net(
        NETS[net](obs_space, action_space), (obs_space, action_space)
    )


@pytest.mark.parametrize("action", ACTIONS)
def test_what_all_promise_for_actions(action: Any) -> None:
    net = NETS["shaped"](VECTORS, ACTIONS[action])
    checks.check_reward_net(net, (VECTORS, ACTIONS[action]))


@pytest.mark.gpu
@pytest.mark.parametrize("net", [net for net in NETS if net != "constant"])
@pytest.mark.parametrize("observation", ["box", "mixed"])
def test_what_all_promise_on_the_gpu(net: Any, observation: str) -> None:
    obs_space: Any
    obs_space, action_space = OBSERVATIONS[observation], ACTIONS["discrete"]
    built = NETS[net](obs_space, action_space)
    data = batch(obs_space, action_space)
    before = built.predict(*data)
    built = built.to("cuda")
    assert built.device.type == "cuda"
    checks.check_reward_net(built, (obs_space, action_space))
    np.testing.assert_allclose(built.predict(*data), before, rtol=1e-3, atol=1e-4)
    on_gpu = [types.map_maybe_dict(lambda x: th.as_tensor(x).cuda(), p) for p in data]
    np.testing.assert_allclose(built.predict(*on_gpu), before, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("used", USES)
def test_a_reward_depends_on_what_it_uses_only(used: Any) -> None:
    net = reward_nets.BasicRewardNet(BOX, BOX, **{use: use == used for use in USES})
    data = batch(action_space=BOX)
    before = net.predict(*data)
    for use, position in zip(USES, range(4), strict=True):
        changed = [*data]
        changed[position] = ~data[3] if position == 3 else -data[position]
        assert np.array_equal(net.predict(*changed), before) == (use != used)


@pytest.mark.parametrize("key", MIXED.spaces)
def test_a_reward_depends_on_every_part_of_a_dictionary(key: Any) -> None:
    net = basic(MIXED, DISCRETE)
    data = batch(MIXED)
    before = net.predict(*data)
    moved = {k: np.roll(v, 1, axis=0) if k == key else v for k, v in data[0].items()}
    assert not np.array_equal(net.predict(moved, *data[1:]), before)


def test_dictionaries_in_any_order_and_wrapped() -> None:
    net, data = basic(MIXED, DISCRETE), batch(MIXED)
    before = net.predict(*data)
    backwards = {key: data[0][key] for key in reversed(data[0])}
    np.testing.assert_array_equal(net.predict(backwards, *data[1:]), before)
    wrapped = types.DictObs(data[0]), data[1], types.DictObs(data[2]), data[3]
    np.testing.assert_array_equal(net.predict(*wrapped), before)


def test_a_basic_net_is_its_mlp_of_the_joined_parts() -> None:
    net = basic(BOX, DISCRETE, **ALL, hid_sizes=(4,))
    state, action, next_state, done = batch()
    joined = np.concatenate(
        [state, np.eye(2)[action], next_state, done[:, None]], axis=1
    )
    expected = net.mlp(th.as_tensor(joined, dtype=th.float32)).detach()
    np.testing.assert_allclose(
        net.predict(state, action, next_state, done), expected, rtol=1e-5, atol=1e-6
    )


def test_two_hidden_layers_of_32_by_default() -> None:
    sizes = [m.out_features for m in basic(BOX, BOX).mlp if hasattr(m, "out_features")]
    assert sizes == [32, 32, 1]


def reference_shaping(net: Any, data: Any, discount: Any) -> Any:
    state, action, next_state, done = data
    rewards = []
    for i in range(len(done)):
        one = slice(i, i + 1)
        r = net.base.predict(state[one], action[one], next_state[one], done[one])[0]
        with th.no_grad():
            phi = net.potential(th.as_tensor(state[one])).item()
            next_phi = net.potential(th.as_tensor(next_state[one])).item()
        rewards.append(r + discount * (0 if done[i] else next_phi) - phi)
    return rewards


@pytest.mark.parametrize("discount", [0.0, 0.9, 1.0])
def test_shaping(discount: float) -> None:
    net = shaped(BOX, DISCRETE, discount_factor=discount)
    data = batch()
    expected = reference_shaping(net, data, discount)
    np.testing.assert_allclose(net.predict(*data), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(net.predict_processed(*data), net.predict(*data))


def test_shaping_adds_the_same_to_the_return_of_every_episode() -> None:
    """Σ γᵗ(γΦ(sₜ₊₁) − Φ(sₜ)) telescopes to −Φ(s₀), whatever was done."""
    discount, length = 0.9, 7
    net = shaped(BOX, DISCRETE, discount_factor=discount)
    weights = discount ** np.arange(length)
    differences = []
    for actions in (0, 1):
        states = np.random.uniform(-1, 1, (length + 1, 3)).astype(np.float32)
        states[0] = 0.5
        done = np.arange(length) == length - 1
        data = states[:-1], np.full(length, actions), states[1:], done
        differences.append(weights @ (net.predict(*data) - net.base.predict(*data)))
    start = net.potential(th.full((1, 3), 0.5)).item()
    np.testing.assert_allclose(differences, [-start, -start], rtol=1e-4, atol=1e-6)


def test_any_function_shapes() -> None:
    net = reward_nets.ShapedRewardNet(
        MockRewardNet(BOX, DISCRETE, 2.0), lambda state: state.sum(dim=1), 0.5
    )
    state, action, next_state, done = batch()
    expected = 2 + 0.5 * ~done * next_state.sum(axis=1) - state.sum(axis=1)
    rewards = net.predict(state, action, next_state, done)
    np.testing.assert_allclose(rewards, expected, rtol=1e-5, atol=1e-6)


def images(space: Any, **kwargs: Any) -> Any:
    net = reward_nets.CnnRewardNet(
        space, DISCRETE, hwc_format=space is LAST, hid_channels=(4,), **kwargs
    )
    return net, batch(space)


@pytest.mark.parametrize("space", [LAST, FIRST], ids=["last", "first"])
@pytest.mark.parametrize("use_action", [False, True])
@pytest.mark.parametrize("use_done", [False, True])
@pytest.mark.parametrize("next_only", [False, True])
def test_cnns(space: Any, use_action: bool, use_done: bool, next_only: bool) -> None:
    net, data = images(
        space,
        use_state=not next_only,
        use_next_state=True,
        use_action=use_action,
        use_done=use_done,
    )
    checks.check_reward_net(net, (space, DISCRETE))
    state, action, next_state, done = data
    shown = [next_state] if next_only else [state, next_state]
    axes = (0, 3, 1, 2) if space is LAST else (0, 1, 2, 3)
    channels = np.concatenate([x.transpose(axes) for x in shown], axis=1) / 255
    outputs = net.cnn(th.as_tensor(channels, dtype=th.float32)).detach().numpy()
    n_actions = 2 if use_action else 1
    assert outputs.shape[1] == n_actions * (1 + use_done)
    column = action * use_action + n_actions * done * use_done
    expected = outputs[np.arange(len(done)), column]
    np.testing.assert_allclose(net.predict(*data), expected, rtol=1e-4, atol=1e-6)


def test_channels_first_and_last_agree() -> None:
    net, (state, action, next_state, done) = images(LAST)
    first = reward_nets.CnnRewardNet(
        FIRST, DISCRETE, hwc_format=False, hid_channels=(4,)
    )
    first.load_state_dict(net.state_dict())
    moved = (x.transpose(0, 3, 1, 2) for x in (state, next_state))
    np.testing.assert_allclose(
        first.predict(next(moved), action, next(moved), done),
        net.predict(state, action, next_state, done),
        rtol=1e-5,
    )


@pytest.mark.parametrize("space", [LAST, FIRST], ids=["last", "first"])
def test_a_potential_of_images(space: Any) -> None:
    hwc = space is LAST
    net = reward_nets.ShapedRewardNet(
        images(space)[0],
        reward_nets.BasicPotentialCNN(space, (4, 4), hwc_format=hwc),
        discount_factor=0.9,
    )
    checks.check_reward_net(net, (space, DISCRETE))


@pytest.mark.parametrize("hwc", [True, False])
def test_channels_in_the_wrong_place_are_noticed(hwc: bool) -> None:
    space = spaces.Box(0, 255, (3, 32, 32) if hwc else (32, 32, 3), np.uint8)
    with pytest.warns(UserWarning, match=f"pass hwc_format={not hwc}"):
        reward_nets.CnnRewardNet(space, DISCRETE, hwc_format=hwc)


def test_cnn_transpose() -> None:
    x = th.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(
        reward_nets.cnn_transpose(x), x.numpy().transpose(0, 3, 1, 2)
    )
    assert images(LAST)[0].get_num_channels_obs(LAST) == 3
    assert images(FIRST)[0].get_num_channels_obs(FIRST) == 3


def test_images_are_scaled_once_however_often_that_is_asked() -> None:
    net = MockRewardNet(FIRST, DISCRETE)
    parts: Any = net.preprocess(*batch(FIRST))
    assert 0.9 < parts[0].max() <= 1
    wrapped = reward_nets.NormalizedRewardNet(net, RunningNorm)
    for again in (net.preprocess(*parts), wrapped.preprocess(*parts)):
        th.testing.assert_close(again, parts)


def test_image_arrays_are_scaled_whatever_their_type() -> None:
    net = MockRewardNet(FIRST, DISCRETE)
    state, *rest = batch(FIRST)
    expected: Any = net.preprocess(state, *rest)[0]
    th.testing.assert_close(
        net.preprocess(state.astype(np.float32), *rest)[0], expected
    )
    raw = MockRewardNet(FIRST, DISCRETE)
    raw.normalize_images = False
    th.testing.assert_close(raw.preprocess(state, *rest)[0], expected * 255)


def test_preprocessing_follows_the_type_of_the_network() -> None:
    net = basic(BOX, DISCRETE).double()
    assert all(part.dtype == th.float64 for part in net.preprocess(*batch()))
    assert net.predict(*batch()).dtype == np.float64


def test_read_only_and_strided_arrays() -> None:
    net, (state, action, next_state, done) = basic(BOX, DISCRETE), batch(n=8)
    expected = net.predict(state, action, next_state, done)[::-2]
    for part in (state, action, next_state, done):
        part.flags.writeable = False
    data = [part[::-2] for part in (state, action, next_state, done)]
    np.testing.assert_allclose(net.predict(*data), expected, rtol=1e-5, atol=1e-6)


def test_a_mock_is_constant_and_on_the_cpu() -> None:
    net = MockRewardNet(BOX, DISCRETE, value=3.5)
    np.testing.assert_array_equal(net.predict(*batch()), np.full(6, 3.5))
    assert net.device == th.device("cpu") and net.dtype == th.float32


def test_copies_are_independent() -> None:
    net = normalized(BOX, DISCRETE)
    copied = copy.deepcopy(net)
    before = net.predict(*batch())
    with th.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(net.predict(*batch()), before)
    np.testing.assert_array_equal(copied.predict(*batch()), np.zeros(6))


def changed(position: Any, value: Any) -> Any:
    data = [*batch()]
    data[position] = value
    return data


REFUSED_INPUTS = {
    "flat state": (BOX, changed(0, np.zeros(3)), r"state has the shape \(3,\)"),
    "wide state": (BOX, changed(0, np.zeros((6, 4))), r"expected \(batch, 3\)"),
    "wide next state": (BOX, changed(2, np.zeros((6, 4))), "next_state has the shape"),
    "scalar done": (BOX, changed(3, np.True_), r"done has the shape \(\)"),
    "column of actions": (BOX, changed(1, np.zeros((6, 1), int)), "action has the"),
    "no such action": (BOX, changed(1, np.full(6, 2)), "values from 2 to 2"),
    "negative action": (BOX, changed(1, np.full(6, -1)), "values from -1 to -1"),
    "fewer dones": (BOX, changed(3, np.zeros(4, bool)), "4 of done and 6 of action"),
    "fewer states": (BOX, changed(0, np.zeros((5, 3))), "5 of state and 6 of action"),
    "no dictionary": (VECTORS, batch(), r"keys \['a', 'b'\], got ndarray"),
    "missing key": (VECTORS, changed(0, {"a": np.zeros((6, 3))}), r"got \['a'\]"),
    "wrong part": (
        VECTORS,
        changed(0, {"a": np.zeros((6, 3)), "b": np.zeros((6, 3))}),
        r"state\['b'\] has the shape",
    ),
}


@pytest.mark.parametrize("name", REFUSED_INPUTS)
def test_malformed_batches(name: Any) -> None:
    space, data, message = REFUSED_INPUTS[name]
    net = MockRewardNet(space, DISCRETE)
    with pytest.raises(ValueError, match=message) as info:
        net.predict(*data)
    assert "\n" not in str(info.value)


def cnn(
    space: Any = LAST, action_space: Any = DISCRETE, **kwargs: Any
) -> reward_nets.CnnRewardNet:
    return reward_nets.CnnRewardNet(space, action_space, **kwargs)


REFUSED_NETS = {
    "of nothing": (
        lambda: basic(BOX, BOX, use_state=False, use_action=False),
        "must depend on something",
    ),
    "shaped of nothing": (
        lambda: shaped(BOX, BOX, use_state=False, use_action=False),
        "must depend on something",
    ),
    "cnn without images": (
        lambda: cnn(BOX),
        r"CnnRewardNet requires observations to be images\.",
    ),
    "cnn of a dictionary": (
        lambda: cnn(MIXED),
        r"CnnRewardNet requires observations to be images\.",
    ),
    "cnn without state": (
        lambda: cnn(use_state=False),
        r"CnnRewardNet must take current or next state as input\.",
    ),
    "cnn with continuous actions": (
        lambda: cnn(action_space=BOX),
        r"CnnRewardNet can only use Discrete action spaces\.",
    ),
    "potential without images": (
        lambda: reward_nets.BasicPotentialCNN(BOX, (4,)),
        r"CNN potential must be given image inputs\.",
    ),
    "ensemble of one": (
        lambda: make_ensemble(BOX, DISCRETE, num_members=1),
        r"Must be at least 2 member in the ensemble\.",
    ),
    "transposing three axes": (
        lambda: reward_nets.cnn_transpose(th.zeros(1, 2, 3)),
        r"Invalid input: .*\(1, 2, 3\)",
    ),
    "nested dictionaries": (
        lambda: basic(spaces.Dict({"a": VECTORS}), DISCRETE),
        "dictionaries of these, got Dict",
    ),
    "text": (lambda: basic(spaces.Text(4), DISCRETE), "reward networks take Box"),
}


@pytest.mark.parametrize("name", REFUSED_NETS)
def test_networks_that_cannot_be(name: Any) -> None:
    make: Any
    make, message = REFUSED_NETS[name]
    with pytest.raises(ValueError, match=message) as info:
        make()
    assert "\n" not in str(info.value)


class Broken(MockRewardNet):
    """A network that breaks one promise."""

    def __init__(self, fault: Any) -> None:
        super().__init__(BOX, DISCRETE, 1.0)
        self.fault = fault
        self.used, self.unused = (th.nn.Parameter(th.ones(())) for _ in range(2))
        self.register_buffer("calls", th.zeros(()))

    def preprocess(self, *batch: Any) -> Any:
        parts: Any = super().preprocess(*batch)
        return (parts[0] / 2, *parts[1:]) if self.fault == "scales" else parts

    def forward(self, state: Any, action: Any, next_state: Any, done: Any) -> Any:
        rewards = self.used * state.sum(dim=1)
        if self.fault != "no gradient":
            rewards = rewards * self.unused
        if self.fault == "counts":
            cast("Any", self.calls).add_(1)
        if self.fault == "mixes":
            rewards = rewards - rewards.mean()
        if self.fault == "random":
            rewards = rewards + th.rand(len(rewards))
        if self.fault == "mode":
            self.train()
        return rewards / (0 if self.fault == "infinite" else 1)

    def predict_th(self, *batch: Any) -> Any:
        rewards = super().predict_th(*batch)
        return rewards.requires_grad_() if self.fault == "graph" else rewards

    def predict(self, *batch: Any) -> Any:
        rewards = super().predict_th(*batch).numpy()
        if self.fault == "mode":
            self.eval()
        return rewards[:, None] if self.fault == "column" else rewards


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("scales", "state is changed when preprocessed twice"),
        ("no gradient", "unused receives no gradient"),
        ("counts", "predicting changed calls"),
        ("mixes", "alone and in a batch"),
        ("random", "predict"),
        ("infinite", "not finite"),
        ("graph", "carries gradients"),
        ("column", r"shape \(24, 1\)"),
        ("mode", "training mode"),
    ],
)
def test_the_check_itself(fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        checks.check_reward_net(Broken(fault), (BOX, DISCRETE))


def test_the_check_leaves_a_network_as_it_was() -> None:
    net = normalized(BOX, DISCRETE).eval()
    before = copy.deepcopy(net.state_dict())
    checks.check_reward_net(net, (BOX, DISCRETE))
    th.testing.assert_close(net.state_dict(), before)
    assert not any(module.training for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("layer", [RunningNorm, EMANorm], ids=lambda x: x.__name__)
def test_input_normalisation_learns_in_training_mode_only(layer: Any) -> None:
    net = basic(BOX, DISCRETE, normalize_input_layer=layer)
    data = net.preprocess(*batch())
    with networks.evaluating(net):
        net(*data)
    assert net.mlp[0].count == 0
    with networks.training(net):
        net(*data)
    assert net.mlp[0].count == 6
