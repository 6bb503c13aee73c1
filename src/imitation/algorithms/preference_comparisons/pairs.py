"""Batches of pairs of fragments, as a reward network takes them.

A `PairBatch` is a sequence of pairs like any other, so a loss or a preference model of
one's own may take it apart. Ours ask it for tensors instead: gathered by index from
what was preprocessed once for the whole data set.
"""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch as th

from imitation.algorithms.preference_comparisons.fragments import (
    FragmentArrays,
    check_pairs,
)
from imitation.data import types
from imitation.rewards.reward_nets import RewardNet
from imitation.rewards.reward_nets.inputs import TensorObs
from imitation.util import tensors

__all__ = ["Inputs", "PairBatch", "PairStore"]

Array = npt.NDArray[Any]
Inputs = tuple[TensorObs, th.Tensor, TensorObs, th.Tensor]

MAX_PREPARED_BYTES = 2**29
"""Up to this size, preprocessed tensors of a whole data set are kept while training."""


class PairStore:
    """Pairs of fragments to draw batches from.

    Args:
        arrays: fragments 2i and 2i + 1 are pair i.
    """

    def __init__(self, arrays: FragmentArrays) -> None:
        assert len(arrays) % 2 == 0
        self.arrays = arrays
        first = int(arrays.lengths[0])
        self.common_length = first if (arrays.lengths == first).all() else None
        """Steps of every fragment; None if they differ."""
        self._prepared: tuple[RewardNet, Inputs] | None = None
        self._true_returns: dict[float, npt.NDArray[np.float64]] = {}

    @classmethod
    def of(cls, pairs: Sequence[types.TrajectoryPair]) -> "PairStore":
        """Makes a store of pairs, at least one.

        Args:
            pairs: of each, both fragments have rewards or neither.

        Returns:
            A store of copies.
        """
        check_pairs(pairs)
        return cls(FragmentArrays.of([fragment for pair in pairs for fragment in pair]))

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.arrays) // 2

    def prepare(self, net: RewardNet) -> None:
        """Preprocesses everything for a network, unless it takes too much memory.

        Args:
            net: the network that batches will be given to.
        """
        # One pair tells how much they grow: bytes of images become floats, discrete
        # values vectors.
        sample = self.inputs(net, np.arange(1))
        per_step = _n_bytes(sample) / len(sample[1])
        if per_step * len(self.arrays.acts) <= MAX_PREPARED_BYTES:
            self._prepared = net, net.preprocess(**self.arrays.steps())

    def batch(self, indices: npt.NDArray[np.int64]) -> "PairBatch":
        """Returns some of the pairs, in the order of their indices, ``(n,)``."""
        return PairBatch(self, indices)

    def all(self) -> "PairBatch":
        """Returns all pairs."""
        return PairBatch(self, np.arange(len(self)))

    def inputs(self, net: RewardNet, indices: npt.NDArray[np.int64]) -> Inputs:
        """What a network takes for all steps of some pairs, one after the other."""
        if self._prepared is None or self._prepared[0] is not net:
            return net.preprocess(**self.steps(indices))
        state, action, next_state, done = self._prepared[1]
        gather = self._gatherer(indices, done.device)
        return (
            types.map_maybe_dict(gather, state),
            gather(action),
            types.map_maybe_dict(gather, next_state),
            gather(done),
        )

    def steps(self, indices: npt.NDArray[np.int64]) -> dict[str, Any]:
        """The steps of some pairs; see `FragmentArrays.steps`."""
        whole = len(indices) == len(self) and bool((np.diff(indices) == 1).all())
        return self.arrays.steps(None if whole else self.rows(indices))

    def rows(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The steps of some pairs, in order."""
        fragments = (2 * indices[:, None] + np.arange(2)).ravel()
        lengths = self.arrays.lengths[fragments]
        ends = np.cumsum(lengths)
        offsets = self.arrays.starts[fragments] - (ends - lengths)
        rows: npt.NDArray[np.int64] = np.repeat(offsets, lengths) + np.arange(ends[-1])
        return rows

    def true_returns(self, discount: float) -> npt.NDArray[np.float64]:
        """Discounted sums of the true rewards, ``(n_pairs, 2)``; NaN if unknown."""
        if discount not in self._true_returns:
            rews = th.from_numpy(np.array(self.arrays.rews, dtype=np.float64))
            self._true_returns[discount] = self.all().returns(rews, discount).numpy()
        return self._true_returns[discount]

    def _gatherer(self, indices: npt.NDArray[np.int64], device: th.device) -> Any:
        if self.common_length is None:
            rows = th.from_numpy(self.rows(indices)).to(device)
            return lambda part: part.index_select(0, rows)
        # A pair's steps lie side by side, so whole pairs can be copied.
        chosen = th.from_numpy(indices).to(device)
        return lambda part: (
            part.unflatten(0, (len(self), -1)).index_select(0, chosen).flatten(0, 1)
        )


class PairBatch(Sequence[types.TrajectoryPair]):
    """Some pairs of a store.

    Args:
        store: where they are.
        indices: which, ``(n,)``.
    """

    def __init__(self, store: PairStore, indices: npt.NDArray[np.int64]) -> None:
        self._store = store
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, key: int) -> types.TrajectoryPair: ...

    @overload
    def __getitem__(self, key: slice) -> "PairBatch": ...

    def __getitem__(self, key: int | slice) -> "types.TrajectoryPair | PairBatch":
        if isinstance(key, slice):
            return PairBatch(self._store, self._indices[key])
        pair = int(self._indices[key])
        arrays = self._store.arrays
        return arrays.fragment(2 * pair), arrays.fragment(2 * pair + 1)

    def __iter__(self) -> Iterator[types.TrajectoryPair]:
        return (self[i] for i in range(len(self)))

    def inputs(self, net: RewardNet) -> Inputs:
        """What a network takes for all the steps, S of them together.

        Args:
            net: the network.

        Returns:
            Preprocessed states, actions, next states and dones, each ``(S, ...)``.
        """
        return self._store.inputs(net, self._indices)

    def steps(self) -> dict[str, Any]:
        """All the steps, by the names of a reward function's arguments."""
        return self._store.steps(self._indices)

    def returns(self, rewards: th.Tensor, discount: float) -> th.Tensor:
        """Sums the rewards of each fragment, each step discounted once more.

        Args:
            rewards: of all the steps, ``(S,)`` or ``(S, members)``.
            discount: the discount factor.

        Returns:
            Shape ``(n, 2)`` or ``(n, 2, members)``.
        """
        by_step = self.by_step(rewards)  # (n, 2, T, ...)
        if discount == 1:
            return by_step.sum(dim=2)
        powers = discount ** th.arange(
            by_step.shape[2], dtype=rewards.dtype, device=rewards.device
        )
        return th.einsum("nft...,t->nf...", by_step, powers)

    def by_step(self, rewards: th.Tensor) -> th.Tensor:
        """Arranges rewards by pair, fragment and step.

        Args:
            rewards: of all the steps, ``(S,)`` or ``(S, members)``.

        Returns:
            Shape ``(n, 2, T, ...)`` with T the length of the longest fragment; zero
            after the end of shorter ones.
        """
        n, rest = len(self), rewards.shape[1:]
        if self._store.common_length is not None:
            return rewards.view(n, 2, self._store.common_length, *rest)
        lengths = self._store.arrays.lengths.reshape(-1, 2)[self._indices]  # (n, 2)
        mask = np.arange(lengths.max()) < lengths[..., None]
        padded = rewards.new_zeros(*mask.shape, *rest)
        padded[tensors.safe_to_tensor(mask).to(rewards.device)] = rewards
        return padded

    def true_returns(self, discount: float) -> npt.NDArray[np.float64] | None:
        """Discounted sums of the true rewards.

        Args:
            discount: the discount factor.

        Returns:
            Shape ``(n, 2)``, or None if those of a fragment are unknown.
        """
        if not self._store.arrays.has_rewards.reshape(-1, 2)[self._indices].all():
            return None
        return self._store.true_returns(discount)[self._indices]


def _n_bytes(inputs: Inputs) -> int:
    parts = [p for x in inputs for p in (x.values() if isinstance(x, dict) else (x,))]
    return sum(part.numel() * part.element_size() for part in parts)
