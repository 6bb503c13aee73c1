"""Sections about the quality of a learned reward, judged on held-out episodes."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from stable_baselines3.common import logger as sb_logger

from imitation.algorithms import preference_comparisons as pc
from imitation.algorithms.preference_comparisons.held_out import (
    HeldOutEpisodes,
    load_held_out,
)
from imitation.errors import ImitationError, reason
from imitation.reports import animation, blocks, charts, plots
from imitation.reports.blocks import Html
from imitation.reports.preferences import quality
from imitation.reports.preferences.course import HELD_OUT_DIR, HeldOut
from imitation.reports.preferences.fragments import (
    extreme_fragments,
    film_fragments,
    learned_rewards,
)
from imitation.reports.runs import RunRecord
from imitation.reports.statistics import correlation, rank_correlation
from imitation.reports.svg import number
from imitation.rewards.reward_nets import RewardNet
from imitation.rewards.serialize import load_reward_net
from imitation.util.logger import HierarchicalLogger
from imitation.util.statistics import Interval

N_PAIRS = 500
# Number of the best and of the worst fragments that are shown.
N_FRAGMENTS = 3

_SEED = 0


@dataclasses.dataclass(frozen=True)
class Judged:
    """A reward, and its predictions about episodes that it was not trained on."""

    net: RewardNet
    episodes: HeldOutEpisodes
    length: int
    """Steps of a fragment."""

    predictions: quality.Predictions
    """About pairs of fragments of them."""

    held_out: HeldOut
    """The returns of the episodes."""

    is_synthetic: bool
    """True if the preferences are of the kind that the reward was trained on; otherwise
    they follow the true returns."""


def judge(run: RunRecord) -> tuple[Judged | None, str]:
    """Judges the newest saved reward of a run.

    Returns:
        The judgment; or None, and the reason for it.
    """
    saved = [*sorted(run.path.glob("checkpoints/[0-9]*"))]
    saved.append(run.path / "checkpoints" / "final")
    found = [p for name in saved if (p := name / "reward_net.pt").exists()]
    if not found:
        return None, "No reward has been saved yet."
    if not (run.path / HELD_OUT_DIR).is_dir():
        words = "a run with held_out_episodes keeps some of those that its agent plays"
        return None, f"There are no held-out episodes to judge the reward by: {words}."
    try:
        net = load_reward_net(found[-1], device="cpu")
        episodes = load_held_out(run.path / HELD_OUT_DIR)
        return _judged(net, episodes, run.settings), ""
    except (ImitationError, KeyError, TypeError, ValueError) as error:
        # The settings may be of another version, or the run damaged.
        return None, f"The reward cannot be judged: {reason(error)}."


def lead(judged: Judged) -> str:
    """Returns how good the reward is, in a sentence; "" if that is not known."""
    best = quality.true_accuracy(judged.predictions)
    if best is None:
        return ""
    total = best.n_decided + best.n_ties
    if not best.n_decided:
        return f"All {total} held-out pairs of fragments have equal true returns."
    which = f"{total}" if not best.n_ties else f"the {best.n_decided} of {total}"
    return (
        f"Its reward prefers the better fragment in {best.share.value:.0%} of {which} "
        "held-out pairs that have different true returns."
    )


def reward_quality(judged: Judged) -> list[Html]:
    """Shows accuracy, calibration, returns of episodes and disagreement."""
    rounds = judged.held_out.rounds
    bins = quality.calibration(judged.predictions)
    shown = [_calibration(bins, judged.is_synthetic), _returns(judged.held_out)]
    if groups := quality.disagreement(judged.predictions):
        shown.append(_disagreement(groups))
    words = (
        f"Judged by {len(judged.predictions.preferences)} random pairs of fragments of "
        f"{judged.length} steps, from {len(rounds)} episodes that no comparison was "
        f"about. The agent played them after rounds {rounds.min():.0f} to "
        f"{rounds.max():.0f}, apart from the training. Intervals cover 95% and treat "
        "the pairs as independent, although fragments of one episode are alike."
    )
    rows = [
        [
            blocks.text(f"{b.low:.1f} to {b.high:.1f}"),
            blocks.text(str(b.n)),
            blocks.text(f"{b.predicted:.0%}"),
            _percent(b.share),
        ]
        for b in bins
    ]
    headers = ["Probability", "Pairs", "Mean", "Preferred"]
    table = blocks.table("Calibration", headers, rows, numeric=(1, 2, 3))
    return [
        blocks.paragraph(blocks.text(words)),
        _accuracies(judged),
        blocks.columns(*shown),
        blocks.details("The calibration curve in numbers", table),
    ]


def fragments(judged: Judged, environment: Mapping[str, object]) -> list[Html]:
    """Shows the fragments with the highest and the lowest learned return."""
    trajectories = judged.episodes.trajectories
    rewards = learned_rewards(judged.net, trajectories)
    best, worst = extreme_fragments(rewards, trajectories, judged.length, N_FRAGMENTS)
    films = film_fragments(judged.episodes, [*best, *worst], environment)
    words = (
        f"The {judged.length} steps of {len(best)} held-out episodes with the highest "
        "and with the lowest learned return. Do the best ones show what you want, and "
        "do the true returns agree?"
    )
    parts = [blocks.paragraph(blocks.text(words))]
    groups = (("Best", best, films[: len(best)]), ("Worst", worst, films[len(best) :]))
    for heading, shown, moving in groups:
        captions = [
            f"learned {number(one.learned_return)}, true {number(one.true_return)}, "
            f"from step {one.start}"
            for one in shown
        ]
        items = [
            (caption, f"{heading} fragments: {caption}.", film)
            for caption, film in zip(captions, moving, strict=True)
        ]
        parts.append(Html(f"<h3>{heading} by the learned reward</h3>"))
        parts.append(animation.films(items, "Pause"))
    return parts


def _judged(
    net: RewardNet, episodes: HeldOutEpisodes, settings: Mapping[str, Any]
) -> Judged:
    """Cuts pairs from the episodes, prefers, and compares with the model."""
    lengths = [len(trajectory) for trajectory in episodes.trajectories]
    length = min(int(settings["fragment_length"]), max(lengths))
    silent = HierarchicalLogger(sb_logger.Logger(None, []), [])
    # One generator: the fragmenter draws before the gatherer does.
    rng = np.random.default_rng(_SEED)
    fragmenter = pc.RandomFragmenter(rng, warning_threshold=0, custom_logger=silent)
    pairs = fragmenter(episodes.trajectories, length, N_PAIRS)
    kind = str(settings.get("gatherer_cls", "")).rpartition(":")[2]
    is_synthetic = kind == pc.SyntheticGatherer.__name__
    gatherer = pc.SyntheticGatherer(
        **(settings.get("gatherer_kwargs", {}) if is_synthetic else {"temperature": 0}),
        rng=rng,
        custom_logger=silent,
    )
    model = pc.PreferenceModel(net, **settings.get("preference_model_kwargs", {}))
    predictions = quality.predict(model, pairs, gatherer(pairs))
    rewards = learned_rewards(net, episodes.trajectories)
    held_out = HeldOut(
        rounds=episodes.rounds.astype(np.float64),
        true=np.array([float(t.rews.sum()) for t in episodes.trajectories]),
        learned=np.array([float(values.sum()) for values in rewards]),
    )
    return Judged(net, episodes, length, predictions, held_out, is_synthetic)


def _accuracies(judged: Judged) -> Html:
    """Lists how often the model is right, about what."""
    predictions = judged.predictions
    rows = []
    true = quality.true_accuracy(predictions)
    if true is not None:
        rows.append(_accuracy_row("which fragment has the higher true return", true))
    if judged.is_synthetic:
        noisy = quality.accuracy(predictions)
        rows.append(
            _accuracy_row("preferences as noisy as those it learned from", noisy)
        )
        if predictions.true_differences is not None:
            # The best that any model can do on preferences with noise.
            ideal = dataclasses.replace(
                predictions,
                probabilities=(np.sign(predictions.true_differences) + 1) / 2,
            )
            best = quality.accuracy(ideal)
            rows.append(_accuracy_row("the same preferences, by the true reward", best))
    headers = ["It predicts", "Right", "Pairs", "Ties left out"]
    table = blocks.table("Held-out accuracy", headers, rows, numeric=(1, 2, 3))
    given = predictions.preferences
    loss = quality.cross_entropy(predictions.probabilities, given)
    error = quality.calibration_error(quality.calibration(predictions))
    words = f"Its cross-entropy is {number(loss)} nats (guesses: 0.693"
    if judged.is_synthetic and predictions.true_probabilities is not None:
        least = quality.cross_entropy(predictions.true_probabilities, given)
        words += f", the true reward: {number(least)}"
    words += f"); its probabilities are off by {error:.1%} on average."
    return blocks.join(table, blocks.paragraph(blocks.text(words)))


def _accuracy_row(label: str, accuracy: quality.Accuracy) -> list[Html]:
    undecided = ""
    if accuracy.n_undecided:
        undecided = f"undecided about {accuracy.n_undecided}, which count half"
        undecided = f'<span class="note">{undecided}</span>'
    total = accuracy.n_decided + accuracy.n_ties
    return [
        Html(f"{blocks.text(label)}{undecided}"),
        _percent(accuracy.share),
        blocks.text(str(accuracy.n_decided)),
        blocks.text(f"{accuracy.n_ties} ({accuracy.n_ties / total:.0%})"),
    ]


def _percent(share: Interval) -> Html:
    if not math.isfinite(share.value):
        return blocks.text("–")
    span = f"[{share.low:.0%}, {share.high:.0%}]"
    return Html(f'{share.value:.0%} <span class="range">{span}</span>')


def _calibration(bins: Sequence[quality.Bin], is_synthetic: bool) -> Html:
    """Draws how often predictions of a probability came true."""
    cloud = plots.Series(
        "pairs",
        [b.predicted for b in bins],
        [b.share.value for b in bins],
        "c0",
        [b.share.low for b in bins],
        [b.share.high for b in bins],
        is_cloud=True,
        notes=[str(b.n) for b in bins],
    )
    alt = "Share preferred against predicted probability: " + "; ".join(
        f"{b.predicted:.2f} predicted, {b.share.value:.2f} of {b.n} pairs" for b in bins
    )
    plot = plots.graph(
        [cloud],
        x_label="predicted probability",
        y_label="share preferred",
        alt=alt,
        diagonal=True,
    )
    by = "" if is_synthetic else " by its true return"
    note = (
        f"How often the first fragment of a pair was preferred{by}, against the "
        "probability that the model gave it. On the dashed line they are equal; a "
        "flatter curve is overconfident. Above: the number of pairs."
    )
    return blocks.figure(plot, "Calibration", blocks.text(note))


def _returns(held_out: HeldOut) -> Html:
    """Draws learned against true returns of episodes."""
    learned, true = held_out.learned, held_out.true
    # If the second half lies off the line of the first, the reward does not generalize
    # to what the better agent does.
    is_late = 2 * held_out.rounds > np.max(held_out.rounds)
    halves = (
        ("first half of the training", ~is_late, "c1"),
        ("second half", is_late, "c0"),
    )
    clouds = [
        plots.Series(
            label, true[which].tolist(), learned[which].tolist(), color, is_cloud=True
        )
        for label, which, color in halves
        if which.any()
    ]
    linear, ranks = correlation(learned, true), rank_correlation(learned, true)
    told = "There is no correlation: one of the returns does not vary."
    if math.isfinite(linear.value):
        shown = [
            f"{number(i.value, 2)} [{number(i.low, 2)}, {number(i.high, 2)}]"
            for i in (linear, ranks)
        ]
        told = f"Correlation {shown[0]}, of ranks {shown[1]}."
    plot = plots.graph(
        clouds,
        x_label="true return",
        y_label="learned return",
        alt=f"Learned against true return of {len(true)} episodes. {told}",
    )
    note = f"Each point is a held-out episode. {told}"
    return blocks.figure(plot, "Learned and true return", blocks.text(note))


def _disagreement(groups: Sequence[quality.Disagreement]) -> Html:
    """Draws the accuracy by how much the members of an ensemble disagree."""
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
        "where the ensemble errs, it falls from top to bottom. Standard deviation of "
        f"their probabilities: {spreads}."
    )
    levels = [plots.Level("guesses", 0.5)]
    return charts.estimates(title, rows, "accuracy", note, levels)
