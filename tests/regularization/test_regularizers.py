"""Regularisers: their formulas, when they act, and what they refuse."""

from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.errors import ConfigError
from imitation.regularization import regularizers, updaters
from imitation.util import logger as imit_logger

UPDATER = updaters.IntervalParamScaler(0.5, (1.0, 2.0))


@pytest.fixture
def logger(tmp_path: Any) -> imit_logger.HierarchicalLogger:
    return imit_logger.configure(tmp_path, [])


@pytest.fixture
def net() -> th.nn.Linear:
    return th.nn.Linear(3, 2)


def sgd(net: th.nn.Module, lr: float = 0.1) -> th.optim.Optimizer:
    return th.optim.SGD(net.parameters(), lr=lr)


def loss_of(net: th.nn.Module) -> th.Tensor:
    loss: th.Tensor = net(th.ones(4, 3)).square().mean()
    return loss


@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_penalty_and_its_gradient(
    net: th.nn.Linear, logger: imit_logger.HierarchicalLogger, p: int
) -> None:
    factory = regularizers.LpRegularizer.create(initial_lambda=0.3, p=p)
    regularizer = factory(optimizer=sgd(net), logger=logger)
    weights = np.concatenate([w.detach().numpy().ravel() for w in net.parameters()])
    plain = loss_of(net)
    (plain_grad,) = th.autograd.grad(plain, [net.weight], retain_graph=True)

    regularized = regularizer.regularize_and_backward(plain)

    expected = plain.item() + 0.3 * sum(abs(w) ** p for w in weights)
    assert float(regularized) == pytest.approx(expected, rel=1e-5)
    assert logger.name_to_value["regularized_loss"] == pytest.approx(expected)
    w = net.weight.detach()
    slope = 0.3 * p * w.sign() * w.abs() ** (p - 1)
    assert net.weight.grad is not None
    th.testing.assert_close(net.weight.grad, plain_grad + slope)


def test_weight_decay_changes_weights_after_the_gradient(
    net: th.nn.Linear, logger: imit_logger.HierarchicalLogger
) -> None:
    factory = regularizers.WeightDecayRegularizer.create(initial_lambda=0.5)
    regularizer = factory(optimizer=sgd(net, lr=0.2), logger=logger)
    before = [w.detach().clone() for w in net.parameters()]
    loss = loss_of(net)
    (expected_grad,) = th.autograd.grad(loss, [net.weight], retain_graph=True)

    result: object = regularizer.regularize_and_backward(loss)

    assert result is None

    for old, new in zip(before, net.parameters(), strict=True):
        th.testing.assert_close(new.detach(), old * (1 - 0.5 * 0.2))
    th.testing.assert_close(net.weight.grad, expected_grad)


def test_weight_decay_uses_each_groups_learning_rate(
    logger: imit_logger.HierarchicalLogger,
) -> None:
    one, other = th.nn.Linear(1, 1), th.nn.Linear(1, 1)
    groups = [
        {"params": one.parameters(), "lr": 0.1},
        {"params": other.parameters(), "lr": 1.0},
    ]
    regularizer = regularizers.WeightDecayRegularizer(
        th.optim.SGD(groups, lr=1.0), 0.5, None, logger
    )
    before = one.weight.item(), other.weight.item()
    regularizer.regularize_and_backward(one(th.ones(1, 1)).sum())
    assert one.weight.item() == pytest.approx(before[0] * 0.95)
    assert other.weight.item() == pytest.approx(before[1] * 0.5)


def test_updating_the_strength_logs_it(
    net: th.nn.Linear, logger: imit_logger.HierarchicalLogger
) -> None:
    factory = regularizers.LpRegularizer.create(
        initial_lambda=0.1, lambda_updater=UPDATER, val_split=0.25, p=2
    )
    regularizer = factory(optimizer=sgd(net), logger=logger)
    assert regularizer.val_split == 0.25
    assert logger.name_to_value["regularization_lambda"] == 0.1
    regularizer.update_params(1.0, th.tensor(3.0))
    assert regularizer.lambda_ == pytest.approx(0.15)
    assert logger.name_to_value["regularization_lambda"] == pytest.approx(0.15)


