"""Inverse soft Q-learning in the demo."""

from imitation.scripts.demo import off_policy
from imitation.scripts.demo.rows import DemoRow, Task, Trained


def train(task: Task) -> Trained:
    """Runs ``iq_learn`` and reads its log."""
    return off_policy.train(task, ROW.label, "c3")


ROW = DemoRow(
    label="IQ-Learn",
    summary="Inverse soft Q-learning (IQ-Learn) looks for the one Q-function that is "
    "the expert's policy and a reward at once.",
    command="iq_learn",
    settings={
        "seals/CartPole-v0": (
            "policy.normalize_running",
            "demonstrations.n_expert_demos=5",
            "environment.num_vec=1",
            "iq_learn.total_timesteps=10000",
            "rl.rl_kwargs.learning_rate=lin_1e-3",
        ),
    },
    fast=("iq_learn.total_timesteps=1000", "rl.rl_kwargs.learning_starts=950"),
    train=train,
    position=7,
)
