"""Walking over a batch loader, epoch after epoch, until enough is done."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from imitation.data import types
from imitation.data.loader import BatchLoader
from imitation.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class BatchIteratorWithEpochEndCallback:
    """Loops through a batch loader and calls back after every full epoch.

    Raises:
        ValueError: not exactly one of `n_epochs` and `n_batches` is given.
        AssertionError: while iterating, an epoch holds no batches.
    """

    batch_loader: Iterable[Any]
    """Each pass over it is an epoch."""

    n_epochs: int | None
    """Stop after so many epochs."""

    n_batches: int | None
    """Stop after so many batches, possibly within an epoch."""

    on_epoch_end: Callable[[int], None] | None
    """Called with the epoch's number, from 0, after each full pass."""

    first_epoch: int = 0
    """The number of the first pass, for work that continues."""

    batches_done: int = 0
    """Batches already taken before, for work that continues."""

    def __post_init__(self) -> None:
        given = [n for n in (self.n_epochs, self.n_batches) if n is not None]
        if len(given) != 1:
            raise ConfigError(
                "Must provide exactly one of `n_epochs` and `n_batches`, got "
                f"n_epochs={self.n_epochs} and n_batches={self.n_batches}."
            )
        if given[0] <= 0:
            raise ConfigError(
                f"n_epochs or n_batches must be positive, got {given[0]}."
            )

    def __iter__(self) -> Iterator[Any]:
        """Yields batches until the given number of epochs or batches is done."""
        done, started = self.batches_done, self.batches_done > 0
        # Both limits at once would be ambiguous: the constructor allows one.
        for epoch in itertools.count(self.first_epoch):
            if self._finished(epoch, done):
                return
            for batch in self.batch_loader:
                # Before the batch, not after: an epoch that is complete calls back.
                if self._finished(epoch, done):
                    return
                yield batch
                started, done = True, done + 1
            assert started, (
                f"Data loader returned no data during epoch {epoch} "
                "-- did it reset correctly?"
            )
            started = False
            if self.on_epoch_end is not None:
                self.on_epoch_end(epoch)

    def _finished(self, epoch: int, done: int) -> bool:
        if self.n_epochs is not None:
            return epoch >= self.n_epochs
        assert self.n_batches is not None
        return done >= self.n_batches


@dataclasses.dataclass(frozen=True)
class Grouped:
    """Groups consecutive minibatches, whose gradients will be accumulated.

    A group never spans two epochs; the last one of an epoch may be smaller.
    """

    loader: Iterable[types.TransitionMapping]
    """Each pass over it is an epoch."""

    size: int
    """Minibatches in a group."""

    def __iter__(self) -> Iterator[list[types.TransitionMapping]]:
        group: list[types.TransitionMapping] = []
        for minibatch in self.loader:
            group.append(minibatch)
            # Asking the loader for one more would tell the end of the epoch, but also
            # end it before the last group is trained on: a state saved then would
            # repeat the epoch.
            batches = self.loader
            is_last = isinstance(batches, BatchLoader) and batches.position == len(
                batches
            )
            if len(group) == self.size or is_last:
                yield group
                group = []
        if group:
            yield group


def enumerate_batches(
    batch_it: Iterable[Any],
) -> Iterator[tuple[tuple[int, int, int], Any]]:
    """Prepends statistics to the batches of an iterator.

    Args:
        batch_it: batches (mappings with ``obs``), or groups of them.

    Yields:
        ``((batch_num, batch_size, num_samples_so_far), batch)``: the batch's number
        from 0, its rows, and the rows of all batches up to and including it.
    """
    num_samples_so_far = 0
    for batch_num, batch in enumerate(batch_it):
        batch_size = n_rows(batch)
        num_samples_so_far += batch_size
        yield (batch_num, batch_size, num_samples_so_far), batch


def n_rows(batch: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> int:
    """Counts the samples in a batch or a group of batches."""
    if isinstance(batch, Mapping):
        return len(batch["acts"])
    return sum(len(part["acts"]) for part in batch)
