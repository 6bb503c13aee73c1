"""Regularizers that take part in a training step, and log their strength.

A regularizer is created in two steps. The user calls ``create`` of its class, with its
configuration; the trainer of the network calls the factory that this returns, with its
optimizer and logger. Then ``regularize_and_backward`` replaces ``loss.backward()``.
"""

import abc
from typing import Any, Generic, Protocol, TypeVar

import torch as th
from torch import optim
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.regularization.updaters import LambdaUpdater, LossType
from imitation.util import logger as imit_logger
from imitation.util.artifacts import State

# A number, or a tensor of shape ``()``.
Scalar = th.Tensor | float

R = TypeVar("R")
Self = TypeVar("Self", bound="Regularizer[Any]")
T_Regularizer_co = TypeVar("T_Regularizer_co", covariant=True, bound="Regularizer[Any]")


class RegularizerFactory(Protocol[T_Regularizer_co]):
    """Creates regularizers, one for each optimizer."""

    def __call__(
        self, *, optimizer: optim.Optimizer, logger: imit_logger.HierarchicalLogger
    ) -> T_Regularizer_co:
        """Creates a regularizer of an optimizer's parameters."""


class Regularizer(abc.ABC, Generic[R]):
    """Base of the regularizers.

    Args:
        optimizer: the optimizer of the parameters to regularize.
        initial_lambda: the initial strength λ.
        lambda_updater: decides the next strength; None keeps it.
        logger: where to log ``regularization_lambda``.
        val_split: share of the data to validate on for `lambda_updater`, in (0, 1);
            None without one.

    Raises:
        ConfigError: λ is zero or `val_split` is given without an updater, or an updater
            without `val_split`; or `val_split` is not a float in (0, 1).
    """

    optimizer: optim.Optimizer
    lambda_: float
    lambda_updater: LambdaUpdater | None
    logger: imit_logger.HierarchicalLogger
    val_split: float | None

    def __init__(
        self,
        optimizer: optim.Optimizer,
        initial_lambda: float,
        lambda_updater: LambdaUpdater | None,
        logger: imit_logger.HierarchicalLogger,
        val_split: float | None = None,
    ) -> None:
        _check_strength(initial_lambda, lambda_updater, val_split)
        self.optimizer = optimizer
        self.lambda_ = initial_lambda
        self.lambda_updater = lambda_updater
        self.logger = logger
        self.val_split = val_split
        self.logger.record("regularization_lambda", self.lambda_)

    @classmethod
    def create(
        cls: type[Self],
        initial_lambda: float,
        lambda_updater: LambdaUpdater | None = None,
        val_split: float = 0.0,
        **kwargs: Any,
    ) -> RegularizerFactory[Self]:
        """Returns a factory of regularizers with these arguments, which it checks.

        A `val_split` of 0.0 counts as None.

        Raises:
            ConfigError: as for the class.
        """
        split = val_split or None
        _check_strength(initial_lambda, lambda_updater, split)
        cls._check_options(**kwargs)

        def factory(
            *, optimizer: optim.Optimizer, logger: imit_logger.HierarchicalLogger
        ) -> Self:
            return cls(
                initial_lambda=initial_lambda,
                optimizer=optimizer,
                lambda_updater=lambda_updater,
                logger=logger,
                val_split=split,
                **kwargs,
            )

        return factory

    @classmethod
    def _check_options(cls, **kwargs: object) -> None:
        """Checks further arguments of a subclass, before there is an instance."""

    @abc.abstractmethod
    def regularize_and_backward(self, loss: th.Tensor) -> R:
        """Computes gradients of a loss of shape ``()``, and regularizes."""

    def update_params(self, train_loss: LossType, val_loss: LossType) -> None:
        """Updates and logs the strength, if there is an updater.

        Args:
            train_loss: loss on the data trained on, shape ``()``.
            val_loss: loss on other data, shape ``()``.
        """
        if self.lambda_updater is not None:
            self.lambda_ = self.lambda_updater(self.lambda_, train_loss, val_loss)
            self.logger.record("regularization_lambda", self.lambda_)


