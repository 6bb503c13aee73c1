"""Dictionary observations, handled like one array.

An environment with a ``gymnasium.spaces.Dict`` observation space yields dictionaries of
arrays. ``DictObs`` wraps a batch of them (one array per key, all with the same first
axis) so that code written for an array of observations works for both. The documented
path of both names is ``imitation.data.types``.
"""

import dataclasses
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    ValuesView,
)
from typing import Any

import numpy as np

from imitation.errors import DataError

Array = np.ndarray


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DictObs:
    """Observations of a dictionary observation space.

    Length, indexing, slicing and iteration act on the first axis of every array, as
    they would for an array of observations. Two instances are equal when they have the
    same keys and arrays of equal shape and values.

    Args:
        _d: arrays by key; all share the length of their first axis.

    Raises:
        TypeError: a value is not a NumPy array.
    """

    _d: dict[str, Array]

    def __post_init__(self) -> None:
        for key, value in self._d.items():
            if not isinstance(value, np.ndarray):
                raise TypeError(
                    f"Values must be NumPy arrays, got {type(value).__name__} for key "
                    f"{key!r}; convert it with np.asarray."
                )

    @classmethod
    def from_obs_list(cls, obs_list: Iterable[Mapping[str, Any]]) -> "DictObs":
        """Stacks observations of an environment along a new first axis.

        Raises:
            DataError: the list is empty or the observations' keys differ.
        """
        return cls.stack(
            [cls({k: np.asarray(v) for k, v in obs.items()}) for obs in obs_list]
        )

    @classmethod
    def stack(cls, dictobs_list: Iterable["DictObs"], axis: int = 0) -> "DictObs":
        """Stacks the arrays of each key along a new axis.

        Raises:
            DataError: the list is empty or the keys differ.
        """
        return cls._join(np.stack, dictobs_list, axis)

    @classmethod
    def concatenate(cls, dictobs_list: Iterable["DictObs"], axis: int = 0) -> "DictObs":
        """Concatenates the arrays of each key along an existing axis.

        Raises:
            DataError: the list is empty or the keys differ.
        """
        return cls._join(np.concatenate, dictobs_list, axis)

    @classmethod
    def _join(
        cls,
        join: Callable[[list[Array], int], Array],
        dictobs_list: Iterable["DictObs"],
        axis: int,
    ) -> "DictObs":
        parts = list(dictobs_list)
        if not parts:
            raise DataError("Empty list of DictObs: at least one is needed to join.")
        keys = parts[0].keys()
        for part in parts:
            if part.keys() != keys:
                raise DataError(
                    f"Inconsistent keys: {sorted(part.keys())} differ from "
                    f"{sorted(keys)}; every observation needs the same keys."
                )
        return cls({k: join([part.get(k) for part in parts], axis) for k in keys})

    @property
    def dict_len(self) -> int:
        """The number of arrays, one per key."""
        return len(self._d)

    @property
    def shape(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array by key."""
        return {k: v.shape for k, v in self._d.items()}

    @property
    def dtype(self) -> dict[str, np.dtype]:
        """The dtype of each array by key."""
        return {k: v.dtype for k, v in self._d.items()}

    def get(self, key: str) -> Array:
        """Returns the array of a key; raises ``KeyError`` when there is none."""
        return self._d[key]

    def keys(self) -> KeysView[str]:
        """The keys, in insertion order."""
        return self._d.keys()

    def values(self) -> ValuesView[Array]:
        """The arrays, in the order of the keys."""
        return self._d.values()

    def items(self) -> ItemsView[str, Array]:
        """Pairs of key and array."""
        return self._d.items()

    def map_arrays(self, fn: Callable[[Array], Array]) -> "DictObs":
        """Returns a new instance with ``fn`` applied to every array."""
        return type(self)({k: fn(v) for k, v in self._d.items()})

    def unwrap(self) -> dict[str, Array]:
        """Returns a new dictionary of the same arrays (they are not copied)."""
        return dict(self._d)

    def __len__(self) -> int:
        if not self._d:
            raise RuntimeError("Length is not defined: the DictObs has no arrays.")
        lengths = {v.shape[:1] for v in self._d.values()}
        if len(lengths) > 1 or () in lengths:
            raise RuntimeError(
                "Length is not defined: the arrays of a DictObs must agree in their "
                f"first axis, got shapes {self.shape}."
            )
        return int(lengths.pop()[0])

    def __getitem__(self, index: Any) -> "DictObs":
        if isinstance(index, str):
            raise TypeError(
                f"DictObs is indexed along time, got the key {index!r}; use "
                f".get({index!r}) for the array of a key."
            )
        # One row of a 1-D array is a NumPy scalar, which a DictObs does not hold.
        return type(self)({k: np.asarray(v[index]) for k, v in self._d.items()})

    def __iter__(self) -> Iterator["DictObs"]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DictObs):
            return NotImplemented
        return self.keys() == other.keys() and all(
            np.array_equal(v, other.get(k)) for k, v in self.items()
        )

    def __repr__(self) -> str:
        arrays = (f"{k!r}: {v.dtype}{list(v.shape)}" for k, v in self._d.items())
        return f"DictObs({{{', '.join(arrays)}}})"


# A batch of observations: one array, or one array per key.
Observation = Array | DictObs
