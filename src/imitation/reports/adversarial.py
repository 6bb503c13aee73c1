"""What a report says about a run of GAIL or AIRL.

Whether the policy earns what the expert earns, what the discriminator makes of the two,
which checkpoints there are and how good each of them is.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from imitation.reports import adversarial_history as history
from imitation.reports import blocks, plots
from imitation.reports.blocks import Html
from imitation.reports.runs import RunRecord
from imitation.reports.svg import number

__all__ = ["SHOWN", "checkpoints", "discriminator", "lead", "returns"]

SHOWN = (
    history.TRUE_RETURN,
    history.LEARNED_RETURN,
    *history.EVALUATION,
    history.DISC,
)
"""How the metrics start that these sections show, or that tell nothing more."""


def lead(run: RunRecord) -> str:
    """Says how good the policy is, in a sentence; "" if that is not known.

    Args:
        run: of an adversarial algorithm.
    """
    names = ("imit_stats", "expert_stats")
    policy, expert = (history.true_return(run, name) for name in names)
    if math.isfinite(policy):
        told = f"The policy's true return is {number(policy, 4)}"
    else:
        logged = [row.get(history.TRUE_RETURN, math.nan) for row in run.metrics]
        finite = [value for value in logged if math.isfinite(value)]
        if not finite:
            return ""
        told = f"Its last training episodes returned {number(finite[-1], 4)}"
    return (
        f"{told}, the expert's {number(expert, 4)}." if expert == expert else told + "."
    )


def returns(run: RunRecord) -> list[Html]:
    """Shows the return that the policy is to reach and the one that it learns from.

    Args:
        run: of an adversarial algorithm.
    """
    x_label = history.axis(run.metrics)
    expert = history.true_return(run, "expert_stats")
    levels = [plots.Level("expert", expert)] if math.isfinite(expert) else []
    mean, deviation, _ = history.EVALUATION
    figures = [
        _figure(
            x_label,
            [
                _curve(run, history.TRUE_RETURN, "training episodes", "c0"),
                _curve(run, mean, "evaluation", "c1", deviation),
            ],
            "True return",
            "What the environment pays, which the training never sees: the mean of the "
            "last 100 training episodes, which sample their actions, and of the "
            "evaluations, which do not, with their standard deviation.",
            levels,
        ),
        _figure(
            x_label,
            [_curve(run, history.LEARNED_RETURN, "learned return", "c3")],
            "Learned return",
            "What the discriminator pays, the only reward that the policy is trained "
            "on. Its zero and its scale move with the discriminator: it need not grow "
            "while the policy becomes better.",
        ),
    ]
    return [blocks.columns(*figures)]


def discriminator(run: RunRecord) -> list[Html]:
    """Shows how well the discriminator tells expert and policy apart.

    Args:
        run: of an adversarial algorithm.
    """

    def curve(name: str, label: str, colour: str = "c0") -> plots.Series:
        return _curve(run, history.DISC + name, label, colour)

    x_label = history.axis(run.metrics)
    undecided = [plots.Level("undecided", math.log(2))]
    figures = [
        _figure(
            x_label,
            [
                curve("disc_acc_expert", "expert", "c2"),
                curve("disc_acc_gen", "policy", "c1"),
                curve("disc_acc", "both"),
            ],
            "Accuracy",
            "The share of the transitions of each that it recognises. That of both "
            "falls towards one half while the policy approaches the expert.",
            [plots.Level("chance", 0.5)],
        ),
        _figure(
            x_label,
            [curve("disc_entropy", "entropy")],
            "Entropy of its decisions",
            "In nats: ln 2 ≈ 0.69 if it cannot decide; near 0 it is always sure, and "
            "its reward says little about how to improve.",
            undecided,
        ),
        _figure(
            x_label,
            [curve("disc_loss", "loss")],
            "Loss",
            "The cross-entropy in nats, ln 2 for guesses.",
            undecided,
        ),
    ]
    penalty = curve("disc_grad_penalty", "penalty")
    if any(map(math.isfinite, penalty.y)):
        note = "Before it is weighted: how steep its decisions are."
        figures.append(_figure(x_label, [penalty], "Gradient penalty", note))
    return [_health(run), blocks.columns(*figures)]


def checkpoints(run: RunRecord) -> list[Html]:
    """Lists the saved policies and rewards with the return that each is known to have.

    Args:
        run: of an adversarial algorithm.
    """
    known = history.checkpoints(run)
    ends = [checkpoint for checkpoint in known if not checkpoint.name.isdecimal()]
    rounds = [checkpoint for checkpoint in known if checkpoint.name.isdecimal()]
    parts = [_checkpoint_table("What was saved", ends)] if ends else []
    if rounds:
        table = _checkpoint_table("Saved after so many rounds", rounds)
        words = f"The {len(rounds)} checkpoints on the way"
        parts.append(blocks.details(words, table) if ends else table)
    if ends:
        parts.append(_commands(run, ends[0].name))
    return parts


def _checkpoint_table(caption: str, checkpoints: Sequence[history.Checkpoint]) -> Html:
    rows = [
        [
            Html(
                f"{blocks.code(f'checkpoints/{checkpoint.name}')}"
                f'<span class="note">{blocks.text(checkpoint.source)}</span>'
            ),
            blocks.text(number(checkpoint.steps)),
            blocks.text(number(checkpoint.true_return, 4)),
        ]
        for checkpoint in checkpoints
    ]
    headers = ["Directory", "Environment steps", "True return"]
    return blocks.table(caption, headers, rows, numeric=(1, 2))


def _commands(run: RunRecord, name: str) -> Html:
    """How to use a checkpoint: its policy, and its reward for another policy."""
    path = run.path / "checkpoints" / name
    shared = ["with", *_environment(run.settings.get("environment", {}))]
    reward = ["reward_type=RewardNet_unnormalized"]
    reward.append(f"reward_path={path / 'reward_test.pt'}")
    use = {"Train another policy on the learned reward": ["train_rl", *shared, *reward]}
    rl_cls = str(run.settings.get("rl", {}).get("rl_cls", ""))
    policy_type = rl_cls.rpartition(":")[2].lower()
    if policy_type in ("ppo", "sac"):
        policy = [f"expert.policy_type={policy_type}"]
        policy.append(f"expert.loader_kwargs.path={path / 'gen_policy'}")
        use = {"Evaluate the policy": ["eval_policy", *shared, *policy], **use}
    entries = "".join(
        f"<dt>{blocks.text(label)}</dt>"
        f"<dd>{blocks.code(shlex.join(['imitation', *words]))}</dd>"
        for label, words in use.items()
    )
    return Html(f'<dl class="commands">{entries}</dl>')


def _environment(settings: Mapping[str, Any]) -> list[str]:
    """The words that make the environment of a run."""
    names = ("gym_id", "max_episode_steps", "env_make_kwargs")
    given = ((name, settings.get(name)) for name in names)
    return [f"environment.{name}={value}" for name, value in given if value]


def _health(run: RunRecord) -> Html:
    """The warnings that the run has given, or that there were none."""
    found = history.warnings(run)
    if not found:
        words = "It has neither saturated nor collapsed: there was no warning."
        return blocks.paragraph(blocks.text(words))
    return blocks.join(
        *(
            blocks.notice(
                f"Warning after {number(at)} {history.axis(run.metrics)}",
                blocks.text(message),
            )
            for at, message in found
        )
    )


def _curve(
    run: RunRecord, name: str, label: str, colour: str, deviation: str = ""
) -> plots.Series:
    """A metric against environment steps, with one deviation to each side."""
    points = [
        (at, row)
        for at, row in zip(history.steps(run.metrics), run.metrics, strict=True)
        if math.isfinite(row.get(name, math.nan))
    ]
    x, y = [at for at, _ in points], [row[name] for _, row in points]
    if not deviation:
        return plots.Series(label, x, y, colour)
    widths = [row.get(deviation, 0.0) for _, row in points]
    edges = [[v + s * w for v, w in zip(y, widths, strict=True)] for s in (-1, 1)]
    return plots.Series(label, x, y, colour, *edges)


def _figure(
    x_label: str,
    curves: Sequence[plots.Series],
    title: str,
    note: str,
    levels: Sequence[plots.Level] = (),
) -> Html:
    shown = [curve for curve in curves if len(curve.y)]
    if not shown:
        words = blocks.text(f"{note} Nothing was logged of it: no episode has ended.")
        return blocks.figure(Html(""), title, words)
    ends = "; ".join(
        f"{curve.label} goes from {number(curve.y[0])} to {number(curve.y[-1])}"
        for curve in shown
    )
    plot = plots.curves(
        shown,
        x_label=x_label,
        y_label="",
        alt=f"{title} against {x_label}: {ends}.",
        levels=levels,
    )
    return blocks.figure(plot, title, blocks.text(note))
