"""Checkpoints while something trains, for the API and for every command.

A checkpoint directory holds ``{progress|final|best}/``, what a user takes away, and
``latest/``, the state from which an interrupted training continues.
"""

import math

from imitation.errors import ArtifactError, ConfigError
from imitation.training.trainer import Trainer
from imitation.util import artifacts
from imitation.util.paths import AnyPath, parse_path

LATEST, BEST, FINAL = "latest", "best", "final"
_SCORE = "score.json"


class Checkpoints:
    """Saves a trainer now and then.

    Args:
        trainer: what to save.
        directory: where to; None saves nothing.
        export_every: progress between exports; 0 exports only at the end, a negative
            number never.
        state_every: progress between states; 0 saves one with each export and at the
            end, a negative number never.

    Raises:
        ArtifactError: what is learned cannot be exported; better now than at the end.
        ConfigError: `directory` cannot be created.
    """

    def __init__(
        self,
        trainer: Trainer,
        directory: AnyPath | None,
        *,
        export_every: int = 0,
        state_every: int = 0,
    ) -> None:
        self._trainer = trainer
        self._directory = None if directory is None else parse_path(directory)
        self._export_every = export_every
        self._state_every = state_every
        self._seen = trainer.progress
        self._best = -math.inf
        # Commands pass a directory always, and negative intervals to disable saving.
        if self._directory is None or max(export_every, state_every) < 0:
            return
        if export_every >= 0:
            trainer.check_export()
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cannot save checkpoints in {self._directory}: {error.strerror}; pass "
                "another checkpoint_dir"
            ) from error

    def resume(self) -> int:
        """Loads the newest state, if there is one.

        Returns:
            The trainer's progress.

        Raises:
            ArtifactError: the state is damaged or of another trainer.
        """
        if self._directory is not None and (self._directory / LATEST).is_dir():
            self._trainer.load_state(self._directory / LATEST)
            score = self._directory / BEST / _SCORE
            if score.is_file():
                best = artifacts.read_json(score)
                if not isinstance(best, int | float):
                    raise ArtifactError(f"expected a number in {score}, got {best!r}")
                self._best = float(best)
        self._seen = self._trainer.progress
        return self._seen

    def after(self, progress: int) -> bool:
        """Saves what is due.

        Args:
            progress: the trainer's, at a moment when it can be saved.

        Returns:
            Whether a state was saved, which has started new episodes.
        """
        exports = self._passed(self._export_every, progress)
        saves = self._passed(self._state_every, progress)
        self._seen = progress
        if exports:
            self._export(f"{progress:0{self._trainer.digits}d}")
        return (saves or (exports and self._state_every >= 0)) and self.save()

    def save(self) -> bool:
        """Saves the state now, due or not.

        Returns:
            Whether there is a directory to save to.
        """
        if self._directory is not None:
            self._trainer.save(self._directory / LATEST)
        return self._directory is not None

    def keep_best(self, score: float) -> bool:
        """Exports the trainer as ``best`` if no score of this training was as high.

        The score lies beside the export, where `resume` finds it.

        Args:
            score: higher is better.

        Returns:
            Whether it was the best.
        """
        if not score > self._best:  # NaN is never the best
            return False
        self._best = score
        if self._export_every >= 0:
            self._export(BEST, score)
        return True

    def finish(self) -> None:
        """Saves the end of the training."""
        if self._export_every >= 0:
            self._export(FINAL)
        if self._state_every >= 0:
            self.save()

    def _passed(self, every: int, progress: int) -> bool:
        """Returns True if a multiple of `every` was reached since the last call.

        Progress may advance by more than one, and must mean the same after a resume.
        """
        return every > 0 and progress // every > self._seen // every

    def _export(self, name: str, score: float | None = None) -> None:
        if self._directory is None:
            return
        with artifacts.replacing_directory(self._directory / name) as directory:
            # Written beside its place and renamed: a kill leaves the old one or the new
            # one.
            self._trainer.export(directory)
            if score is not None:
                artifacts.write_json(directory / _SCORE, score)
