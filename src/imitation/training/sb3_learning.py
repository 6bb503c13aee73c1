"""Calling ``learn`` of a Stable-Baselines3 algorithm again and again, in rounds."""

import contextlib
import operator
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import (
    MaybeCallback,
    TrainFreq,
    TrainFrequencyUnit,
)
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.training.checkpoints import Checkpoints
from imitation.training.trainer import Trainer


def default_train_timesteps(algo: BaseAlgorithm) -> int:
    """Returns the environment steps between two updates of an algorithm.

    Args:
        algo: on- or off-policy.

    Returns:
        A whole rollout for on-policy algorithms; for off-policy ones the steps of one
        collection, which is one vector step unless `train_freq` says otherwise.
    """
    if isinstance(algo, OnPolicyAlgorithm):
        return algo.n_steps * algo.n_envs
    if isinstance(algo, OffPolicyAlgorithm):
        algo._convert_train_freq()  # to a TrainFreq, as the start of `learn` does
        train_freq = cast(TrainFreq, algo.train_freq)
        if train_freq.unit == TrainFrequencyUnit.STEP:
            return train_freq.frequency * algo.n_envs
        return algo.n_envs
    raise ConfigError(
        f"{type(algo).__name__} is neither on- nor off-policy, so there is no default "
        "length of a round; pass gen_train_timesteps"
    )


def timesteps_of_round(algo: BaseAlgorithm, timesteps: int) -> int:
    """Returns the environment steps that ``algo.learn(timesteps)`` really takes.

    Args:
        algo: on- or off-policy.
        timesteps: the number that is asked for.

    Returns:
        The next multiple of what the algorithm collects at a time.
    """
    if not isinstance(algo, OnPolicyAlgorithm | OffPolicyAlgorithm):
        return timesteps
    unit = default_train_timesteps(algo)
    return -(-timesteps // unit) * unit


@contextlib.contextmanager
def progress_over(algo: BaseAlgorithm, total_timesteps: int) -> Iterator[None]:
    """Makes schedules of an algorithm run over many calls of `learn`.

    `learn` would run a learning-rate or exploration schedule from its beginning to its
    end within each call.

    Args:
        algo: the algorithm.
        total_timesteps: environment steps from now after which its schedules shall end;
            beyond them, they stay at their end.
    """
    whole = max(1, algo.num_timesteps + total_timesteps)

    def update(num_timesteps: int, total_timesteps: int) -> None:
        del total_timesteps
        algo._current_progress_remaining = max(0.0, 1.0 - num_timesteps / whole)

    # Stable-Baselines3 has no other way: `learn` calls this method at every step. It
    # must not be saved with the algorithm, because it captures the environments.
    added = ["_update_current_progress_remaining", "_excluded_save_params"]
    excluded = [*algo._excluded_save_params(), *added]
    algo._update_current_progress_remaining = update  # type: ignore[method-assign]  # for this block
    algo._excluded_save_params = lambda: excluded  # type: ignore[method-assign]  # likewise
    try:
        yield
    finally:
        del algo._update_current_progress_remaining
        del algo._excluded_save_params


def optimizers_of(algo: BaseAlgorithm) -> Iterator[th.optim.Optimizer]:
    """Yields the optimizers of an algorithm, wherever it keeps them."""
    for path in algo._get_torch_save_params()[0]:
        found = operator.attrgetter(path)(algo)
        if isinstance(found, th.optim.Optimizer):
            yield found


def as_callbacks(callback: MaybeCallback) -> list[BaseCallback]:
    """Converts the ``callback`` of ``learn`` to a list of callbacks."""
    given = callback if isinstance(callback, list) else [callback]
    return [
        each if isinstance(each, BaseCallback) else ConvertCallback(each)
        for each in given
        if each is not None
    ]


class SaveBetweenRollouts(BaseCallback):
    """Counts a trainer's environment steps as its progress, and saves it when due.

    Between two rollouts, no update and no collected experience is half done.

    Args:
        trainer: the trainer of the algorithm.
        checkpoints: its own, with intervals in environment steps.
    """

    def __init__(self, trainer: Trainer, checkpoints: Checkpoints) -> None:
        super().__init__()
        self._trainer, self._checkpoints = trainer, checkpoints
        self._steps_before = 0

    @override
    def _on_training_start(self) -> None:
        # The algorithm may have been trained before it was given to the trainer.
        self._steps_before = self.num_timesteps - self._trainer.progress

    @override
    def _on_step(self) -> bool:
        self._trainer.progress = self.num_timesteps - self._steps_before
        return True

    @override
    def _on_rollout_start(self) -> None:
        if not self._checkpoints.after(self._trainer.progress):
            return
        # The state restarts episodes and holds the random numbers drawn so far. A
        # resumed `learn` resets the environments and draws exploration noise (gSDE)
        # before it comes here; this training does the same, to go on alike.
        algo: Any = self.model
        algo._last_obs = algo.env.reset()
        algo._last_episode_starts = np.ones(algo.n_envs, dtype=bool)
        if algo._vec_normalize_env is not None:
            algo._last_original_obs = algo._vec_normalize_env.get_original_obs()
        if algo.use_sde:
            noisy = algo.policy if isinstance(algo, OnPolicyAlgorithm) else algo.actor
            noisy.reset_noise(algo.n_envs)
