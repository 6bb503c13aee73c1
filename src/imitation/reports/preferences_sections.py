"""What a report says about the quality of a learned reward, on held-out episodes."""

import dataclasses
import logging
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common import logger as sb_logger

from imitation.algorithms import preference_comparisons as pc
from imitation.algorithms.preference_comparisons.held_out import (
    HeldOutEpisodes,
    load_held_out,
)
from imitation.errors import ImitationError, reason
from imitation.reports import animation, blocks
from imitation.reports import preferences_episodes as episodes_of
from imitation.reports import preferences_figures as figures
from imitation.reports import preferences_quality as quality
from imitation.reports.blocks import Html
from imitation.reports.preferences_films import film_fragments
from imitation.reports.statistics import Interval
from imitation.reports.svg import number
from imitation.rewards.reward_nets import RewardNet
from imitation.rewards.serialize import load_reward_net
from imitation.util.logger import HierarchicalLogger

__all__ = ["Judged", "fragments", "judge", "quality_lead", "reward_quality"]

HELD_OUT_DIR = "held_out"
N_PAIRS = 500
N_FRAGMENTS = 3
"""How many of the best and of the worst fragments are shown."""

_SEED = 0

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Judged:
    """A reward, and what it says about episodes that it was not trained on."""

    net: RewardNet
    """The learned reward."""

    episodes: HeldOutEpisodes
    """The episodes."""

    length: int
    """Steps of a fragment."""

    predictions: quality.Predictions
    """About pairs of fragments of them."""

    learned_returns: npt.NDArray[np.float64]
    """Of each episode by the learned reward, ``(n_episodes,)``."""

    is_synthetic: bool
    """Whether the preferences are of the kind that the reward was trained on; if not,
    they are by the true returns."""

    @property
    def true_returns(self) -> npt.NDArray[np.float64]:
        """Of each episode by the environment's reward, ``(n_episodes,)``."""
        returns = [float(t.rews.sum()) for t in self.episodes.trajectories]
        return np.array(returns)


def judge(path: pathlib.Path, settings: Mapping[str, Any]) -> tuple[Judged | None, str]:
    """Judges the newest saved reward of a run.

    Args:
        path: the run's directory.
        settings: its settings, nested.

    Returns:
        What was found; or None, and why there is nothing.
    """
    saved = [*sorted(path.glob("checkpoints/[0-9]*")), path / "checkpoints" / "final"]
    found = [p for name in saved if (p := name / "reward_net.pt").exists()]
    if not found:
        return None, "No reward has been saved yet."
    if not (path / HELD_OUT_DIR).is_dir():
        words = "a run with held_out_episodes keeps some of those that its agent plays"
        return None, f"There are no held-out episodes to judge the reward by: {words}."
    try:
        net = load_reward_net(found[-1], device="cpu")
        episodes = load_held_out(path / HELD_OUT_DIR)
        return _judged(net, episodes, settings), ""
    except (ImitationError, KeyError, TypeError, ValueError) as error:
        # The settings may be of another version, or the run damaged.
        return None, f"The reward cannot be judged: {reason(error)}."


def quality_lead(judged: Judged) -> str:
    """Says how good the reward is, in a sentence.

    Args:
        judged: see `judge`.
    """
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
    """Shows accuracy, calibration, returns of episodes and disagreement.

    Args:
        judged: see `judge`.
    """
    rounds = judged.episodes.rounds
    bins = quality.calibration(judged.predictions)
    by = "" if judged.is_synthetic else "by its true return"
    shown = [
        figures.calibration(bins, by),
        figures.returns(judged.learned_returns, judged.true_returns, rounds),
    ]
    if groups := quality.disagreement(judged.predictions):
        shown.append(figures.disagreement(groups))
    words = (
        f"Judged by {len(judged.predictions.preferences)} random pairs of fragments of "
        f"{judged.length} steps, from {len(rounds)} episodes that no comparison was "
        f"about. The agent played them after rounds {rounds.min()} to {rounds.max()}, "
        "apart from the training. Intervals cover 95% and take the pairs for "
        "independent, although fragments of one episode are alike."
    )
    return [
        blocks.paragraph(blocks.text(words)),
        _accuracies(judged),
        blocks.columns(*shown),
        blocks.details("The calibration curve in numbers", _bins(judged)),
    ]


