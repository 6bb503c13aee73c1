"""Saying how far a study has come."""

import logging
import pathlib
import time
from typing import Any

from ray import tune

from imitation.scripts.studies.journal import write_error
from imitation.scripts.studies.trial import DIRECTORY

__all__ = ["Progress"]

_logger = logging.getLogger(__name__)


class Progress(tune.Callback):
    """Says after each trial how many have ended and how long the rest will take.

    Args:
        n_trials: of the whole study.
        n_before: how many of them had been finished before; they take no time.
    """

    def __init__(self, n_trials: int, n_before: int) -> None:
        self.n_trials = n_trials
        self.n_before = n_before
        self.n_ended = 0
        self.started = time.monotonic()

    def on_trial_complete(
        self, iteration: int, trials: list[Any], trial: Any, **info: Any
    ) -> None:
        """Says that a trial is finished."""
        self._tell(trial, "finished")

    def on_trial_error(
        self, iteration: int, trials: list[Any], trial: Any, **info: Any
    ) -> None:
        """Says that a trial failed, and keeps it where its worker could not."""
        directory = pathlib.Path(trial.config[DIRECTORY])
        if not (directory / "error.txt").exists():
            write_error(directory, _last_line(trial.error_file))
        self._tell(trial, "failed")

    def _tell(self, trial: Any, what: str) -> None:
        self.n_ended += 1
        name = pathlib.Path(trial.config[DIRECTORY]).name
        n_new = self.n_ended - self.n_before
        left = ""
        if n_new > 0 and self.n_ended < self.n_trials:
            seconds = (time.monotonic() - self.started) / n_new
            minutes = seconds * (self.n_trials - self.n_ended) / 60
            left = f", about {minutes:.1f} min left"
        _logger.info("%d/%d: %s %s%s", self.n_ended, self.n_trials, name, what, left)


def _last_line(error_file: str | None) -> str:
    """What Ray says about a worker that could not say anything itself."""
    path = pathlib.Path(error_file or "")
    lines = path.read_text("utf-8").split("\n") if path.is_file() else []
    text = next((line for line in reversed(lines) if line.strip()), "no reason given")
    return f"the worker died: {text}"
