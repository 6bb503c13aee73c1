"""Generative adversarial imitation learning in the demo."""

from imitation.scripts.demo import adversarial
from imitation.scripts.demo.rows import DemoRow, Task, Trained


def train(task: Task) -> Trained:
    """Runs ``gail`` and reads its log."""
    return adversarial.train(task, ROW.label)


ROW = DemoRow(
    label="GAIL",
    summary="Generative adversarial imitation learning (GAIL) trains a discriminator "
    "to tell the expert's steps from the learner's, and the learner by reinforcement "
    "learning to be taken for the expert.",
    command="gail",
    settings={
        "seals/CartPole-v0": adversarial.SETTINGS,
    },
    fast=adversarial.FAST,
    train=train,
    position=2,
    statistic=adversarial.RESULT,
)
