"""What a report says about a run of preference comparisons: how it went.

How good the policy became, by the environment's reward and by the one it learned from;
how the reward was learned; what was saved, and how to use it. How good the reward is
judged in `preferences_sections`.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imitation.algorithms.preference_comparisons import schedules
from imitation.reports import blocks, plots
from imitation.reports.blocks import Html
from imitation.reports.metrics import MetricRow
from imitation.reports.runs import RunRecord
from imitation.reports.svg import number

__all__ = ["SHOWN", "checkpoints", "is_preferences", "lead", "learning", "returns"]

TRUE_RETURN = "mean/agent/rollout/ep_rew_mean"
LEARNED_RETURN = "mean/agent/rollout/ep_rew_wrapped_mean"
REWARD = "reward/final/"
CLOCK = "mean/agent/time/total_timesteps"

SHOWN = (
    *(TRUE_RETURN, LEARNED_RETURN, REWARD, CLOCK),
    *("mean/reward/", "member-", "mean/member-", "mean/preferences/"),
)
"""How the metrics start that these sections show, or that tell nothing more."""


def is_preferences(run: RunRecord) -> bool:
    """Whether a run has learned a reward from preferences."""
    return run.script == "train_preference_comparisons"


def lead(run: RunRecord) -> str:
    """Says how good the policy is, in a sentence; "" if that is not known.

    Args:
        run: of preference comparisons.
    """
    policy = run.result.get("imit_stats", {}).get("monitor_return_mean", math.nan)
    if math.isfinite(policy):
        return f"The policy's true return is {number(policy, 4)}."
    logged = [row[TRUE_RETURN] for row in run.metrics if TRUE_RETURN in row]
    if not logged:
        return ""
    return f"Its last training episodes returned {number(logged[-1], 4)}."


def returns(
    run: RunRecord,
    rounds: npt.ArrayLike = (),
    true: npt.ArrayLike = (),
    learned: npt.ArrayLike = (),
) -> list[Html]:
    """Shows the return that the policy is to reach and the one that it learns from.

    Args:
        run: of preference comparisons.
        rounds: after how many rounds each held-out episode was played, ``(n,)``.
        true: their true returns, ``(n,)``.
        learned: their returns by the final reward, ``(n,)``.
    """
    apart = "that the agent played apart from the training"
    figures = [
        _figure(
            run,
            [
                _curve(run, TRUE_RETURN, "training episodes", "c0"),
                _held_out(run, rounds, true, "held-out episodes", "c1"),
            ],
            "True return",
            "What the environment pays, which the training of the policy never sees: "
            "the mean of the last 100 training episodes, and of held-out episodes "
            f"{apart}, with their range. All sample their actions.",
        ),
        _figure(
            run,
            [
                _curve(run, LEARNED_RETURN, "reward of the time", "c3"),
                _held_out(run, rounds, learned, "final reward", "c2"),
            ],
            "Learned return",
            "What the learned reward pays, the only one that the policy is trained on: "
            "that of training episodes as it was then, and that of the held-out ones "
            "by the final reward. Zero and scale are arbitrary. If it grows and the "
            "true return does not, the policy exploits an error of the reward.",
        ),
    ]
    return [blocks.columns(*figures)]


def learning(run: RunRecord) -> list[Html]:
    """Shows how the reward was learned.

    Args:
        run: of preference comparisons.
    """

    def curve(name: str, label: str, colour: str) -> plots.Series:
        return _curve(run, REWARD + name, label, colour, _deviation(run, name))

    chance = [plots.Level("guesses", 0.5)]
    band = ""
    if _deviation(run, "train/accuracy"):
        band = " The band is one deviation over the members of the ensemble."
    figures = [
        _figure(
            run,
            [
                curve("train/accuracy", "trained on", "c0"),
                curve("val/accuracy", "left out", "c1"),
            ],
            "Accuracy",
            "The share of the preferences that the model would have given as well; "
            "ties are left out. Preferences sampled with noise cannot all be met."
            + band,
            chance,
        ),
        _figure(
            run,
            [
                curve("train/loss", "trained on", "c0"),
                curve("val/loss", "left out", "c1"),
                curve("train/gt_reward_loss", "true reward", "c2"),
            ],
            "Loss",
            "The cross-entropy in nats, ln 2 for guesses, beside the one that the true "
            "reward itself would have." + band,
            [plots.Level("guesses", math.log(2))],
        ),
    ]
    asked = _comparisons(run)
    if asked is not None:
        note = "How many had been asked for; the reward is trained on all of them."
        if _setting(run, "comparison_queue_size") is not None:
            note = "How many had been asked for; the reward is trained on the latest."
        figures.append(_figure(run, [asked], "Comparisons", note))
    return [blocks.columns(*figures)]


def checkpoints(run: RunRecord) -> list[Html]:
    """Lists what was saved, and says how to use it.

    Args:
        run: of preference comparisons.
    """
    names = [name for name in run.checkpoints if name == "final" or name.isdecimal()]
    if not names:
        return []
    used = "final" if "final" in names else names[-1]
    rounds = [name for name in names if name.isdecimal()]
    parts = [_commands(run, used)]
    if rounds:
        saved = ", ".join(f"checkpoints/{name}" for name in rounds)
        words = f"Rewards and policies after so many rounds: {saved}."
        parts.append(blocks.paragraph(blocks.text(words)))
    return parts


def _commands(run: RunRecord, name: str) -> Html:
    """How to use a checkpoint: its policy, and its reward for another policy."""
    path = run.path / "checkpoints" / name
    settings = run.settings.get("environment", {})
    names = ("gym_id", "max_episode_steps", "env_make_kwargs")
    given = ((key, settings.get(key)) for key in names)
    shared = ["with", *(f"environment.{key}={value}" for key, value in given if value)]
    reward = ["reward_type=RewardNet_unnormalized"]
    reward.append(f"reward_path={path / 'reward_net.pt'}")
    use = {"Train another policy on the learned reward": ["train_rl", *shared, *reward]}
    policy_type = str(_setting(run, "rl", "rl_cls") or "").rpartition(":")[2].lower()
    if policy_type in ("ppo", "sac") and _setting(run, "trajectory_path") is None:
        policy = [f"expert.policy_type={policy_type}"]
        policy.append(f"expert.loader_kwargs.path={path / 'policy'}")
        use = {"Evaluate the policy": ["eval_policy", *shared, *policy], **use}
    entries = "".join(
        f"<dt>{blocks.text(label)}</dt>"
        f"<dd>{blocks.code(shlex.join(['imitation', *words]))}</dd>"
        for label, words in use.items()
    )
    return Html(f'<dl class="commands">{entries}</dl>')


def _steps(rows: Sequence[MetricRow]) -> list[float]:
    """When each row was logged, in the agent's steps; in rounds without an agent."""
    known = [(i, row[CLOCK]) for i, row in enumerate(rows) if CLOCK in row]
    if not known:
        return [float(i + 1) for i in range(len(rows))]
    at, readings = zip((-1, 0.0), *known, strict=True)
    return [float(x) for x in np.interp(np.arange(len(rows)), at, readings)]


