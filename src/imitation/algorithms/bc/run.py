"""One call of `BC.train`: the loop over batches and what surrounds it."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any, TypeAlias

import numpy as np
import torch as th
from stable_baselines3.common import utils as sb3_utils
from stable_baselines3.common.policies import ActorCriticPolicy

from imitation.algorithms.bc.batches import (
    BatchIteratorWithEpochEndCallback,
    Grouped,
    n_rows,
)
from imitation.algorithms.bc.logs import BCLogger, RolloutStatsComputer
from imitation.algorithms.bc.losses import (
    BCTrainingMetrics,
    BehaviorCloningLossCalculator,
    policy_inputs,
)
from imitation.algorithms.bc.validation import EarlyStopping, Validator
from imitation.data import types
from imitation.errors import ConfigError
from imitation.training.checkpoints import Checkpoints
from imitation.training.trainer import State, Trainer
from imitation.util.plain_policies import PlainNetwork, plain_network
from imitation.util.progress import progress_bar

# A value as a function of the share of training that remains, from 1 to 0.
Schedule: TypeAlias = Callable[[float], float]


@dataclasses.dataclass
class Call:
    """The position within one call of `BC.train`; `BC.progress` counts its batches."""

    n_epochs: int | None = None
    """The epochs to train for, if the call was given a number of epochs."""

    n_batches: int | None = None
    """The optimizer steps to make, if the call was given a number of batches."""

    epoch: int = 0
    """Full epochs done."""

    samples: int = 0
    """Samples seen."""

    finished: bool = False
    """True if the call ran to its end."""

    @property
    def length(self) -> str:
        """The length of the whole call, for messages."""
        return f"n_epochs={self.n_epochs}, n_batches={self.n_batches}"


@dataclasses.dataclass(frozen=True)
class Pending:
    """A call of `BC.train` that a state was saved in, to be resumed."""

    call: Call
    batches_done: int
    batches: State | None
    """The position in the data."""
    validator: State | None
    """What is known of the best policy so far, if there are held-out data."""
    torch_rng: Mapping[str, th.Tensor]

    @property
    def is_empty(self) -> bool:
        """True if the trainer was saved before any call."""
        return self.call.n_epochs is None and self.call.n_batches is None


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """The arguments of `BC.train` that say how long, and what to do on the way."""

    n_epochs: int | None
    n_batches: int | None
    on_epoch_end: Callable[[], None] | None
    on_batch_end: Callable[[], None] | None
    log_interval: int
    progress_bar: bool
    early_stopping: EarlyStopping | None

    def __post_init__(self) -> None:
        if self.log_interval < 1:
            raise ConfigError(
                f"log_interval must be at least 1, got {self.log_interval}"
            )


@dataclasses.dataclass(frozen=True)
class Learner:
    """One optimizer step of behavioral cloning, with accumulated gradients."""

    policy: ActorCriticPolicy
    """The policy, in training mode."""

    optimizer: th.optim.Optimizer
    """Optimizes the policy's parameters."""

    loss_calculator: BehaviorCloningLossCalculator
    """The objective."""

    max_grad_norm: float | None = None
    """Clip the gradient to this Euclidean norm; None does not clip."""

    @functools.cached_property
    def _parameters(self) -> tuple[th.nn.Parameter, ...]:
        return tuple(self.policy.parameters())

    @functools.cached_property
    def network(self) -> PlainNetwork | None:
        """The policy's layers, if it is nothing but layers."""
        return plain_network(self.policy)

    def step(
        self, minibatches: Sequence[types.TransitionMapping], *, measure: bool
    ) -> BCTrainingMetrics | None:
        """Makes one step on the mean loss of all samples in some minibatches.

        Args:
            minibatches: their gradients are accumulated.
            measure: compute the parts of the loss for the log.

        Returns:
            The parts of the loss, averaged over the samples, or None.
        """
        n_samples = sum(len(minibatch["acts"]) for minibatch in minibatches)
        for parameter in self._parameters:
            # Cheaper than `zero_grad`, which looks up hooks and profiler contexts each
            # time.
            parameter.grad = None
        measured: list[tuple[float, BCTrainingMetrics]] = []
        for minibatch in minibatches:
            obs, acts = policy_inputs(self.policy, minibatch["obs"], minibatch["acts"])
            # The last minibatch of an epoch may be smaller: weight by its samples.
            weight = len(acts) / n_samples
            if measure:
                metrics = self.loss_calculator(self.policy, obs, acts)
                measured.append((weight, metrics))
                loss = metrics.loss
            else:
                loss = self.loss_calculator.loss(self.policy, obs, acts, self.network)
            th.autograd.backward(loss if weight == 1 else loss * weight)
        if self.max_grad_norm is not None:
            th.nn.utils.clip_grad_norm_(self._parameters, self.max_grad_norm)
        self.optimizer.step()
        if not measured:
            return None
        averages: dict[str, Any] = {}
        for field in dataclasses.fields(BCTrainingMetrics):
            parts = [(w, getattr(metrics, field.name)) for w, metrics in measured]
            averages[field.name] = (
                None
                if parts[0][1] is None
                else th.stack([w * part.detach() for w, part in parts]).sum()
            )
        return BCTrainingMetrics(**averages)


