"""Saving a training on preferences: a reward and policy to use, and states to resume.

A checkpoint directory holds ``{NNNN|final}/reward_net.pt`` (a saved reward network) and
``policy/model.zip`` (if an agent is trained), and ``latest/``, from which an
interrupted training continues.
"""

from typing import TYPE_CHECKING

from imitation.algorithms.preference_comparisons import state
from imitation.algorithms.preference_comparisons.agent import AgentTrainer
from imitation.rewards.net_io import save_reward_net
from imitation.util import artifacts, rebuilding
from imitation.util.paths import AnyPath, parse_path

if TYPE_CHECKING:
    from imitation.algorithms.preference_comparisons.trainer import (
        PreferenceComparisons,
    )

__all__ = ["Checkpoints", "save_agent", "save_results"]

LATEST = "latest"


class Checkpoints:
    """Saves a trainer now and then.

    Args:
        trainer: what to save.
        directory: where to; None saves nothing.
        interval: rounds between checkpoints; 0 saves only at the end, a negative
            number never.

    Raises:
        ArtifactError: the reward network cannot be saved; better now than at the end.
    """

    def __init__(
        self, trainer: "PreferenceComparisons", directory: AnyPath | None, interval: int
    ) -> None:
        self._trainer = trainer
        self._directory = None
        self._interval = interval
        if directory is not None and interval >= 0:
            rebuilding.describe(trainer.model)
            self._directory = parse_path(directory)

    def resume(self) -> int:
        """Puts the trainer into the newest saved state.

        Returns:
            The number of rounds done; 0 if nothing was saved.
        """
        if self._directory is None or not (self._directory / LATEST).is_dir():
            return 0
        state.load(self._trainer, self._directory / LATEST)
        return self._trainer.rounds_trained

    def after_round(self) -> None:
        """Saves if it is time."""
        rounds = self._trainer.rounds_trained
        if self._interval > 0 and rounds % self._interval == 0:
            self._save(f"{rounds:04d}")

    def finish(self) -> None:
        """Saves the end of the training."""
        if self._directory is not None:
            self._save("final")

    def _save(self, name: str) -> None:
        if self._directory is None:
            return
        save_results(self._trainer, self._directory / name)
        state.save(self._trainer, self._directory / LATEST)


def save_results(
    trainer: "PreferenceComparisons", path: AnyPath, *, with_policy: bool = True
) -> None:
    """Saves what was learned, to use it: ``reward_net.pt`` and ``policy/model.zip``.

    Args:
        trainer: what has learned.
        path: the directory to write, atomically.
        with_policy: save the policy too, if an agent is trained.
    """
    with artifacts.replacing_directory(path) as directory:
        save_reward_net(trainer.model, directory / "reward_net.pt")
        generator = trainer.trajectory_generator
        if with_policy and isinstance(generator, AgentTrainer):
            save_agent(generator, directory / "policy")


def save_agent(agent: AgentTrainer, path: AnyPath) -> None:
    """Saves the algorithm of an agent as ``model.zip``.

    Args:
        agent: whose algorithm.
        path: the directory to write, atomically.
    """
    with artifacts.replacing_directory(path) as directory:
        agent.algorithm.save(directory / "model.zip")