def test_without_updater_the_strength_stays(
    net: th.nn.Linear, logger: imit_logger.HierarchicalLogger
) -> None:
    regularizer = regularizers.LpRegularizer(sgd(net), 0.1, None, logger, p=1)
    regularizer.update_params(1.0, 5.0)
    assert regularizer.lambda_ == 0.1


def test_a_factory_makes_independent_regularizers(
    net: th.nn.Linear, logger: imit_logger.HierarchicalLogger
) -> None:
    factory = regularizers.LpRegularizer.create(0.1, UPDATER, 0.5, p=2)
    one = factory(optimizer=sgd(net), logger=logger)
    other = factory(optimizer=sgd(net), logger=logger)
    one.update_params(1.0, 9.0)
    assert one.lambda_ == pytest.approx(0.15)
    assert other.lambda_ == 0.1


NO_STRENGTH = "your regularization strength must be non-zero"
NO_SPLIT = "you must also specify a validation split"
NO_UPDATER = "you must also pass a regularizer parameter updater"
BAD_SPLIT = "must be a float strictly between 0 and 1."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial_lambda": 0.0}, NO_STRENGTH),
        ({"initial_lambda": 0}, NO_STRENGTH),
        ({"initial_lambda": -0.1}, "must not be negative"),
        ({"initial_lambda": 0.1, "lambda_updater": UPDATER}, NO_SPLIT),
        ({"initial_lambda": 0.1, "val_split": 0.5}, NO_UPDATER),
        ({"lambda_updater": UPDATER, "val_split": 1.0}, f"val_split = 1.0 {BAD_SPLIT}"),
        ({"lambda_updater": UPDATER, "val_split": -0.1}, BAD_SPLIT),
        ({"lambda_updater": UPDATER, "val_split": 1}, f"val_split = 1 {BAD_SPLIT}"),
        ({"lambda_updater": UPDATER, "val_split": "0.5"}, BAD_SPLIT),
        ({"p": 0}, "p must be a positive integer"),
        ({"p": -1}, "p must be a positive integer"),
        ({"p": 1.5}, "p must be a positive integer"),
        ({"p": "2"}, "p must be a positive integer"),
        ({"p": True}, "p must be a positive integer"),
    ],
)
def test_wrong_settings(
    net: th.nn.Linear,
    logger: imit_logger.HierarchicalLogger,
    options: dict[str, Any],
    message: str,
) -> None:
    settings = {"initial_lambda": 0.1, "p": 2} | options
    with pytest.raises(ConfigError, match=message):
        regularizers.LpRegularizer.create(**settings)
    both: dict[str, Any] = {"lambda_updater": None, "val_split": None, **settings}
    with pytest.raises(ValueError, match=message):
        regularizers.LpRegularizer(optimizer=sgd(net), logger=logger, **both)


def test_a_split_of_zero_is_refused_by_the_class(
    net: th.nn.Linear, logger: imit_logger.HierarchicalLogger
) -> None:
    with pytest.raises(ConfigError, match=f"val_split = 0.0 {BAD_SPLIT}"):
        regularizers.WeightDecayRegularizer(sgd(net), 0.1, UPDATER, logger, 0.0)


def test_a_new_kind_of_regularizer(
    net: th.nn.Linear, logger: imit_logger.HierarchicalLogger
) -> None:
    class Halving(regularizers.WeightRegularizer):
        def _weight_penalty(
            self, weight: th.Tensor, group: dict[str, Any]
        ) -> th.Tensor | float:
            return -0.5 * weight

    before = net.weight.detach().clone()
    Halving.create(1.0)(optimizer=sgd(net), logger=logger).regularize_and_backward(
        loss_of(net)
    )
    th.testing.assert_close(net.weight.detach(), before / 2)
