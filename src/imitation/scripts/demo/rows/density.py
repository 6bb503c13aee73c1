"""Density-based imitation in the demo."""

from collections.abc import Mapping

from stable_baselines3 import PPO

from imitation.scripts.demo.rows import (
    Chart,
    DemoRow,
    Task,
    Trained,
    read_progress,
    resolve,
    series,
)


def train(task: Task) -> Trained:
    """Runs ``train_density`` and reads its log."""
    task.run()
    rows = read_progress(task.directory)
    chart = Chart(
        title="Density: return while it learns",
        x_label="environment steps",
        y_label="return",
        curves=(series(rows, "return", _steps, ("rollout/ep_rew_mean",), task.colour),),
        is_return=True,
        note="Mean of the last 100 episodes of training, which explore.",
    )
    saved = task.directory / "checkpoints" / "final" / "policy" / "model.zip"
    learner = PPO.load(saved, device="cpu")
    settings = resolve(task.command, task.words)[2]
    demonstrations = settings.demonstrations.n_expert_demos
    return Trained(
        policy=learner.policy,
        learnt_from=f"{demonstrations} demonstrations and "
        f"{learner.num_timesteps:,} steps of its own",
        charts=(chart,),
    )


def _steps(row: Mapping[str, float]) -> float | None:
    """The environment steps before a row was logged."""
    return row.get("time/total_timesteps")


ROW = DemoRow(
    label="Density",
    summary="Density-based imitation estimates how densely the demonstrations lie "
    "around a step, and rewards the learner for steps where they are dense.",
    command="train_density",
    settings={
        "Pendulum-v1": (
            "rl.batch_size=4000",
            "rl.rl_kwargs.learning_rate=lin_1e-3",
            "total_timesteps=200000",
            # Checkpoints would abandon the episodes in flight.
            "checkpoint_interval=0",
        ),
    },
    fast=("total_timesteps=640", "rl.batch_size=320", "rl.rl_kwargs.batch_size=64"),
    train=train,
    position=5,
    statistic="monitor_return_mean",
)
