"""Where trajectories to compare come from."""

import abc
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from imitation.algorithms.preference_comparisons.stateful import Stateful
from imitation.data import types
from imitation.util import logger as imit_logger
from imitation.util import seeding

__all__ = ["TrajectoryDataset", "TrajectoryGenerator", "enough_of"]


class TrajectoryGenerator(Stateful, abc.ABC):
    """Generates trajectories, and may train an agent to do it.

    Args:
        custom_logger: where to log to; None makes a new logger.
    """

    _logger: imit_logger.HierarchicalLogger

    def __init__(
        self, custom_logger: imit_logger.HierarchicalLogger | None = None
    ) -> None:
        self.logger = custom_logger or imit_logger.configure()

    @abc.abstractmethod
    def sample(self, steps: int) -> Sequence[types.TrajectoryWithRew]:
        """Samples trajectories.

        Args:
            steps: the least number of steps of all together.

        Returns:
            The trajectories, with the rewards of the environment, not learned ones.
        """

    def train(self, steps: int, **kwargs: Any) -> None:
        """Trains the agent, if there is one.

        Args:
            steps: environment steps to train for.
            **kwargs: options of the kind of agent.
        """
        del steps, kwargs

    def restart_episodes(self, seed: int) -> None:
        """Starts new episodes in the environments, if there are any.

        Args:
            seed: decides them.
        """

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """Where it logs to."""
        return self._logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value


class TrajectoryDataset(TrajectoryGenerator):
    """A fixed set of trajectories, sampled whole and without replacement.

    Args:
        trajectories: what to sample from.
        rng: shuffles them; None for fresh entropy.
        custom_logger: where to log to; None makes a new logger.
    """

    def __init__(
        self,
        trajectories: Sequence[types.TrajectoryWithRew],
        rng: np.random.Generator | None = None,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(custom_logger)
        self._trajectories = trajectories
        self.rng: np.random.Generator = seeding.make_rng(rng)

    def sample(self, steps: int) -> Sequence[types.TrajectoryWithRew]:
        """Samples trajectories; see `TrajectoryGenerator.sample`.

        Raises:
            RuntimeError: there are not so many steps.
        """
        # Indices, because the data set may be lazy and larger than memory.
        order = self.rng.permutation(len(self._trajectories))
        return enough_of((self._trajectories[int(i)] for i in order), steps)


def enough_of(
    trajectories: Iterable[types.TrajectoryWithRew], steps: int
) -> list[types.TrajectoryWithRew]:
    """Takes the first trajectories that have enough steps together.

    Args:
        trajectories: to choose from, in order.
        steps: the least number of steps.

    Returns:
        As few of them as are enough.

    Raises:
        RuntimeError: all together have too few.
    """
    chosen: list[types.TrajectoryWithRew] = []
    if steps <= 0:
        return chosen
    available = 0
    for trajectory in trajectories:
        chosen.append(trajectory)
        available += len(trajectory)
        if available >= steps:
            return chosen
    raise RuntimeError(f"Asked for {steps} transitions but only {available} available")
