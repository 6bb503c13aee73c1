"""Calling ``learn`` of a Stable-Baselines3 algorithm again and again, in rounds."""

import contextlib
import operator
from collections.abc import Iterator
from typing import cast

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

from imitation.errors import ConfigError

__all__ = [
    "as_callbacks",
    "default_train_timesteps",
    "optimizers_of",
    "progress_over",
    "timesteps_of_round",
]


def default_train_timesteps(algo: BaseAlgorithm, num_envs: int) -> int:
    """Returns the environment steps between two updates of an algorithm.

    Args:
        algo: on- or off-policy.
        num_envs: number of environments.

    Returns:
        A whole rollout for on-policy algorithms; for off-policy ones the steps of one
        collection, which is one vector step unless `train_freq` says otherwise.
    """
    if isinstance(algo, OnPolicyAlgorithm):
        return algo.n_steps * num_envs
    if isinstance(algo, OffPolicyAlgorithm):
        algo._convert_train_freq()  # to a TrainFreq, as the start of `learn` does
        train_freq = cast(TrainFreq, algo.train_freq)
        if train_freq.unit == TrainFrequencyUnit.STEP:
            return train_freq.frequency * num_envs
        return num_envs
    raise ConfigError(
        f"{type(algo).__name__} is neither on- nor off-policy, so there is no default "
        "length of a round; pass gen_train_timesteps"
    )


def timesteps_of_round(algo: BaseAlgorithm, num_envs: int, timesteps: int) -> int:
    """Returns the environment steps that ``algo.learn(timesteps)`` really takes.

    Args:
        algo: on- or off-policy.
        num_envs: number of environments.
        timesteps: the number that is asked for.

    Returns:
        The next multiple of what the algorithm collects at a time.
    """
    if not isinstance(algo, OnPolicyAlgorithm | OffPolicyAlgorithm):
        return timesteps
    unit = default_train_timesteps(algo, num_envs)
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