class LossRegularizer(Regularizer[Scalar]):
    """Base of the regularizers that add a penalty to the loss."""

    @abc.abstractmethod
    def _loss_penalty(self, loss: th.Tensor) -> Scalar:
        """Computes the penalty to add to a loss, λ included."""

    @override
    def regularize_and_backward(self, loss: th.Tensor) -> Scalar:
        """Computes gradients of the loss and the penalty.

        Returns:
            The regularized loss, shape ``()``, without gradients; it is logged as
            ``regularized_loss``.
        """
        regularized = th.add(loss, self._loss_penalty(loss))
        th.autograd.backward(regularized)
        value = regularized.detach()
        self.logger.record("regularized_loss", value.item())
        return value


class LpRegularizer(LossRegularizer):
    """Adds λ·Σ|w|^p over all weights w to the loss, where p is a positive integer.

    Raises:
        ConfigError: `p` is not a positive integer, or as for `Regularizer`.
    """

    p: int

    def __init__(
        self,
        optimizer: optim.Optimizer,
        initial_lambda: float,
        lambda_updater: LambdaUpdater | None,
        logger: imit_logger.HierarchicalLogger,
        p: int,
        val_split: float | None = None,
    ) -> None:
        self._check_options(p=p)
        super().__init__(optimizer, initial_lambda, lambda_updater, logger, val_split)
        self.p = p

    @classmethod
    @override
    def _check_options(cls, **kwargs: object) -> None:
        p = kwargs.get("p")
        if not isinstance(p, int) or isinstance(p, bool) or p <= 0:
            raise ConfigError("p must be a positive integer")

    @override
    def _loss_penalty(self, loss: th.Tensor) -> Scalar:
        groups = self.optimizer.param_groups
        weights = [weight for group in groups for weight in group["params"]]
        # abs first: for odd p negative weights would lower the loss.
        terms = [w.abs().pow(self.p).sum().to(loss.device) for w in weights]
        penalty: th.Tensor = self.lambda_ * th.stack(terms).sum()
        return penalty


class WeightRegularizer(Regularizer[None]):
    """Base of the regularizers that change the weights themselves."""

    @abc.abstractmethod
    def _weight_penalty(self, weight: th.Tensor, group: State) -> th.Tensor | float:
        """Computes the change of a weight of any shape.

        `group` is the group of the optimizer's parameters that it belongs to.
        """

    @override
    def regularize_and_backward(self, loss: th.Tensor) -> None:
        """Computes gradients of the loss, then changes the weights."""
        th.autograd.backward(loss)
        # Before the optimizer's step, so that the weights' own gradients are not
        # changed: decoupled weight decay, https://arxiv.org/abs/1711.05101.
        with th.no_grad():
            for group in self.optimizer.param_groups:
                for weight in group["params"]:
                    weight.add_(self._weight_penalty(weight, group))


class WeightDecayRegularizer(WeightRegularizer):
    """Subtracts λ·(learning rate)·w from each weight w."""

    @override
    def _weight_penalty(self, weight: th.Tensor, group: State) -> th.Tensor | float:
        rate: float = group["lr"]
        return -self.lambda_ * rate * weight


def _check_strength(
    initial_lambda: float, lambda_updater: LambdaUpdater | None, split: float | None
) -> None:
    if lambda_updater is None and initial_lambda == 0:
        raise ConfigError(
            "If you do not pass a regularizer parameter updater your regularization "
            "strength must be non-zero, as this would result in no regularization."
        )
    if initial_lambda < 0:
        raise ConfigError(
            f"the regularization strength must not be negative, got {initial_lambda}"
        )
    if split is not None and (not isinstance(split, float) or not 0 < split < 1):
        raise ConfigError(
            f"val_split = {split} must be a float strictly between 0 and 1."
        )
    if lambda_updater is not None and split is None:
        raise ConfigError(
            "If you pass a regularizer parameter updater, you must also specify a "
            "validation split. Otherwise the updater won't have any validation data to "
            "use for updating."
        )
    if lambda_updater is None and split is not None:
        raise ConfigError(
            "If you pass a validation split, you must also pass a regularizer "
            "parameter updater. Otherwise you are wasting data into the validation "
            "split that will not be used."
        )
