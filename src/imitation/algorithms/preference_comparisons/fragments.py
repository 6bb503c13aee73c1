"""Fragments of trajectories in a few flat arrays, so that all can be rated at once.

A *fragment* is a stretch of T steps of one trajectory: T actions and T + 1
observations. Fragments 2i and 2i + 1 make up pair i.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from imitation.data import types
from imitation.errors import DataError

__all__ = ["FragmentArrays", "check_pairs", "cut"]

Array = npt.NDArray[Any]
T = TypeVar("T", bound=types.Trajectory)


@dataclasses.dataclass(frozen=True)
class FragmentArrays:
    """F fragments of S steps together, one after the other."""

    obs: dict[str, Array]
    """By key, shape ``(S + F, *observation_shape)``: those of a fragment in a row, its
    last one included. A lone array has the key ``""``."""

    acts: Array
    """``(S, *action_shape)``."""

    rews: Array
    """True rewards, ``(S,)``; NaN for fragments without."""

    lengths: npt.NDArray[np.int64]
    """Steps of each fragment, ``(F,)``."""

    terminal: npt.NDArray[np.bool_]
    """Whether each fragment ends where its episode does, ``(F,)``."""

    has_rewards: npt.NDArray[np.bool_]
    """Whether the true rewards of each fragment are known, ``(F,)``."""

    @classmethod
    def of(cls, fragments: Sequence[types.Trajectory]) -> "FragmentArrays":
        """Joins fragments, at least one.

        Args:
            fragments: all of one environment.

        Returns:
            Copies of their arrays.

        Raises:
            DataError: there is none, or observations or actions differ in shape.
        """
        if not fragments:
            raise DataError("expected at least one fragment, got none")
        obs = [_by_key(fragment.obs) for fragment in fragments]
        if any(part.keys() != obs[0].keys() for part in obs):
            raise DataError("fragments must all have observations with the same keys")
        try:
            joined = {k: np.concatenate([part[k] for part in obs]) for k in obs[0]}
            acts = np.concatenate([fragment.acts for fragment in fragments])
        except ValueError as error:
            raise DataError(
                "fragments must all have observations and actions of one shape: "
                f"{error}"
            ) from error
        lengths = np.array([len(fragment) for fragment in fragments], dtype=np.int64)
        rews = [
            fragment.rews
            if isinstance(fragment, types.TrajectoryWithRew)
            else np.full(len(fragment), np.nan, dtype=np.float32)
            for fragment in fragments
        ]
        return cls(
            obs=joined,
            acts=acts,
            rews=np.concatenate(rews),
            lengths=lengths,
            terminal=np.array([f.terminal for f in fragments], dtype=bool),
            has_rewards=np.array(
                [isinstance(f, types.TrajectoryWithRew) for f in fragments], dtype=bool
            ),
        )

    def __len__(self) -> int:
        """The number of fragments, F."""
        return len(self.lengths)

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """The first step of each fragment, ``(F,)``."""
        return np.cumsum(self.lengths) - self.lengths

    def fragment(self, index: int) -> types.Trajectory:
        """Copies one fragment out, with rewards if they are known, without infos."""
        start = int(self.starts[index])
        stop = start + int(self.lengths[index])
        rows = slice(start + index, stop + index + 1)
        obs = {k: part[rows].copy() for k, part in self.obs.items()}
        fields: dict[str, Any] = {
            "obs": obs[""] if obs.keys() == {""} else types.DictObs(obs),
            "acts": self.acts[start:stop].copy(),
            "infos": None,
            "terminal": bool(self.terminal[index]),
        }
        if not self.has_rewards[index]:
            return types.Trajectory(**fields)
        return types.TrajectoryWithRew(**fields, rews=self.rews[start:stop].copy())

    def steps(self, rows: npt.NDArray[np.int64] | None = None) -> dict[str, Any]:
        """Returns transitions by the names of a reward function's arguments.

        Args:
            rows: the steps wanted, ``(n,)``; None for all.

        Returns:
            ``state``, ``action``, ``next_state`` and ``done``: arrays ``(n, ...)``, or
            dictionaries of them.
        """
        before = np.arange(len(self.acts)) + np.repeat(
            np.arange(len(self)), self.lengths
        )
        dones = np.zeros(len(self.acts), dtype=bool)
        dones[(self.starts + self.lengths - 1)[self.terminal]] = True
        acts = self.acts
        if rows is not None:
            before, dones, acts = before[rows], dones[rows], acts[rows]
        return {
            "state": self._observations(before),
            "action": acts,
            "next_state": self._observations(before + 1),
            "done": dones,
        }

    def _observations(self, rows: npt.NDArray[np.int64]) -> Any:
        parts = {k: part[rows] for k, part in self.obs.items()}
        return parts[""] if parts.keys() == {""} else parts


def check_pairs(pairs: Sequence[types.TrajectoryPair]) -> None:
    """Checks that of each pair both fragments have rewards, or neither.

    Raises:
        AssertionError: one has and the other has not.
    """
    for i, (first, second) in enumerate(pairs):
        have = [isinstance(f, types.TrajectoryWithRew) for f in (first, second)]
        assert have[0] == have[1], (
            f"pair {i} has rewards for only one of its fragments; give both or none"
        )


def cut(trajectory: T, start: int, stop: int) -> T:
    """Cuts the steps from `start` to `stop` out of a trajectory.

    Args:
        trajectory: with or without rewards.
        start: the first step.
        stop: the step after the last.

    Returns:
        A fragment of views, terminal only where the trajectory's real end is its own.
    """
    infos = trajectory.infos
    parts: dict[str, Any] = {
        "obs": trajectory.obs[start : stop + 1],
        "acts": trajectory.acts[start:stop],
        "infos": None if infos is None else infos[start:stop],
        "terminal": trajectory.terminal and stop == len(trajectory),
    }
    if isinstance(trajectory, types.TrajectoryWithRew):
        parts["rews"] = trajectory.rews[start:stop]
    return dataclasses.replace(trajectory, **parts)


def _by_key(obs: types.Observation) -> Mapping[str, Array]:
    return obs.unwrap() if isinstance(obs, types.DictObs) else {"": obs}
