"""The preferences gathered so far."""

import os
import pathlib
import pickle
import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from torch.utils import data as th_data
from typing_extensions import override

from imitation.algorithms.preference_comparisons.fragments import FragmentArrays
from imitation.data import types
from imitation.data.growing import GrowingArray
from imitation.errors import ArtifactError, ConfigError, DataError, UnsafeLoadError
from imitation.errors import reason as reason_of
from imitation.training import state_files as checkpoint
from imitation.util.artifacts import State
from imitation.util.paths import AnyPath

Preference = tuple[types.TrajectoryPair, float]

KIND = "preference_dataset"
# Begins the names of columns of observations; their keys follow.
OBS = "obs "


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
        self._clear(max_size)

    def _clear(self, max_size: int | None) -> None:
        self.max_size = max_size
        self._columns: dict[str, GrowingArray] = {}

    def __len__(self) -> int:
        return len(self._columns["preferences"]) if self._columns else 0

    @override
    def __getitem__(self, key: int) -> Preference:
        index = range(len(self))[key]  # an IndexError beyond, also for negative keys
        return self.arrays().pair(index), float(self.preferences[index])

    @property
    def preferences(self) -> npt.NDArray[np.float32]:
        """The probabilities that the first fragments are preferred, shape ``(n,)``."""
        if not len(self):
            return np.zeros(0, dtype=np.float32)
        return self._columns["preferences"].view()

    def arrays(self) -> FragmentArrays:
        """Returns all fragments, those of pair i at 2i and 2i + 1, not copied.

        There must be some.
        """
        views = {name: column.view() for name, column in self._columns.items()}
        views.pop("preferences")
        obs = {
            name.removeprefix(OBS): views.pop(name)
            for name in list(views)
            if name.startswith(OBS)
        }
        return FragmentArrays(obs=obs, **views)

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
        shape = (len(fragments),)
        if preferences.shape != shape:
            raise DataError(
                f"Unexpected preferences shape {preferences.shape}, expected {shape}"
            )
        if preferences.dtype != np.float32:
            raise DataError(
                f"preferences should have dtype float32, got {preferences.dtype}"
            )
        if not ((preferences >= 0) & (preferences <= 1)).all():
            raise DataError("preferences are probabilities in [0, 1], got others")
        if self.max_size is not None:
            fragments = fragments[-self.max_size :]
            preferences = preferences[-self.max_size :]
        if not len(fragments):
            return
        self._append(FragmentArrays.of_pairs(fragments), preferences)
        surplus = 0 if self.max_size is None else len(self) - self.max_size
        if surplus > 0:
            n_steps = int(self.arrays().lengths[: 2 * surplus].sum())
            for name, column in self._columns.items():
                column.drop(_n_rows(name, surplus, n_steps))

    def save(self, path: AnyPath) -> None:
        """Saves the data set as a directory, atomically; an older one is replaced."""
        checkpoint.save_state(path, KIND, self.state_dict())

    @staticmethod
    def load(path: AnyPath, *, allow_pickle: bool = False) -> "PreferenceDataset":
        """Loads a data set.

        Args:
            path: where `save` wrote; or a file of release 1.0, which is a pickle.
            allow_pickle: read such a file. **It can run any code that its maker put
                into it**; set this only for files you trust, and save them again.

        Returns:
            The data set.

        Raises:
            ArtifactError: no data set was saved there, or it is damaged.
            UnsafeLoadError: it is a file, and `allow_pickle` was not set.
        """
        location = pathlib.Path(os.fsdecode(path))
        if location.is_file():
            return _load_pickle(location, allow_pickle)
        dataset, state = PreferenceDataset(), checkpoint.load_state(location, KIND)
        try:
            dataset.load_state_dict(state)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{location} is not a whole preference data set: {error}"
            ) from error
        return dataset

    def state_dict(self) -> State:
        """Returns everything that it holds, for `load_state_dict`."""
        arrays = vars(self.arrays()) if len(self) else {"obs": {}}
        preferences = self.preferences if len(self) else None
        return {"max_size": self.max_size, "preferences": preferences, **arrays}

    def load_state_dict(self, state: State) -> None:
        """Replaces everything by what `state_dict` returned.

        Raises:
            DataError: the arrays do not belong together.
        """
        self._clear(state["max_size"])
        if state["preferences"] is None:
            return
        others = ("max_size", "preferences")
        arrays = FragmentArrays.of_state(
            {name: part for name, part in state.items() if name not in others}
        )
        n_steps = int(arrays.lengths.sum())
        for name, column in _by_name(arrays).items():
            expected = _n_rows(name, len(state["preferences"]), n_steps)
            if len(column) != expected:
                raise DataError(
                    f"it has {len(column)} rows of {name.strip()}, expected {expected}"
                )
        self._append(arrays, state["preferences"])

    def __setstate__(self, state: State) -> None:
        if "fragments1" not in state:
            self.__dict__.update(state)
            return
        # An instance that release 1.0 pickled.
        self._clear(state["max_size"])
        pairs = list(zip(state["fragments1"], state["fragments2"], strict=True))
        self.push(pairs, np.asarray(state["preferences"], dtype=np.float32))

    def _append(self, arrays: FragmentArrays, preferences: np.ndarray) -> None:
        """Appends pairs to all columns, or raises before the first."""
        new = _by_name(arrays) | {"preferences": preferences}
        columns = self._columns or {
            name: GrowingArray(rows.shape[1:], rows.dtype) for name, rows in new.items()
        }
        if columns.keys() != new.keys():
            there = sorted(n.removeprefix(OBS) for n in columns if n.startswith(OBS))
            raise DataError(
                f"fragments have observations of {sorted(arrays.obs)}, those there of "
                f"{there}"
            )
        for name, rows in new.items():
            column = columns[name]
            same_shape = rows.shape[1:] == column.shape
            if not same_shape or rows.dtype.kind != column.dtype.kind:
                raise DataError(
                    f"fragments have {name.strip()} of shape {rows.shape[1:]} and "
                    f"dtype {rows.dtype}, those there of shape {column.shape} and "
                    f"dtype {column.dtype}"
                )
        for name, rows in new.items():
            columns[name].append(rows)
        self._columns = columns


