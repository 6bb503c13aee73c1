"""The preference model and its loss against the paper, one pair at a time."""

from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.algorithms import preference_comparisons as prefs
from imitation.algorithms.preference_comparisons.fragments import (
    FragmentArrays,
    PairStore,
)
from imitation.data import rollout
from imitation.errors import ConfigError
from imitation.rewards import reward_nets
from imitation.util import networks
from reference import preferences as ref

RNG = np.random.default_rng(0)
SETTINGS: list[dict[str, float]] = [
    {},
    {"noise_prob": 0.1},
    {"discount_factor": 0.9},
    {"threshold": 0.01},
    {"noise_prob": 0.2, "discount_factor": 0.5, "threshold": 1.0},
]


def make_net(space: Any = ref.OBS_SPACE) -> reward_nets.RewardNet:
    if space is ref.IMAGE_SPACE:
        return reward_nets.CnnRewardNet(space, ref.ACT_SPACE, hid_channels=(2,))
    return reward_nets.BasicRewardNet(
        space, ref.ACT_SPACE, use_next_state=True, use_done=True
    )


def make_ensemble(n: int = 3, space: Any = ref.OBS_SPACE) -> reward_nets.RewardEnsemble:
    members = [make_net(space) for _ in range(n)]
    return reward_nets.RewardEnsemble(space, ref.ACT_SPACE, members)


def slow_rewards(net: reward_nets.RewardNet, trajectory: Any) -> list[float]:
    steps = rollout.flatten_trajectories([trajectory])
    batch = steps.obs, steps.acts, steps.next_obs, steps.dones
    rewards: list[float] = net.predict(*batch).tolist()
    return rewards


def slow_probability(
    net: reward_nets.RewardNet, pair: Any, settings: dict[str, float]
) -> float:
    return ref.preference_probability(
        slow_rewards(net, pair[0]), slow_rewards(net, pair[1]), **reference(settings)
    )


def reference(settings: dict[str, float]) -> dict[str, float]:
    names = {"noise_prob": "noise", "discount_factor": "discount"}
    return {names.get(key, key): value for key, value in settings.items()}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("kind", ref.SPACES)
def test_probabilities_are_those_of_the_paper(
    settings: dict[str, float], kind: str
) -> None:
    net = make_net(ref.SPACES[kind])
    pairs = ref.pairs(RNG, 4, space=ref.SPACES[kind], terminal=True)
    probs, true_probs = prefs.PreferenceModel(net, **settings)(pairs)
    expected = [slow_probability(net, pair, settings) for pair in pairs]
    np.testing.assert_allclose(probs.detach().numpy(), expected, rtol=1e-4)
    true = [
        ref.preference_probability(a.rews, b.rews, **reference(settings))
        for a, b in pairs
    ]
    assert true_probs is not None
    np.testing.assert_allclose(true_probs.numpy(), true, rtol=1e-5)


