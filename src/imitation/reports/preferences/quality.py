"""Measures of a preference model on preferences that it was not trained on.

Accuracy, calibration (Guo et al., 2017, "On Calibration of Modern Neural Networks",
https://arxiv.org/abs/1706.04599, section 2) and the disagreement of an ensemble.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch as th

from imitation.algorithms.preference_comparisons import PreferenceModel
from imitation.data import types
from imitation.errors import DataError
from imitation.reports.statistics import share_interval
from imitation.util import networks
from imitation.util.statistics import Interval

Floats = npt.NDArray[np.float64]

# Pairs that go through the network at once, which bounds memory.
_BATCH = 64


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Predictions of a model about n pairs, and the preferences given."""

    probabilities: Floats
    """That the first fragment is preferred, ``(n,)``; the members' mean of an
    ensemble."""

    members: Floats | None
    """Those of each member of an ensemble, ``(n, members)``."""

    preferences: Floats
    """Probabilities that were given, ``(n,)``: 1 and 0 for the first and the second
    fragment, 0.5 for a tie."""

    true_differences: Floats | None
    """True return of the first fragment less that of the second, ``(n,)``; None if not
    all are known."""

    true_probabilities: Floats | None
    """Predictions of the model with the true rewards in place of its own, ``(n,)``."""


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """The share of predictions that prefer the better fragment."""

    share: Interval
    """Of the pairs that are no ties, with its 95% interval; NaN if all are ties."""

    n_decided: int
    """Pairs that are no ties: the ones that count."""

    n_ties: int
    """Pairs that are ties, of which no prediction is right or wrong."""

    n_undecided: int
    """Pairs among the decided ones of which the model says exactly ½; each counts as
    half right."""


@dataclasses.dataclass(frozen=True)
class Bin:
    """The pairs whose predicted probabilities lie in an interval."""

    low: float
    high: float
    n: int
    """Number of pairs, at least one."""

    predicted: float
    """Their mean predicted probability that the first fragment is preferred."""

    share: Interval
    """The share of them in which it was, with its 95% interval; ties count half."""


@dataclasses.dataclass(frozen=True)
class Disagreement:
    """Pairs that the members of an ensemble disagree about about equally much."""

    low: float
    """The least standard deviation of the members' probabilities."""

    high: float
    """The highest one."""

    accuracy: Accuracy
    """Of the mean of the members."""


def predict(
    model: PreferenceModel,
    pairs: Sequence[types.TrajectoryPair],
    preferences: npt.ArrayLike,
) -> Predictions:
    """Predicts preferences with a model.

    Args:
        model: of a network or an ensemble; it predicts in evaluation mode.
        pairs: n pairs, at least one.
        preferences: probabilities that the first are preferred, ``(n,)``.

    Raises:
        DataError: there are no pairs, or not as many preferences.
    """
    given = np.asarray(preferences, dtype=np.float64)
    if not len(pairs) or given.shape != (len(pairs),):
        raise DataError(
            "expected at least one pair and a preference for each, got "
            f"{len(pairs)} pairs and preferences of shape {given.shape}"
        )
    # Batches of (n,) probabilities, or (n, members) of an ensemble.
    told, true = [], []
    with networks.evaluating(model), th.no_grad():
        for start in range(0, len(pairs), _BATCH):
            probs, true_probs = model(pairs[start : start + _BATCH])
            told.append(probs.cpu().numpy().astype(np.float64))
            if true_probs is not None:
                true.append(true_probs.cpu().numpy().astype(np.float64))
    found = np.concatenate(told)
    return Predictions(
        probabilities=found if found.ndim == 1 else found.mean(axis=1),
        members=None if found.ndim == 1 else found,
        preferences=given,
        # Discounted as the model discounts, so that both rank the same thing.
        true_differences=_true_differences(pairs, model.discount_factor),
        true_probabilities=np.concatenate(true) if len(true) == len(told) else None,
    )


def accuracy(predictions: Predictions) -> Accuracy:
    """Computes how often the preferred fragment is the one that the model prefers."""
    return _accuracy(predictions.probabilities, predictions.preferences - 0.5)


