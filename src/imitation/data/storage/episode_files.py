"""One episode in one ``.npz`` file: typed arrays and a JSON header, never a pickle.

This is how episodes are kept while they are being collected: writing one costs a third
of a millisecond plus its bytes, is atomic, and any NumPy can read it with
``np.load(path)``. Whole data sets are written by `imitation.data.serialize`.

A file holds ``header`` (JSON text), ``acts [T]``, ``rews [T]`` if there are rewards,
and ``obs [T + 1]``; with dictionary observations ``obs_0``, ``obs_1``, ... in the order
of the header's ``obs_keys``. Info dictionaries are not kept.
"""

import json
import os
import pathlib
import zipfile
import zlib

import numpy as np

from imitation.data import types
from imitation.errors import ArtifactError, DataError
from imitation.util import artifacts
from imitation.util.artifacts import JSON

FORMAT = "imitation.episode"
FORMAT_VERSION = 1

Array = np.ndarray


def write_episode(path: types.AnyPath, trajectory: types.Trajectory) -> None:
    """Writes an episode, atomically and durably.

    Args:
        path: the file, by convention ending in ``.npz``; replaced if it exists.
        trajectory: the episode, with or without rewards. Its infos are dropped.
    """
    obs_keys = None
    arrays = {"acts": trajectory.acts}
    if isinstance(trajectory, types.TrajectoryWithRew):
        arrays["rews"] = trajectory.rews
    if isinstance(trajectory.obs, types.DictObs):
        obs_keys = list(trajectory.obs.keys())
        for i, value in enumerate(trajectory.obs.values()):
            arrays[f"obs_{i}"] = value
    else:
        arrays["obs"] = trajectory.obs
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "terminal": bool(trajectory.terminal),
        "truncated": bool(trajectory.truncated),
        "obs_keys": obs_keys,
    }
    text = np.array(json.dumps(header))
    with artifacts.replacing_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, header=text, **arrays)


def is_episode(path: types.AnyPath) -> bool:
    """Returns whether a path is a complete file written by `write_episode`."""
    file = pathlib.Path(os.fsdecode(path))
    if not file.is_file():
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            return "header.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def read_episode(path: types.AnyPath) -> types.Trajectory:
    """Reads an episode.

    Args:
        path: a file written by `write_episode`.

    Returns:
        The episode: a `TrajectoryWithRew` if it has rewards; infos are None. Dtypes and
        shapes are those that were written.

    Raises:
        ArtifactError: the file is missing, truncated or another kind of file.
        DataError: its arrays are not an episode.
    """
    name = os.fsdecode(path)
    try:
        # np.load would leave a damaged file open if it opened it itself.
        with open(name, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        header = json.loads(str(arrays["header"]))
        if (header["format"], header["format_version"]) != (FORMAT, FORMAT_VERSION):
            raise ValueError(
                f"its format is {header['format']!r} {header['format_version']}, "
                f"expected {FORMAT!r} {FORMAT_VERSION}"
            )
    except _UNREADABLE as error:
        raise ArtifactError(
            f"{name} is not a complete episode file: {type(error).__name__} {error}; "
            "remove it or write it again"
        ) from error
    try:
        return _trajectory(arrays, header)
    except (DataError, KeyError) as error:
        raise DataError(f"{name} does not hold an episode: {error}") from error


_UNREADABLE = (
    EOFError,
    KeyError,
    OSError,
    TypeError,  # np.load returns a bare array for an .npy file
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def _trajectory(arrays: dict[str, Array], header: dict[str, JSON]) -> types.Trajectory:
    obs: types.Observation
    keys = header["obs_keys"]
    if keys is None:
        obs = arrays["obs"]
    else:
        obs = types.DictObs({k: arrays[f"obs_{i}"] for i, k in enumerate(keys)})
    acts, terminal = arrays["acts"], bool(header["terminal"])
    truncated = bool(header.get("truncated", False))  # absent from older files
    if "rews" not in arrays:
        return types.Trajectory(obs, acts, None, terminal, truncated=truncated)
    return types.TrajectoryWithRew(
        obs, acts, None, terminal, arrays["rews"], truncated=truncated
    )
