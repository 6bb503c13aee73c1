"""Choosing pairs of fragments to compare."""

import abc
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from imitation.algorithms.preference_comparisons.fragments import cut
from imitation.algorithms.preference_comparisons.stateful import Stateful
from imitation.data import types
from imitation.errors import DataError
from imitation.util import logger as imit_logger
from imitation.util import seeding

__all__ = ["Fragmenter", "RandomFragmenter"]


class Fragmenter(Stateful, abc.ABC):
    """Makes pairs of fragments out of trajectories.

    Args:
        custom_logger: where to log to; None makes a new logger.
    """

    logger: imit_logger.HierarchicalLogger

    def __init__(
        self, custom_logger: imit_logger.HierarchicalLogger | None = None
    ) -> None:
        self.logger = custom_logger or imit_logger.configure()

    @abc.abstractmethod
    def __call__(
        self,
        trajectories: Sequence[types.TrajectoryWithRew],
        fragment_length: int,
        num_pairs: int,
    ) -> Sequence[types.TrajectoryWithRewPair]:
        """Makes pairs of fragments.

        Args:
            trajectories: what to cut them from.
            fragment_length: steps of each fragment.
            num_pairs: how many pairs.

        Returns:
            The pairs.
        """


class RandomFragmenter(Fragmenter):
    """Samples fragments uniformly at random, with replacement.

    Each fragment lies within one trajectory, chosen with a probability proportional to
    its length. So steps at the beginning and the end of a trajectory come up less often
    than others, and trajectories shorter than a fragment never.

    Args:
        rng: decides; None for fresh entropy.
        warning_threshold: warn if there are fewer than this many times the steps that
            are sampled; 0 never warns.
        custom_logger: where to log to; None makes a new logger.
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        warning_threshold: int = 10,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(custom_logger)
        self.rng: np.random.Generator = seeding.make_rng(rng)
        self.warning_threshold = warning_threshold

    def __call__(
        self,
        trajectories: Sequence[types.TrajectoryWithRew],
        fragment_length: int,
        num_pairs: int,
    ) -> Sequence[types.TrajectoryWithRewPair]:
        """Samples pairs; see `Fragmenter.__call__`.

        Raises:
            DataError: no trajectory is long enough, or a number is not positive.
        """
        if fragment_length < 1 or num_pairs < 0:
            raise DataError(
                "expected a positive fragment_length and num_pairs not negative, got "
                f"{fragment_length} and {num_pairs}"
            )
        usable = [t for t in trajectories if len(t) >= fragment_length]
        if not usable:
            raise DataError(
                "No trajectories are long enough for the desired fragment length of "
                f"{fragment_length}."
            )
        lengths = np.array([len(t) for t in usable])
        self._report(len(trajectories), lengths, fragment_length, num_pairs)
        chosen = self.rng.choice(
            len(usable), size=2 * num_pairs, p=lengths / lengths.sum()
        )
        starts = self.rng.integers(lengths[chosen] - fragment_length, endpoint=True)
        fragments = [
            cut(usable[i], start, start + fragment_length)
            for i, start in zip(chosen.tolist(), starts.tolist(), strict=True)
        ]
        return list(zip(fragments[::2], fragments[1::2], strict=True))

    def _report(
        self,
        n_given: int,
        lengths: npt.NDArray[np.int64],
        fragment_length: int,
        num_pairs: int,
    ) -> None:
        """Logs what may surprise about the sample."""
        if n_given > len(lengths):
            self.logger.log(
                f"Discarded {n_given - len(lengths)} out of {n_given} trajectories "
                "because they are shorter than the desired length of "
                f"{fragment_length}."
            )
        wanted, available = 2 * num_pairs * fragment_length, int(lengths.sum())
        if self.warning_threshold and wanted > available:
            self.logger.warn(
                f"Fewer transitions available ({available}) than needed for desired "
                f"number of fragment pairs ({wanted}). Some transitions will appear "
                "multiple times."
            )
        elif available < self.warning_threshold * wanted:
            self.logger.warn(
                f"Samples will contain {wanted} transitions in total and only "
                f"{available} are available. Because we sample with replacement, a "
                "significant number of transitions are likely to appear multiple times."
            )
