"""Reading demonstrations without saying what they are."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from imitation.data import serialize
from imitation.data.importers.episodes import FinalObs
from imitation.data.importers.hdf5 import read_hdf5
from imitation.data.importers.huggingface import from_huggingface
from imitation.data.importers.minari import read_minari
from imitation.data.importers.npz import from_npz
from imitation.data.storage import legacy
from imitation.data.types import AnyPath, Trajectory
from imitation.errors import ArtifactError, DataError

# What `format` may be: HuggingFace directories, Minari, HDF5 (robomimic or D4RL),
# ``.npz`` files of plain arrays, and ``.pkl`` and ``.npz`` files of releases before
# 1.0.
FORMATS = ("hf", "minari", "hdf5", "npz", "legacy")

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_MINARI_ID = re.compile(r"([\w-]+/)*[\w-]+-v\d+")


def import_trajectories(
    source: AnyPath,
    format: str | None = None,
    *,
    split: str | None = None,
    mask: str | None = None,
    final_obs: FinalObs = "error",
    allow_pickle: bool = False,
) -> Sequence[Trajectory]:
    """Reads demonstrations, recognizing what `source` is.

    Args:
        source: a file, a directory, or the id of a Minari data set on this machine.
        format: one of ``FORMATS``; None finds out from the content.
        split: the split of a HuggingFace ``DatasetDict``.
        mask: the filter of a robomimic file.
        final_obs: what to do where the last observation is missing: see
            ``episodes.FinalObs``.
        allow_pickle: read legacy files. **They can run any code that their maker put
            into them**; set it only for files you trust.

    Returns:
        The trajectories: lazy from a HuggingFace directory, else a list.

    Raises:
        DataError: `source` is malformed; the message names file, episode and key.
        ArtifactError: `source` is missing or nothing that can be read.
        UnsafeLoadError: a legacy file, and `allow_pickle` was not set.
    """
    read = _reader(source, format, split, mask, final_obs, allow_pickle)
    return read if isinstance(read, Sequence) else list(read)


def stream_trajectories(
    source: AnyPath,
    format: str | None = None,
    *,
    split: str | None = None,
    mask: str | None = None,
    final_obs: FinalObs = "error",
    allow_pickle: bool = False,
) -> Iterator[Trajectory]:
    """Like ``import_trajectories``, one episode after the other.

    Minari, robomimic and HuggingFace data larger than memory can be converted this way;
    an error in a later episode comes when that episode is reached.
    """
    return iter(_reader(source, format, split, mask, final_obs, allow_pickle))


def recognize(source: AnyPath) -> str:
    """Finds out what a source is, from its first bytes or the files it holds.

    Returns:
        One of ``FORMATS``.

    Raises:
        ArtifactError: it is missing, empty, or none of these.
    """
    path = pathlib.Path(os.fsdecode(source))
    if path.is_dir():
        return _recognize_directory(path)
    if not path.exists():
        if _MINARI_ID.fullmatch(os.fsdecode(source)):
            return "minari"
        raise ArtifactError(f"{path}: no such file, directory or Minari data set")
    with path.open("rb") as file:
        start = file.read(len(_HDF5_MAGIC))
    if start == _HDF5_MAGIC:
        return "hdf5"
    if legacy.is_pickle(path):
        return "legacy"
    if legacy.is_npz(path):
        # Damage is reported where the file is read.
        with (
            contextlib.suppress(Exception),
            path.open("rb") as file,
            np.load(file, allow_pickle=False) as archive,
        ):
            if {"terminal", "indices"} <= set(archive.files):
                return "legacy"
        return "npz"
    raise ArtifactError(
        f"{path} is {'empty' if not start else 'not a file of demonstrations'}; "
        "expected HDF5, .npz, a HuggingFace or Minari directory, or an old .pkl"
    )


def _recognize_directory(path: pathlib.Path) -> str:
    markers = {
        "state.json": "hf",
        "dataset_info.json": "hf",
        "dataset_dict.json": "hf",
        "data/metadata.json": "minari",
        "metadata.json": "minari",
    }
    for marker, kind in markers.items():
        if (path / marker).is_file():
            return kind
    # A few names show at a glance which directory was meant.
    names = sorted(entry.name for entry in path.iterdir())[:3]
    raise ArtifactError(
        f"{path} is neither a HuggingFace nor a Minari data set: it "
        f"{'holds ' + ', '.join(names) if names else 'is empty'}"
    )


def _reader(
    source: AnyPath,
    format: str | None,
    split: str | None,
    mask: str | None,
    final_obs: FinalObs,
    allow_pickle: bool,
) -> Any:
    name = os.fsdecode(source)
    kind = format or recognize(source)
    if kind not in FORMATS:
        raise DataError(f"unknown format {kind!r}; choose one of {', '.join(FORMATS)}")
    for option, value, home in (("split", split, "hf"), ("mask", mask, "hdf5")):
        if value is not None and kind != home:
            raise DataError(
                f"{option}={value!r} goes with the format {home}, but {name} is "
                f"{kind}; leave it out"
            )
    if kind == "hf":
        return from_huggingface(source, split=split)
    if kind == "minari":
        return read_minari(source)
    if kind == "hdf5":
        return read_hdf5(source, mask=mask, final_obs=final_obs)
    if kind == "npz":
        return from_npz(source, final_obs=final_obs)
    return serialize.load(source, allow_pickle=allow_pickle)
