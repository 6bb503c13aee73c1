"""Fragments of trajectories in flat arrays, so that all can be rated at once.

A *fragment* is a stretch of T steps of one trajectory: T actions and T + 1
observations. Fragments 2i and 2i + 1 make up pair i.

A `PairBatch` is a sequence of pairs like any other, so a user's own loss or preference
model may take it apart. Ours ask it for tensors instead, which are gathered by index
from what was preprocessed once for the whole data set.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypedDict, TypeVar, overload

import numpy as np
import numpy.typing as npt
import torch as th
from typing_extensions import override

from imitation.data import tree, types
from imitation.errors import DataError
from imitation.rewards.reward_nets import RewardNet
from imitation.rewards.reward_nets.inputs import TensorObs
from imitation.util import tensors
from imitation.util.artifacts import State

Indices = npt.NDArray[np.int64]
Obs = np.ndarray | dict[str, np.ndarray]
T = TypeVar("T", bound=types.Trajectory)

# States, actions, next states and dones as a reward network's `forward` takes them.
Inputs = tuple[TensorObs, th.Tensor, TensorObs, th.Tensor]

# Up to this size, preprocessed tensors of a whole data set are kept while training.
MAX_PREPARED_BYTES = 2**29


class Steps(TypedDict):
    """Transitions by the names of a reward function's arguments."""

    state: Obs
    action: np.ndarray
    next_state: Obs
    done: np.ndarray


@dataclasses.dataclass(frozen=True)
class FragmentArrays:
    """F fragments of S steps together, one after the other."""

    obs: dict[str, np.ndarray]
    """By key, shape ``(S + F, *observation_shape)``: those of a fragment in a row, its
    last one included. A lone array has the key ``""``."""

    acts: np.ndarray
    """``(S, *action_shape)``."""

    rews: np.ndarray
    """True rewards, ``(S,)``; NaN for fragments without."""

    lengths: Indices
    """Steps of each fragment, ``(F,)``."""

    terminal: npt.NDArray[np.bool_]
    """Whether each fragment ends where its episode does, ``(F,)``."""

    truncated: npt.NDArray[np.bool_]
    """Whether something, such as a time limit, cut that episode there, ``(F,)``."""

    has_rewards: npt.NDArray[np.bool_]
    """Whether the true rewards of each fragment are known, ``(F,)``."""

    @classmethod
    def of(cls, fragments: Sequence[types.Trajectory]) -> "FragmentArrays":
        """Joins copies of fragments, at least one, all of one environment.

        Raises:
            DataError: there is no fragment, or observations or actions differ in shape.
        """
        if not fragments:
            raise DataError("expected at least one fragment, got none")
        obs = [
            {"": f.obs} if isinstance(f.obs, np.ndarray) else f.obs.unwrap()
            for f in fragments
        ]
        if any(part.keys() != obs[0].keys() for part in obs):
            raise DataError("fragments must all have observations with the same keys")
        try:
            joined = {k: np.concatenate([part[k] for part in obs]) for k in obs[0]}
            acts = np.concatenate([fragment.acts for fragment in fragments])
        except ValueError as error:
            raise DataError(
                f"fragments must have observations and actions of one shape: {error}"
            ) from error
        rews = [
            f.rews
            if isinstance(f, types.TrajectoryWithRew)
            else np.full(len(f), np.nan, np.float32)  # widens no other rewards
            for f in fragments
        ]
        has_rewards = [isinstance(f, types.TrajectoryWithRew) for f in fragments]
        return cls(
            obs=joined,
            acts=acts,
            rews=np.concatenate(rews),
            lengths=np.array([len(f) for f in fragments], dtype=np.int64),
            terminal=np.array([f.terminal for f in fragments], dtype=bool),
            truncated=np.array([f.truncated for f in fragments], dtype=bool),
            has_rewards=np.array(has_rewards, dtype=bool),
        )

    @classmethod
    def of_pairs(cls, pairs: Sequence[types.TrajectoryPair]) -> "FragmentArrays":
        """Joins the fragments of pairs, of which both must have rewards or neither."""
        for i, (first, second) in enumerate(pairs):
            has_rewards = isinstance(first, types.TrajectoryWithRew)
            assert has_rewards == isinstance(second, types.TrajectoryWithRew), (
                f"pair {i} has rewards for only one of its fragments; give both or none"
            )
        return cls.of([fragment for pair in pairs for fragment in pair])

    @classmethod
    def of_state(cls, state: State) -> "FragmentArrays":
        """Restores the arrays that were saved by name."""
        # Files written before there was `truncated` do not know.
        return cls(**{"truncated": np.zeros_like(state["terminal"])} | state)

    def __len__(self) -> int:
        """The number of fragments, F."""
        return len(self.lengths)

    @property
    def starts(self) -> Indices:
        """The first step of each fragment, ``(F,)``."""
        return np.cumsum(self.lengths) - self.lengths

    def fragment(self, index: int) -> types.Trajectory:
        """Copies one fragment out, with rewards if they are known, without infos."""
        start = int(self.starts[index])
        stop = start + int(self.lengths[index])
        # Every earlier fragment has one observation more than steps.
        rows = slice(start + index, stop + index + 1)
        obs = {key: part[rows].copy() for key, part in self.obs.items()}
        bare = types.Trajectory(
            obs=obs[""] if obs.keys() == {""} else types.DictObs(obs),
            acts=self.acts[start:stop].copy(),
            infos=None,
            terminal=bool(self.terminal[index]),
            truncated=bool(self.truncated[index]),
        )
        if not self.has_rewards[index]:
            return bare
        rews = self.rews[start:stop].copy()
        return types.TrajectoryWithRew(**types.dataclass_quick_asdict(bare), rews=rews)

    def pair(self, index: int) -> types.TrajectoryPair:
        """Copies one pair out."""
        return self.fragment(2 * index), self.fragment(2 * index + 1)

    def steps(self, rows: Indices | None = None) -> Steps:
        """Returns transitions by the names of a reward function's arguments.

        Args:
            rows: the steps wanted, ``(n,)``; None for all.
        """
        # Step s of fragment f was taken from observation s + f.
        before = np.arange(len(self.acts)) + np.repeat(
            np.arange(len(self)), self.lengths
        )
        # A fragment's last step ends an episode only where the fragment is terminal.
        dones = np.zeros(len(self.acts), dtype=bool)
        dones[(self.starts + self.lengths - 1)[self.terminal]] = True
        acts = self.acts
        if rows is not None:
            before, dones, acts = before[rows], dones[rows], acts[rows]
        obs: Obs = self.obs[""] if self.obs.keys() == {""} else self.obs
        return {
            "state": tree.take(obs, before),
            "action": acts,
            "next_state": tree.take(obs, before + 1),
            "done": dones,
        }


