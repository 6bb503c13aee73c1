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
    charts: tuple[Chart, ...] = ()
    steps = "no"
    # Offline there is no return, and a loss whose aim moves says little.
    if not getattr(own, "offline_updates", 0):
        charts, steps = (_returns(task, label),), f"{own.total_timesteps:,}"
    return Trained(
        policy=load_policy(task.directory / "final.th", "cpu"),
        learnt_from=f"{demonstrations} demonstrations and {steps} steps of its own",
        charts=charts,
    )


def _returns(task: Task, label: str) -> Chart:
    """The return while it learns in the environment."""
    key = "rollout/ep_rew_mean"
    rows = [row for row in read_progress(task.directory) if key in row]
    return Chart(
        title=f"{label}: return while it learns",
        x_label="environment steps",
        y_label="return",
        curves=(series(rows, "return", _steps, (key,), task.colour),),
        is_return=True,
        note="Mean of the last 5 episodes of training, in which the learner samples "
        "its actions.",
    )


def _steps(row: Mapping[str, float]) -> float | None:
    """The environment steps before a row was logged."""
    return row.get("time/total_timesteps")
