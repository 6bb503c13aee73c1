"""What a training leaves: a reward and a policy to use, and tables to look at."""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np

from imitation.algorithms.mce_irl.planning import cumulative, occupancy, partition
from imitation.algorithms.mce_irl.trainer import MCEIRL
from imitation.envs.tabular.layouts import Array
from imitation.envs.tabular.model import read_model
from imitation.errors import ArtifactError
from imitation.rewards.serialize import save_reward_net
from imitation.util import artifacts
from imitation.util.paths import AnyPath

__all__ = ["Tables", "load_tables", "save_final"]


@dataclasses.dataclass(frozen=True)
class Tables:
    """What was learned, state by state; arrays are float64 of shape ``(S,)``."""

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


def save_final(trainer: MCEIRL, path: AnyPath) -> Tables:
    """Saves the end of a training as a directory, atomically.

    It holds ``reward_net.pt`` (a saved reward network), ``policy`` (a saved
    `TabularPolicy`), and ``tables.safetensors`` with ``tables.json``, which
    `load_tables` reads.

    Args:
        trainer: a trainer with demonstrations.
        path: the directory.

    Returns:
        The tables.
    """
    tables = _tables(trainer)
    arrays = dataclasses.asdict(tables)
    grid = arrays.pop("grid")
    with artifacts.replacing_directory(path) as directory:
        save_reward_net(trainer.reward_net, directory / "reward_net.pt")
        trainer.policy.save(directory / "policy")
        artifacts.write_tensors(directory / "tables.safetensors", arrays)
        artifacts.write_json(directory / "tables.json", {"grid": grid})
    return tables


def load_tables(path: AnyPath) -> Tables:
    """Loads the tables that `save_final` has written.

    Args:
        path: the directory.

    Returns:
        The tables.

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


def _tables(trainer: MCEIRL) -> Tables:
    env: Any = getattr(trainer.env, "unwrapped", trainer.env)
    model, discount = read_model(env), trainer.discount
    true_reward = model.reward(env.reward_matrix)
    assert trainer.demo_state_om is not None, "a trained trainer has demonstrations"

    def visits(reward: Array) -> Array:
        pi = partition(model, reward, discount)[2]
        return cumulative(occupancy(model, pi), discount)

    reward = trainer.rewards()
    height, width = (getattr(env, name, None) for name in ("height", "width"))
    grid = None
    if height is not None and width is not None and height * width == len(reward):
        grid = (int(height), int(width))
    return Tables(
        reward=reward,
        true_reward=np.broadcast_to(true_reward.mean(axis=0), reward.shape).copy(),
        occupancy=visits(reward[None]),
        demo_occupancy=trainer.demo_state_om,
        true_occupancy=visits(true_reward),
        grid=grid,
    )
