"""The course of a training: returns of the policy, accuracy of the reward, states."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from imitation.algorithms.preference_comparisons import schedules
from imitation.algorithms.preference_comparisons.held_out import load_held_out
from imitation.errors import ImitationError
from imitation.reports import adversarial, blocks, charts, plots
from imitation.reports.blocks import Html
from imitation.reports.charts import Look
from imitation.reports.runs import RunRecord, checkpoint_commands, interpolated

# Episodes that the agent plays apart from the training, below the run directory.
HELD_OUT_DIR = "held_out"

TRUE_RETURN = "mean/agent/rollout/ep_rew_mean"
LEARNED_RETURN = "mean/agent/rollout/ep_rew_wrapped_mean"
REWARD = "reward/final/"
CLOCK = "mean/agent/time/total_timesteps"

# Prefixes of the metrics that these sections show, or that tell nothing more.
SHOWN = (
    *(TRUE_RETURN, LEARNED_RETURN, REWARD, CLOCK),
    *("mean/reward/", "member-", "mean/member-", "mean/preferences/"),
)

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Returns of n episodes that no comparison was about."""

    rounds: Floats = dataclasses.field(default_factory=lambda: np.zeros(0))
    """Rounds of training before each was played, ``(n,)``."""

    true: Floats = dataclasses.field(default_factory=lambda: np.zeros(0))
    """Their true returns, ``(n,)``."""

    learned: Floats = dataclasses.field(default_factory=lambda: np.zeros(0))
    """Their returns by the final reward, ``(n,)``."""


def lead(run: RunRecord) -> str:
    """Returns how good the policy is, in a sentence; "" if that is not known."""
    return adversarial.lead(run, TRUE_RETURN)


def highlights(run: RunRecord, look: Look) -> list[Html]:
    """Draws the true return, and the accuracy of the reward."""
    try:
        episodes = load_held_out(run.path / HELD_OUT_DIR)
    except ImitationError:
        held_out = HeldOut()
    else:
        true = [float(t.rews.sum()) for t in episodes.trajectories]
        held_out = HeldOut(episodes.rounds.astype(float), np.array(true))
    return [_true_return(run, held_out, look), _accuracy(run, look)]


def returns(run: RunRecord, held_out: HeldOut) -> list[Html]:
    """Shows the return that the policy is to reach and the one that it learns from."""
    learned = charts.figure(
        "Learned return",
        [
            _curve(run, LEARNED_RETURN, "reward at the time", "muted"),
            _by_round(run, held_out.rounds, held_out.learned, "final reward", "c2"),
        ],
        _axis(run),
        "The learned reward, the only one that the policy is trained on: of training "
        "episodes by the reward at the time, and of the held-out ones by the final "
        "reward. Zero and scale are arbitrary. If it grows and the true return does "
        "not, the policy exploits an error of the reward.",
    )
    return [blocks.columns(_true_return(run, held_out, Look()), learned)]


def learning(run: RunRecord) -> list[Html]:
    """Shows how the reward was learned."""
    losses = [
        _curve(run, f"{REWARD}train/loss", "trained on", "c0"),
        _curve(run, f"{REWARD}val/loss", "left out", "c1"),
        _curve(run, f"{REWARD}train/gt_reward_loss", "true reward", "c2"),
    ]
    note = (
        "The cross-entropy in nats, ln 2 for guesses, beside the one that the true "
        f"reward itself would have.{_band_words(run)}"
    )
    guesses = [plots.Level("guesses", math.log(2))]
    figures = [
        _accuracy(run, Look()),
        charts.figure("Loss", losses, _axis(run), note, levels=guesses),
    ]
    asked = _comparisons(run)
    if asked is not None:
        note = "Their number so far; the reward is trained on all of them."
        if run.setting("comparison_queue_size") is not None:
            note = "Their number so far; the reward is trained on the latest."
        figures.append(charts.figure("Comparisons", [asked], _axis(run), note))
    return [blocks.columns(*figures)]