def test_fragments_of_different_lengths() -> None:
    net = make_net()
    lengths = [(2, 5), (3, 3), (1, 7)]
    pairs = [tuple(ref.trajectory(RNG, t) for t in both) for both in lengths]
    settings = {"discount_factor": 0.8}
    probs, _ = prefs.PreferenceModel(net, **settings)(pairs)
    expected = [slow_probability(net, pair, settings) for pair in pairs]
    np.testing.assert_allclose(probs.detach().numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kind", ["vectors", "images"])
def test_an_ensemble_gives_each_members_probability(wrapped: bool, kind: str) -> None:
    ensemble = make_ensemble(space=ref.SPACES[kind])
    net = reward_nets.AddSTDRewardWrapper(ensemble, 0.5) if wrapped else ensemble
    pairs = ref.pairs(RNG, 4, space=ref.SPACES[kind])
    model = prefs.PreferenceModel(net, noise_prob=0.1)
    probs, true_probs = model(pairs)
    assert probs.shape == (4, 3)
    assert true_probs is not None and true_probs.shape == (4,)
    for i, member in enumerate(model.member_pref_models):
        own, _ = member(pairs)
        th.testing.assert_close(probs[:, i], own.detach())


def test_an_ensembles_probabilities_are_not_of_normalised_rewards() -> None:
    members = [
        reward_nets.NormalizedRewardNet(make_net(), networks.RunningNorm)
        for _ in range(2)
    ]
    ensemble = reward_nets.RewardEnsemble(ref.OBS_SPACE, ref.ACT_SPACE, members)
    pairs = ref.pairs(RNG, 3)
    probs, _ = prefs.PreferenceModel(ensemble)(pairs)
    expected = [[slow_probability(m.base, p, {}) for m in members] for p in pairs]
    np.testing.assert_allclose(probs.numpy(), expected, rtol=1e-4)
    counts = [m.normalize_output_layer.count for m in members]
    assert counts == [0, 0], "asking must not change statistics"


def test_rewards_of_transitions() -> None:
    transitions = rollout.flatten_trajectories([ref.trajectory(RNG)])
    net, ensemble = make_net(), make_ensemble()
    rewards = prefs.PreferenceModel(net).rewards(transitions)
    assert rewards.requires_grad and rewards.shape == (6,)
    batch = transitions.obs, transitions.acts, transitions.next_obs, transitions.dones
    np.testing.assert_allclose(rewards.detach().numpy(), net.predict(*batch))
    assert prefs.PreferenceModel(ensemble).rewards(transitions).shape == (6, 3)


@pytest.mark.parametrize("settings", SETTINGS)
def test_probability_of_one_pair(settings: dict[str, float]) -> None:
    model = prefs.PreferenceModel(make_net(), **settings)
    first, second = RNG.normal(size=(2, 5, 3))
    probs = model.probability(th.from_numpy(first), th.from_numpy(second))
    assert probs.shape == (3,)
    for i in range(3):
        expected = ref.preference_probability(
            first[:, i], second[:, i], **reference(settings)
        )
        assert probs[i].item() == pytest.approx(expected)
        one = model.probability(th.from_numpy(first[:, i]), th.from_numpy(second[:, i]))
        assert one.shape == () and one.item() == pytest.approx(expected)


def test_swapping_a_pair_complements_its_probability() -> None:
    model = prefs.PreferenceModel(make_net(), noise_prob=0.3)
    pairs = ref.pairs(RNG, 5)
    there, _ = model(pairs)
    back, _ = model([(b, a) for a, b in pairs])
    th.testing.assert_close(there + back, th.ones(5))


def test_batches_of_a_store_are_the_pairs_themselves() -> None:
    net = make_net()
    model = prefs.PreferenceModel(net, discount_factor=0.9)
    for lengths in ([4] * 10, [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]):
        fragments = [ref.trajectory(RNG, t, terminal=t % 2 == 0) for t in lengths]
        pairs = list(zip(fragments[::2], fragments[1::2], strict=True))
        store = PairStore(FragmentArrays.of_pairs(pairs))
        chosen = np.array([3, 0, 3])
        expected, true = model([pairs[i] for i in chosen])
        for _ in range(2):
            batch = store.batch(chosen)
            probs, true_probs = model(batch)
            th.testing.assert_close(probs, expected)
            th.testing.assert_close(true_probs, true)
            store.prepare(net)  # the second time from tensors
        assert list(batch) == [pairs[i] for i in chosen]
        assert list(batch[1:]) == [pairs[0], pairs[3]]


def test_without_true_rewards_there_are_no_true_probabilities() -> None:
    pairs = [*ref.pairs(RNG, 2), *ref.pairs(RNG, 1, rewards=False)]
    model = prefs.PreferenceModel(make_net())
    assert model(pairs)[1] is None
    assert model(pairs[:2])[1] is not None


def test_a_pair_with_rewards_for_one_fragment_is_refused() -> None:
    pair = ref.trajectory(RNG), ref.trajectory(RNG, rewards=False)
    with pytest.raises(AssertionError, match="pair 0 has rewards for only one"):
        prefs.PreferenceModel(make_net())([pair])


WRAPPERS: dict[str, Any] = {
    "NormalizedRewardNet": lambda net: reward_nets.NormalizedRewardNet(
        net, networks.RunningNorm
    ),
    "ShapedRewardNet": lambda net: reward_nets.ShapedRewardNet(
        net, lambda state: state[:, 0], 0.9
    ),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_other_wrappers_of_ensembles_are_refused(name: str) -> None:
    message = (
        f"RewardEnsemble can only be wrapped by AddSTDRewardWrapper but found {name}."
    )
    with pytest.raises(ValueError, match=message):
        prefs.PreferenceModel(WRAPPERS[name](make_ensemble()))


@pytest.mark.parametrize(
    "settings",
    [
        {"noise_prob": -0.1},
        {"noise_prob": 1.1},
        {"discount_factor": 2},
        {"threshold": -1},
    ],
)
def test_numbers_out_of_range(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"must lie in|must not be negative"):
        prefs.PreferenceModel(make_net(), **settings)


def test_base_model() -> None:
    ensemble = make_ensemble()
    wrapped = reward_nets.AddSTDRewardWrapper(ensemble)
    assert prefs.get_base_model(ensemble) is ensemble
    assert prefs.get_base_model(wrapped) is ensemble
    assert prefs.get_base_model(WRAPPERS["ShapedRewardNet"](wrapped.base)) is ensemble


class Overridden(prefs.PreferenceModel):
    """Of one's own, so that the loss must ask it for probabilities."""

    def probability(self, rews1: th.Tensor, rews2: th.Tensor) -> th.Tensor:
        return super().probability(rews1, rews2)


@pytest.mark.parametrize("settings", SETTINGS[:3])
@pytest.mark.parametrize("model_class", [prefs.PreferenceModel, Overridden])
def test_loss_and_metrics_are_those_of_the_paper(
    settings: dict[str, float], model_class: type[prefs.PreferenceModel]
) -> None:
    net = make_net()
    pairs = ref.pairs(RNG, 6)
    given: Any = np.array([0, 1, 0.5, 0.25, 1, 0.5], dtype=np.float32)
    model = model_class(net, **settings)
    loss, metrics = prefs.CrossEntropyRewardLoss()(pairs, given, model)
    expected = [slow_probability(net, pair, settings) for pair in pairs]
    true = [
        ref.preference_probability(a.rews, b.rews, **reference(settings))
        for a, b in pairs
    ]
    assert loss.item() == pytest.approx(ref.cross_entropy(expected, given), rel=1e-4)
    assert metrics["accuracy"].item() == pytest.approx(ref.accuracy(expected, given))
    assert metrics["gt_reward_loss"].item() == pytest.approx(
        ref.cross_entropy(true, given), rel=1e-4
    )
    assert not any(value.requires_grad for value in metrics.values())


@pytest.mark.parametrize(
    ("given", "expected"),
    [([1, 1], 0.5), ([0.5, 1], 0.5), ([1, 0.5], 0.5), ([0.5, 0.5], np.nan)],
)
def test_ties_are_neither_right_nor_wrong(given: list[float], expected: float) -> None:
    net = reward_nets.BasicRewardNet(ref.OBS_SPACE, ref.ACT_SPACE, hid_sizes=())
    for parameter in net.parameters():
        parameter.data.zero_()  # all returns are equal, so the model has only ties
    _, metrics = prefs.CrossEntropyRewardLoss()(
        ref.pairs(RNG, 2), np.array(given, np.float32), prefs.PreferenceModel(net)
    )
    assert metrics["accuracy"].item() == pytest.approx(expected, nan_ok=True)


def test_a_confident_mistake_has_a_gradient() -> None:
    """Where float32 rounds the probability to 1, its logarithm still has a slope."""
    net = reward_nets.BasicRewardNet(
        ref.OBS_SPACE, ref.ACT_SPACE, hid_sizes=(), use_action=False
    )
    pairs = ref.pairs(RNG, 1)
    difference = np.subtract(*(f.obs[:-1].sum(axis=0) for f in pairs[0]))
    with th.no_grad():
        weight = next(iter(net.parameters()))
        weight.copy_(30 * th.from_numpy(difference / (difference**2).sum()))
    model = prefs.PreferenceModel(net)
    assert model(pairs)[0].item() == 1.0
    loss, _ = prefs.CrossEntropyRewardLoss()(pairs, np.zeros(1, np.float32), model)
    th.autograd.backward(loss)
    assert loss.item() == pytest.approx(30, rel=1e-4)
    assert weight.grad is not None
    np.testing.assert_allclose(weight.grad.numpy()[0], difference, rtol=1e-4)
