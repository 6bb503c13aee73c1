"""What the rows of SQIL and IQ-Learn share: their training and their charts."""

from collections.abc import Mapping

from imitation.scripts.demo.rows import (
    Chart,
    Task,
    Trained,
    load_policy,
    read_progress,
    resolve,
    series,
)

__all__ = ["PENDULUM", "train"]

PENDULUM = (
    "demonstrations.n_expert_demos=60",
    "policy.policy_kwargs.net_arch=[64,64]",
    "rl.rl_kwargs.learning_rate=lin_1e-3",
    "rl.rl_kwargs.learning_starts=500",
)
"""Words of both for Pendulum."""


def train(task: Task, label: str) -> Trained:
    """Runs the command and reads its log.

    Args:
        task: what to run.
        label: of the row.
    """
    task.run()
    settings = resolve(task.command, task.words)[2]
    own = getattr(settings, task.command)
    demonstrations = settings.demonstrations.n_expert_demos
    if getattr(own, "offline_updates", 0) > 0:
        chart, steps = _loss(task, label), "no steps of its own"
    else:
        chart = _returns(task, label, own.total_timesteps)
        steps = f"{own.total_timesteps:,} steps of its own"
    return Trained(
        policy=load_policy(task.directory / "final.th", "cpu"),
        learnt_from=f"{demonstrations} demonstrations and {steps}",
        charts=(chart,),
    )


def _returns(task: Task, label: str, n_steps: int) -> Chart:
    """The return while it learns in the environment."""
    key = "rollout/ep_rew_mean"
    rows = [row for row in read_progress(task.directory) if key in row]
    return Chart(
        title=f"{label}: return while it learns",
        x_label="environment steps",
        y_label="return",
        curves=(series(rows, "return", _steps, (key,), task.colour),),
        is_return=True,
        final_x=n_steps,
        note="Mean of the last 100 episodes of training, which the learner played "
        "with sampled actions; at the end, the evaluation of the final policy.",
    )


def _loss(task: Task, label: str) -> Chart:
    """What an offline training minimises."""
    rows = read_progress(task.directory)
    return Chart(
        title=f"{label}: loss",
        x_label="optimiser steps",
        y_label="loss",
        curves=(series(rows, "loss", _updates, ("train/loss",), task.colour),),
        note="The IQ-Learn objective with its sign changed, averaged since the point "
        "before. The learner does not act in the environment until it is evaluated.",
    )


def _steps(row: Mapping[str, float]) -> float | None:
    """The environment steps before a row was logged."""
    return row.get("time/total_timesteps")


def _updates(row: Mapping[str, float]) -> float | None:
    """The optimiser steps before a row was logged."""
    return row.get("train/n_updates")
