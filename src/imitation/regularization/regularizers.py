"""Regularisers that take part in a training step, and log their strength.

A regulariser is made in two steps. The user calls ``create`` of its class, with all
that configures it; what trains the network calls the factory that this returns, with
its optimiser and logger. Then ``regularize_and_backward`` stands where
``loss.backward()`` would.
"""

import abc
from typing import Any, Generic, Protocol, TypeVar

import torch as th
from torch import optim

from imitation.errors import ConfigError
from imitation.regularization.updaters import LambdaUpdater, LossType
from imitation.util import logger as imit_logger

__all__ = [
    "LossRegularizer",
    "LpRegularizer",
    "Regularizer",
    "RegularizerFactory",
    "Scalar",
    "WeightDecayRegularizer",
    "WeightRegularizer",
]

Scalar = th.Tensor | float
"""A number, or a tensor of shape ``()``."""

R = TypeVar("R")
Self = TypeVar("Self", bound="Regularizer[Any]")
T_Regularizer_co = TypeVar("T_Regularizer_co", covariant=True, bound="Regularizer[Any]")


class RegularizerFactory(Protocol[T_Regularizer_co]):
    """Makes a regulariser for an optimiser; reusable for several networks."""

    def __call__(
        self, *, optimizer: optim.Optimizer, logger: imit_logger.HierarchicalLogger
    ) -> T_Regularizer_co:
        """Makes a regulariser.

        Args:
            optimizer: the optimiser of the parameters to regularise.
            logger: where the strength is logged.

        Returns:
            The regulariser.
        """


class Regularizer(abc.ABC, Generic[R]):
    """Base of the regularisers.

    Args:
        optimizer: the optimiser of the parameters to regularise.
        initial_lambda: the strength λ to begin with.
        lambda_updater: decides the next strength; None keeps it.
        logger: where to log ``regularization_lambda``.
        val_split: share of the data to validate on for `lambda_updater`, in (0, 1);
            None without one.

    Raises:
        ConfigError: λ is zero or `val_split` is given without an updater, or an updater
            without `val_split`; or `val_split` is no float in (0, 1).
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
        """Configures a regulariser.

        Args:
            initial_lambda: see the class.
            lambda_updater: see the class.
            val_split: see the class; 0.0 is for none.
            **kwargs: further arguments of the class.

        Returns:
            What makes the regulariser when there is an optimiser.

        Raises:
            ConfigError: as for the class, already here.
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
    def _check_options(cls, **kwargs: Any) -> None:
        """Checks further arguments of a subclass, before there is an instance."""

    @abc.abstractmethod
    def regularize_and_backward(self, loss: th.Tensor) -> R:
        """Computes gradients of a loss, and regularises.

        Args:
            loss: shape ``()``.

        Returns:
            What the kind of regulariser has to give.
        """

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
    """Base of the regularisers that add a penalty to the loss."""

    @abc.abstractmethod
    def _loss_penalty(self, loss: th.Tensor) -> Scalar:
        """Computes the penalty to add to a loss, λ included."""

    def regularize_and_backward(self, loss: th.Tensor) -> Scalar:
        """Computes gradients of the loss and the penalty.

        Args:
            loss: shape ``()``.

        Returns:
            The regularised loss, shape ``()``, without gradients; it is logged as
            ``regularized_loss``.
        """
        regularized = th.add(loss, self._loss_penalty(loss))
        th.autograd.backward(regularized)
        value = regularized.detach()
        self.logger.record("regularized_loss", value.item())
        return value


class LpRegularizer(LossRegularizer):
    """Adds λ·Σ|w|^p over all weights w to the loss.

    Args:
        optimizer: see `Regularizer`.
        initial_lambda: see `Regularizer`.
        lambda_updater: see `Regularizer`.
        logger: see `Regularizer`.
        p: the power, a positive integer.
        val_split: see `Regularizer`.

    Raises:
        ConfigError: `p` is no positive integer, or as for `Regularizer`.
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
    def _check_options(cls, **kwargs: Any) -> None:
        p = kwargs.get("p")
        if not isinstance(p, int) or isinstance(p, bool) or p <= 0:
            raise ConfigError("p must be a positive integer")

    def _loss_penalty(self, loss: th.Tensor) -> Scalar:
        terms = [w.abs().pow(self.p).sum().to(loss.device) for w in _weights(self)]
        penalty: th.Tensor = self.lambda_ * th.stack(terms).sum()
        return penalty


class WeightRegularizer(Regularizer[None]):
    """Base of the regularisers that change the weights themselves."""

    @abc.abstractmethod
    def _weight_penalty(
        self, weight: th.Tensor, group: dict[str, Any]
    ) -> th.Tensor | float:
        """Computes what to add to a weight.

        Args:
            weight: any shape.
            group: the optimiser's group of parameters that it is in.

        Returns:
            A tensor of the same shape, or a number.
        """

    def regularize_and_backward(self, loss: th.Tensor) -> None:
        """Computes gradients of the loss, then changes the weights.

        Args:
            loss: shape ``()``.
        """
        th.autograd.backward(loss)
        with th.no_grad():
            for group in self.optimizer.param_groups:
                for weight in group["params"]:
                    weight.add_(self._weight_penalty(weight, group))


class WeightDecayRegularizer(WeightRegularizer):
    """Subtracts λ·(learning rate)·w from each weight w."""

    def _weight_penalty(
        self, weight: th.Tensor, group: dict[str, Any]
    ) -> th.Tensor | float:
        rate: float = group["lr"]
        return -self.lambda_ * rate * weight


def _weights(regularizer: Regularizer[Any]) -> list[th.Tensor]:
    groups = regularizer.optimizer.param_groups
    return [weight for group in groups for weight in group["params"]]


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
