"""Bring your own demonstrations: other formats to trajectories, and to Minari.

- ``import_trajectories(source)`` recognizes what `source` is and reads it.
- ``from_arrays``, ``from_mapping``: NumPy arrays, as lists of episodes or end to end.
- ``from_npz``, ``from_hdf5``, ``from_minari``, ``from_huggingface``: files and
  directories.
- ``export_minari``: trajectories to a Minari data set.

Every reader checks all episodes. Malformed data is a ``DataError`` that names the
source, the episode and the key. Nothing here unpickles, except
``import_trajectories(..., allow_pickle=True)``.
"""

from imitation.data.importers.arrays import from_arrays, from_mapping
from imitation.data.importers.hdf5 import from_hdf5
from imitation.data.importers.huggingface import from_huggingface
from imitation.data.importers.minari import export_minari, from_minari
from imitation.data.importers.npz import from_npz
from imitation.data.importers.recognize import (
    FORMATS,
    import_trajectories,
    stream_trajectories,
)

__all__ = [
    "FORMATS",
    "export_minari",
    "from_arrays",
    "from_hdf5",
    "from_huggingface",
    "from_mapping",
    "from_minari",
    "from_npz",
    "import_trajectories",
    "stream_trajectories",
]
