"""Updates of the discriminator: accumulation, penalties, regularisation, gradients."""

import copy
import pathlib
from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.algorithms.adversarial import discriminator, losses
from imitation.algorithms.adversarial import options as disc_options
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.rewards import reward_nets
from imitation.testing.checks import check_gradients
from imitation.util import networks
from reference import adversarial as slow
from reference import tiny_envs
from reference.adversarial_trainers import make_reward_net, make_trainer, weights

SHAPED: Any = {
    "plain": {},
    "RunningNorm": {"normalize_input_layer": networks.RunningNorm},
    "EMANorm": {"normalize_input_layer": networks.EMANorm},
}
PENALTIES = {
    "none": None,
    "r1": DiscriminatorOptions(gradient_penalty="r1", gradient_penalty_coef=3.0),
    "smooth": DiscriminatorOptions(label_smoothing=0.1, entropy_coef=0.05),
}


def samples(
    n: Any, act_kind: str = "box", obs_kind: str = "box", seed: int = 0
) -> dict[str, Any]:
    """Transitions of an arbitrary policy, as arrays."""
    venv = tiny_envs.make_venv(obs_kind, act_kind, n_envs=n, seed=seed)
    venv.action_space.seed(seed)
    obs = venv.reset()
    acts = np.stack([venv.action_space.sample() for _ in range(n)])
    next_obs, _, dones, _ = venv.step(acts)
    dones = dones | (np.arange(n) % 3 == 0)
    return {"obs": obs, "acts": acts, "next_obs": next_obs, "dones": dones}


def trainer_with(
    tmp_path: pathlib.Path,
    algorithm: Any,
    norm: Any,
    minibatch: Any,
    options: Any = None,
    **settings: Any,
) -> Any:
    th.manual_seed(0)
    venv = tiny_envs.make_venv("box", "box")
    net_class = {
        "GAIL": reward_nets.BasicRewardNet,
        "AIRL": reward_nets.BasicShapedRewardNet,
    }[algorithm]
    net = net_class(venv.observation_space, venv.action_space, **SHAPED[norm])
    return make_trainer(
        tmp_path / str(minibatch),
        algorithm,
        act_kind="box",
        venv=venv,
        reward_net=net,
        demo_batch_size=24,
        demo_minibatch_size=minibatch,
        disc_options=options,
        **settings,
    )


@pytest.mark.parametrize("options", PENALTIES)
@pytest.mark.parametrize("norm", SHAPED)
@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
def test_minibatches_add_up_to_the_batch(
    tmp_path: pathlib.Path, algorithm: str, norm: Any, options: Any
) -> None:
    found = []
    for minibatch in (24, 8, 1):
        trainer = trainer_with(
            tmp_path, algorithm, norm, minibatch, PENALTIES[options],
            disc_opt_cls=th.optim.SGD, disc_opt_kwargs={"lr": 0.1},
        )  # fmt: skip
        stats = [
            trainer.train_disc(
                expert_samples=samples(24, seed=2 * i),
                gen_samples=samples(24, seed=2 * i + 1),
            )
            for i in range(3)
        ]
        found.append((stats, weights(trainer)))
    (stats, expected), *others = found
    for other_stats, other in others:
        for one, two in zip(stats, other_stats, strict=True):
            for key, value in one.items():
                assert value == pytest.approx(two[key], abs=2e-6), key
        for key, value in expected.items():
            th.testing.assert_close(value, other[key], rtol=0, atol=1e-6, msg=key)


def test_reported_loss_is_that_of_the_whole_batch(tmp_path: pathlib.Path) -> None:
    trainer = trainer_with(tmp_path, "GAIL", "plain", 6)
    expert, generated = samples(24), samples(24, seed=1)
    logits = [
        *trainer._reward_net.predict(*expert.values()),
        *trainer._reward_net.predict(*generated.values()),
    ]
    labels = [1] * 24 + [0] * 24
    stats = trainer.train_disc(expert_samples=expert, gen_samples=generated)
    assert stats["disc_loss"] == pytest.approx(slow.cross_entropy(logits, labels))
    for key, value in slow.statistics(logits, labels).items():
        assert stats[key] == pytest.approx(value), key


def prepared(net: Any, expert: Any = None, generated: Any = None) -> Any:
    if expert is None:
        expert, generated = samples(5), samples(5, seed=1)
    return discriminator.make_batch(net, expert, generated, lambda obs, acts: None)


def rows(batch: Any, which: Any) -> Any:
    parts = (batch.state, batch.action, batch.next_state)
    return [tuple(part[i] for part in parts) for i in which]


