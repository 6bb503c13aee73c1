"""The demonstrations of all rounds: files on disk, growing arrays in memory.

DAgger trains in every round on everything collected so far. Each episode is read from
disk once, when its round first needs it, and appended to contiguous arrays whose
capacity doubles; the learner gets views of them. So N rounds cost as much as reading
their episodes once, not N times.
"""

import pathlib
from collections.abc import Iterator

import gymnasium as gym
import numpy as np

from imitation.data import types
from imitation.data.growing import GrowingArray
from imitation.data.storage import episode_files
from imitation.errors import DataError
from imitation.util.spaces import Space

Array = np.ndarray


class DemonstrationStore:
    """Every (observation, expert action) pair of a run, in the order of its rounds.

    Args:
        directory: holds one directory ``round-NNN`` per round; episodes in it are files
            of `storage.episode_files` or anything that `serialize.load` reads without
            unpickling.
        observation_space: of the environment; dictionaries included.
        action_space: of the environment.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        observation_space: Space,
        action_space: Space,
    ) -> None:
        self.directory = directory
        self._is_dict = isinstance(observation_space, gym.spaces.Dict)
        self._obs_spaces: dict[str, Space] = (
            dict(observation_space.items())
            if isinstance(observation_space, gym.spaces.Dict)
            else {"": observation_space}
        )
        self._act_space = action_space
        self._obs = {key: _rows_of(space) for key, space in self._obs_spaces.items()}
        self._acts = _rows_of(action_space)
        self._loaded: set[pathlib.Path] = set()
        self._next_round = 0

    def __len__(self) -> int:
        """The number of transitions in memory."""
        return len(self._acts)

    def round_dir(self, round_num: int) -> pathlib.Path:
        """Returns the directory of a round; it may not exist yet."""
        return self.directory / f"round-{round_num:03d}"

    def files(self, round_num: int) -> list[pathlib.Path]:
        """Returns what holds the demonstrations of a round, sorted by name."""
        directory = self.round_dir(round_num)
        if not directory.is_dir():
            return []
        return sorted(
            path
            for path in directory.iterdir()
            if not path.name.startswith(".")
            and (path.is_dir() or path.suffix in (".npz", ".pkl"))
        )

    def load_new(self, round_num: int) -> int:
        """Appends the episodes of all rounds up to `round_num` not yet in memory.

        Rounds before the one asked for last time are taken as complete.

        Returns:
            The number of transitions added.

        Raises:
            DataError: an episode does not fit the spaces.
            ArtifactError: a file cannot be read.
        """
        before = len(self)
        for round_to_read in range(self._next_round, round_num + 1):
            for path in self.files(round_to_read):
                if path not in self._loaded:
                    self._append_all(path)
        self._next_round = round_num
        return len(self) - before

    def transitions(self) -> types.TransitionsMinimal:
        """Returns everything in memory as views; infos are empty."""
        obs: types.Observation = (
            self._obs[""].view()
            if not self._is_dict
            else (types.DictObs({key: rows.view() for key, rows in self._obs.items()}))
        )
        # One empty dictionary for all rows, without memory for each.
        no_infos = np.broadcast_to(np.array({}, dtype=object), (len(self),))
        return types.TransitionsMinimal(obs, self._acts.view(), infos=no_infos)

    def _append_all(self, path: pathlib.Path) -> None:
        trajectories = list(load_file(path))
        rows = [(self._observations(t.obs, path), t.acts) for t in trajectories]
        # All checks come before the first append: a bad episode leaves the store as it
        # was.
        for obs, acts in rows:
            _check(acts, self._act_space, f"{path}: acts")
            for key, space in self._obs_spaces.items():
                _check(obs[key], space, f"{path}: obs {key}".rstrip())
        for obs, acts in rows:
            self._acts.append(acts.astype(self._acts.dtype, copy=False))
            for key, growing in self._obs.items():
                # Observations have one row more than actions: the state after the last
                # action.
                growing.append(obs[key][:-1].astype(growing.dtype, copy=False))
        self._loaded.add(path)

    def _observations(
        self, obs: types.Observation, path: pathlib.Path
    ) -> dict[str, Array]:
        arrays = obs.unwrap() if isinstance(obs, types.DictObs) else {"": obs}
        if arrays.keys() != self._obs.keys():
            raise DataError(
                f"{path}: obs has the keys {sorted(arrays)}, the environment's "
                f"observations have {sorted(self._obs)} ('' stands for a plain array)"
            )
        return arrays


def _rows_of(space: Space) -> GrowingArray:
    assert space.shape is not None and space.dtype is not None
    return GrowingArray(space.shape, space.dtype)


def _check(rows: Array, space: Space, name: str) -> None:
    """Raises a `DataError` unless each row fits a space, maybe after a cast."""
    if rows.shape[1:] != space.shape:
        raise DataError(
            f"{name} has entries of shape {rows.shape[1:]}, the space {space} of the "
            f"environment has {space.shape}"
        )
    assert space.dtype is not None
    if not np.can_cast(rows.dtype, space.dtype, "same_kind"):
        raise DataError(
            f"{name} has dtype {rows.dtype}, which does not fit the space {space} of "
            f"the environment; convert it to {space.dtype}"
        )


def load_file(path: pathlib.Path) -> Iterator[types.Trajectory]:
    """Yields the trajectories of an episode file or of a saved data set."""
    ours = path.is_file() and "dagger-demo-" in path.name  # even if damaged
    if ours or episode_files.is_episode(path):
        yield episode_files.read_episode(path)
    else:
        from imitation.data import serialize  # loads pyarrow, rarely needed

        yield from serialize.load(path)
