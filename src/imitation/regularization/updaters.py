"""Adapting the strength of a regularizer to how much the network overfits."""

from typing import Protocol

import numpy as np
import torch as th

from imitation.errors import ConfigError

# A loss: a number, or a tensor of shape ``()``.
LossType = th.Tensor | float

# Machine precision: tolerance of comparisons with a bound.
EPS = float(np.finfo(float).eps)


class LambdaUpdater(Protocol):
    """Computes the next strength of a regularizer, without side effects."""

    def __call__(
        self, lambda_: float, train_loss: LossType, val_loss: LossType
    ) -> float:
        """Computes the next strength from the current one and the losses.

        Args:
            lambda_: the current strength.
            train_loss: loss on the training data, shape ``()``.
            val_loss: loss on other data, shape ``()``.
        """


class IntervalParamScaler(LambdaUpdater):
    """Scales the strength so that the ratio of losses stays within an interval.

    Where validation loss / training loss is above the interval, the network overfits
    and λ grows to λ·(1 + s); where it is below, λ shrinks to λ·(1 − s).

    Args:
        scaling_factor: s, in (0, 1).
        tolerable_interval: the interval, two numbers ``0 <= low < high``.

    Raises:
        ConfigError: the factor or the interval is invalid.
    """

    def __init__(
        self, scaling_factor: float, tolerable_interval: tuple[float, float]
    ) -> None:
        if not EPS < scaling_factor < 1 - EPS:
            raise ConfigError(
                "scaling_factor must be in (0, 1) within machine precision."
            )
        if not hasattr(tolerable_interval, "__len__") or len(tolerable_interval) != 2:
            raise ConfigError("tolerable_interval must be a tuple of length 2")
        low, high = tolerable_interval
        if not 0 <= low < high:
            raise ConfigError(
                "tolerable_interval must be a tuple whose first element is at least 0 "
                "and the second element is greater than the first"
            )
        self.scaling_factor = scaling_factor
        self.tolerable_interval = tolerable_interval

    def __call__(
        self, lambda_: float, train_loss: LossType, val_loss: LossType
    ) -> float:
        """Scales a strength.

        It stays the same if both losses are about 0 or their ratio is within the
        interval, and grows if only the training loss is about 0.

        Raises:
            ConfigError: a loss is negative or not a scalar, or `lambda_` is not a
                positive float.
        """
        train = _scalar("train_loss", train_loss)
        val = _scalar("val_loss", val_loss)
        if not isinstance(lambda_, float):
            raise ConfigError("lambda_ must be a float")
        if abs(lambda_) < EPS:
            raise ConfigError(
                "lambda_ must not be zero. Make sure that you're not scaling the value "
                "of lambda down too quickly or passing an initial value of zero to the "
                "lambda parameter."
            )
        if lambda_ < 0:
            raise ConfigError("lambda_ must be non-negative")
        if train < 0 or val < 0:
            raise ConfigError("losses must be non-negative for this updater")
        if train < EPS and val < EPS:
            return lambda_
        low, high = self.tolerable_interval
        # Ratio and bounds multiplied by the training loss, which may be 0.
        if train < EPS or val > high * train:
            return lambda_ * (1 + self.scaling_factor)
        if val < low * train:
            return lambda_ * (1 - self.scaling_factor)
        return lambda_


def _scalar(name: str, loss: LossType) -> float:
    is_number = isinstance(loss, int | float | np.floating)
    if not is_number and not (isinstance(loss, th.Tensor) and loss.ndim == 0):
        raise ConfigError(f"{name} must be a scalar")
    return float(loss.detach() if isinstance(loss, th.Tensor) else loss)