class TrainingRun:
    """Trains until the options say that it is enough.

    Args:
        trainer: its `progress` counts the batches.
        learner: makes the optimizer steps.
        minibatches: each pass over them is an epoch.
        accumulate: minibatches whose gradients make one step.
        options: how long, and what to do on the way.
        call: where to start; kept up to date.
        validator: measures held-out data, if there are any.
        bc_logger: what to log with.
        rollouts: measures returns for the log.
        rollout_rng: decides what happens in those rollouts.
        lr_schedule: the learning rate, or None to leave the optimizer's.
        saver: saves the trainer.
    """

    def __init__(
        self,
        *,
        trainer: Trainer,
        learner: Learner,
        minibatches: Iterable[types.TransitionMapping],
        accumulate: int,
        options: TrainOptions,
        call: Call,
        validator: Validator | None,
        bc_logger: BCLogger,
        rollouts: RolloutStatsComputer,
        rollout_rng: np.random.Generator,
        lr_schedule: Schedule | None,
        saver: Checkpoints,
    ) -> None:
        if options.early_stopping is not None and validator is None:
            raise ConfigError(
                "early_stopping needs held-out data: set val_fraction > 0"
            )
        self._trainer = trainer
        self._learner = learner
        self._options = options
        self._call = call
        self._validator = validator
        self._bc_logger = bc_logger
        self._rollouts = rollouts
        self._rollout_rng = rollout_rng
        self._lr_schedule = lr_schedule
        self._saver = saver
        # A resumed call counts on: the loader restores its place within the epoch
        # itself.
        self._batches = BatchIteratorWithEpochEndCallback(
            Grouped(minibatches, accumulate),
            options.n_epochs,
            options.n_batches,
            self._end_epoch,
            first_epoch=call.epoch,
            batches_done=trainer.progress,
        )
        self._total = options.n_batches
        if options.n_epochs is not None and isinstance(minibatches, Sized):
            self._total = options.n_epochs * math.ceil(len(minibatches) / accumulate)
        if lr_schedule is not None and self._total is None:
            raise ConfigError(
                "lr_schedule needs to know how long training is: pass n_batches, or "
                "demonstrations with a length"
            )

    def __call__(self) -> None:
        """Trains; the networks' mode and torch's randomness are the caller's to set."""
        options, trainer = self._options, self._trainer
        stopping, validator = options.early_stopping, self._validator
        patience = math.inf if stopping is None else stopping.patience
        if trainer.progress == 0:
            # Replaces the state of an earlier call, which nobody shall resume now.
            self._saver.save()
        with progress_bar(
            self._total,
            "BC",
            "batch",
            initial=trainer.progress,
            disable=not options.progress_bar,
        ) as bar:
            for minibatches in self._batches:
                if validator is not None and validator.epochs_since_best >= patience:
                    break
                self._train_batch(minibatches)
                bar.update()
                if options.on_batch_end is not None:
                    options.on_batch_end()
                self._saver.after(trainer.progress)
        if stopping is not None and stopping.restore_best and validator is not None:
            validator.restore_best(self._learner.policy)
        self._bc_logger.finish()
        self._call.finished = True
        self._saver.finish()

    def _train_batch(self, minibatches: Sequence[types.TransitionMapping]) -> None:
        """Makes one step, counts it and logs it when it is due."""
        call, number = self._call, self._trainer.progress
        if self._lr_schedule is not None:
            assert self._total is not None
            # The share that remains, as SB3's schedules take it: 1 at the first batch.
            rate = self._lr_schedule(1 - number / self._total)
            sb3_utils.update_learning_rate(self._learner.optimizer, rate)
        # Parts of the loss are computed only for the log: they cost more than the loss.
        measure = number % self._options.log_interval == 0
        metrics = self._learner.step(minibatches, measure=measure)
        size = n_rows(minibatches)
        self._trainer.progress = number + 1
        call.samples += size
        if metrics is not None:
            self._bc_logger.log_epoch(call.epoch)
            stats = self._rollouts(self._learner.policy, self._rollout_rng)
            self._bc_logger.log_batch(number, size, call.samples, metrics, stats)

    def _end_epoch(self, epoch: int) -> None:
        self._call.epoch = epoch + 1
        if self._validator is not None:
            stopping = self._options.early_stopping
            min_delta = stopping.min_delta if stopping else 0.0
            metrics, improved = self._validator.update(self._learner.policy, min_delta)
            self._bc_logger.log_validation(metrics)
            if improved:
                self._saver.keep_best(-metrics["neglogp"])
        if self._options.on_epoch_end is not None:
            self._options.on_epoch_end()
