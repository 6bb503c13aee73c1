"""Saving and loading trajectories.

The directory written is a HuggingFace data set (``datasets.load_from_disk`` reads it)
of one row per trajectory, laid out as ``columns`` documents:

- ``data-00000-of-00001.arrow``: the table, an Arrow stream that is memory-mapped;
- ``dataset_info.json``, ``state.json``: what HuggingFace needs to open it;
- ``imitation.json``: the version of the format, the number of episodes and steps, and
  dtype and shape of observations and actions.

It is written beside its destination and moved into place when it is complete, so that
a kill at any instant leaves the old data or the new.
"""

import contextlib
import itertools
import os
import pathlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import pyarrow as pa

from imitation.data.huggingface_utils import TrajectoryDatasetSequence
from imitation.data.storage import columns, episode_files, legacy
from imitation.data.types import AnyPath, Trajectory, TrajectoryWithRew
from imitation.errors import ArtifactError, DataError, reason
from imitation.util import artifacts

_TABLE = "data-00000-of-00001.arrow"
_CARD = "imitation.json"
_INFO = "dataset_info.json"
_STATE = "state.json"
_SPLITS = "dataset_dict.json"

_BATCH_BYTES = 64 * 2**20
_BATCH_ROWS = 1000

_DESCRIPTION = (
    "Trajectories of the Python package imitation, one per row. The cells of obs, acts "
    "and rews are .npy files: np.load(io.BytesIO(cell)). The infos are JSON, one text "
    "per step."
)


def save(path: AnyPath, trajectories: Iterable[Trajectory]) -> None:
    """Saves a sequence of trajectories to disk as a HuggingFace data set.

    Arrays keep dtype and shape exactly. Infos are stored as JSON, so NumPy arrays in
    them come back as lists. The write is atomic.

    Args:
        path: the directory to write. A data set that is there is replaced, even one
            that `trajectories` was loaded from.
        trajectories: trajectories with the same spaces, at least one. They are read
            once, in order, and may be more than fits into memory.

    Raises:
        DataError: there is no trajectory, or something that is not one; some have
            rewards but not all; observations or actions differ in keys, shape or dtype;
            an info is not JSON; or `path` holds something other than a data set.
            Nothing is written then.
    """
    # Before anything is written: the swap at the end would delete what is there.
    _check_replaceable(path)
    with artifacts.replacing_directory(path) as directory:
        layout, n_episodes, n_steps = _write_table(directory / _TABLE, trajectories)
        spaces = {
            name: {"dtype": dtype.str, "shape": list(shape)}
            for name, (dtype, shape) in layout.spaces.items()
        }
        card = {
            "format": "imitation trajectories",
            "format_version": columns.FORMAT_VERSION,
            "episodes": n_episodes,
            "steps": n_steps,
            "rewards": layout.has_rewards,
            "spaces": spaces,
        }
        artifacts.write_json(directory / _CARD, card)
        artifacts.write_json(directory / _INFO, _dataset_info(layout))
        state: dict[str, object] = {
            "_data_files": [{"filename": _TABLE}],
            # Names the cached results of Dataset.map: equal only for equal data.
            "_fingerprint": secrets.token_hex(8),
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": None,
        }
        artifacts.write_json(directory / _STATE, state)


def load(path: AnyPath, *, allow_pickle: bool = False) -> Sequence[Trajectory]:
    """Loads a sequence of trajectories saved by ``save`` from `path`.

    Args:
        path: a directory written by ``save`` of this or the 1.0 release, an episode
            that DAgger collected, or a ``.pkl`` or ``.npz`` file of an older release.
        allow_pickle: read such old files. They are pickles: **whoever made the file can
            run any code on your machine while it is read.** Set this only for files
            that you or someone you trust wrote, and convert them once with
            ``imitation convert``. Directories never need it.

    Returns:
        For a directory a ``TrajectoryDatasetSequence``, which is memory-mapped: opening
        reads no data, ``[i]`` reads one trajectory. For an old file a list.

    Raises:
        UnsafeLoadError: an old file, and `allow_pickle` was not set.
        ArtifactError: `path` is missing, damaged, or not a data set of trajectories.
    """
    location = pathlib.Path(os.fsdecode(path)).absolute()
    if not location.exists():
        raise ArtifactError(f"no data set of trajectories at {location}: no such file")
    if episode_files.is_episode(location):
        return [episode_files.read_episode(location)]
    if not location.is_dir():
        return legacy.load_file(location, allow_pickle=allow_pickle)
    _check_is_dataset(location)
    with _naming(location):
        return _open(location)


def load_with_rewards(
    path: AnyPath, *, allow_pickle: bool = False
) -> Sequence[TrajectoryWithRew]:
    """Loads a sequence of trajectories with rewards.

    Args:
        path: as for ``load``.
        allow_pickle: as for ``load``: it lets the file run code.

    Returns:
        As for ``load``.

    Raises:
        UnsafeLoadError: as for ``load``.
        ArtifactError: as for ``load``, or there are no rewards.
    """
    trajectories = load(path, allow_pickle=allow_pickle)
    # The table's columns tell; asking each trajectory would read all data.
    if isinstance(trajectories, TrajectoryDatasetSequence):
        complete = trajectories.has_rewards
    else:
        complete = all(isinstance(t, TrajectoryWithRew) for t in trajectories)
    if not complete:
        raise ArtifactError(
            "Expected all trajectories to be of type `TrajectoryWithRew`, but found "
            f"Trajectory: {os.fsdecode(path)} has no rewards; use load(), or save "
            "trajectories that have them"
        )
    return cast("Sequence[TrajectoryWithRew]", trajectories)