def logit_function(net: Any) -> Any:
    def logit_of(state: Any, action: Any, next_state: Any) -> Any:
        return net(state, action, next_state, th.zeros(len(state)))

    return logit_of


def gradients(net: Any, loss: Any) -> Any:
    found = th.autograd.grad(loss, list(net.parameters()), allow_unused=True)
    return [g for g in found if g is not None]


def accumulated(net: Any, batch: Any, options: Any) -> Any:
    optimizer = th.optim.SGD(net.parameters(), lr=0.0)
    with networks.training(net):
        record = discriminator.Objective(
            net,
            lambda s, a, n, d, _: net(s, a, n, d * 0),
            losses.discriminator_loss,
            options,
        ).update(optimizer, batch, len(batch) // 2)
    return record, [p.grad for p in net.parameters() if p.grad is not None]


def smooth_net(**kwargs: Any) -> Any:
    venv = tiny_envs.make_venv("box", "box")
    return make_reward_net(
        venv, use_next_state=True, activation=th.nn.Tanh, **kwargs
    ).double()


def standardised(net: Any, batch: Any) -> Any:
    """The logits as a function of inputs in standard deviations, and those."""
    units = [x.std(dim=0) for x in (batch.state, batch.action, batch.next_state)]

    def function(*inputs: Any) -> Any:
        return logit_function(net)(*(x * u for x, u in zip(inputs, units, strict=True)))

    return function, units


@pytest.mark.parametrize("coef", [0.0, 2.5])
def test_r1_against_a_loop_over_expert_samples(coef: float) -> None:
    net = smooth_net()
    batch = prepared(net)
    options = DiscriminatorOptions(gradient_penalty="r1", gradient_penalty_coef=coef)
    record, found = accumulated(net, batch, options)
    function, units = standardised(net, batch)
    points = [tuple(x / u for x, u in zip(row, units, strict=True))
              for row in rows(batch, range(5))]  # fmt: skip
    penalty = slow.r1(function, points)
    bce = th.nn.functional.binary_cross_entropy_with_logits(
        logit_function(net)(batch.state, batch.action, batch.next_state), batch.labels
    )
    expected = gradients(net, bce + coef * penalty)
    th.testing.assert_close(record.grad_penalty, penalty.detach())
    th.testing.assert_close(record.loss, bce.detach())
    for one, other in zip(found, expected, strict=True):
        th.testing.assert_close(one, other)


def test_wgan_gp_against_a_loop_over_points_between() -> None:
    net = smooth_net()
    batch = prepared(net)
    options = DiscriminatorOptions(gradient_penalty="wgan-gp", gradient_penalty_coef=10)
    th.manual_seed(3)
    record, found = accumulated(net, batch, options)
    th.manual_seed(3)
    weight = th.rand(5)
    function, units = standardised(net, batch)
    points = [
        tuple(
            (w * expert + (1 - w) * generated) / unit
            for expert, generated, unit in zip(one, other, units, strict=True)
        )
        for w, one, other in zip(
            weight, rows(batch, range(5)), rows(batch, range(5, 10)), strict=True
        )
    ]
    penalty = slow.wgan_gp(function, points)
    bce = th.nn.functional.binary_cross_entropy_with_logits(
        logit_function(net)(batch.state, batch.action, batch.next_state), batch.labels
    )
    th.testing.assert_close(record.grad_penalty, penalty.detach(), atol=1e-5, rtol=1e-5)
    for one, other in zip(found, gradients(net, bce + 10 * penalty), strict=True):
        th.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_entropy_bonus_is_subtracted(tmp_path: pathlib.Path) -> None:
    options = DiscriminatorOptions(entropy_coef=0.3, label_smoothing=0.1)
    trainer = make_trainer(tmp_path, disc_options=options)
    logits = th.randn(10, dtype=th.float64, requires_grad=True)
    labels = (th.arange(10) < 5).double()
    p, targets = th.sigmoid(logits), 0.1 + 0.8 * labels
    entropy = -(p * p.log() + (1 - p) * (1 - p).log()).mean()
    bce = th.nn.functional.binary_cross_entropy(p, targets)
    found = trainer.disc_loss(logits, labels)
    th.testing.assert_close(found, bce - 0.3 * entropy)
    for one, other in zip(
        th.autograd.grad(found, logits),
        th.autograd.grad(bce - 0.3 * entropy, logits),
        strict=True,
    ):
        th.testing.assert_close(one, other)


def test_instance_noise_is_in_units_of_each_feature() -> None:
    seen = []

    def logits(
        state: Any, action: Any, next_state: Any, done: Any, log_prob: Any
    ) -> Any:
        seen.append((state, action, next_state))
        return net(state, action, next_state, done)

    net = smooth_net()
    expert, generated = samples(400), samples(400, seed=1)
    for side in (expert, generated):
        side["obs"] = side["obs"] * [100, 1, 1]
    batch = prepared(net, expert, generated)
    optimizer = th.optim.SGD(net.parameters(), lr=0.0)
    options = DiscriminatorOptions(instance_noise=0.1)
    discriminator.Objective(net, logits, losses.discriminator_loss, options).update(
        optimizer, batch, 400
    )
    for noisy, clean in zip(
        seen[0], (batch.state, batch.action, batch.next_state), strict=True
    ):
        ratio = (noisy - clean).std(dim=0) / clean.std(dim=0)
        th.testing.assert_close(ratio, th.full_like(ratio, 0.1), atol=0.015, rtol=0)


def test_penalties_and_noise_leave_modes_and_samples_alone() -> None:
    net = smooth_net(dropout_prob=0.1)
    batch = prepared(net)
    before = copy.deepcopy([batch.state, batch.action, batch.next_state])
    net.eval()
    options = DiscriminatorOptions(gradient_penalty="wgan-gp", instance_noise=0.1)
    accumulated(net, batch, options)
    assert not any(module.training for module in net.modules())
    for one, other in zip(
        before, (batch.state, batch.action, batch.next_state), strict=True
    ):
        th.testing.assert_close(one, other)


@pytest.mark.parametrize("act_kind", ["box", "discrete"])
@pytest.mark.parametrize("obs_kind", ["box", "dict", "image"])
@pytest.mark.parametrize("algorithm", ["GAIL", "AIRL"])
def test_every_tensor_gets_a_gradient(
    tmp_path: pathlib.Path, algorithm: str, obs_kind: str, act_kind: str
) -> None:
    trainer = make_trainer(
        tmp_path, algorithm, "PPO", obs_kind, act_kind,
        generator_settings={"ent_coef": 0.01},
        net_settings={"activation": th.nn.Tanh},
    )  # fmt: skip
    trainer.train_gen()
    expert = samples(16, act_kind, obs_kind)
    generated = samples(16, act_kind, obs_kind, seed=1)
    check_gradients(
        trainer._reward_net.named_parameters(),
        lambda: trainer.train_disc(expert_samples=expert, gen_samples=generated),
    )
    check_gradients(trainer.policy.named_parameters(), trainer.train_gen)


@pytest.mark.parametrize("generator", ["SAC", "DQN"])
def test_off_policy_generators_get_gradients(
    tmp_path: pathlib.Path, generator: str
) -> None:
    act_kind = "box" if generator == "SAC" else "discrete"
    trainer = make_trainer(tmp_path, "GAIL", generator, act_kind=act_kind)
    trainer.train_gen(24)
    trained = {
        name: p for name, p in trainer.policy.named_parameters() if "target" not in name
    }
    check_gradients(trained.items(), lambda: trainer.train_gen(8))


@pytest.mark.parametrize("obs_kind", ["box", "image"])
def test_spectral_norm_bounds_every_layer(
    tmp_path: pathlib.Path, obs_kind: str
) -> None:
    trainer = make_trainer(
        tmp_path, "GAIL", obs_kind=obs_kind,
        disc_options=DiscriminatorOptions(spectral_norm=True),
        disc_opt_kwargs={"lr": 0.03},
    )  # fmt: skip
    expert, generated = (samples(16, "discrete", obs_kind, seed=i) for i in range(2))
    for _ in range(30):
        trainer.train_disc(expert_samples=expert, gen_samples=generated)
    plain = disc_options.without_spectral_norm(trainer.reward_train)
    found = [
        slow.largest_singular_value(module.weight)
        for module in plain.modules()
        if isinstance(module, th.nn.Linear | th.nn.Conv2d)
    ]
    assert len(found) >= 2
    np.testing.assert_allclose(found, 1, atol=0.02)
    assert not any("parametrizations" in key for key in plain.state_dict())
    arguments = [generated[key] for key in discriminator.FIELDS]
    np.testing.assert_allclose(
        plain.predict(*arguments), trainer.reward_train.predict(*arguments), rtol=1e-5
    )


def test_spectral_norm_once_is_enough() -> None:
    net = smooth_net()
    disc_options.add_spectral_norm(net)
    keys = list(net.state_dict())
    disc_options.add_spectral_norm(net)
    assert list(net.state_dict()) == keys


def test_without_spectral_norm_leaves_other_networks_alone() -> None:
    net = smooth_net()
    assert disc_options.without_spectral_norm(net) is net
