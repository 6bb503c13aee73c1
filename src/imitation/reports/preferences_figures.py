"""Plots of how good a learned reward is."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from imitation.reports import blocks, plots, scatter
from imitation.reports import preferences_episodes as episodes_of
from imitation.reports import preferences_quality as quality
from imitation.reports.blocks import Html
from imitation.reports.statistics import Interval
from imitation.reports.svg import number

__all__ = ["calibration", "disagreement", "returns"]


def calibration(bins: Sequence[quality.Bin], judge: str = "") -> Html:
    """Draws how often predictions of a probability came true.

    Args:
        bins: of `preferences_quality.calibration`.
        judge: what preferred, such as "by the true return"; "" leaves it out.
    """
    cloud = scatter.Cloud(
        "pairs",
        [b.predicted for b in bins],
        [b.share.value for b in bins],
        "c0",
        [b.share.low for b in bins],
        [b.share.high for b in bins],
        [str(b.n) for b in bins],
    )
    alt = "Share preferred against predicted probability: " + "; ".join(
        f"{b.predicted:.2f} predicted, {b.share.value:.2f} of {b.n} pairs" for b in bins
    )
    plot = scatter.scatter(
        [cloud],
        x_label="predicted probability",
        y_label="share preferred",
        alt=alt,
        diagonal=True,
    )
    note = (
        f"How often the first fragment of a pair was preferred {judge}".strip()
        + ", against the probability that the model gave it. On the dashed line "
        "they are equal; a flatter curve is overconfident. Above: the number of pairs."
    )
    return blocks.figure(plot, "Calibration", blocks.text(note))


def returns(learned: npt.ArrayLike, true: npt.ArrayLike, rounds: npt.ArrayLike) -> Html:
    """Draws learned against true returns of episodes.

    Args:
        learned: by the learned reward, ``(n,)``.
        true: by the environment's, ``(n,)``.
        rounds: after how many rounds of training each was played, ``(n,)``.
    """
    learned, true = np.asarray(learned), np.asarray(true)
    is_late = 2 * np.asarray(rounds) > np.max(rounds)
    clouds = [
        scatter.Cloud(label, true[which].tolist(), learned[which].tolist(), colour)
        for label, which, colour in (
            ("first half of the training", ~is_late, "c1"),
            ("second half", is_late, "c0"),
        )
        if which.any()
    ]
    linear = episodes_of.correlation(learned, true)
    ranks = episodes_of.rank_correlation(learned, true)
    if math.isfinite(linear.value):
        told = f"Correlation {_range(linear)}, of ranks {_range(ranks)}."
    else:
        told = "There is no correlation: one of the returns does not vary."
    plot = scatter.scatter(
        clouds,
        x_label="true return",
        y_label="learned return",
        alt=f"Learned against true return of {len(true)} episodes. {told}",
    )
    note = f"Each point is a held-out episode. {told}"
    return blocks.figure(plot, "Learned and true return", blocks.text(note))


def disagreement(groups: Sequence[quality.Disagreement]) -> Html:
    """Draws the accuracy by how much the members of an ensemble disagree.

    Args:
        groups: of `preferences_quality.disagreement`, at least one.
    """
    names = ("least", "medium", "most") if len(groups) == 3 else ("all",) * len(groups)
    rows = [
        plots.Row(name, group.accuracy.share, "c0")
        for name, group in zip(names, groups, strict=True)
        if group.accuracy.n_decided
    ]
    title = "Disagreement of the ensemble"
    if not rows:
        return blocks.figure(Html(""), title, blocks.text("All pairs are ties."))
    spreads = ", ".join(
        f"{name} {number(g.low, 2)} to {number(g.high, 2)}"
        for name, g in zip(names, groups, strict=True)
    )
    note = (
        "Accuracy by how much the members disagree about a pair. If they disagree "
        "where the ensemble errs, it falls from above to below. Deviation of their "
        f"probabilities: {spreads}."
    )
    alt = "Accuracy by disagreement: " + "; ".join(
        f"{row.label} {row.interval.value:.0%}" for row in rows
    )
    levels = [plots.Level("guesses", 0.5)]
    plot = plots.forest(rows, x_label="accuracy", alt=alt, levels=levels)
    return blocks.figure(plot, title, blocks.text(note))


def _range(interval: Interval) -> str:
    low, high = number(interval.low, 2), number(interval.high, 2)
    return f"{number(interval.value, 2)} [{low}, {high}]"