def pack(trajectories: Sequence[types.Trajectory]) -> State | None:
    """Turns trajectories into arrays that a file can hold, without infos.

    Returns:
        The arrays of `FragmentArrays` by name; None for no trajectories.
    """
    return vars(FragmentArrays.of(trajectories)) if trajectories else None


def unpack(state: State | None) -> list[types.TrajectoryWithRew]:
    """Restores the trajectories with rewards that `pack` was given."""
    if state is None:
        return []
    arrays = FragmentArrays.of_state(state)
    unpacked = [arrays.fragment(i) for i in range(len(arrays))]
    return [t for t in unpacked if isinstance(t, types.TrajectoryWithRew)]


def cut(trajectory: T, start: int, stop: int) -> T:
    """Cuts the steps from `start` up to `stop` out of a trajectory.

    Returns:
        A fragment of views, terminal only where the trajectory is and ends, too.
    """
    infos = trajectory.infos
    changes: dict[str, Any] = {
        "obs": trajectory.obs[start : stop + 1],
        "acts": trajectory.acts[start:stop],
        "infos": None if infos is None else infos[start:stop],
        "terminal": trajectory.terminal and stop == len(trajectory),
    }
    if isinstance(trajectory, types.TrajectoryWithRew):
        changes["rews"] = trajectory.rews[start:stop]
    return dataclasses.replace(trajectory, **changes)


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
        self.prepared: tuple[RewardNet, Inputs] | None = None
        """All steps as one network takes them."""
        self._true_returns: dict[float, npt.NDArray[np.float64]] = {}

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.arrays) // 2

    def prepare(self, net: RewardNet) -> None:
        """Preprocesses everything for a network, unless it takes too much memory."""
        # One pair tells how much they grow: bytes of images become floats, discrete
        # values one-hot vectors.
        sample = self.batch(np.arange(1)).inputs(net)
        parts = [leaf for value in sample for leaf in tree.leaves(value)]
        n_bytes = sum(part.numel() * part.element_size() for part in parts)
        if n_bytes / len(sample[1]) * len(self.arrays.acts) <= MAX_PREPARED_BYTES:
            self.prepared = net, net.preprocess(**self.arrays.steps())

    def batch(self, indices: Indices) -> "PairBatch":
        """Returns some of the pairs, in the order of their indices, ``(n,)``."""
        return PairBatch(self, indices)

    def all(self) -> "PairBatch":
        """Returns all pairs."""
        return PairBatch(self, np.arange(len(self)))

    def true_returns(self, discount: float) -> npt.NDArray[np.float64]:
        """Returns discounted sums of true rewards, ``(n_pairs, 2)``; NaN if unknown."""
        if discount not in self._true_returns:
            # float64, as synthetic preferences hang on small differences of sums.
            rews = th.from_numpy(np.array(self.arrays.rews, dtype=np.float64))
            self._true_returns[discount] = self.all().returns(rews, discount).numpy()
        return self._true_returns[discount]