def checkpoint_list(run: RunRecord) -> list[Html]:
    """Lists what was saved, and how to use it."""
    names = [name for name in run.checkpoints if name == "final" or name.isdecimal()]
    if not names:
        return []
    used = "final" if "final" in names else names[-1]
    # An agent that only replays stored episodes has no policy.
    policy = "policy" if run.setting("trajectory_path") is None else ""
    use = checkpoint_commands(run, used, "reward_net.pt", policy)
    parts = [blocks.commands(use)]
    if rounds := [f"checkpoints/{name}" for name in names if name.isdecimal()]:
        words = f"Rewards and policies after so many rounds: {', '.join(rounds)}."
        parts.append(blocks.paragraph(blocks.text(words)))
    return parts


def _true_return(run: RunRecord, held_out: HeldOut, look: Look) -> Html:
    name = "held-out episodes"
    return charts.figure(
        look.title("True return"),
        [
            _curve(run, TRUE_RETURN, "training episodes", "muted"),
            _by_round(run, held_out.rounds, held_out.true, name, look.color),
        ],
        _axis(run),
        "The return by the environment's reward, which the training of the policy "
        "never sees: the mean of the last 100 training episodes, and of held-out "
        "episodes that the agent played apart from the training, with their range. "
        "All sample their actions.",
        levels=look.levels,
    )


def _accuracy(run: RunRecord, look: Look) -> Html:
    return charts.figure(
        look.title("Accuracy of the reward"),
        [
            _curve(run, f"{REWARD}train/accuracy", "trained on", look.color),
            _curve(run, f"{REWARD}val/accuracy", "left out", "muted"),
        ],
        _axis(run),
        "The share of the preferences that the model would have given as well; ties "
        "are left out. Preferences sampled with noise cannot all be met."
        + _band_words(run),
        levels=[plots.Level("guesses", 0.5)],
        shown=(0.0, 1.0),
    )


def _axis(run: RunRecord) -> str:
    has_clock = any(CLOCK in row for row in run.metrics)
    return "environment steps of the agent" if has_clock else "rounds"


def _steps(run: RunRecord) -> list[float]:
    """Returns the agent's steps at each row; rounds, from 1, without an agent."""
    rounds = [float(i + 1) for i in range(len(run.metrics))]
    return interpolated(run.metrics, CLOCK) or rounds


def _curve(run: RunRecord, name: str, label: str, color: str) -> plots.Series:
    """Makes a curve, with one deviation over the members of an ensemble, if logged."""
    spread = f"{name}_std"
    band = [spread] if any(spread in row for row in run.metrics) else []
    return charts.curve(run.metrics, _steps(run), name, label, color, band)


def _band_words(run: RunRecord) -> str:
    if not any(f"{REWARD}train/accuracy_std" in row for row in run.metrics):
        return ""
    return " The band is one deviation over the members of the ensemble."


def _by_round(
    run: RunRecord, rounds: Floats, values: Floats, label: str, color: str
) -> plots.Series:
    """Makes a curve of means of episodes by round, with a band from least to most."""
    groups = {int(n): values[rounds == n] for n in np.unique(rounds)}
    names = ("total_timesteps", "num_iterations")
    total, n_iterations = (run.setting(name) for name in names)
    # The agent trains once more than there are rounds of questions.
    ends = np.cumsum(schedules.even_parts(int(total or 0), int(n_iterations or 0) + 1))
    shown = {n: g for n, g in groups.items() if 0 < n <= len(ends)}
    return plots.Series(
        label,
        [float(ends[n - 1]) for n in shown],
        [float(group.mean()) for group in shown.values()],
        color,
        [float(group.min()) for group in shown.values()],
        [float(group.max()) for group in shown.values()],
    )


def _comparisons(run: RunRecord) -> plots.Series | None:
    """Makes a curve of the number of comparisons; None if it is not known."""
    names = ("num_iterations", "total_comparisons", "initial_comparison_frac")
    n_iterations, total, share = (run.setting(name) for name in names)
    schedule = run.setting("query_schedule")
    if None in (n_iterations, share, schedule) or not total:
        return None
    by_round = schedules.comparisons_by_round(
        schedules.schedule_of(schedule), n_iterations, total, share
    )
    steps = _steps(run)
    n = min(len(steps), len(by_round))
    asked = np.cumsum(by_round)[:n].astype(float).tolist()
    return plots.Series("comparisons", steps[:n], asked, "c2") if n else None
