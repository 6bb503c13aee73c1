"""Sections of a report on a run of GAIL or AIRL.

Whether the policy earns what the expert earns, how well the discriminator tells the two
apart, and the checkpoints with the return of each. All from what was logged and saved.
"""

import dataclasses
import math
from collections.abc import Sequence

from imitation.reports import blocks, charts, plots
from imitation.reports.blocks import Html
from imitation.reports.charts import Look
from imitation.reports.runs import (
    MetricRow,
    RunRecord,
    checkpoint_commands,
    interpolated,
)
from imitation.reports.svg import number

# Prefix of the discriminator's metrics.
DISC = "mean/disc/"

TRUE_RETURN = "mean/gen/rollout/ep_rew_mean"
LEARNED_RETURN = "mean/gen/rollout/ep_rew_wrapped_mean"
EVALUATION = ("eval/return_mean", "eval/return_std", "eval/timesteps")

# Prefixes of the metrics that these sections show, or that tell nothing more.
SHOWN = (TRUE_RETURN, LEARNED_RETURN, *EVALUATION, DISC)

_CLOCKS = (EVALUATION[2], "mean/gen/time/total_timesteps")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A directory with the rewards and the policy of one moment."""

    name: str

    steps: float
    """Environment steps before it was saved; NaN if not known."""

    true_return: float
    """Mean return of the environment's own reward; NaN if nothing was measured."""

    source: str
    """The measurement of the return, such as "measured by evaluation"; or ""."""


def is_adversarial(run: RunRecord) -> bool:
    """Returns whether a run has trained a policy against a discriminator."""
    return any(f"{DISC}disc_acc" in row for row in run.metrics)


def true_return(run: RunRecord, name: str) -> float:
    """Returns a mean return of the environment's own reward; NaN if not known.

    Args:
        run: with the result.
        name: "imit_stats" or "expert_stats".
    """
    # The return_mean of imit_stats is that of the learned reward.
    own = math.nan if name == "imit_stats" else run.statistic(name, "return_mean")
    return run.result.get(name, {}).get("monitor_return_mean", own)


def steps(rows: Sequence[MetricRow]) -> list[float]:
    """Returns the environment steps of each row of a log.

    Rows are numbered instead where nothing measures the time, as in TensorBoard events
    of a run without evaluations.
    """
    return interpolated(rows, *_CLOCKS) or [float(i) for i in range(len(rows))]


def lead(run: RunRecord, training: str = TRUE_RETURN) -> str:
    """Returns how good the policy is, in a sentence; "" if that is not known.

    Args:
        run: of an algorithm that learns a reward.
        training: metric of the true return of training episodes.
    """
    policy, expert = (true_return(run, name) for name in ("imit_stats", "expert_stats"))
    if math.isfinite(policy):
        told = f"The policy's true return is {number(policy, 4)}"
    else:
        logged = [row.get(training, math.nan) for row in run.metrics]
        finite = [value for value in logged if math.isfinite(value)]
        if not finite:
            return ""
        told = f"Its last training episodes returned {number(finite[-1], 4)}"
    if math.isfinite(expert):
        told += f", the expert's {number(expert, 4)}"
    return f"{told}."


def return_figure(run: RunRecord, look: Look) -> Html:
    """Draws the true return in evaluations and in training episodes."""
    mean, deviation, _ = EVALUATION
    at = steps(run.metrics)
    curves = [
        charts.curve(run.metrics, at, TRUE_RETURN, "training episodes", "muted"),
        charts.curve(run.metrics, at, mean, "evaluation", look.color, band=[deviation]),
    ]
    return charts.figure(
        look.title("True return"),
        curves,
        _axis(run),
        "The return by the environment's reward, which the training never sees: the "
        "mean of the last 100 training episodes, which sample their actions, and of "
        "the evaluations, which do not, with their standard deviation.",
        levels=look.levels,
        missing="Nothing was logged of it: no episode has ended.",
    )


def returns(run: RunRecord) -> list[Html]:
    """Shows the return that the policy is to reach and the one that it learns from."""
    expert = true_return(run, "expert_stats")
    levels = (plots.Level("expert", expert),) if math.isfinite(expert) else ()
    name, label = LEARNED_RETURN, "learned return"
    learned = charts.curve(run.metrics, steps(run.metrics), name, label, "c3")
    shown = charts.figure(
        "Learned return",
        [learned],
        _axis(run),
        "The discriminator's reward, the only one that the policy is trained on. Its "
        "zero and its scale move with the discriminator: it need not grow while the "
        "policy becomes better.",
        missing="Nothing was logged of it: no episode has ended.",
    )
    return [blocks.columns(return_figure(run, Look(levels=levels)), shown)]


def accuracy(run: RunRecord, look: Look) -> Html:
    """Draws how many transitions of expert and policy the discriminator recognizes."""
    at = steps(run.metrics)
    names = (("_expert", "expert", "muted"), ("_gen", "policy", look.color))
    return charts.figure(
        look.title("Accuracy of the discriminator"),
        [
            charts.curve(run.metrics, at, f"{DISC}disc_acc{name}", label, color)
            for name, label, color in names
        ],
        _axis(run),
        "The share of the transitions of each that it recognizes. The mean falls "
        "towards one half while the policy approaches the expert.",
        levels=[plots.Level("chance", 0.5)],
        shown=(0.0, 1.0),
    )