def _axis(run: RunRecord) -> str:
    has_clock = any(CLOCK in row for row in run.metrics)
    return "environment steps of the agent" if has_clock else "rounds"


def _curve(
    run: RunRecord, name: str, label: str, colour: str, deviation: str = ""
) -> plots.Series:
    """A metric against time, with one deviation to each side."""
    points = [
        (at, row)
        for at, row in zip(_steps(run.metrics), run.metrics, strict=True)
        if math.isfinite(row.get(name, math.nan))
    ]
    x, y = [at for at, _ in points], [row[name] for _, row in points]
    if not deviation:
        return plots.Series(label, x, y, colour)
    widths = [row.get(deviation, 0.0) for _, row in points]
    edges = [[v + s * w for v, w in zip(y, widths, strict=True)] for s in (-1, 1)]
    return plots.Series(label, x, y, colour, *edges)


def _held_out(
    run: RunRecord,
    rounds: npt.ArrayLike,
    values: npt.ArrayLike,
    label: str,
    colour: str,
) -> plots.Series:
    """Means and ranges of episodes by round."""
    played, found = np.asarray(rounds), np.asarray(values)
    groups = {int(number): found[played == number] for number in np.unique(played)}
    names = ("total_timesteps", "num_iterations")
    total, n_iterations = (_setting(run, name) for name in names)
    ends = np.cumsum(schedules.even_parts(int(total or 0), int(n_iterations or 0) + 1))
    shown = {n: g for n, g in groups.items() if 0 < n <= len(ends)}
    return plots.Series(
        label,
        [float(ends[number - 1]) for number in shown],
        [float(group.mean()) for group in shown.values()],
        colour,
        [float(group.min()) for group in shown.values()],
        [float(group.max()) for group in shown.values()],
    )


def _deviation(run: RunRecord, name: str) -> str:
    """The metric of the deviation over the members of an ensemble; "" if none."""
    full = f"{REWARD}{name}_std"
    return full if any(full in row for row in run.metrics) else ""


def _comparisons(run: RunRecord) -> plots.Series | None:
    """How many comparisons had been asked for at each row; None if not known."""
    names = ("num_iterations", "total_comparisons", "initial_comparison_frac")
    n_iterations, total, share = (_setting(run, name) for name in names)
    schedule = _setting(run, "query_schedule")
    if None in (n_iterations, share, schedule) or not total:
        return None
    by_round = schedules.comparisons_by_round(
        schedules.schedule_of(schedule), n_iterations, total, share
    )
    steps = _steps(run.metrics)
    n = min(len(steps), len(by_round))
    asked = np.cumsum(by_round)[:n].astype(float).tolist()
    return plots.Series("comparisons", steps[:n], asked, "c2") if n else None


def _setting(run: RunRecord, *path: str) -> Any:
    """A setting; None where there is none."""
    value: Any = run.settings
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _figure(
    run: RunRecord,
    curves: Sequence[plots.Series],
    title: str,
    note: str,
    levels: Sequence[plots.Level] = (),
) -> Html:
    shown = [curve for curve in curves if len(curve.y)]
    if not shown:
        return blocks.figure(
            Html(""), title, blocks.text(f"{note} Nothing was logged of it.")
        )
    ends = "; ".join(
        f"{curve.label} goes from {number(curve.y[0])} to {number(curve.y[-1])}"
        for curve in shown
    )
    x_label = _axis(run)
    plot = plots.curves(
        shown,
        x_label=x_label,
        y_label="",
        alt=f"{title} against {x_label}: {ends}.",
        levels=levels,
    )
    return blocks.figure(plot, title, blocks.text(note))
