"""Saving adversarial training: rewards and policies to use, and states to resume.

A checkpoint directory holds ``{NNNNN|final|best}/reward_train.pt``, ``reward_test.pt``
(both saved reward networks) and ``gen_policy/model.zip``, and ``latest/``, from which
an interrupted training continues.
"""

import pathlib
from typing import TYPE_CHECKING

from imitation.algorithms.adversarial import state
from imitation.algorithms.adversarial.spectral import without_spectral_norm
from imitation.errors import ConfigError
from imitation.rewards.net_io import save_reward_net
from imitation.util import artifacts, rebuilding
from imitation.util.paths import AnyPath, parse_path

if TYPE_CHECKING:
    from imitation.algorithms.adversarial.common import AdversarialTrainer

__all__ = ["Checkpoints"]

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
        ConfigError: `directory` cannot be made.
    """

    def __init__(
        self, trainer: "AdversarialTrainer", directory: AnyPath | None, interval: int
    ) -> None:
        if directory is not None and interval >= 0:
            rebuilding.describe(without_spectral_norm(trainer.reward_train))
            _make_directory(parse_path(directory))
        self._trainer = trainer
        self._directory = None if directory is None else parse_path(directory)
        self._interval = interval

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
            self.save(f"{rounds:05d}")
            if self._directory is not None:
                state.save(self._trainer, self._directory / LATEST)

    def finish(self) -> None:
        """Saves the end of the training."""
        if self._interval < 0 or self._directory is None:
            return
        self.save("final")
        state.save(self._trainer, self._directory / LATEST)

    def save(self, name: str) -> None:
        """Saves rewards and policy to a subdirectory, atomically, if at all."""
        if self._directory is None or self._interval < 0:
            return
        with artifacts.replacing_directory(self._directory / name) as directory:
            _save_rewards(self._trainer, directory)
            (directory / "gen_policy").mkdir()
            self._trainer.gen_algo.save(directory / "gen_policy" / "model.zip")


def _make_directory(directory: pathlib.Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot save checkpoints in {directory}: {error.strerror}; pass another "
            "checkpoint_dir"
        ) from error


def _save_rewards(trainer: "AdversarialTrainer", directory: pathlib.Path) -> None:
    for name, net in (
        ("reward_train.pt", trainer.reward_train),
        ("reward_test.pt", trainer.reward_test),
    ):
        save_reward_net(without_spectral_norm(net), directory / name)
