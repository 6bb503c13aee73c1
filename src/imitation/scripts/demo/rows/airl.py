"""Adversarial inverse reinforcement learning in the demo."""

from imitation.scripts.demo import adversarial
from imitation.scripts.demo.rows import DemoRow, Task, Trained


def train(task: Task) -> Trained:
    """Runs ``airl`` and reads its log."""
    return adversarial.train(task, ROW.label)


ROW = DemoRow(
    label="AIRL",
    summary="Adversarial inverse reinforcement learning (AIRL) does the same with a "
    "discriminator built so that it contains a reward, from which other policies can "
    "learn, too.",
    command="airl",
    settings={
        "seals/CartPole-v0": (
            *adversarial.SETTINGS,
            "algorithm_kwargs.gen_replay_buffer_capacity=4096",
        ),
    },
    fast=adversarial.FAST,
    train=train,
    position=3,
    statistic=adversarial.RESULT,
)