def true_accuracy(predictions: Predictions) -> Accuracy | None:
    """Computes how often the model prefers the fragment of the higher true return.

    It is None if the true rewards are not known.
    """
    if predictions.true_differences is None:
        return None
    return _accuracy(predictions.probabilities, predictions.true_differences)


def calibration(predictions: Predictions, n_bins: int = 10) -> list[Bin]:
    """Compares predicted probabilities with how often they came true.

    The bins are equally wide intervals of [0, 1], in order; those without pairs are
    left out.
    """
    probs = predictions.probabilities
    # A probability of exactly 1 belongs to the last bin.
    numbers = np.minimum((probs * n_bins).astype(int), n_bins - 1)
    bins = []
    for number in np.unique(numbers).tolist():
        inside = numbers == number
        n = int(inside.sum())
        preferred = float(predictions.preferences[inside].sum())
        bins.append(
            Bin(
                low=number / n_bins,
                high=(number + 1) / n_bins,
                n=n,
                predicted=float(probs[inside].mean()),
                share=share_interval(preferred, n),
            )
        )
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """Computes the expected calibration error: Σ n_b / n · |predicted_b − share_b|.

    Guo et al. (2017), equation 3.
    """
    gaps = [bin.n * abs(bin.predicted - bin.share.value) for bin in bins]
    return sum(gaps) / sum(bin.n for bin in bins)


def cross_entropy(probabilities: npt.ArrayLike, preferences: npt.ArrayLike) -> float:
    """Computes the mean cross entropy −q ln p − (1 − q) ln(1 − p), in nats.

    Args:
        probabilities: p, predicted, ``(n,)``.
        preferences: q, given, ``(n,)``.
    """
    # The largest float64 below 1 is 1 - 1.1e-16: log1p(-p) stays finite.
    tiny = np.finfo(np.float32).tiny
    p = np.clip(np.asarray(probabilities, dtype=np.float64), tiny, 1 - 1e-16)
    q = np.asarray(preferences, dtype=np.float64)
    return float(np.mean(-q * np.log(p) - (1 - q) * np.log1p(-p)))


def disagreement(predictions: Predictions, n_groups: int = 3) -> list[Disagreement]:
    """Groups pairs by how much the members of an ensemble disagree.

    The groups are about equally large, from agreement to disagreement; if that tells
    anything, the accuracy falls from group to group. A single network has none.
    """
    if predictions.members is None:
        return []
    spread = predictions.members.std(axis=1)
    # Stable: equal spreads, as of pairs of equal fragments, keep their order.
    order = np.argsort(spread, kind="stable")
    return [
        Disagreement(
            float(spread[group].min()),
            float(spread[group].max()),
            _accuracy(
                predictions.probabilities[group], predictions.preferences[group] - 0.5
            ),
        )
        for group in np.array_split(order, min(n_groups, len(order)))
    ]


def _accuracy(probabilities: Floats, wanted: Floats) -> Accuracy:
    """Scores predictions whose sign about ½ should be that of what is wanted."""
    decided = wanted != 0
    guessed = np.sign(probabilities[decided] - 0.5)
    right = (1 + guessed * np.sign(wanted[decided])) / 2
    n = int(decided.sum())
    return Accuracy(
        share=share_interval(float(right.sum()), n),
        n_decided=n,
        n_ties=len(wanted) - n,
        n_undecided=int((guessed == 0).sum()),
    )


def _true_differences(
    pairs: Sequence[types.TrajectoryPair], discount: float
) -> Floats | None:
    returns = []
    for fragment in (fragment for pair in pairs for fragment in pair):
        if not isinstance(fragment, types.TrajectoryWithRew):
            return None
        rewards = fragment.rews.astype(np.float64)
        returns.append(float(rewards @ discount ** np.arange(len(rewards))))
    by_pair = np.array(returns).reshape(-1, 2)
    return np.asarray(by_pair[:, 0] - by_pair[:, 1])
