"""A variant of GAIL that changes its loss by one override, and nothing else.

`test_adversarial_learns` checks that it learns.
"""

import pathlib
from typing import Any

import pytest
import torch as th

from imitation.algorithms.adversarial.discriminator import FIELDS
from imitation.data import rollout
from imitation.testing.checks import check_gradients
from reference import tiny_envs
from reference.adversarial_trainers import make_trainer, weights


def sides(n: int = 16) -> Any:
    """Transitions for the expert's side and as many for the generator's."""
    flat = rollout.flatten_trajectories(tiny_envs.expert_trajectories(8, seed=3))
    rows = slice(n), slice(n, 2 * n)
    return [{key: getattr(flat, key)[part] for key in FIELDS} for part in rows]


def sgd(tmp_path: pathlib.Path, **settings: Any) -> Any:
    return make_trainer(
        tmp_path, "LeastSquaresGAIL",
        disc_opt_cls=th.optim.SGD, disc_opt_kwargs={"lr": 0.1},
        net_settings={"activation": th.nn.Tanh}, **settings,
    )  # fmt: skip


def test_updates_follow_the_gradient_of_the_loss(tmp_path: pathlib.Path) -> None:
    trainer = sgd(tmp_path)
    expert, generated = sides()
    net = trainer.reward_train.base
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    one, other = (net(*net.preprocess(*s.values())) for s in (expert, generated))
    # 1/2 E_expert[(D - 1)²] + 1/2 E_policy[D²], each over its own samples.
    loss = 0.5 * ((one - 1) ** 2).mean() + 0.5 * (other**2).mean()
    gradients = th.autograd.grad(loss, list(net.parameters()))
    stats = trainer.train_disc(expert_samples=expert, gen_samples=generated)
    assert stats["disc_loss"] == pytest.approx(loss.item(), rel=1e-6)
    for (name, now), gradient in zip(net.named_parameters(), gradients, strict=True):
        th.testing.assert_close(now.detach(), before[name] - 0.1 * gradient, msg=name)


def test_it_is_another_loss_than_that_of_gail(tmp_path: pathlib.Path) -> None:
    expert, generated = sides()
    found = [
        make_trainer(tmp_path / name, name).train_disc(
            expert_samples=expert, gen_samples=generated
        )
        for name in ("GAIL", "LeastSquaresGAIL")
    ]
    assert found[0]["disc_loss"] != pytest.approx(found[1]["disc_loss"], abs=1e-3)
    assert found[0]["disc_acc"] == found[1]["disc_acc"]  # of the same logits


@pytest.mark.parametrize("minibatch", [8, 2])
def test_minibatches_add_up_to_the_batch(
    tmp_path: pathlib.Path, minibatch: int
) -> None:
    expert, generated = sides()
    whole = sgd(tmp_path / "whole")
    parts = sgd(tmp_path / "parts", demo_minibatch_size=minibatch)
    for _ in range(3):
        stats = [
            trainer.train_disc(expert_samples=expert, gen_samples=generated)
            for trainer in (whole, parts)
        ]
        assert stats[0]["disc_loss"] == pytest.approx(stats[1]["disc_loss"], abs=1e-6)
    for key, value in weights(whole).items():
        th.testing.assert_close(value, weights(parts)[key], rtol=0, atol=1e-6, msg=key)


def test_every_tensor_gets_a_gradient(tmp_path: pathlib.Path) -> None:
    trainer = sgd(tmp_path)
    expert, generated = sides()
    check_gradients(
        trainer.reward_train.named_parameters(),
        lambda: trainer.train_disc(expert_samples=expert, gen_samples=generated),
    )


def test_resumes_as_itself_alone(tmp_path: pathlib.Path) -> None:
    trainer = make_trainer(tmp_path / "one", "LeastSquaresGAIL")
    trainer.train(64, checkpoint_dir=tmp_path / "saved")
    other = make_trainer(tmp_path / "two", "LeastSquaresGAIL")
    other.train(96, checkpoint_dir=tmp_path / "saved", resume=True)
    assert other.progress == 3
    gail = make_trainer(tmp_path / "three", "GAIL")
    with pytest.raises(ValueError, match="the trainer LeastSquaresGAIL, this trainer"):
        gail.train(96, checkpoint_dir=tmp_path / "saved", resume=True)
