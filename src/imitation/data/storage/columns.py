"""Trajectories as rows of an Arrow table, format version 2.

One row is one trajectory. Columns:

=============  ===================  ==================================================
column         Arrow type           content
=============  ===================  ==================================================
``obs``        large_binary         ``.npy`` cell, shape ``(T + 1, ...)``
``obs/<key>``  large_binary         instead of ``obs``: one column per key of a dict
``acts``       large_binary         ``.npy`` cell, shape ``(T, ...)``
``infos``      large_list of text   JSON of each step, or null where there are no infos
``terminal``   bool                 true if the episode ends with the trajectory
``truncated``  bool                 true if a time limit ended it; absent in older data
``rews``       large_binary         ``.npy`` cell, shape ``(T,)``; absent if no rewards
=============  ===================  ==================================================

Release 1.0 wrote the same columns with arrays as nested lists of numbers, which are
still read.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from imitation.data import tree
from imitation.data.storage import cells, infos
from imitation.data.types import DictObs, Trajectory, TrajectoryWithRew
from imitation.errors import DataError

FORMAT_VERSION = 2

# Columns of one bool per trajectory.
FLAGS = ("terminal", "truncated")

Array = np.ndarray

_OBS = "obs"
_OBS_KEY = "obs/"
_INFOS = pa.large_list(pa.large_string())


@dataclasses.dataclass(frozen=True)
class Layout:
    """The spaces and columns that all trajectories of a data set share."""

    spaces: Mapping[str, tuple[np.dtype, tuple[int, ...]]]
    """dtype and shape of one step of every column of observations and actions."""

    has_rewards: bool
    """True if the trajectories have rewards."""

    episode: str
    """The trajectory it was taken from ("episode 3"), for error messages."""

    @classmethod
    def of(cls, trajectory: object, episode: str) -> "Layout":
        """Describes one trajectory; raises DataError for anything else."""
        if not isinstance(trajectory, Trajectory):
            raise DataError(
                f"{episode}: expected a Trajectory, got {type(trajectory).__name__}"
            )
        columns = array_columns(trajectory)
        # Any float dtype may share a data set: rewards are not part of a space.
        columns.pop("rews", None)
        return cls(
            {name: (value.dtype, value.shape[1:]) for name, value in columns.items()},
            isinstance(trajectory, TrajectoryWithRew),
            episode,
        )

    def check_same(self, other: "Layout") -> None:
        """Checks that another trajectory fits into the same data set.

        Raises:
            DataError: it differs in keys, dtype or shape of observations or actions, or
                in having rewards. Names the episode and what differs.
        """
        first, second = self.episode, other.episode
        if other.has_rewards != self.has_rewards:
            having = {True: "has some", False: "has none"}
            raise DataError(
                "Some trajectories have rewards but not all: "
                f"{first} {having[self.has_rewards]}, "
                f"{second} {having[other.has_rewards]}; save them separately"
            )
        if other.spaces.keys() != self.spaces.keys():
            raise DataError(
                f"{second} has {_listed(other.spaces)}, but {first} has "
                f"{_listed(self.spaces)}; every episode needs the same keys"
            )
        for name, space in self.spaces.items():
            if other.spaces[name] != space:
                raise DataError(
                    f"{second}: {name} is {_shown(other.spaces[name])} a step, but in "
                    f"{first} it is {_shown(space)}; mixed spaces cannot share a data "
                    "set"
                )

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the table."""
        # Large: 64-bit offsets, since images of one batch may exceed 2 GiB.
        kinds = {name: pa.large_binary() for name in self.spaces}
        kinds |= {"infos": _INFOS} | dict.fromkeys(FLAGS, pa.bool_())
        if self.has_rewards:
            kinds["rews"] = pa.large_binary()
        return pa.schema(kinds)


def array_columns(trajectory: Trajectory) -> dict[str, Array]:
    """Returns observations, actions and rewards by column name."""
    if isinstance(trajectory.obs, DictObs):
        for key in trajectory.obs.unwrap():
            if not isinstance(key, str):
                raise DataError(
                    f"observations have the key {key!r}, a {type(key).__name__}; only "
                    "text keys can be saved"
                )
    columns = tree.flatten({_OBS: trajectory.obs, "acts": trajectory.acts})
    if isinstance(trajectory, TrajectoryWithRew):
        columns["rews"] = trajectory.rews
    return columns


