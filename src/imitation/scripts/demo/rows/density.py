"""Density-based imitation in the demo."""

from imitation.scripts.demo.rows import DemoRow

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
    policy="checkpoints/final/policy/model.zip",
    learned_from="{s.demonstrations.n_expert_demos} demonstrations and "
    "{m[time/total_timesteps]:,.0f} steps of its own",
    seconds=46,
    position=5,
    statistic="monitor_return_mean",
)
