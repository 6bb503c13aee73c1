"""Training reward networks on preferences: a single one, or each of an ensemble."""

import abc
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch as th
from typing_extensions import override

from imitation.algorithms.preference_comparisons.dataset import PreferenceDataset
from imitation.algorithms.preference_comparisons.fragments import PairStore
from imitation.algorithms.preference_comparisons.losses import (
    LossAndMetrics,
    RewardLoss,
)
from imitation.algorithms.preference_comparisons.model import PreferenceModel
from imitation.algorithms.preference_comparisons.parts import Part, check_positive
from imitation.errors import ConfigError, DataError
from imitation.regularization.regularizers import Regularizer, RegularizerFactory
from imitation.util import logger as imit_logger
from imitation.util import networks, optimizers, seeding
from imitation.util.artifacts import State
from imitation.util.threads import training_threads

Indices = npt.NDArray[np.int64]
Metrics = dict[str, float]

# Of more epochs than this, only so many are logged, evenly spaced.
MAX_LOGGED_EPOCHS = 20


class RewardTrainer(Part, abc.ABC):
    """Base of what trains reward networks on preferences; a subclass has ``_train``."""

    def __init__(
        self,
        preference_model: PreferenceModel,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(custom_logger)
        self._preference_model = preference_model

    @property
    def preference_model(self) -> PreferenceModel:
        """The model of the network that is trained."""
        return self._preference_model

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
        """Trains the network, which is in training mode."""


class BasicRewardTrainer(RewardTrainer):
    """Trains a reward network by AdamW on minibatches of pairs.

    Without a regularizer, AdamW decays weights as torch has it by default, by 0.01 ·
    `lr` a step; with one, nothing but that regularizes.

    Logs, for epoch k, ``reward/epoch-k/{train,val}/`` ``loss`` and the metrics of the
    loss, and ``reward/final/{train,val}/…`` for the last one.

    Args:
        preference_model: of the network to train.
        loss: the loss to minimize.
        rng: shuffles the pairs and splits off those to validate on; None for fresh
            entropy.
        batch_size: pairs of an optimizer step.
        minibatch_size: accumulate gradients over minibatches of this many pairs, which
            bounds memory; a factor of `batch_size`, the default.
        epochs: passes over the data in one call of `train`.
        lr: the learning rate.
        custom_logger: where to log to; None creates a new logger.
        regularizer_factory: creates the regularizer; None trains without.

    Attributes:
        optim: the optimizer.
        regularizer: the regularizer, or None.

    Raises:
        ConfigError: the batch size is not a multiple of the minibatch size, a number is
            not positive, or the network has no parameters.
    """

    regularizer: Regularizer[Any] | None = None

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
        if minibatch_size is None:
            minibatch_size = batch_size
        check_positive(
            batch_size=batch_size, minibatch_size=minibatch_size, epochs=epochs
        )
        if batch_size % minibatch_size != 0:
            raise ConfigError(
                "Batch size must be a multiple of minibatch size, got "
                f"batch_size={batch_size} and minibatch_size={minibatch_size}."
            )
        self.loss = loss
        self.rng: np.random.Generator = seeding.make_rng(rng)
        self.batch_size = batch_size
        self.minibatch_size = minibatch_size
        self.epochs = epochs
        parameters = list(preference_model.parameters())
        if not parameters:
            raise ConfigError(
                f"{type(preference_model.model).__name__} has no parameters to train; "
                "give another reward network"
            )
        options: dict[str, float] = {"lr": lr}
        if regularizer_factory is not None:
            options["weight_decay"] = 0.0  # torch's default of 0.01 would add to it
        self.optim = optimizers.make_optimizer(th.optim.AdamW, parameters, options)
        if regularizer_factory is not None:
            self.regularizer = regularizer_factory(
                optimizer=self.optim, logger=self.logger
            )

    @override
    def pass_logger_on(self, logger: imit_logger.HierarchicalLogger) -> None:
        if self.regularizer is not None:
            self.regularizer.logger = logger

    @property
    def requires_regularizer_update(self) -> bool:
        """True if the regularizer adapts, which needs some data to validate on."""
        return self.regularizer is not None and self.regularizer.val_split is not None

    def split(self, n_pairs: int) -> tuple[Indices, Indices]:
        """Chooses pairs to train and to validate on.

        Args:
            n_pairs: how many there are.

        Returns:
            Indices of both; the second are empty unless the regularizer adapts.

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
            val: indices to validate on; may be empty.
            epoch_multiplier: how many times longer than usual.

        Returns:
            The metrics of the last epoch, by ``train/…`` and ``val/…``.

        Raises:
            DataError: the loss is not finite, as the weights have diverged.
        """
        pairs = PairStore(dataset.arrays())
        pairs.prepare(self._preference_model.model)
        n_epochs = max(1, round(self.epochs * epoch_multiplier))
        n_logged = min(n_epochs, MAX_LOGGED_EPOCHS)
        logged = set(np.linspace(0, n_epochs - 1, n_logged).round().astype(int))
        metrics: Metrics = {}
        with (
            training_threads(self._preference_model),
            self.logger.accumulate_means("reward"),
        ):
            for epoch in range(n_epochs):
                metrics = self._epoch(pairs, dataset.preferences, train, val)
                loss = metrics["train/loss"]
                if not math.isfinite(loss):
                    raise DataError(
                        f"the loss of the reward network is {loss} in epoch {epoch}: "
                        "its weights have diverged, or observations hold NaN; lower "
                        "lr, or the strength of the regularizer"
                    )
                if self.regularizer is not None and len(val):
                    self.regularizer.update_params(loss, metrics["val/loss"])
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
        optimizers.load_state(self.optim, state["optim"])
        if self.regularizer is not None:
            self.regularizer.lambda_ = state["lambda"]

    @override
    def _train(self, dataset: PreferenceDataset, epoch_multiplier: float) -> None:
        if self._preference_model.ensemble_model is not None:
            raise ConfigError(
                "BasicRewardTrainer trains a single network, got a RewardEnsemble; use "
                "EnsembleTrainer"
            )
        self.fit(dataset, *self.split(len(dataset)), epoch_multiplier)

    def _epoch(
        self,
        pairs: PairStore,
        preferences: npt.NDArray[np.float32],
        train: Indices,
        val: Indices,
    ) -> Metrics:
        """Makes one pass over the pairs to train on, then one over the others."""
        trained, validated = _Averages(), _Averages()
        parameters = list(self._preference_model.parameters())
        for batch in _chunks(self.rng.permutation(train), self.batch_size):
            for parameter in parameters:
                parameter.grad = None  # cheaper than the optimizer's zero_grad()
            minibatches = _chunks(batch, self.minibatch_size)
            for number, minibatch in enumerate(minibatches, start=1):
                given = preferences[minibatch]
                result = self._loss_of(pairs, minibatch, given)
                trained.add(result, given)
                loss = result.loss
                if len(minibatches) > 1:
                    # The last minibatch may be smaller: the sum is the batch's mean.
                    loss = loss * (len(minibatch) / len(batch))
                # Once a step, however many minibatches it accumulates.
                if self.regularizer is not None and number == len(minibatches):
                    self.regularizer.regularize_and_backward(loss)
                else:
                    th.autograd.backward(loss)
            self.optim.step()
        with networks.evaluating(self._preference_model), th.no_grad():
            for batch in _chunks(val, self.minibatch_size):
                given = preferences[batch]
                validated.add(self._loss_of(pairs, batch, given), given)
        return trained.means("train") | validated.means("val")

    def _loss_of(
        self, pairs: PairStore, indices: Indices, given: npt.NDArray[np.float32]
    ) -> LossAndMetrics:
        result: LossAndMetrics = self.loss(
            pairs.batch(indices), given, self._preference_model
        )
        return result


class EnsembleTrainer(BasicRewardTrainer):
    """Trains each member of an ensemble on a bootstrap sample (bagging).

    Christiano et al. (2017), https://arxiv.org/abs/1706.03741, section 2.2.3: of n
    pairs, each member is trained on n pairs drawn with replacement in each call of
    `train`. Pairs held out for validation are not drawn.

    Logs ``member-i/reward/…`` like `BasicRewardTrainer`, and the mean of the members'
    final values, ``reward/final/…``, with their standard deviation, ``…_std``.

    Arguments that are not listed are those of each member's `BasicRewardTrainer`.

    Args:
        preference_model: of a `RewardEnsemble`, wrapped or not.
        rng: draws the samples, and shuffles and splits them.
        regularizer_factory: creates a regularizer for each member.

    Attributes:
        member_trainers: the trainer of each member.

    Raises:
        TypeError: the model is not of an ensemble.
    """

    member_trainers: Sequence[BasicRewardTrainer] = ()

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
        regularizer_factory: RegularizerFactory[Regularizer[object]] | None = None,
    ) -> None:
        if preference_model.ensemble_model is None:
            raise TypeError(
                "PreferenceModel of a RewardEnsemble expected by EnsembleTrainer."
            )
        # One generator for all, so that one seed decides every member's pairs.
        rng = seeding.make_rng(rng)
        options = batch_size, minibatch_size, epochs, lr
        super().__init__(preference_model, loss, rng, *options, custom_logger)
        self.member_trainers = [
            BasicRewardTrainer(
                member, loss, rng, *options, self.logger, regularizer_factory
            )
            for member in preference_model.member_pref_models
        ]
        # So that `requires_regularizer_update` speaks of the members.
        self.regularizer = self.member_trainers[0].regularizer

    @override
    def pass_logger_on(self, logger: imit_logger.HierarchicalLogger) -> None:
        for trainer in self.member_trainers:
            trainer.logger = logger

    @override
    def state_dict(self) -> State:
        states = [trainer.state_dict() for trainer in self.member_trainers]
        return RewardTrainer.state_dict(self) | {"members": states}

    @override
    def load_state_dict(self, state: State) -> None:
        RewardTrainer.load_state_dict(self, state)
        for trainer, part in zip(self.member_trainers, state["members"], strict=True):
            trainer.load_state_dict(part)

    @override
    def _train(self, dataset: PreferenceDataset, epoch_multiplier: float) -> None:
        finals: list[dict[str, float]] = []
        for number, trainer in enumerate(self.member_trainers):
            train, val = trainer.split(len(dataset))
            sample = self.rng.choice(train, size=len(train), replace=True)
            with self.logger.add_accumulate_prefix(f"member-{number}"):
                finals.append(trainer.fit(dataset, sample, val, epoch_multiplier))
        # A sample may hold nothing but ties, and so have no accuracy.
        for name in dict.fromkeys(name for final in finals for name in final):
            values = [final[name] for final in finals if name in final]
            self.logger.record(f"reward/final/{name}", float(np.mean(values)))
            self.logger.record(f"reward/final/{name}_std", float(np.std(values)))