def record_batch(
    trajectories: Sequence[Trajectory], layout: Layout, first_episode: int
) -> pa.RecordBatch:
    """Encodes trajectories as rows.

    Raises:
        DataError: an info holds something that is not JSON.
    """
    arrays = [array_columns(trajectory) for trajectory in trajectories]
    values: dict[str, pa.Array] = {
        name: cells.pack([columns[name] for columns in arrays]) for name in arrays[0]
    }
    texts = [
        encode_infos(trajectory, episode)
        for episode, trajectory in enumerate(trajectories, first_episode)
    ]
    values["infos"] = pa.array(texts, _INFOS)
    for name in FLAGS:
        flags = [bool(getattr(trajectory, name)) for trajectory in trajectories]
        values[name] = pa.array(flags, pa.bool_())
    schema = layout.schema
    return pa.record_batch([values[name] for name in schema.names], schema=schema)


def encode_infos(trajectory: Trajectory, episode: int) -> list[str] | None:
    """Returns one JSON text of infos per step, or None if there are no infos.

    Raises:
        DataError: an info holds something that is not JSON.
    """
    if trajectory.infos is None:
        return None
    return infos.encode_episode(trajectory.infos, f"episode {episode}")


def check_columns(schema: pa.Schema) -> None:
    """Checks that a table can hold trajectories.

    Raises:
        DataError: a column is missing or has another type. Names the column.
    """
    names = set(schema.names)
    needed = {"acts", "terminal"} | ({_OBS} if not _obs_keys(schema) else set())
    if not needed <= names:
        raise DataError(
            "not a data set of trajectories: it has no column "
            f"{_listed(needed - names)}, only {_listed(names) or 'none'}"
        )
    arrays = {n for n in names if n in (_OBS, "acts", "rews")} | set(_obs_keys(schema))
    for name in sorted(arrays):
        kind = schema.field(name).type
        if not _is_cell(kind) and not cells.is_list(kind):
            raise DataError(
                f"column {name} has the type {kind}, expected "
                "binary cells or lists of numbers"
            )
    for name in names.intersection(FLAGS):
        kind = schema.field(name).type
        if not pa.types.is_boolean(kind):
            raise DataError(f"column {name} has the type {kind}, expected bool")
    if "infos" in names and not cells.is_list(schema.field("infos").type):
        raise DataError(
            f"column infos has the type {schema.field('infos').type}, expected lists "
            "of text"
        )


def read_row(row: pa.Table, episode: int) -> Trajectory:
    """Decodes one row.

    Returns:
        A ``TrajectoryWithRew`` if there is a column of rewards, else a ``Trajectory``.
        Its arrays are read-only views of the table where this stores binary cells, its
        infos a lazy ``JsonInfos``.

    Raises:
        DataError: a cell is damaged or the lengths do not fit together.
    """
    keys = _obs_keys(row.schema)
    try:
        obs: Any = (
            DictObs({key[len(_OBS_KEY) :]: _array(row, key) for key in keys})
            if keys
            else _array(row, _OBS)
        )
        # A column of one row; [0] is an Arrow scalar, which may be null.
        terminal = row.column("terminal")[0].as_py()
        if terminal is None:
            raise DataError("terminal is null")
        steps_infos = _infos(row, episode)
        parts = (obs, _array(row, "acts"), steps_infos, terminal)
        if "truncated" in row.column_names and row.column("truncated")[0].is_valid:
            truncated = bool(row.column("truncated")[0].as_py())
        else:  # in older data sets only the infos tell
            truncated = steps_infos is not None and steps_infos.ends_truncated()
        # A fragment's last info may say that the rest of its episode was truncated.
        truncated = truncated and terminal
        if "rews" in row.column_names:
            rews = _array(row, "rews")
            return TrajectoryWithRew(*parts, rews, truncated=truncated)
        return Trajectory(*parts, truncated=truncated)
    except ValueError as error:
        raise DataError(f"episode {episode}: {error}") from error


def _array(row: pa.Table, name: str) -> Array:
    scalar = row.column(name)[0]
    if not scalar.is_valid:
        raise DataError(f"{name} is null")
    try:
        if _is_cell(scalar.type):
            return cells.unpack(scalar.as_buffer())
        return cells.unpack_list(scalar.values)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error


def _infos(row: pa.Table, episode: int) -> infos.JsonInfos | None:
    if "infos" not in row.column_names:
        return None
    scalar = row.column("infos")[0]
    if not scalar.is_valid:
        return None
    return infos.JsonInfos(scalar.values, f"episode {episode}")


def _obs_keys(schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if name.startswith(_OBS_KEY)]


def _is_cell(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_binary(kind) or pa.types.is_binary(kind))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _shown(space: tuple[np.dtype, tuple[int, ...]]) -> str:
    return f"{space[0]}{list(space[1])}"
