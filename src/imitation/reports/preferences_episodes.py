"""What a learned reward makes of whole episodes, and which fragments it likes best."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from imitation.algorithms.preference_comparisons import PreferenceModel
from imitation.data import rollout, types
from imitation.errors import DataError
from imitation.reports.statistics import Interval
from imitation.rewards.reward_nets import RewardNet
from imitation.util import networks, seeding, tensors

__all__ = [
    "RankedFragment",
    "correlation",
    "extreme_fragments",
    "learned_rewards",
    "rank_correlation",
]

Floats = npt.NDArray[np.float64]

_N_RESAMPLES = 2_000
_SEED = 0


@dataclasses.dataclass(frozen=True)
class RankedFragment:
    """A stretch of an episode."""

    episode: int
    """Number of the episode."""

    start: int
    """Its first step."""

    stop: int
    """The step after its last."""

    learned_return: float
    """The sum of its learned rewards."""

    true_return: float
    """The sum of its true rewards; NaN if they are not known."""


def learned_rewards(
    net: RewardNet, trajectories: Sequence[types.Trajectory]
) -> list[Floats]:
    """Computes the rewards of all steps, in evaluation mode and without normalising.

    Args:
        net: a network, or an ensemble, whose mean is taken.
        trajectories: n episodes or fragments.

    Returns:
        For each, rewards of shape ``(T,)``.
    """
    model = PreferenceModel(net)
    rewards = []
    with networks.evaluating(model):
        for trajectory in trajectories:
            transitions = rollout.flatten_trajectories([trajectory])
            found = tensors.safe_to_numpy(model.rewards(transitions).detach())
            values = np.asarray(found, dtype=np.float64)
            rewards.append(values if values.ndim == 1 else values.mean(axis=1))
    return rewards


def correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> Interval:
    """Computes Pearson's correlation and its 95% bootstrap interval over pairs.

    Args:
        first: ``(n,)``, finite.
        second: ``(n,)``, finite.

    Returns:
        The correlation; NaN if either does not vary, or for fewer than 3 pairs.

    Raises:
        DataError: shapes differ, or values are not finite.
    """
    x, y = _checked(first, second)
    value = float(_pearson(x[None], y[None])[0])
    if len(x) < 3 or math.isnan(value):
        return Interval(math.nan, math.nan, math.nan)
    rows = seeding.make_rng(_SEED).integers(len(x), size=(_N_RESAMPLES, len(x)))
    resampled = _pearson(x[rows], y[rows])
    low, high = np.nanquantile(resampled, (0.025, 0.975))
    return Interval(value, float(low), float(high))


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike) -> Interval:
    """Computes Spearman's correlation, that of the ranks; see `correlation`."""
    from scipy import stats

    x, y = _checked(first, second)
    return correlation(stats.rankdata(x), stats.rankdata(y))


def extreme_fragments(
    rewards: Sequence[Floats],
    trajectories: Sequence[types.Trajectory],
    length: int,
    n: int = 3,
) -> tuple[list[RankedFragment], list[RankedFragment]]:
    """Finds the fragments with the highest and the lowest learned returns.

    Of an episode only its best and its worst fragment are considered, so that those
    found are of different episodes.

    Args:
        rewards: learned rewards of each trajectory, see `learned_rewards`.
        trajectories: the episodes.
        length: steps of a fragment; shorter episodes are left out.
        n: how many of either.

    Returns:
        The best, best first, and the worst, worst first.

    Raises:
        DataError: no episode is long enough.
    """
    best: list[RankedFragment] = []
    worst: list[RankedFragment] = []
    for number, (values, trajectory) in enumerate(
        zip(rewards, trajectories, strict=True)
    ):
        if len(values) < length:
            continue
        sums = np.convolve(values, np.ones(length), mode="valid")
        for pick, found in ((np.argmax, best), (np.argmin, worst)):
            start = int(pick(sums))
            found.append(_fragment(number, start, length, values, trajectory))
    if not best:
        raise DataError(f"no episode has the {length} steps of a fragment")
    best.sort(key=lambda fragment: -fragment.learned_return)
    worst.sort(key=lambda fragment: fragment.learned_return)
    return best[:n], worst[:n]


def _fragment(
    number: int,
    start: int,
    length: int,
    rewards: Floats,
    trajectory: types.Trajectory,
) -> RankedFragment:
    steps = slice(start, start + length)
    true = math.nan
    if isinstance(trajectory, types.TrajectoryWithRew):
        true = float(trajectory.rews[steps].sum())
    learned = float(rewards[steps].sum())
    return RankedFragment(number, start, start + length, learned, true)


def _pearson(x: Floats, y: Floats) -> Floats:
    """Of each row, ``(rows, n)``; NaN where either does not vary."""
    varies = (np.ptp(x, axis=1) > 0) & (np.ptp(y, axis=1) > 0)
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    size = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(varies, (x * y).sum(axis=1) / size, np.nan))


def _checked(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Floats, Floats]:
    x, y = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise DataError(
            f"expected two vectors of one length, got shapes {x.shape} and {y.shape}"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("expected finite values, got others")
    return x, y