def preference_collate_fn(
    batch: Sequence[Preference],
) -> tuple[Sequence[types.TrajectoryPair], npt.NDArray[np.float32]]:
    """Collates n items of a `PreferenceDataset`, for torch's data loaders.

    Returns:
        The n pairs, and their preferences, shape ``(n,)`` and dtype float32.
    """
    pairs, preferences = zip(*batch, strict=True)
    return list(pairs), np.array(preferences, dtype=np.float32)


def _by_name(arrays: FragmentArrays) -> dict[str, np.ndarray]:
    """The arrays by the names of their columns, which errors use."""
    others = {name: part for name, part in vars(arrays).items() if name != "obs"}
    return {OBS + key: part for key, part in arrays.obs.items()} | others


def _n_rows(column: str, n_pairs: int, n_steps: int) -> int:
    """The number of rows that some pairs have in a column."""
    if column.startswith(OBS):
        return n_steps + 2 * n_pairs  # each fragment's last observation, too
    if column in ("acts", "rews"):
        return n_steps
    return n_pairs if column == "preferences" else 2 * n_pairs


def _load_pickle(path: pathlib.Path, allow_pickle: bool) -> PreferenceDataset:
    if not allow_pickle:
        raise UnsafeLoadError(
            f"{path} is a pickle, as release 1.0 wrote, and reading it can run any "
            "code its maker put into it; if you trust it, pass allow_pickle=True"
        )
    warnings.warn(
        f"Loading the old file {path}; save the data set again.",
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