def _check_replaceable(path: AnyPath) -> None:
    """Refuses to delete anything that is not a data set."""
    location = pathlib.Path(os.fsdecode(path)).absolute()
    if not location.exists():
        return
    advice = "choose another path, or remove it first"
    if not location.is_dir():
        raise DataError(f"{location} is a file, expected a directory to save; {advice}")
    known = {_CARD, _INFO, _STATE}
    names = sorted(entry.name for entry in location.iterdir())
    foreign = [n for n in names if n not in known and not n.endswith(".arrow")]
    if foreign or (names and _STATE not in names):
        raise DataError(
            f"{location} is not a data set that saving may replace: it holds "
            f"{(foreign or names)[0]}; {advice}"
        )


def _write_table(
    file: pathlib.Path, trajectories: Iterable[Trajectory]
) -> tuple[columns.Layout, int, int]:
    """Writes the Arrow stream; returns the layout, numbers of episodes and steps."""
    episodes = iter(trajectories)
    first = next(episodes, None)
    if first is None:
        raise DataError("expected at least one trajectory to save, got none")
    layout = columns.Layout.of(first, "episode 0")
    n_episodes = n_steps = 0
    with (
        pa.OSFile(os.fspath(file), "wb") as sink,
        pa.ipc.new_stream(sink, layout.schema) as stream,
    ):
        for batch in _batches(itertools.chain([first], episodes), layout):
            stream.write_batch(columns.record_batch(batch, layout, n_episodes))
            n_episodes += len(batch)
            n_steps += sum(map(len, batch))
    return layout, n_episodes, n_steps


def _batches(
    trajectories: Iterator[Trajectory], layout: columns.Layout
) -> Iterator[list[Trajectory]]:
    """Checks trajectories and groups them, so that memory use is bounded."""
    batch: list[Trajectory] = []
    size = 0
    for episode, trajectory in enumerate(trajectories):
        layout.check_same(columns.Layout.of(trajectory, f"episode {episode}"))
        batch.append(trajectory)
        size += sum(a.nbytes for a in columns.array_columns(trajectory).values())
        # Bounded in bytes for images, in rows for short episodes.
        if size >= _BATCH_BYTES or len(batch) == _BATCH_ROWS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _dataset_info(layout: columns.Layout) -> dict[str, object]:
    """Describes the features as ``datasets`` does, without importing it."""
    cell = {"dtype": "large_binary", "_type": "Value"}
    texts = {"dtype": "large_string", "_type": "Value"}
    others = {
        "infos": {"feature": texts, "_type": "LargeList"},
        **{name: {"dtype": "bool", "_type": "Value"} for name in columns.FLAGS},
    }
    features = {name: others.get(name, cell) for name in layout.schema.names}
    return {
        "citation": "",
        "description": _DESCRIPTION,
        "features": features,
        "homepage": "",
        "license": "",
    }


def _check_is_dataset(location: pathlib.Path) -> None:
    if (location / _SPLITS).exists():
        splits = artifacts.read_json(location / _SPLITS)
        names = splits.get("splits") if isinstance(splits, dict) else None
        raise ArtifactError(
            f"{location} is a dictionary of data sets; load one of them, such as "
            f"{location / str(names[0] if names else 'train')}"
        )
    for name in (_INFO, _STATE):
        if not (location / name).is_file():
            found = sorted(entry.name for entry in location.iterdir())[:3]
            raise ArtifactError(
                f"{location} is not a data set of trajectories: it has no {name} "
                f"({'it holds ' + ', '.join(found) if found else 'it is empty'})"
            )


def _open(location: pathlib.Path) -> TrajectoryDatasetSequence:
    import datasets

    # Release 1.0 wrote none, and Dataset.save_to_disk does not copy it.
    has_card = (location / _CARD).exists()
    card = artifacts.read_json(location / _CARD) if has_card else {}
    if not isinstance(card, dict):
        raise ArtifactError(f"{_CARD} is not a JSON object")
    if card.get("format_version", 0) > columns.FORMAT_VERSION:
        raise ArtifactError(
            f"format version {card['format_version']} is newer than "
            f"{columns.FORMAT_VERSION}, which this release reads; upgrade imitation"
        )
    sequence = TrajectoryDatasetSequence(
        datasets.Dataset.load_from_disk(os.fspath(location), keep_in_memory=False)
    )
    expected = card.get("episodes", len(sequence))
    if len(sequence) != expected:
        raise ArtifactError(
            f"it holds {len(sequence)} episodes, expected {expected}; it was truncated"
        )
    return sequence


@contextlib.contextmanager
def _naming(location: pathlib.Path) -> Iterator[None]:
    """Turns whatever a damaged data set makes the readers raise into one error."""
    try:
        yield
    except (
        OSError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        pa.ArrowException,
    ) as error:
        raise ArtifactError(
            f"cannot read the data set of trajectories at {location}: {reason(error)}"
        ) from error
