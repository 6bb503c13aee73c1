"""Trajectories from ``.npz`` files of plain arrays."""

import os
import pathlib
import zipfile

import numpy as np

from imitation.data.importers.arrays import from_mapping
from imitation.data.importers.episodes import FinalObs
from imitation.data.types import AnyPath, Trajectory
from imitation.errors import DataError

Array = np.ndarray


def from_npz(path: AnyPath, *, final_obs: FinalObs = "error") -> list[Trajectory]:
    """Reads arrays from an ``.npz`` file without unpickling anything.

    Args:
        path: a file of the arrays that ``from_mapping`` takes.
        final_obs: as for ``from_arrays``.

    Returns:
        The trajectories.

    Raises:
        DataError: as for ``from_mapping``; or the file is missing, damaged or holds
            Python objects. The message names the file.
    """
    name = os.fsdecode(path)
    key, data = "", {}
    try:
        with (
            pathlib.Path(name).open("rb") as file,
            np.load(file, allow_pickle=False) as archive,
        ):
            for key in archive.files:
                data[key] = np.asarray(archive[key])
    except (OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise DataError(f"cannot read {name} as .npz: {error}") from error
    except ValueError as error:
        if "pickle" in str(error):
            raise DataError(
                f"{name}: {key} holds Python objects, which reading would unpickle; "
                "save it as an array of numbers"
            ) from error
        raise DataError(f"cannot read {name} as .npz: {error}") from error
    return from_mapping(data, final_obs=final_obs, source=name)
