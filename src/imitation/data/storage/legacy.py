"""Reading the trajectory files of releases before 1.0: ``.pkl`` and ``.npz``.

Both hold pickles, which can run any code when they are read, so nothing here reads one
unless it is told to. ``imitation convert`` turns them into safe data sets once and for
all.
"""

import pathlib
import pickle
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from imitation.data.types import Trajectory, TrajectoryWithRew
from imitation.errors import ArtifactError, UnsafeLoadError, reason

_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"
_NPZ_KEYS = {"obs", "acts", "infos", "terminal", "indices"}


def is_npz(path: pathlib.Path) -> bool:
    """Returns True for a zip archive, as ``.npz`` files are."""
    return _starts_with(path, _ZIP_MAGIC)


def is_pickle(path: pathlib.Path) -> bool:
    """Returns True for a pickle of protocol 2 or later."""
    return _starts_with(path, _PICKLE_MAGIC)


def load_file(path: pathlib.Path, *, allow_pickle: bool) -> list[Trajectory]:
    """Reads a ``.pkl`` or ``.npz`` file of trajectories.

    Args:
        path: the file, recognized by its content.
        allow_pickle: read it although that can run any code its maker put into it.

    Returns:
        The trajectories.

    Raises:
        UnsafeLoadError: it is such a file, and `allow_pickle` is false.
        ArtifactError: it is another kind of file, damaged, or holds something else.
    """
    if not is_npz(path) and not is_pickle(path):
        raise ArtifactError(
            f"{path} is not a data set of trajectories; expected a directory written "
            "by serialize.save, or an old .pkl or .npz file; for other formats use "
            "imitation.data.importers.import_trajectories"
        )
    if not allow_pickle:
        raise UnsafeLoadError(
            f"{path} is an old pickled file, and reading it can run any code its maker "
            "put into it; if you trust it, run: imitation convert SOURCE DEST "
            "--allow-pickle"
        )
    warnings.warn(
        f"Loading the old file {path}; convert it with `imitation convert`.",
        DeprecationWarning,
        stacklevel=3,
    )
    trajectories = _load_npz(path) if is_npz(path) else _load_pickle(path)
    if not all(isinstance(trajectory, Trajectory) for trajectory in trajectories):
        raise ArtifactError(f"{path} holds something other than trajectories")
    return list(trajectories)


def _starts_with(path: pathlib.Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error


def _load_pickle(path: pathlib.Path) -> Sequence[Any]:
    try:
        with path.open("rb") as file:
            content = pickle.load(file)
    # Unpickling runs code from the file, so any exception may come out of it.
    except Exception as error:
        raise ArtifactError(f"cannot unpickle {path}: {reason(error)}") from error
    if not isinstance(content, Sequence):
        raise ArtifactError(
            f"{path} holds a {type(content).__name__}, expected a list of trajectories"
        )
    return content


def _load_npz(path: pathlib.Path) -> list[Trajectory]:
    """Reads arrays of all episodes in a row, cut at the steps named by ``indices``."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=True) as archive:
            content = {name: archive[name] for name in archive.files}
    # Unpickling runs code from the file, so any exception may come out of it.
    except Exception as error:
        raise ArtifactError(f"cannot read {path}: {reason(error)}") from error
    missing = sorted(_NPZ_KEYS - content.keys())
    if missing:
        raise ArtifactError(
            f"{path} is not an old file of trajectories: it has no "
            f"{', '.join(missing)}; if it holds plain arrays, use "
            "imitation.data.importers.import_trajectories"
        )
    try:
        return _cut(content)
    except (ValueError, IndexError, TypeError) as error:
        raise ArtifactError(f"cannot read {path}: {reason(error)}") from error


def _cut(content: dict[str, np.ndarray]) -> list[Trajectory]:
    # Ends of all episodes but the last, as np.split takes them.
    ends = content["indices"]
    # Each episode has one observation more than actions.
    obs = np.split(content["obs"], ends + np.arange(1, len(ends) + 1))
    acts = np.split(content["acts"], ends)
    infos: Sequence[Any] = [None] * len(acts)
    if content["infos"].ndim:
        infos = np.split(content["infos"], ends)
    parts = zip(obs, acts, infos, content["terminal"].tolist(), strict=True)
    if "rews" not in content:
        return [Trajectory(*part) for part in parts]
    rews = np.split(content["rews"], ends)
    return [
        TrajectoryWithRew(*part, rewards)
        for part, rewards in zip(parts, rews, strict=True)
    ]
