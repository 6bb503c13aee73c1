"""The mathematics of adversarial imitation against the papers' formulas."""

import collections
import math
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch as th

from imitation.algorithms.adversarial import common, losses
from imitation.algorithms.adversarial.gail import RewardNetFromDiscriminatorLogit
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.errors import ConfigError
from imitation.rewards import reward_nets
from imitation.util import networks
from reference import adversarial as slow

LOGITS = [-6.0, -1.3, -0.2, 0.0, 0.4, 2.5, 4.9]
KEYS = [
    "disc_loss",
    "disc_acc",
    "disc_acc_expert",
    "disc_acc_gen",
    "disc_entropy",
    "disc_proportion_expert_true",
    "disc_proportion_expert_pred",
    "n_expert",
    "n_generated",
]
FORMS = {
    "softplus": slow.gail_reward,
    "airl": slow.airl_reward,
    "fairl": slow.fairl_reward,
}


def tensor(values: Any) -> Any:
    return th.tensor(values, dtype=th.float64)


@pytest.mark.parametrize("form", FORMS)
def test_reward_forms_are_the_papers(form: Any) -> None:
    rewards = losses.REWARD_FORMS[form](tensor(LOGITS))
    expected = [FORMS[form](logit) for logit in LOGITS]
    np.testing.assert_allclose(rewards.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_softplus_reward_is_the_documented_log_sigmoid() -> None:
    logits = tensor(LOGITS)
    th.testing.assert_close(
        losses.REWARD_FORMS["softplus"](logits), -th.nn.functional.logsigmoid(-logits)
    )


@pytest.mark.parametrize("form", FORMS)
def test_reward_forms_stay_finite(form: Any) -> None:
    logits: Any = th.tensor([-1e4, -90.0, 90.0, 1e4], requires_grad=True)
    rewards = losses.REWARD_FORMS[form](logits)
    rewards.sum().backward()
    assert th.isfinite(rewards).all()
    assert th.isfinite(logits.grad).all()


def test_fairl_is_held_at_its_largest_logit() -> None:
    rewards = losses.REWARD_FORMS["fairl"](tensor([5.0, 6.0, 100.0]))
    expected = slow.fairl_reward(losses.FAIRL_MAX_LOGIT)
    np.testing.assert_allclose(rewards.numpy(), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_discriminator_loss(smoothing: float) -> None:
    labels = [0, 1, 0, 1, 1, 0, 1]
    loss = losses.discriminator_loss(tensor(LOGITS), th.tensor(labels), smoothing)
    expected = slow.cross_entropy(LOGITS, labels, smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("smoothing", [0.05, 0.2])
def test_smoothed_labels_bound_the_best_logit(smoothing: float) -> None:
    bound = math.log((1 - smoothing) / smoothing)
    logits = tensor([bound, -bound]).requires_grad_()
    loss = losses.discriminator_loss(logits, th.tensor([1, 0]), smoothing)
    (gradient,) = th.autograd.grad(loss, logits)
    np.testing.assert_allclose(gradient.numpy(), 0, atol=1e-12)
    further = losses.discriminator_loss(1.1 * logits, th.tensor([1, 0]), smoothing)
    assert further > loss


def test_gradient_of_the_loss_is_the_error_of_the_probability() -> None:
    labels = [0, 1, 0, 1, 1, 0, 1]
    logits = tensor(LOGITS).requires_grad_()
    loss = losses.discriminator_loss(logits, th.tensor(labels))
    (gradient,) = th.autograd.grad(loss, logits)
    expected = [
        (slow.probability(logit) - label) / len(labels)
        for logit, label in zip(LOGITS, labels, strict=True)
    ]
    np.testing.assert_allclose(gradient.numpy(), expected, rtol=1e-9)


def test_entropy() -> None:
    found = losses.bernoulli_entropy(tensor(LOGITS)).item()
    assert found == pytest.approx(slow.entropy(LOGITS), rel=1e-9)
    assert losses.bernoulli_entropy(tensor([0.0])).item() == pytest.approx(math.log(2))
    # It is symmetric, and goes to zero, not to NaN.
    assert losses.bernoulli_entropy(tensor([-3.0])) == pytest.approx(
        losses.bernoulli_entropy(tensor([3.0])).item()
    )
    assert losses.bernoulli_entropy(tensor([500.0, -500.0])).item() < 1e-99


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 0, 1, 1, 0, 1],
        [1] * 7,
        [0] * 7,
    ],
    ids=["both", "only expert", "only generated"],
)
@pytest.mark.parametrize("dtype", [th.int64, th.float32, th.bool])
def test_train_stats(labels: Any, dtype: Any) -> None:
    stats = common.compute_train_stats(
        tensor(LOGITS).requires_grad_(),
        th.tensor(labels).to(dtype),
        tensor(0.25).requires_grad_(),
    )
    assert isinstance(stats, collections.OrderedDict)
    assert list(stats) == KEYS
    assert {type(value) for value in stats.values()} == {float}
    expected = {"disc_loss": 0.25} | slow.statistics(LOGITS, labels)
    for key in KEYS:
        assert stats[key] == pytest.approx(expected[key], nan_ok=True), key


def test_train_stats_of_one_kind() -> None:
    only_generated = common.compute_train_stats(
        th.tensor([1.0]), th.tensor([0]), th.tensor(0.0)
    )
    assert math.isnan(only_generated["disc_acc_expert"])
    only_expert = common.compute_train_stats(
        th.tensor([1.0]), th.tensor([1]), th.tensor(0.0)
    )
    assert only_expert["disc_acc_gen"] == 0.0


