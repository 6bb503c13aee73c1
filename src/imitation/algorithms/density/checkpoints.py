"""Saving density-based imitation: a reward and policy to use, states to resume.

A checkpoint directory holds ``{<steps, 12 digits>|final}/density`` (a `DensityReward`)
and ``policy/model.zip``, and ``latest/``, from which an interrupted training continues.
"""

from typing import TYPE_CHECKING

from imitation.algorithms.density import state
from imitation.util import artifacts
from imitation.util.paths import AnyPath, parse_path

if TYPE_CHECKING:
    from imitation.algorithms.density.trainer import DensityAlgorithm

__all__ = ["Checkpoints"]

LATEST = "latest"


class Checkpoints:
    """Saves a trainer.

    Args:
        trainer: what to save.
        directory: where to; None saves nothing.
    """

    def __init__(self, trainer: "DensityAlgorithm", directory: AnyPath | None) -> None:
        self._trainer = trainer
        self._directory = None if directory is None else parse_path(directory)

    def resume(self) -> int:
        """Puts the trainer into the newest saved state.

        Returns:
            The number of environment steps trained for; 0 if nothing was saved.
        """
        if self._directory is None or not (self._directory / LATEST).is_dir():
            return 0
        state.load(self._trainer, self._directory / LATEST)
        return self._trainer.steps_trained

    def save(self, name: str) -> None:
        """Saves reward and policy to a subdirectory, and the state."""
        if self._directory is None:
            return
        trainer = self._trainer
        with artifacts.replacing_directory(self._directory / name) as directory:
            trainer.reward.save(directory / "density")
            (directory / "policy").mkdir()
            trainer._algorithm().save(directory / "policy" / "model.zip")
        state.save(trainer, self._directory / LATEST)
