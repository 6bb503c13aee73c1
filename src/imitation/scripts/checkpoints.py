"""Policies saved while an agent trains, and found again when the run is resumed."""

import pathlib
import zipfile
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize

from imitation.util import artifacts
from imitation.util.progress import progress_bar

__all__ = ["PolicyCheckpoints", "ProgressBar"]

_NORMALIZATION = "reward_normalization.json"


class PolicyCheckpoints(BaseCallback):
    """Saves the agent to ``directory/<steps, 12 digits>/model.zip`` at an interval.

    Args:
        directory: where the policies go.
        interval: environment steps between two of them; 0 or less saves none.
        normalizer: running statistics of the reward to save beside the agent.
    """

    def __init__(
        self, directory: pathlib.Path, interval: int, normalizer: VecNormalize | None
    ) -> None:
        super().__init__()
        self.directory = directory
        self.interval = interval
        self.normalizer = normalizer
        self._last = 0

    def save(self, model: BaseAlgorithm, name: str) -> None:
        """Saves the agent to ``directory/name``, all of it or nothing."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with artifacts.replacing_directory(self.directory / name) as temporary:
            model.save(temporary / "model.zip")
            if self.normalizer is not None:
                state = _normalization_state(self.normalizer)
                artifacts.write_json(temporary / _NORMALIZATION, state)

    def newest(self) -> pathlib.Path | None:
        """Returns the directory of the last readable checkpoint, if there is one."""
        final = self.directory / "final"
        pattern = "[0-9]" * 12
        numbered = sorted(self.directory.glob(pattern), reverse=True)
        for path in [final, *numbered]:
            if zipfile.is_zipfile(path / "model.zip"):
                return path
        return None

    def restore_normalization(self, checkpoint: pathlib.Path) -> None:
        """Puts the reward statistics of a checkpoint back."""
        path = checkpoint / _NORMALIZATION
        if self.normalizer is not None and path.is_file():
            _restore_normalization(self.normalizer, artifacts.read_json(path))

    def _on_training_start(self) -> None:
        """Counts the interval from where training starts."""
        self._last = self.model.num_timesteps

    def _on_step(self) -> bool:
        """Saves when the interval has passed."""
        due = self.num_timesteps - self._last >= self.interval
        if self.interval > 0 and due:
            self._last = self.num_timesteps
            self.save(self.model, f"{self.num_timesteps:012d}")
        return True


class ProgressBar(BaseCallback):
    """Shows the environment steps of the training.

    Args:
        total: how many steps make the whole training.
    """

    def __init__(self, total: int) -> None:
        super().__init__()
        self.total = total

    def _on_training_start(self) -> None:
        """Opens the bar where training starts."""
        done = self.model.num_timesteps
        self._bar = progress_bar(self.total, "training", "step", initial=done)

    def _on_step(self) -> bool:
        """Advances the bar."""
        self._bar.update(min(self.num_timesteps, self.total) - self._bar.n)
        return True

    def _on_training_end(self) -> None:
        """Closes the bar."""
        self._bar.close()


def _normalization_state(normalizer: VecNormalize) -> dict[str, Any]:
    """The running statistics of the reward as JSON values."""
    statistics = normalizer.ret_rms
    return {
        "mean": float(statistics.mean),
        "var": float(statistics.var),
        "count": float(statistics.count),
    }


def _restore_normalization(normalizer: VecNormalize, state: dict[str, Any]) -> None:
    """The inverse of `_normalization_state`."""
    normalizer.ret_rms.mean = np.asarray(state["mean"])
    normalizer.ret_rms.var = np.asarray(state["var"])
    normalizer.ret_rms.count = float(state["count"])
