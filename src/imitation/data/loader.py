"""Batches of transitions, gathered by index from contiguous arrays.

The order of an epoch is one permutation drawn from a seeded generator. A chunk of it is
gathered at a time and cut into batches, so that a batch of 32 costs a few slices: no
Python per sample, no dictionary per sample.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, cast

import numpy as np
import torch as th

from imitation.data import tree, types
from imitation.errors import ConfigError, DataError
from imitation.util import seeding, tensors
from imitation.util.artifacts import State

# Fields that a batch holds when the transitions have them.
DEFAULT_KEYS = ("obs", "acts", "next_obs", "dones", "truncated", "rews", "infos")

# How many samples are gathered at a time, if their batches fit.
CHUNK_SAMPLES = 4096

# A chunk of large samples, such as images, is at most this big (or one batch).
CHUNK_BYTES = 1 << 24

Array = np.ndarray


class BatchLoader:
    """Iterates over batches of transitions; each pass is one epoch.

    A batch is a dictionary of tensors with ``batch_size`` rows (a dictionary of tensors
    for dictionary observations, a list of dictionaries for ``infos``). The loader's
    position within an epoch is part of `state_dict`, so an interrupted epoch can be
    continued with the very same batches.

    Args:
        transitions: what to batch; the arrays are not copied.
        batch_size: rows of a batch.
        shuffle: draw a new order for each epoch; False keeps the order.
        drop_last: leave out a last batch that is smaller than `batch_size`.
        rng: decides the order.
        keys: the fields to put into a batch; those the transitions lack are left out.

    Raises:
        ConfigError: `batch_size` is not positive.
        DataError: there are fewer transitions than `batch_size`.
    """

    def __init__(
        self,
        transitions: types.TransitionsMinimal,
        batch_size: int,
        *,
        shuffle: bool = True,
        drop_last: bool = True,
        rng: np.random.Generator | None = None,
        keys: Sequence[str] = DEFAULT_KEYS,
    ) -> None:
        if batch_size <= 0:
            raise ConfigError(f"batch_size={batch_size} must be positive.")
        if len(transitions) < batch_size:
            raise DataError(
                f"Number of transitions in the demonstrations {len(transitions)} is "
                f"smaller than batch size {batch_size}; use more demonstrations or a "
                "smaller batch"
            )
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self._rng = seeding.make_rng(rng)
        fields = types.dataclass_quick_asdict(transitions)
        self._fields = {key: fields[key] for key in keys if key in fields}
        self._n_samples = len(transitions)
        bounded = samples_at_a_time(transitions, tuple(self._fields))
        # A whole number of batches, so that no batch spans two chunks.
        self._chunk = max(1, bounded // batch_size) * batch_size
        self._position = 0
        self._epoch_start = seeding.rng_state(self._rng)
        self._resumed: State | None = None

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        full, rest = divmod(self._n_samples, self.batch_size)
        return full + (1 if rest and not self.drop_last else 0)

    @property
    def n_samples(self) -> int:
        """The number of transitions."""
        return self._n_samples

    @property
    def position(self) -> int:
        """The number of batches of the current epoch handed out so far."""
        return self._position

    def __iter__(self) -> Iterator[types.TransitionMapping]:
        """Starts an epoch, or continues the one restored by `load_state_dict`."""
        order = self._begin_epoch()
        end = min(self._n_samples, len(self) * self.batch_size)
        start = self._position * self.batch_size
        for chunk_start in range(start, end, self._chunk):
            chunk_end = min(chunk_start + self._chunk, end)
            gathered = self._gather(order, chunk_start, chunk_end)
            for low in range(0, chunk_end - chunk_start, self.batch_size):
                self._position += 1
                yield _cut(gathered, low, low + self.batch_size)
        self._position = 0

    def state_dict(self) -> State:
        """Returns the order and the position within the current epoch, as JSON."""
        return {
            "n_samples": self._n_samples,
            "epoch_start": self._epoch_start,
            "position": self._position,
            "rng": seeding.rng_state(self._rng),
        }

    def load_state_dict(self, state: State) -> None:
        """Makes the next pass continue where `state` was taken.

        Args:
            state: what `state_dict` returned, for the same data and batch size.

        Raises:
            DataError: the data have another size.
        """
        if state["n_samples"] != self._n_samples:
            raise DataError(
                f"the interrupted epoch was over {state['n_samples']} samples, these "
                f"data have {self._n_samples}; continue with the same data"
            )
        self._resumed = state

    def _begin_epoch(self) -> Array | None:
        """Draws the epoch's order; None means the order of the data."""
        state, self._resumed = self._resumed, None
        self._position = 0
        if state is not None:
            self._position = int(state["position"])
            # Within an epoch its permutation is drawn again; between two, the next one
            # is.
            start = state["epoch_start"] if self._position else state["rng"]
            seeding.restore_rng(self._rng, start)
        self._epoch_start = seeding.rng_state(self._rng)
        order = self._rng.permutation(self._n_samples) if self.shuffle else None
        if state is not None and self._position:
            # Others may have drawn from the generator since the epoch began.
            seeding.restore_rng(self._rng, state["rng"])
        return order

    def _gather(self, order: Array | None, start: int, end: int) -> "_Chunk":
        where = slice(start, end) if order is None else order[start:end]

        def take(field: Array) -> th.Tensor | Array:
            rows = field[where]
            if field.dtype == object:
                return rows
            # A slice is a view: batches must not share memory with the demonstrations.
            return tensors.safe_to_tensor(rows.copy() if order is None else rows)

        fields = self._fields.items()
        return {key: tree.map(take, tree.unwrap(value)) for key, value in fields}


def samples_at_a_time(
    transitions: types.TransitionsMinimal, keys: Sequence[str]
) -> int:
    """Bounds the samples to hold at once, in number and in bytes of the given fields.

    Returns:
        At least 1, at most the number of transitions (or 1 if there are none).
    """
    fields = types.dataclass_quick_asdict(transitions)
    leaves = [leaf for key in keys for leaf in tree.leaves(fields[key])]
    sample_bytes = sum(leaf.nbytes // max(1, len(leaf)) for leaf in leaves)
    bounded = min(CHUNK_SAMPLES, CHUNK_BYTES // max(1, sample_bytes))
    return int(max(1, min(bounded, len(transitions))))


# Tensors, or dictionaries of them; info dictionaries in an array.
_Chunk: TypeAlias = Mapping[str, Array | th.Tensor | dict[str, Array | th.Tensor]]


def _cut(gathered: _Chunk, low: int, high: int) -> types.TransitionMapping:
    """Cuts one batch out of a chunk."""
    batch: dict[str, object] = {}
    for key, value in gathered.items():
        if isinstance(value, dict):
            batch[key] = {name: part[low:high] for name, part in value.items()}
        elif isinstance(value, np.ndarray):
            batch[key] = list(value[low:high])
        else:
            batch[key] = value[low:high]
    return cast(types.TransitionMapping, batch)
