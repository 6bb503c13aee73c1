"""Inverse soft Q-learning in the demo, from the demonstrations alone."""

from imitation.scripts.demo import off_policy
from imitation.scripts.demo.rows import DemoRow, Task, Trained


def train(task: Task) -> Trained:
    """Runs ``iq_learn`` and reads its log."""
    return off_policy.train(task, ROW.label)


ROW = DemoRow(
    label="IQ-Learn",
    summary="Inverse soft Q-learning (IQ-Learn) looks for the one Q-function that is "
    "the expert's policy and a reward at once. Here it learns offline, from the "
    "demonstrations alone.",
    command="iq_learn",
    settings={
        "seals/CartPole-v0": (
            "demonstrations.n_expert_demos=10",
            "iq_learn.offline_updates=5000",
            "rl.rl_kwargs.learning_rate=lin_1e-3",
        ),
        "Pendulum-v1": (
            *off_policy.PENDULUM,
            "iq_learn.offline_updates=8000",
            "rl.rl_kwargs.gamma=0.99",
        ),
    },
    fast=("demonstrations.n_expert_demos=5", "iq_learn.offline_updates=5"),
    train=train,
    position=7,
)
