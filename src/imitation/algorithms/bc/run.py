"""One call of `BC.train`: the loop over batches and what surrounds it."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common import utils as sb3_utils

from imitation.algorithms.bc.batches import (
    BatchIteratorWithEpochEndCallback,
    Grouped,
    n_rows,
)
from imitation.algorithms.bc.learner import Learner
from imitation.algorithms.bc.logs import BCLogger, RolloutStatsComputer
from imitation.algorithms.bc.validation import EarlyStopping, Validator
from imitation.data import types
from imitation.errors import ConfigError
from imitation.util import policy_io
from imitation.util.progress import progress_bar

__all__ = ["BEST", "LATEST", "Progress", "Schedule", "TrainOptions", "TrainingRun"]

LATEST, BEST = "latest", "best"
"""What a checkpoint directory holds: the whole trainer, and the best policy."""

Schedule = Callable[[float], float]
"""A value as a function of the share of training that remains, from 1 to 0."""


@dataclasses.dataclass
class Progress:
    """How far one call of `BC.train` has come."""

    n_epochs: int | None = None
    """The epochs it shall make, if that was how its length was given."""

    n_batches: int | None = None
    """The optimizer steps it shall make, if that was how its length was given."""

    epoch: int = 0
    """Full epochs done."""

    batches: int = 0
    """Optimizer steps done."""

    samples: int = 0
    """Samples seen."""

    finished: bool = False
    """Whether the call ran to its end."""

    @property
    def length(self) -> str:
        """How long the call shall be, for messages."""
        return f"n_epochs={self.n_epochs}, n_batches={self.n_batches}"


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
    checkpoint_dir: pathlib.Path | None
    checkpoint_interval: int

    def __post_init__(self) -> None:
        for name in ("log_interval", "checkpoint_interval"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )


class TrainingRun:
    """Trains until the options say that it is enough.

    Args:
        learner: makes the optimizer steps.
        minibatches: each pass over them is an epoch.
        accumulate: minibatches whose gradients make one step.
        options: how long, and what to do on the way.
        progress: where to start; kept up to date.
        validator: measures held-out data, if there are any.
        bc_logger: what to log with.
        rollouts: measures returns for the log.
        rollout_rng: decides what happens in those rollouts.
        lr_schedule: the learning rate, or None to leave the optimizer's.
        save: writes a checkpoint of the trainer to a path.
    """

    def __init__(
        self,
        *,
        learner: Learner,
        minibatches: Iterable[types.TransitionMapping],
        accumulate: int,
        options: TrainOptions,
        progress: Progress,
        validator: Validator | None,
        bc_logger: BCLogger,
        rollouts: RolloutStatsComputer,
        rollout_rng: np.random.Generator,
        lr_schedule: Schedule | None,
        save: Callable[[pathlib.Path], None],
    ) -> None:
        if options.early_stopping is not None and validator is None:
            raise ConfigError(
                "early_stopping needs held-out data: set val_fraction > 0"
            )
        self._learner = learner
        self._options = options
        self._progress = progress
        self._validator = validator
        self._bc_logger = bc_logger
        self._rollouts = rollouts
        self._rollout_rng = rollout_rng
        self._lr_schedule = lr_schedule
        self._save = save
        self._batches = BatchIteratorWithEpochEndCallback(
            Grouped(minibatches, accumulate),
            options.n_epochs,
            options.n_batches,
            self._end_epoch,
            first_epoch=progress.epoch,
            batches_done=progress.batches,
        )
        self._total = _total_batches(minibatches, accumulate, options)
        if lr_schedule is not None and self._total is None:
            raise ConfigError(
                "lr_schedule needs to know how long training is: pass n_batches, or "
                "demonstrations with a length"
            )

    def __call__(self) -> None:
        """Trains; the networks' mode and torch's randomness are the caller's to set."""
        options, progress = self._options, self._progress
        if progress.batches == 0:
            self._checkpoint()
        with progress_bar(
            self._total,
            "BC",
            "batch",
            initial=progress.batches,
            disable=not options.progress_bar,
        ) as bar:
            for minibatches in self._batches:
                if self._should_stop():
                    break
                self._train_batch(minibatches)
                bar.update()
                if options.on_batch_end is not None:
                    options.on_batch_end()
                if progress.batches % options.checkpoint_interval == 0:
                    self._checkpoint()
        if options.early_stopping is not None and options.early_stopping.restore_best:
            assert self._validator is not None
            self._validator.restore_best(self._learner.policy)
        self._bc_logger.finish()
        progress.finished = True
        self._checkpoint()

    def _train_batch(self, minibatches: Sequence[types.TransitionMapping]) -> None:
        """Makes one step, counts it and logs it when it is due."""
        progress, number = self._progress, self._progress.batches
        self._set_learning_rate()
        measure = number % self._options.log_interval == 0
        metrics = self._learner.step(minibatches, measure=measure)
        size = n_rows(minibatches)
        progress.batches += 1
        progress.samples += size
        if metrics is not None:
            self._bc_logger.log_epoch(progress.epoch)
            stats = self._rollouts(self._learner.policy, self._rollout_rng)
            self._bc_logger.log_batch(number, size, progress.samples, metrics, stats)

    def _set_learning_rate(self) -> None:
        if self._lr_schedule is not None:
            assert self._total is not None
            rate = self._lr_schedule(1 - self._progress.batches / self._total)
            sb3_utils.update_learning_rate(self._learner.optimizer, rate)

    def _end_epoch(self, epoch: int) -> None:
        self._progress.epoch = epoch + 1
        if self._validator is not None:
            stopping = self._options.early_stopping
            min_delta = stopping.min_delta if stopping else 0.0
            metrics, improved = self._validator.update(self._learner.policy, min_delta)
            self._bc_logger.log_validation(metrics)
            directory = self._options.checkpoint_dir
            if improved and directory is not None:
                policy_io.save_policy(self._learner.policy, directory / BEST)
        if self._options.on_epoch_end is not None:
            self._options.on_epoch_end()

    def _should_stop(self) -> bool:
        stopping = self._options.early_stopping
        if stopping is None or self._validator is None:
            return False
        return self._validator.epochs_since_best >= stopping.patience

    def _checkpoint(self) -> None:
        if self._options.checkpoint_dir is not None:
            self._save(self._options.checkpoint_dir / LATEST)


@dataclasses.dataclass(frozen=True)
class Pending:
    """A call of `train` that a checkpoint was taken in, to be continued."""

    progress: Progress
    """How far it had come."""

    batches: Mapping[str, Any] | None
    """The position in the data."""

    validator: Mapping[str, Any] | None
    """What is known of the best policy so far, if there are held-out data."""

    torch_rng: Mapping[str, th.Tensor]
    """Torch's random state."""

    @property
    def is_empty(self) -> bool:
        """Whether there was no such call: the trainer was saved before any."""
        return self.progress.n_epochs is None and self.progress.n_batches is None


def _total_batches(
    minibatches: object, accumulate: int, options: TrainOptions
) -> int | None:
    """How many optimizer steps a call of `train` makes, if that can be known."""
    if options.n_epochs is None:
        return options.n_batches
    if isinstance(minibatches, Sized):
        return options.n_epochs * math.ceil(len(minibatches) / accumulate)
    return None
