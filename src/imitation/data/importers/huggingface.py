"""Trajectories from directories written by ``datasets``: data sets and their splits."""

import os
import pathlib
from collections.abc import Sequence

from imitation.data import serialize
from imitation.data.types import AnyPath, Trajectory
from imitation.errors import DataError
from imitation.util import artifacts


def from_huggingface(
    path: AnyPath, *, split: str | None = None
) -> Sequence[Trajectory]:
    """Opens a HuggingFace data set of trajectories on disk.

    Args:
        path: a directory written by ``serialize.save``, ``Dataset.save_to_disk`` or
            ``DatasetDict.save_to_disk``.
        split: which split of a ``DatasetDict``; may be left out if there is one.

    Returns:
        A lazy ``TrajectoryDatasetSequence``.

    Raises:
        DataError: `split` is needed, unknown or out of place.
        ArtifactError: the directory is missing, damaged, or holds no trajectories.
    """
    location = pathlib.Path(os.fsdecode(path))
    splits = location / "dataset_dict.json"
    if not splits.exists():
        if split is not None:
            raise DataError(f"{location} has no splits; leave out split={split!r}")
        return serialize.load(location)
    content = artifacts.read_json(splits)
    names = content.get("splits", []) if isinstance(content, dict) else []
    if split is None and len(names) == 1:
        split = names[0]
    if split is None or split not in names:
        raise DataError(
            f"{location} has the splits {', '.join(names) or 'none'}; choose one of "
            f"them, got {split!r}"
        )
    return serialize.load(location / split)
