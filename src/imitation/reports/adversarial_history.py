"""The course of a run of GAIL or AIRL, worked out from what it has logged and saved."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imitation.reports.metrics import MetricRow
from imitation.reports.runs import RunRecord

__all__ = [
    "DISC",
    "EVALUATION",
    "LEARNED_RETURN",
    "TRUE_RETURN",
    "Checkpoint",
    "axis",
    "checkpoints",
    "is_adversarial",
    "steps",
    "true_return",
    "warnings",
]

DISC = "mean/disc/"
"""How the discriminator's metrics start."""

TRUE_RETURN = "mean/gen/rollout/ep_rew_mean"
LEARNED_RETURN = "mean/gen/rollout/ep_rew_wrapped_mean"
EVALUATION = ("eval/return_mean", "eval/return_std", "eval/timesteps")

_CLOCK = "mean/gen/time/total_timesteps"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A directory with the rewards and the policy of one moment."""

    name: str
    """Of the directory."""

    steps: float
    """Environment steps before it was saved; NaN if that is not known."""

    true_return: float
    """Mean return of the environment's own reward; NaN if nothing was measured."""

    source: str
    """What measured the return, such as "measured by evaluation"; "" if nothing did."""


def is_adversarial(run: RunRecord) -> bool:
    """Whether a run has trained a policy against a discriminator."""
    return any(f"{DISC}disc_acc" in row for row in run.metrics)


def true_return(run: RunRecord, name: str) -> float:
    """Returns a mean return of the environment's own reward; NaN if it is not known.

    Args:
        run: whose result.
        name: whose return, "imit_stats" or "expert_stats".
    """
    stats = run.result.get(name, {})
    # The return_mean of imit_stats is that of the learned reward.
    own = math.nan if name == "imit_stats" else stats.get("return_mean", math.nan)
    return stats.get("monitor_return_mean", own)


def steps(rows: Sequence[MetricRow]) -> list[float]:
    """Returns when each row was logged, in environment steps.

    Off-policy generators tell the time every few episodes only; rounds between two
    readings are equally long.

    Args:
        rows: the metrics of the run.

    Returns:
        Shape (n_rows,), increasing; the numbers of the rows if nothing tells the time,
        as in TensorBoard events of a run without evaluations.
    """
    known = _readings(rows)
    if not known:
        return [float(i) for i in range(len(rows))]
    at, readings = zip((-1.0, 0.0), *known, strict=True)
    return [float(x) for x in np.interp(np.arange(len(rows)), at, readings)]


def axis(rows: Sequence[MetricRow]) -> str:
    """Says what `steps` returns, as the label of an axis."""
    return "environment steps" if _readings(rows) else "lines of the log"


def round_timesteps(run: RunRecord) -> float:
    """Returns the environment steps of a round; NaN if the settings do not say it."""
    kwargs = dict(_mapping(run.settings, "algorithm_kwargs"))
    kwargs.update(_mapping(run.settings, "algorithm_specific", run.command))
    size = kwargs.get("gen_train_timesteps")
    if size is None:
        size = _mapping(run.settings, "rl").get("batch_size")
    return float(size) if isinstance(size, int) and size > 0 else math.nan


def warnings(run: RunRecord) -> list[tuple[float, str]]:
    """Finds the warnings about the discriminator that the run has given.

    They go to the console; here the metrics are judged again by the same rules.

    Args:
        run: of an adversarial algorithm.

    Returns:
        Environment steps and text of each.
    """
    # Imported here: it loads TensorBoard.
    from imitation.algorithms.adversarial.diagnostics import Diagnostics

    diagnostics = Diagnostics()
    found: list[tuple[float, str]] = []
    size, before = round_timesteps(run), 0.0
    for row, now in zip(run.metrics, steps(run.metrics), strict=True):
        stats = {k.removeprefix(DISC): v for k, v in row.items() if k.startswith(DISC)}
        if {"disc_acc", "disc_entropy", "disc_proportion_expert_pred"} <= set(stats):
            n_rounds = (now - before) / size
            # Short rounds share a row.
            for _ in range(max(1, round(n_rounds)) if math.isfinite(n_rounds) else 1):
                found += [(now, text) for text in diagnostics.after_round(stats)]
        before = now
    return found


def checkpoints(run: RunRecord) -> list[Checkpoint]:
    """Finds what is known of each checkpoint.

    Args:
        run: of an adversarial algorithm.

    Returns:
        Rounds in order, then the best and the final one.
    """
    names = [name for name in run.checkpoints if name.isdecimal()]
    names += [name for name in ("best", "final") if name in run.checkpoints]
    return [_checkpoint(run, name) for name in names]


def _checkpoint(run: RunRecord, name: str) -> Checkpoint:
    times = steps(run.metrics)
    evaluations = {
        now: row[EVALUATION[0]]
        for now, row in zip(times, run.metrics, strict=True)
        if math.isfinite(row.get(EVALUATION[0], math.nan))
    }
    if name == "best" and evaluations:
        at = max(evaluations, key=evaluations.__getitem__)
        return Checkpoint(name, at, evaluations[at], "measured by evaluation")
    if name == "best":
        return Checkpoint(name, math.nan, math.nan, "")
    at = times[-1] if name == "final" else int(name) * round_timesteps(run)
    if name == "final" and math.isfinite(final := true_return(run, "imit_stats")):
        return Checkpoint(name, at, final, "measured when the training had ended")
    if at in evaluations:
        return Checkpoint(name, at, evaluations[at], "measured by evaluation")
    trained = [
        row[TRUE_RETURN]
        for now, row in zip(times, run.metrics, strict=True)
        if now <= at and math.isfinite(row.get(TRUE_RETURN, math.nan))
    ]
    if not trained:
        return Checkpoint(name, at, math.nan, "")
    return Checkpoint(name, at, trained[-1], "measured by the last training episodes")


def _readings(rows: Sequence[MetricRow]) -> list[tuple[float, float]]:
    """The number of each row that tells the time, and what it tells."""
    read = [row.get(EVALUATION[2], row.get(_CLOCK, math.nan)) for row in rows]
    return [(float(i), now) for i, now in enumerate(read) if math.isfinite(now)]


def _mapping(settings: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """A part of the settings; empty where there is none."""
    value: Any = settings
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