def discriminator(run: RunRecord) -> list[Html]:
    """Shows how well the discriminator tells expert and policy apart."""

    def figure(
        name: str, label: str, title: str, note: str, *levels: plots.Level
    ) -> Html:
        at = steps(run.metrics)
        line = charts.curve(run.metrics, at, DISC + name, label, "c0")
        return charts.figure(title, [line], _axis(run), note, levels=levels)

    undecided = plots.Level("undecided", math.log(2))
    entropy = (
        "In nats: ln 2 ≈ 0.69 if it cannot decide; near 0 it is always sure, and its "
        "reward says little about how to improve."
    )
    loss = "The cross-entropy in nats, ln 2 for guesses."
    figures = [
        accuracy(run, Look()),
        figure(
            "disc_entropy", "entropy", "Entropy of its decisions", entropy, undecided
        ),
        figure("disc_loss", "loss", "Loss", loss, undecided),
    ]
    penalty = "disc_grad_penalty"
    if any(math.isfinite(row.get(DISC + penalty, math.nan)) for row in run.metrics):
        note = "The steepness of its decisions, before it is weighted."
        figures.append(figure(penalty, "penalty", "Gradient penalty", note))
    notices = [
        blocks.notice(f"Warning after {number(at)} {_axis(run)}", blocks.text(message))
        for at, message in warnings(run)
    ]
    words = "It has neither saturated nor collapsed: there was no warning."
    notices = notices or [blocks.paragraph(blocks.text(words))]
    return [*notices, blocks.columns(*figures)]


def checkpoint_list(run: RunRecord) -> list[Html]:
    """Lists the saved policies and rewards with the return of each, where known."""
    known = checkpoints(run)
    ends = [checkpoint for checkpoint in known if not checkpoint.name.isdecimal()]
    rounds = [checkpoint for checkpoint in known if checkpoint.name.isdecimal()]
    parts = [_table("What was saved", ends)] if ends else []
    if rounds:
        table = _table("Saved after so many rounds", rounds)
        words = f"The {len(rounds)} checkpoints on the way"
        parts.append(blocks.details(words, table) if ends else table)
    if ends:
        files = ("reward_test.pt", "gen_policy")
        use = checkpoint_commands(run, ends[0].name, *files)
        parts.append(blocks.commands(use))
    return parts


def checkpoints(run: RunRecord) -> list[Checkpoint]:
    """Finds what is known of each checkpoint: rounds in order, then best and final."""
    times = steps(run.metrics)
    evaluations, trained = (
        {
            now: row[key]
            for now, row in zip(times, run.metrics, strict=True)
            if math.isfinite(row.get(key, math.nan))
        }
        for key in (EVALUATION[0], TRUE_RETURN)
    )
    names = [name for name in run.checkpoints if name.isdecimal()]
    names += [name for name in ("best", "final") if name in run.checkpoints]
    found = []
    for name in names:
        value, source = math.nan, ""
        if name == "best":
            at = max(evaluations, key=evaluations.__getitem__, default=math.nan)
        else:
            at = times[-1] if name == "final" else int(name) * _round_timesteps(run)
        # NaN compares false: of an unknown time nothing is known.
        episodes = [mean for now, mean in trained.items() if now <= at]
        if name == "final" and math.isfinite(end := true_return(run, "imit_stats")):
            value, source = end, "measured when the training had ended"
        elif at in evaluations:
            value, source = evaluations[at], "measured by evaluation"
        elif episodes:
            value, source = episodes[-1], "measured by the last training episodes"
        found.append(Checkpoint(name, at, value, source))
    return found


def warnings(run: RunRecord) -> list[tuple[float, str]]:
    """Finds the warnings about the discriminator that the run has given.

    They go to the console; here the metrics are judged again by the same rules.

    Returns:
        Environment steps and text of each.
    """
    # Imported here: it loads TensorBoard.
    from imitation.algorithms.adversarial.diagnostics import Diagnostics

    diagnostics = Diagnostics()
    found: list[tuple[float, str]] = []
    size, before = _round_timesteps(run), 0.0
    for row, now in zip(run.metrics, steps(run.metrics), strict=True):
        stats = {k.removeprefix(DISC): v for k, v in row.items() if k.startswith(DISC)}
        if {"disc_acc", "disc_entropy", "disc_proportion_expert_pred"} <= set(stats):
            n_rounds = (now - before) / size
            # Short rounds share a row, but each counts for the patience of a warning.
            for _ in range(max(1, round(n_rounds)) if math.isfinite(n_rounds) else 1):
                found += [(now, text) for text in diagnostics.after_round(stats)]
        before = now
    return found


def _axis(run: RunRecord) -> str:
    timed = any(clock in row for row in run.metrics for clock in _CLOCKS)
    return "environment steps" if timed else "lines of the log"


def _round_timesteps(run: RunRecord) -> float:
    """Returns the environment steps of a round; NaN if the settings do not say it."""
    places = (
        ("algorithm_specific", run.command, "gen_train_timesteps"),
        ("algorithm_kwargs", "gen_train_timesteps"),
        ("rl", "batch_size"),
    )
    found = (size for place in places if (size := run.setting(*place)) is not None)
    size = next(found, None)
    return float(size) if isinstance(size, int) and size > 0 else math.nan


def _table(caption: str, saved: Sequence[Checkpoint]) -> Html:
    rows = [
        [
            Html(
                f"{blocks.code(f'checkpoints/{checkpoint.name}')}"
                f'<span class="note">{blocks.text(checkpoint.source)}</span>'
            ),
            blocks.text(number(checkpoint.steps)),
            blocks.text(number(checkpoint.true_return, 4)),
        ]
        for checkpoint in saved
    ]
    headers = ["Directory", "Environment steps", "True return"]
    return blocks.table(caption, headers, rows, numeric=(1, 2))
