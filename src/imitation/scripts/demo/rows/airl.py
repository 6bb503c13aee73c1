"""Adversarial inverse reinforcement learning in the demo."""

from imitation.scripts.demo.rows import DemoRow, gail

ROW = DemoRow(
    label="AIRL",
    summary="Adversarial inverse reinforcement learning (AIRL) does the same with a "
    "discriminator built so that it contains a reward, from which other policies can "
    "learn, too.",
    command="airl",
    settings={
        "seals/CartPole-v0": (
            *gail.SETTINGS,
            "algorithm_kwargs.gen_replay_buffer_capacity=4096",
        ),
    },
    fast=gail.FAST,
    policy=gail.POLICY,
    learned_from=gail.LEARNED_FROM,
    seconds=48,
    position=3,
    statistic="monitor_return_mean",
)
