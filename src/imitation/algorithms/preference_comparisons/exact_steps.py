"""Training for a given number of steps, where algorithms take whole rollouts."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

__all__ = ["ExactSteps"]


class ExactSteps:
    """Keeps the steps that an algorithm takes to those asked for.

    An on-policy algorithm takes full rollouts and, where these do not add up, one or
    two shorter ones at the end. What remains in any case, such as less than a step of
    each environment, or an episode that an off-policy algorithm goes on with, counts
    for the next time.

    Args:
        algorithm: the algorithm.
    """

    def __init__(self, algorithm: BaseAlgorithm) -> None:
        self._algorithm = algorithm
        self.owed = 0
        """Steps asked for that were not taken; negative if more were taken."""

    def learn(self, learn: Callable[..., Any], steps: int, **kwargs: Any) -> None:
        """Lets the algorithm take steps.

        Args:
            learn: called, maybe several times, with the number of steps to take.
            steps: how many.
            **kwargs: further arguments of `learn`.
        """
        self.owed += steps
        before = self._algorithm.num_timesteps
        n_envs = self._algorithm.n_envs
        for size, n_rollouts in self._rollouts(self.owed // n_envs):
            with _rollout_size(self._algorithm, size):
                learn(n_rollouts * size * n_envs, **kwargs)
        self.owed -= self._algorithm.num_timesteps - before

    def _rollouts(self, steps: int) -> list[tuple[int, int]]:
        """Sizes of rollouts in steps of all environments, and numbers of each."""
        if steps <= 0:
            return []
        if not isinstance(self._algorithm, OnPolicyAlgorithm):
            return [(steps, 1)]
        full = self._algorithm.n_steps
        n_full, rest = divmod(steps, full)
        if not rest:
            return [(full, n_full)]
        if not n_full:
            return [(rest, 1)]
        # Two of half the size: what is learned from a few steps does harm.
        half = (full + rest) // 2
        sizes = [(full, n_full - 1), (full + rest - half, 1), (half, 1)]
        return [(size, number) for size, number in sizes if number]


@contextlib.contextmanager
def _rollout_size(algorithm: BaseAlgorithm, size: int) -> Iterator[None]:
    """Lets an on-policy algorithm take rollouts of another size within a block."""
    if not isinstance(algorithm, OnPolicyAlgorithm) or size == algorithm.n_steps:
        yield
        return
    full, buffer = algorithm.n_steps, algorithm.rollout_buffer
    small = copy.copy(buffer)
    small.buffer_size = size
    if hasattr(small, "hidden_state_shape"):  # of recurrent policies: time first
        small.hidden_state_shape = (size, *small.hidden_state_shape[1:])
    small.reset()
    algorithm.n_steps, algorithm.rollout_buffer = size, small
    try:
        yield
    finally:
        algorithm.n_steps, algorithm.rollout_buffer = full, buffer
