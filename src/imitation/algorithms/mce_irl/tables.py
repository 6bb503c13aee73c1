"""Tables of what a training of MCE IRL has learned, to look at and to report."""

import dataclasses
import os
import pathlib

from imitation.envs.tabular.layouts import Array
from imitation.errors import ArtifactError
from imitation.util import artifacts
from imitation.util.paths import AnyPath


@dataclasses.dataclass(frozen=True)
class Tables:
    """The results of a training by state; arrays are float64 of shape ``(S,)``."""

    reward: Array
    """The learned reward."""

    true_reward: Array
    """The environment's reward, a mean over actions if it depends on them."""

    occupancy: Array
    """Mean discounted visits of the learned policy."""

    demo_occupancy: Array
    """Those of the demonstrations."""

    true_occupancy: Array
    """Those of the soft-optimal policy for the true reward."""

    grid: tuple[int, int] | None = None
    """Rows and columns if the states are the cells of a grid, row by row."""

    def save(self, directory: pathlib.Path) -> None:
        """Writes ``tables.safetensors`` and ``tables.json`` to a directory."""
        arrays = dataclasses.asdict(self)
        grid = arrays.pop("grid")
        artifacts.write_tensors(directory / "tables.safetensors", arrays)
        artifacts.write_json(directory / "tables.json", {"grid": grid})


def load_tables(path: AnyPath) -> Tables:
    """Loads the tables that `MCEIRL.export` has written.

    Args:
        path: the exported directory.

    Raises:
        ArtifactError: there are none, or they are damaged.
    """
    directory = pathlib.Path(os.fsdecode(path))
    tensors = artifacts.read_tensors(directory / "tables.safetensors")
    document = artifacts.read_json(directory / "tables.json")
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    grid = document.get("grid") if isinstance(document, dict) else None
    sizes = {array.shape for array in arrays.values()}
    names = {field.name for field in dataclasses.fields(Tables)} - {"grid"}
    if set(arrays) != names or len(sizes) != 1:
        raise ArtifactError(f"{directory} does not hold the tables of a training")
    return Tables(**arrays, grid=None if grid is None else (int(grid[0]), int(grid[1])))
