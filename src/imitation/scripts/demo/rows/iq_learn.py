"""Inverse soft Q-learning in the demo, from the demonstrations alone."""

from imitation.scripts.demo.rows import DemoRow, sqil

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
            *sqil.PENDULUM,
            "iq_learn.offline_updates=8000",
            "rl.rl_kwargs.gamma=0.99",
        ),
    },
    fast=("demonstrations.n_expert_demos=5", "iq_learn.offline_updates=5"),
    policy="final.th",
    learned_from="{s.demonstrations.n_expert_demos} demonstrations and no steps of its "
    "own",
    seconds=25,
    position=7,
)
