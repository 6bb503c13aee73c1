"""The preferences gathered so far."""

import os
import pathlib
import pickle
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils import data as th_data

from imitation.algorithms.preference_comparisons.columns import Column
from imitation.algorithms.preference_comparisons.fragments import (
    FragmentArrays,
    check_pairs,
)
from imitation.data import types
from imitation.errors import ArtifactError, ConfigError, DataError, UnsafeLoadError
from imitation.errors import reason as reason_of
from imitation.training import state_files as checkpoint
from imitation.util.paths import AnyPath

__all__ = ["PreferenceDataset", "preference_collate_fn"]

Preference = tuple[types.TrajectoryPair, float]

KIND = "preference_dataset"


class PreferenceDataset(th_data.Dataset[Preference]):
    """Pairs of fragments, each with the probability that the first is preferred.

    ``dataset[i]`` is ``((first, second), probability)``. Fragments are copied into
    arrays that grow at their end, so adding some costs no more for many that are there
    already. Their infos are not kept. They may differ in length.

    Args:
        max_size: how many pairs to keep; new ones replace the oldest. None for all.

    Raises:
        ConfigError: `max_size` is not positive.
    """

    def __init__(self, max_size: int | None = None) -> None:
        if max_size is not None and max_size < 1:
            raise ConfigError(f"max_size must be positive or None, got {max_size}")
        self._empty(max_size)

    def _empty(self, max_size: int | None) -> None:
        self.max_size = max_size
        self._obs: dict[str, Column] = {}
        self._columns = {
            name: Column(name)
            for name in ("acts", "rews", "lengths", "terminal", "has_rewards")
        }
        self._preferences = Column("preferences")

    def __len__(self) -> int:
        return len(self._preferences)

    def __getitem__(self, key: int) -> Preference:
        index = range(len(self))[key]  # an IndexError beyond, and for negative keys
        arrays = self.arrays()
        pair = arrays.fragment(2 * index), arrays.fragment(2 * index + 1)
        return pair, float(self.preferences[index])

    @property
    def preferences(self) -> npt.NDArray[np.float32]:
        """The probabilities that the first fragments are preferred, shape ``(n,)``."""
        if not len(self):
            return np.zeros(0, dtype=np.float32)
        return self._preferences.view()

    def arrays(self) -> FragmentArrays:
        """All fragments, those of pair i at 2i and 2i + 1, without copying them.

        There must be some.
        """
        columns = {name: column.view() for name, column in self._columns.items()}
        obs = {key: column.view() for key, column in self._obs.items()}
        return FragmentArrays(obs=obs, **columns)

    def push(
        self,
        fragments: Sequence[types.TrajectoryPair],
        preferences: npt.NDArray[np.float32],
    ) -> None:
        """Adds pairs.

        Args:
            fragments: n pairs of fragments; of each, both have rewards or neither.
            preferences: probabilities that the first fragments are preferred, shape
                ``(n,)`` and dtype float32, in [0, 1].

        Raises:
            DataError: shape, dtype or values are others, or the fragments differ in
                shape or kind from those there; nothing is added then.
        """
        preferences = np.asarray(preferences)
        if preferences.shape != (len(fragments),):
            raise DataError(
                f"Unexpected preferences shape {preferences.shape}, "
                f"expected {(len(fragments),)}"
            )
        if preferences.dtype != np.float32:
            raise DataError(
                f"preferences should have dtype float32, got {preferences.dtype}"
            )
        if not ((preferences >= 0) & (preferences <= 1)).all():
            raise DataError("preferences are probabilities in [0, 1], got others")
        check_pairs(fragments)
        if self.max_size is not None:
            fragments = fragments[-self.max_size :]
            preferences = preferences[-self.max_size :]
        if not len(fragments):
            return
        self._append(FragmentArrays.of([f for pair in fragments for f in pair]))
        self._preferences.append(preferences)
        self._evict()

    def save(self, path: AnyPath) -> None:
        """Saves the data set as a directory, atomically and without pickle.

        Args:
            path: the directory; a data set that is there is replaced.
        """
        checkpoint.save_state(path, KIND, self.state_dict())

    @staticmethod
    def load(path: AnyPath, *, allow_pickle: bool = False) -> "PreferenceDataset":
        """Loads a data set.

        Args:
            path: where `save` wrote; or a file of release 1.0, which is a pickle.
            allow_pickle: read such a file. **It can run any code that its maker put
                into it**; set this only for files you trust, and save them anew.

        Returns:
            The data set.

        Raises:
            ArtifactError: there is none, or it is damaged.
            UnsafeLoadError: it is a file, and `allow_pickle` was not set.
        """
        location = pathlib.Path(os.fsdecode(path))
        if location.is_file():
            return _load_pickle(location, allow_pickle)
        dataset = PreferenceDataset()
        try:
            dataset.load_state_dict(checkpoint.load_state(location, KIND))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, ArtifactError):
                raise
            raise ArtifactError(
                f"{location} is not a whole preference data set: {error}"
            ) from error
        return dataset

    def state_dict(self) -> dict[str, Any]:
        """Everything that it holds, for `load_state_dict`."""
        columns = self._columns if len(self) else {}
        return {
            "max_size": self.max_size,
            "obs": {key: column.view() for key, column in self._obs.items()},
            "preferences": self.preferences if len(self) else None,
            **{name: column.view() for name, column in columns.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replaces everything by what `state_dict` returned.

        Raises:
            DataError: the arrays do not belong together.
        """
        self._empty(state["max_size"])
        if state["preferences"] is None:
            return
        columns = {name: np.array(state[name]) for name in self._columns}
        obs = {key: np.array(part) for key, part in state["obs"].items()}
        arrays = FragmentArrays(obs=obs, **columns)
        _check_whole(arrays, len(state["preferences"]))
        self._append(arrays)
        self._preferences.append(np.array(state["preferences"]))

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "fragments1" not in state:
            self.__dict__.update(state)
            return
        # An instance that release 1.0 pickled.
        self._empty(state["max_size"])
        pairs = list(zip(state["fragments1"], state["fragments2"], strict=True))
        self.push(pairs, np.asarray(state["preferences"], dtype=np.float32))

    def _append(self, arrays: FragmentArrays) -> None:
        """Adds fragments to all columns, or raises before the first."""
        obs = self._obs or {key: Column(f"obs {key}".strip()) for key in arrays.obs}
        if obs.keys() != arrays.obs.keys():
            raise DataError(
                f"fragments have observations of {sorted(arrays.obs)}, those there of "
                f"{sorted(obs)}"
            )
        pairs = [(column, arrays.obs[key]) for key, column in obs.items()]
        pairs += [(c, getattr(arrays, name)) for name, c in self._columns.items()]
        for column, rows in pairs:
            column.check(rows)
        for column, rows in pairs:
            column.append(rows)
        self._obs = obs

    def _evict(self) -> None:
        """Drops the oldest pairs if there are too many."""
        surplus = 0 if self.max_size is None else len(self) - self.max_size
        if surplus <= 0:
            return
        n_steps = int(self._columns["lengths"].view()[: 2 * surplus].sum())
        for column in self._obs.values():
            column.drop(n_steps + 2 * surplus)
        for name, column in self._columns.items():
            column.drop(n_steps if name in ("acts", "rews") else 2 * surplus)
        self._preferences.drop(surplus)


def preference_collate_fn(
    batch: Sequence[Preference],
) -> tuple[Sequence[types.TrajectoryPair], npt.NDArray[np.float32]]:
    """Collates items of a `PreferenceDataset`, for torch's data loaders.

    Args:
        batch: n items.

    Returns:
        The n pairs, and their preferences, shape ``(n,)`` and dtype float32.
    """
    pairs, preferences = zip(*batch, strict=True)
    return list(pairs), np.array(preferences, dtype=np.float32)


def _check_whole(arrays: FragmentArrays, n_pairs: int) -> None:
    n_fragments, n_steps = len(arrays.lengths), int(arrays.lengths.sum())
    expected = {
        "lengths": (len(arrays.lengths), 2 * n_pairs),
        "terminal": (len(arrays.terminal), n_fragments),
        "has_rewards": (len(arrays.has_rewards), n_fragments),
        "acts": (len(arrays.acts), n_steps),
        "rews": (len(arrays.rews), n_steps),
        **{
            f"obs {key}".strip(): (len(part), n_steps + n_fragments)
            for key, part in arrays.obs.items()
        },
    }
    for name, (length, wanted) in expected.items():
        if length != wanted:
            raise DataError(f"it has {length} rows of {name}, expected {wanted}")


def _load_pickle(path: pathlib.Path, allow_pickle: bool) -> PreferenceDataset:
    if not allow_pickle:
        raise UnsafeLoadError(
            f"{path} is a pickle, as release 1.0 wrote, and reading it can run any "
            "code its maker put into it; if you trust it, pass allow_pickle=True"
        )
    warnings.warn(
        f"Loading the old file {path}; save the data set anew.",
        DeprecationWarning,
        stacklevel=3,
    )
    try:
        with path.open("rb") as file:
            loaded = pickle.load(file)
    # Unpickling runs code from the file, so any exception may come out of it.
    except Exception as error:
        raise ArtifactError(f"cannot unpickle {path}: {reason_of(error)}") from error
    if not isinstance(loaded, PreferenceDataset):
        raise ArtifactError(
            f"{path} holds a {type(loaded).__name__}, not a preference data set"
        )
    return loaded
