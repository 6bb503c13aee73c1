"""Training a reward network on preferences."""

import abc
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch as th
from typing_extensions import override

from imitation.algorithms.preference_comparisons.averages import Averages
from imitation.algorithms.preference_comparisons.dataset import PreferenceDataset
from imitation.algorithms.preference_comparisons.losses import (
    LossAndMetrics,
    RewardLoss,
)
from imitation.algorithms.preference_comparisons.model import PreferenceModel
from imitation.algorithms.preference_comparisons.pairs import PairStore
from imitation.algorithms.preference_comparisons.stateful import Stateful
from imitation.errors import ConfigError, DataError
from imitation.regularization.regularizers import Regularizer, RegularizerFactory
from imitation.util import logger as imit_logger
from imitation.util import networks, optimizers, seeding
from imitation.util.artifacts import State
from imitation.util.threads import training_threads

__all__ = ["BasicRewardTrainer", "RewardTrainer"]

Indices = npt.NDArray[np.int64]
Metrics = dict[str, float]

MAX_LOGGED_EPOCHS = 20
"""Of more epochs than this, only so many are logged, evenly spaced."""


class RewardTrainer(Stateful, abc.ABC):
    """Base of what trains reward networks on preferences; a subclass has ``_train``.

    Args:
        preference_model: of the network to train.
        custom_logger: where to log to; None makes a new logger.
    """

    def __init__(
        self,
        preference_model: PreferenceModel,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        self._preference_model = preference_model
        self._logger = custom_logger or imit_logger.configure()

    @property
    def preference_model(self) -> PreferenceModel:
        """The model of the network that is trained."""
        return self._preference_model

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """Where the trainer logs to."""
        return self._logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value

    def train(self, dataset: PreferenceDataset, epoch_multiplier: float = 1.0) -> None:
        """Trains the network, in training mode.

        Args:
            dataset: the preferences.
            epoch_multiplier: how many times longer than usual.
        """
        with networks.training(self._preference_model):
            self._train(dataset, epoch_multiplier)

    @abc.abstractmethod
    def _train(self, dataset: PreferenceDataset, epoch_multiplier: float) -> None:
        """Trains the network; see `train`."""


class BasicRewardTrainer(RewardTrainer):
    """Trains a reward network by AdamW on minibatches of pairs.

    Without a regulariser, AdamW decays weights as torch has it by default, by 0.01 ·
    `lr` a step; with one, nothing but that regularises.

    Logged are, for epoch k, ``reward/epoch-k/{train,val}/`` ``loss`` and the metrics of
    the loss, and ``reward/final/{train,val}/…`` for the last one.

    Args:
        preference_model: of the network to train.
        loss: the loss to minimise.
        rng: shuffles the pairs and splits off those to validate on; None for fresh
            entropy.
        batch_size: pairs of an optimiser step.
        minibatch_size: accumulate gradients over minibatches of this many pairs, which
            bounds memory; a factor of `batch_size`, the default.
        epochs: passes over the data in one call of `train`.
        lr: the learning rate.
        custom_logger: where to log to; None makes a new logger.
        regularizer_factory: makes the regulariser; None for none.

    Attributes:
        optim: the optimiser.
        regularizer: the regulariser, or None.

    Raises:
        ConfigError: the batch size is not a multiple of the minibatch size, a number is
            not positive, or the network has no parameters.
    """

    regularizer: Regularizer[Any] | None

    def __init__(
        self,
        preference_model: PreferenceModel,
        loss: RewardLoss,
        rng: np.random.Generator | None = None,
        batch_size: int = 32,
        minibatch_size: int | None = None,
        epochs: int = 1,
        lr: float = 1e-3,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        regularizer_factory: RegularizerFactory[Regularizer[Any]] | None = None,
    ) -> None:
        super().__init__(preference_model, custom_logger)
        self.minibatch_size = batch_size if minibatch_size is None else minibatch_size
        _check_sizes(batch_size, self.minibatch_size, epochs)
        self.loss = loss
        self.rng: np.random.Generator = seeding.make_rng(rng)
        self.batch_size = batch_size
        self.epochs = epochs
        parameters = list(preference_model.parameters())
        if not parameters:
            raise ConfigError(
                f"{type(preference_model.model).__name__} has no parameters to train; "
                "give another reward network"
            )
        options: dict[str, Any] = {"lr": lr}
        if regularizer_factory is not None:
            options["weight_decay"] = 0.0
        self.optim = optimizers.make_optimizer(th.optim.AdamW, parameters, options)
        self.regularizer = None
        if regularizer_factory is not None:
            self.regularizer = regularizer_factory(
                optimizer=self.optim, logger=self.logger
            )

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """Where the trainer and its regulariser log to."""
        return self._logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value
        if self.regularizer is not None:
            self.regularizer.logger = value

    @property
    def requires_regularizer_update(self) -> bool:
        """Whether the regulariser adapts, for which some data is kept to validate."""
        return self.regularizer is not None and self.regularizer.val_split is not None

    def split(self, n_pairs: int) -> tuple[Indices, Indices]:
        """Chooses pairs to train and to validate on.

        Args:
            n_pairs: how many there are.

        Returns:
            Indices of both; all and none unless the regulariser adapts.

        Raises:
            DataError: one of the parts would be empty, and must not be.
        """
        if n_pairs == 0:
            raise DataError(
                "there are no preferences to train on: gather some first, e.g. with a "
                "larger initial_comparison_frac"
            )
        if not self.requires_regularizer_update:
            return np.arange(n_pairs), np.arange(0)
        assert self.regularizer is not None and self.regularizer.val_split is not None
        n_val = int(n_pairs * self.regularizer.val_split)
        if n_val == 0 or n_val == n_pairs:
            raise DataError(
                "Not enough data samples to split into training and validation, or the "
                "validation split is too large/small. Make sure you've generated "
                "enough initial preference data. You can adjust this through "
                "initial_comparison_frac in PreferenceComparisons."
            )
        order = self.rng.permutation(n_pairs)
        return order[n_val:], order[:n_val]

    def fit(
        self,
        dataset: PreferenceDataset,
        train: Indices,
        val: Indices,
        epoch_multiplier: float,
    ) -> Metrics:
        """Trains on some of the pairs, and validates on others.

        Args:
            dataset: the preferences.
            train: indices to train on; some may come more than once.
            val: indices to validate on; none to do without.
            epoch_multiplier: how many times longer than usual.

        Returns:
            The metrics of the last epoch, by ``train/…`` and ``val/…``.

        Raises:
            DataError: the loss is not finite, as the weights have diverged.
        """
        pairs = PairStore(dataset.arrays())
        pairs.prepare(self._preference_model.model)
        preferences = dataset.preferences
        n_epochs = max(1, round(self.epochs * epoch_multiplier))
        logged = _spaced(n_epochs)
        metrics: Metrics = {}
        with (
            training_threads(self._preference_model),
            self.logger.accumulate_means("reward"),
        ):
            for epoch in range(n_epochs):
                order = self.rng.permutation(train)
                metrics = self._train_epoch(pairs, preferences, order).means("train")
                _check_finite(metrics["train/loss"], epoch)
                if len(val):
                    metrics |= self._validate(pairs, preferences, val).means("val")
                    assert self.regularizer is not None
                    self.regularizer.update_params(
                        metrics["train/loss"], metrics["val/loss"]
                    )
                if epoch in logged:
                    with self.logger.add_key_prefix(f"epoch-{epoch}"):
                        for name, value in metrics.items():
                            self.logger.record(name, value)
        prefix = self.logger.get_accumulate_prefixes()
        for name, value in metrics.items():
            self.logger.record(f"{prefix}reward/final/{name}", value)
        return metrics

    @override
    def state_dict(self) -> State:
        strength = None if self.regularizer is None else self.regularizer.lambda_
        state = {"optim": self.optim.state_dict(), "lambda": strength}
        return super().state_dict() | state

    @override
    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.optim.load_state_dict(state["optim"])
        if self.regularizer is not None:
            self.regularizer.lambda_ = state["lambda"]

    def _train(self, dataset: PreferenceDataset, epoch_multiplier: float) -> None:
        if self._preference_model.ensemble_model is not None:
            raise ConfigError(
                "BasicRewardTrainer trains a single network, got a RewardEnsemble; use "
                "EnsembleTrainer"
            )
        self.fit(dataset, *self.split(len(dataset)), epoch_multiplier)

    def _train_epoch(
        self, pairs: PairStore, preferences: npt.NDArray[np.float32], order: Indices
    ) -> Averages:
        averages = Averages()
        parameters = list(self._preference_model.parameters())
        for batch in _chunks(order, self.batch_size):
            for parameter in parameters:
                parameter.grad = None
            minibatches = _chunks(batch, self.minibatch_size)
            for number, minibatch in enumerate(minibatches, start=1):
                given = preferences[minibatch]
                result = self._loss_of(pairs, minibatch, given)
                averages.add(result, given)
                loss = result.loss
                if len(minibatches) > 1:
                    loss = loss * (len(minibatch) / len(batch))
                # Once a step, however many minibatches it accumulates.
                if self.regularizer is not None and number == len(minibatches):
                    self.regularizer.regularize_and_backward(loss)
                else:
                    th.autograd.backward(loss)
            self.optim.step()
        return averages

    def _validate(
        self, pairs: PairStore, preferences: npt.NDArray[np.float32], val: Indices
    ) -> Averages:
        averages = Averages()
        with networks.evaluating(self._preference_model), th.no_grad():
            for batch in _chunks(val, self.minibatch_size):
                given = preferences[batch]
                averages.add(self._loss_of(pairs, batch, given), given)
        return averages

    def _loss_of(
        self, pairs: PairStore, indices: Indices, given: npt.NDArray[np.float32]
    ) -> LossAndMetrics:
        result: LossAndMetrics = self.loss(
            pairs.batch(indices), given, self._preference_model
        )
        return result


def _chunks(indices: Indices, size: int) -> Sequence[Indices]:
    return [indices[i : i + size] for i in range(0, len(indices), size)]


def _spaced(n_epochs: int) -> set[int]:
    """The epochs to log, the first and the last among them."""
    n_logged = min(n_epochs, MAX_LOGGED_EPOCHS)
    return set(np.linspace(0, n_epochs - 1, n_logged).round().astype(int).tolist())


def _check_finite(loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise DataError(
            f"the loss of the reward network is {loss} in epoch {epoch}: its weights "
            "have diverged, or observations hold NaN; lower lr, or the strength of the "
            "regularizer"
        )


def _check_sizes(batch_size: int, minibatch_size: int, epochs: int) -> None:
    for name, value in (
        ("batch_size", batch_size),
        ("minibatch_size", minibatch_size),
        ("epochs", epochs),
    ):
        if value < 1:
            raise ConfigError(f"{name} must be positive, got {value}")
    if batch_size % minibatch_size != 0:
        raise ConfigError(
            "Batch size must be a multiple of minibatch size, got "
            f"batch_size={batch_size} and minibatch_size={minibatch_size}."
        )
