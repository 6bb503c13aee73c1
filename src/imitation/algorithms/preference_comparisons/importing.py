"""Preferences that were gathered elsewhere: lines of JSON, and arrays beside them.

Each line of a ``.jsonl`` file is one comparison::

    {"first": {"file": "episodes.npz", "trajectory": 3, "start": 10, "stop": 60},
     "second": {"file": "episodes.npz", "trajectory": 7, "start": 0, "stop": 50},
     "preference": 1.0}

``file`` names trajectories in any format that `import_trajectories` reads, relative to
the ``.jsonl`` file and below its directory. ``trajectory`` (default 0) is the number of
one of them; ``start`` and ``stop`` (default: all of it) are its steps. ``preference``
is the probability that the first is preferred, or "first", "second" or "equal". Other
keys, such as who said it, are ignored.
"""

import functools
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from imitation.algorithms.preference_comparisons.dataset import PreferenceDataset
from imitation.algorithms.preference_comparisons.fragments import cut
from imitation.data import types
from imitation.data.storage import episode_files
from imitation.errors import ArtifactError, DataError, reason
from imitation.util.artifacts import JSON
from imitation.util.paths import AnyPath

SIDES = ("first", "second")
WORDS = {"first": 1.0, "equal": 0.5, "second": 0.0}

# Pairs that are added at a time.
CHUNK = 1000


def import_preferences(
    path: AnyPath, max_size: int | None = None, *, allow_pickle: bool = False
) -> PreferenceDataset:
    """Reads comparisons from a ``.jsonl`` file in the format of this module.

    Args:
        path: the file.
        max_size: of the data set; None for all comparisons.
        allow_pickle: also read trajectories from files of releases before 1.0. **They
            can run any code that their maker put into them.**

    Returns:
        A data set of the comparisons, in order.

    Raises:
        ArtifactError: there is no such file.
        DataError: a line is malformed, or does not fit the arrays; the message names
            file and line.
        UnsafeLoadError: an old file, and `allow_pickle` was not set.
    """
    file = pathlib.Path(os.fsdecode(path))
    dataset = PreferenceDataset(max_size)
    # Each file is read once, however many comparisons refer to it.
    read = functools.cache(functools.partial(_read, file.parent, allow_pickle))
    pairs: list[types.TrajectoryPair] = []
    given: list[float] = []
    for number, line in _lines(file):
        try:
            entry = _parsed(line)
            first, second = (_fragment(entry, name, read) for name in SIDES)
            if type(first) is not type(second):
                raise DataError("one fragment has rewards and the other has not")
            pairs.append((first, second))
            given.append(_preference(entry))
            if len(pairs) == CHUNK:
                _push(dataset, pairs, given)
        except (DataError, ArtifactError) as error:
            raise type(error)(f"{file}, line {number}: {error}") from error
    _push(dataset, pairs, given)
    if not len(dataset):
        raise DataError(f"{file} holds no comparisons")
    return dataset


def _fragment(
    entry: Mapping[str, JSON],
    name: str,
    read: Callable[[str], Sequence[types.Trajectory]],
) -> types.Trajectory:
    """The fragment that one side of a comparison refers to."""
    where = entry.get(name)
    if not isinstance(where, Mapping) or not isinstance(where.get("file"), str):
        raise DataError(f"expected {name!r} to be an object with a 'file'")
    trajectories = read(where["file"])
    number = _integer(where, "trajectory", 0)
    if not 0 <= number < len(trajectories):
        raise DataError(
            f"{where['file']} has {len(trajectories)} trajectories, no number {number}"
        )
    trajectory = trajectories[number]
    start = _integer(where, "start", 0)
    stop = _integer(where, "stop", len(trajectory))
    if not 0 <= start < stop <= len(trajectory):
        raise DataError(
            f"trajectory {number} of {where['file']} has {len(trajectory)} steps, "
            f"expected 0 <= start < stop <= that, got {start} and {stop}"
        )
    return cut(trajectory, start, stop)


def _read(
    directory: pathlib.Path, allow_pickle: bool, name: str
) -> Sequence[types.Trajectory]:
    """Reads a file of trajectories below a directory."""
    parts = pathlib.PurePath(name)
    # The comparisons may be a stranger's: they must not name any file of the machine.
    if parts.is_absolute() or ".." in parts.parts:
        raise DataError(
            f"expected a file below the directory of the comparisons, got {name!r}"
        )
    if episode_files.is_episode(directory / parts):
        return [episode_files.read_episode(directory / parts)]
    # Imported here because it needs more than most trainings do.
    from imitation.data.importers import import_trajectories

    return import_trajectories(directory / parts, allow_pickle=allow_pickle)


def _lines(file: pathlib.Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, and their numbers from 1."""
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"cannot read {file}: {reason(error)}") from error


def _parsed(line: str) -> Mapping[str, JSON]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {reason(error)}") from error
    if not isinstance(entry, dict):
        raise DataError(f"expected an object, got {type(entry).__name__}")
    return entry


def _preference(entry: Mapping[str, JSON]) -> float:
    value = entry.get("preference")
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]
    if isinstance(value, bool) or not isinstance(value, int | float):  # True is an int
        raise DataError(
            "expected 'preference' to be a number in [0, 1] or one of "
            f"{', '.join(WORDS)}, got {value!r}"
        )
    if not 0 <= value <= 1:
        raise DataError(f"expected 'preference' in [0, 1], got {value}")
    return float(value)


def _integer(where: Mapping[str, JSON], name: str, default: int) -> int:
    value = where.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise DataError(f"expected {name!r} to be an integer, got {value!r}")
    return value


def _push(
    dataset: PreferenceDataset, pairs: list[types.TrajectoryPair], given: list[float]
) -> None:
    """Moves pairs to the data set."""
    dataset.push(pairs, np.array(given, dtype=np.float32))
    pairs.clear()
    given.clear()