class _Averages:
    """Averages a loss and its metrics over batches, by the pairs that each has.

    ``accuracy`` is about the pairs that were given a preference other than a tie, so
    only these count for it.
    """

    def __init__(self) -> None:
        self._values: dict[str, list[th.Tensor]] = {}
        self._weights: dict[str, list[int]] = {}

    def add(self, result: LossAndMetrics, given: npt.NDArray[np.float32]) -> None:
        """Adds loss and metrics of a batch with the preferences `given`, ``(n,)``."""
        for name, value in {"loss": result.loss, **result.metrics}.items():
            weight = len(given)
            if name == "accuracy":
                weight = int(np.count_nonzero(given != 0.5))
            if weight:
                self._values.setdefault(name, []).append(value.detach())
                self._weights.setdefault(name, []).append(weight)

    def means(self, prefix: str) -> dict[str, float]:
        """Returns averages by names with a prefix; a metric of no pairs is omitted."""
        # Stacked on the device, so that each metric takes one transfer from a GPU.
        return {
            f"{prefix}/{name}": float(
                np.average(
                    th.stack(values).cpu().numpy().astype(np.float64),
                    weights=self._weights[name],
                )
            )
            for name, values in self._values.items()
        }


def _chunks(indices: Indices, size: int) -> Sequence[Indices]:
    return [indices[i : i + size] for i in range(0, len(indices), size)]