def fragments(judged: Judged, environment: Mapping[str, Any]) -> list[Html]:
    """Shows the fragments with the highest and the lowest learned return.

    Args:
        judged: see `judge`.
        environment: settings of the environment.
    """
    trajectories = judged.episodes.trajectories
    rewards = episodes_of.learned_rewards(judged.net, trajectories)
    best, worst = episodes_of.extreme_fragments(
        rewards, trajectories, judged.length, N_FRAGMENTS
    )
    films = film_fragments(judged.episodes, [*best, *worst], environment)
    words = (
        f"The {judged.length} steps of {len(best)} held-out episodes with the highest "
        "and with the lowest learned return. Do the best ones show what you want, and "
        "do the true returns agree?"
    )
    parts = [blocks.paragraph(blocks.text(words))]
    groups = (("Best", best, films[: len(best)]), ("Worst", worst, films[len(best) :]))
    for heading, shown, moving in groups:
        items = [
            (_caption(fragment), f"{heading} fragments: {_caption(fragment)}.", film)
            for fragment, film in zip(shown, moving, strict=True)
        ]
        parts.append(Html(f"<h3>{heading} by the learned reward</h3>"))
        parts.append(animation.films(items, "Pause"))
    return parts


def _judged(
    net: RewardNet, episodes: HeldOutEpisodes, settings: Mapping[str, Any]
) -> Judged:
    """Cuts pairs from the episodes, gives preferences, and asks the model."""
    lengths = [len(trajectory) for trajectory in episodes.trajectories]
    length = min(int(settings["fragment_length"]), max(lengths))
    silent = HierarchicalLogger(sb_logger.Logger(None, []), [])
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
    rewards = episodes_of.learned_rewards(net, episodes.trajectories)
    learned = np.array([float(values.sum()) for values in rewards])
    return Judged(net, episodes, length, predictions, learned, is_synthetic)


def _accuracies(judged: Judged) -> Html:
    """How often the model is right, about what."""
    predictions = judged.predictions
    rows = []
    true = quality.true_accuracy(predictions)
    if true is not None:
        rows.append(_accuracy_row("which fragment has the higher true return", true))
    if judged.is_synthetic:
        given = quality.accuracy(predictions)
        rows.append(
            _accuracy_row("preferences as noisy as those it learned from", given)
        )
        if predictions.true_differences is not None:
            ideal = dataclasses.replace(
                predictions,
                probabilities=(np.sign(predictions.true_differences) + 1) / 2,
            )
            best = quality.accuracy(ideal)
            rows.append(_accuracy_row("the same preferences, by the true reward", best))
    headers = ["It predicts", "Right", "Pairs", "Ties left out"]
    table = blocks.table("Held-out accuracy", headers, rows, numeric=(1, 2, 3))
    return blocks.join(table, blocks.paragraph(blocks.text(_loss_words(judged))))


def _accuracy_row(label: str, accuracy: quality.Accuracy) -> list[Html]:
    share = accuracy.share
    undecided = ""
    if accuracy.n_undecided:
        undecided = f"undecided about {accuracy.n_undecided}, which count half"
        undecided = f'<span class="note">{undecided}</span>'
    total = accuracy.n_decided + accuracy.n_ties
    ties = f"{accuracy.n_ties} ({accuracy.n_ties / total:.0%})"
    return [
        Html(f"{blocks.text(label)}{undecided}"),
        _percent(share),
        blocks.text(str(accuracy.n_decided)),
        blocks.text(ties),
    ]


def _loss_words(judged: Judged) -> str:
    predictions = judged.predictions
    given = predictions.preferences
    loss = quality.cross_entropy(predictions.probabilities, given)
    error = quality.calibration_error(quality.calibration(predictions))
    words = f"Its cross-entropy is {number(loss)} nats (guesses: 0.693"
    if judged.is_synthetic and predictions.true_probabilities is not None:
        best = quality.cross_entropy(predictions.true_probabilities, given)
        words += f", the true reward: {number(best)}"
    return f"{words}); its probabilities are off by {error:.1%} on average."


def _bins(judged: Judged) -> Html:
    rows = [
        [
            blocks.text(f"{b.low:.1f} to {b.high:.1f}"),
            blocks.text(str(b.n)),
            blocks.text(f"{b.predicted:.0%}"),
            _percent(b.share),
        ]
        for b in quality.calibration(judged.predictions)
    ]
    headers = ["Probability", "Pairs", "Mean", "Preferred"]
    return blocks.table("Calibration", headers, rows, numeric=(1, 2, 3))


def _caption(fragment: episodes_of.RankedFragment) -> str:
    return (
        f"learned {number(fragment.learned_return)}, true "
        f"{number(fragment.true_return)}, from step {fragment.start}"
    )


def _percent(share: Interval) -> Html:
    if not math.isfinite(share.value):
        return blocks.text("–")
    span = f"[{share.low:.0%}, {share.high:.0%}]"
    return Html(f'{share.value:.0%} <span class="range">{span}</span>')