class PairBatch(Sequence[types.TrajectoryPair]):
    """The pairs of a store with some indices, ``(n,)``; S steps together."""

    def __init__(self, store: PairStore, indices: Indices) -> None:
        self._store = store
        self._indices = indices

    @classmethod
    def of(cls, pairs: Sequence[types.TrajectoryPair]) -> "PairBatch":
        """Returns pairs as a batch, of copies unless they are a batch already.

        Args:
            pairs: at least one; of each, both fragments have rewards or neither.
        """
        if isinstance(pairs, cls):
            return pairs
        return PairStore(FragmentArrays.of_pairs(pairs)).all()

    @override
    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, key: int) -> types.TrajectoryPair: ...

    @overload
    def __getitem__(self, key: slice) -> "PairBatch": ...

    @override
    def __getitem__(self, key: int | slice) -> "types.TrajectoryPair | PairBatch":
        if isinstance(key, slice):
            return PairBatch(self._store, self._indices[key])
        return self._store.arrays.pair(int(self._indices[key]))

    def inputs(self, net: RewardNet) -> Inputs:
        """Returns what a network takes for all the steps, each part ``(S, ...)``."""
        prepared = self._store.prepared
        if prepared is None or prepared[0] is not net:
            return net.preprocess(**self.steps())
        state, action, next_state, done = prepared[1]
        # The steps of a pair lie side by side, so whole pairs can be copied if all are
        # of one length: (all, ...) -> (n_pairs, 2T, ...) -> (n, 2T, ...) -> (S, ...).
        whole = self._store.common_length is not None
        rows = th.from_numpy(self._indices if whole else self._rows()).to(done.device)

        def gather(part: th.Tensor) -> th.Tensor:
            if not whole:
                return part.index_select(0, rows)
            by_pair = part.view(len(self._store), -1, *part.shape[1:])
            return by_pair.index_select(0, rows).flatten(0, 1)

        return (
            tree.map(gather, state),
            gather(action),
            tree.map(gather, next_state),
            gather(done),
        )

    def steps(self) -> Steps:
        """Returns all the steps, by the names of a reward function's arguments."""
        # All pairs in order need no rows, which spares a copy of the actions.
        is_all = len(self) == len(self._store) and bool(
            (np.diff(self._indices) == 1).all()
        )
        return self._store.arrays.steps(None if is_all else self._rows())

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
        mask = np.arange(lengths.max()) < lengths[..., None]  # (n, 2, T)
        padded = rewards.new_zeros(*mask.shape, *rest)
        padded[tensors.safe_to_tensor(mask).to(rewards.device)] = rewards
        return padded

    def true_returns(self, discount: float) -> npt.NDArray[np.float64] | None:
        """Returns discounted sums of true rewards, ``(n, 2)``; None if unknown."""
        if not self._store.arrays.has_rewards.reshape(-1, 2)[self._indices].all():
            return None
        return self._store.true_returns(discount)[self._indices]

    def _rows(self) -> Indices:
        """The steps of the pairs in the store, in order, ``(S,)``."""
        arrays = self._store.arrays
        fragments = (2 * self._indices[:, None] + np.arange(2)).ravel()  # (2n,)
        lengths = arrays.lengths[fragments]
        ends = np.cumsum(lengths)
        # What turns a step's place in the batch into its place in the store.
        offsets = arrays.starts[fragments] - (ends - lengths)
        rows: Indices = np.repeat(offsets, lengths) + np.arange(ends[-1])
        return rows