def two_part_function(seed: int = 0) -> Any:
    generator = th.Generator().manual_seed(seed)
    w1 = th.randn(3, 5, generator=generator)
    w2 = th.randn(2, 5, generator=generator)

    def logit_of(x: Any, y: Any) -> Any:
        return th.tanh(x @ w1 + y.flatten(1)[:, :2] @ w2).pow(2).sum(dim=1)

    xs = th.randn(4, 3, generator=generator)
    ys = th.randn(4, 1, 2, generator=generator)
    return logit_of, xs, ys


def test_r1_penalty_is_a_mean_over_samples() -> None:
    logit_of, xs, ys = two_part_function()
    xs.requires_grad_()
    ys.requires_grad_()
    found = losses.r1_penalty(logit_of(xs, ys), [xs, ys])
    expected = slow.r1(logit_of, list(zip(xs, ys, strict=True)))
    th.testing.assert_close(found, expected)
    assert found.requires_grad


def test_wgan_gp_penalty_is_a_mean_over_samples() -> None:
    logit_of, xs, ys = two_part_function()
    xs.requires_grad_()
    ys.requires_grad_()
    found = losses.wgan_gp_penalty(logit_of(xs, ys), [xs, ys])
    expected = slow.wgan_gp(logit_of, list(zip(xs, ys, strict=True)))
    th.testing.assert_close(found, expected)


def test_penalties_in_closed_form() -> None:
    """The gradient of w·x is w everywhere."""
    weight = th.tensor([3.0, 4.0])
    x = th.randn(6, 2).requires_grad_()
    unused = th.randn(6, 3).requires_grad_()
    assert losses.r1_penalty(x @ weight, [x, unused]).item() == pytest.approx(12.5)
    assert losses.wgan_gp_penalty(x @ weight, [x]).item() == pytest.approx(16.0)


def test_penalties_of_a_function_of_nothing() -> None:
    x = th.randn(6, 2).requires_grad_()
    constant = th.ones(6, requires_grad=True) * 2
    assert losses.r1_penalty(constant, [x]).item() == 0
    penalty = losses.wgan_gp_penalty(constant, [x])
    assert penalty.item() == pytest.approx(1.0, abs=1e-4)


def test_wgan_gp_penalty_has_a_gradient_where_the_norm_is_zero() -> None:
    weight: Any = th.zeros(2, requires_grad=True)
    x = th.randn(6, 2).requires_grad_()
    losses.wgan_gp_penalty(x @ weight, [x]).backward()
    assert th.isfinite(weight.grad).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient_penalty": "r2"}, "gradient_penalty must be"),
        ({"gradient_penalty_coef": -1.0}, "gradient_penalty_coef"),
        ({"gradient_penalty_coef": math.nan}, "gradient_penalty_coef"),
        ({"gradient_penalty_coef": math.inf}, "gradient_penalty_coef"),
        ({"label_smoothing": 0.5}, "label_smoothing"),
        ({"label_smoothing": -0.1}, "label_smoothing"),
        ({"label_smoothing": math.nan}, "label_smoothing"),
        ({"entropy_coef": -1e-3}, "entropy_coef"),
        ({"instance_noise": -1.0}, "instance_noise"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        DiscriminatorOptions(**options)
    assert "\n" not in str(error.value)


OBS = gym.spaces.Box(-1, 1, (3,), np.float32)
ACT = gym.spaces.Discrete(2)


def transitions(n: int = 10) -> Any:
    rng = np.random.default_rng(0)
    obs, next_obs = rng.uniform(-1, 1, (2, n, 3)).astype(np.float32)
    return obs, rng.integers(2, size=n), next_obs, np.zeros(n, bool)


@pytest.mark.parametrize("form", FORMS)
def test_reward_net_from_logit(form: Any) -> None:
    base = reward_nets.BasicRewardNet(OBS, ACT, hid_sizes=(8,))
    net = RewardNetFromDiscriminatorLogit(base, form)
    expected = [FORMS[form](float(logit)) for logit in base.predict(*transitions())]
    np.testing.assert_allclose(net.predict(*transitions()), expected, rtol=1e-4)
    np.testing.assert_array_equal(
        net.predict_processed(*transitions()), net.predict(*transitions())
    )
    inputs = net.preprocess(*transitions())
    rewards = net(*inputs)
    rewards.sum().backward()
    assert all(p.grad is not None for p in base.parameters())
    assert net.base is base


def test_reward_net_from_logit_refuses_unknown_forms() -> None:
    base = reward_nets.BasicRewardNet(OBS, ACT)
    with pytest.raises(ConfigError, match="reward_form must be one of softplus"):
        RewardNetFromDiscriminatorLogit(base, cast("Any", "hinge"))


def test_reward_net_from_logit_normalises_the_reward_not_the_logit() -> None:
    base = reward_nets.BasicRewardNet(OBS, ACT, hid_sizes=(8,))
    normalized: Any = reward_nets.NormalizedRewardNet(base, networks.RunningNorm)
    net: Any = RewardNetFromDiscriminatorLogit(normalized)
    rewards = net.predict(*transitions())
    found = net.predict_processed(*transitions())
    expected = (rewards - rewards.mean()) / np.sqrt(rewards.var() + 1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    before = normalized.normalize_output_layer.count.item()
    again = net.predict_processed(*transitions(), update_stats=False)
    assert normalized.normalize_output_layer.count.item() == before == 10
    np.testing.assert_allclose(again, found, rtol=1e-6)
