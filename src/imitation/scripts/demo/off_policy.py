"""What the rows of SQIL and IQ-Learn share: their training and their chart."""

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

__all__ = ["train"]

_RETURN = ("rollout/ep_rew_mean",)


def train(task: Task, label: str, colour: str) -> Trained:
    """Runs the command and reads its log.

    Args:
        task: what to run.
        label: of the row.
        colour: of its learning curve.
    """
    task.run()
    settings = resolve(task.command, task.words)[2]
    steps = getattr(settings, task.command).total_timesteps
    rows = [row for row in read_progress(task.directory) if _RETURN[0] in row]
    chart = Chart(
        title=f"{label}: return while it learns",
        x_label="environment steps",
        y_label="return",
        curves=(series(rows, "return", _steps, _RETURN, colour),),
        is_return=True,
        final_x=steps,
        note="Mean of the last 100 episodes of training, which the learner played "
        "with sampled actions.",
    )
    demonstrations = settings.demonstrations.n_expert_demos
    return Trained(
        policy=load_policy(task.directory / "final.th", "cpu"),
        learnt_from=f"{demonstrations} demonstrations and {steps:,} steps of its own",
        charts=(chart,),
    )


def _steps(row: Mapping[str, float]) -> float | None:
    """The environment steps before a row was logged."""
    return row.get("time/total_timesteps")
