"""Soft Q imitation learning in the demo."""

from imitation.scripts.demo import off_policy
from imitation.scripts.demo.rows import DemoRow, Task, Trained


def train(task: Task) -> Trained:
    """Runs ``sqil`` and reads its log."""
    return off_policy.train(task, ROW.label)


_COMMON = (
    # As many updates as steps; a row of the log when all five episodes have ended.
    "rl.rl_kwargs.gradient_steps=-1",
    "rl.rl_kwargs.stats_window_size=5",
    "sqil.train_kwargs.log_interval=5",
)

ROW = DemoRow(
    label="SQIL",
    summary="Soft Q imitation learning (SQIL) rewards the learner for what the expert "
    "did, and for nothing else.",
    command="sqil",
    settings={
        "seals/CartPole-v0": (
            *_COMMON,
            "demonstrations.n_expert_demos=10",
            "sqil.total_timesteps=15000",
            "rl.rl_kwargs.learning_rate=lin_1e-3",
        ),
        "Pendulum-v1": (
            *_COMMON,
            *off_policy.PENDULUM,
            "sqil.total_timesteps=10000",
            "rl.rl_kwargs.gamma=0.98",
        ),
    },
    fast=(
        "demonstrations.n_expert_demos=5",
        "sqil.total_timesteps=1000",
        "rl.rl_kwargs.learning_starts=990",
    ),
    train=train,
    position=6,
)
