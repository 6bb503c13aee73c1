"""Behavioral cloning in the demo."""

from imitation.scripts.demo.rows import DemoRow

_COMMON = (
    "demonstrations.n_expert_demos=50",
    "bc.val_fraction=0.1",
    "bc.train_kwargs.log_rollouts_n_episodes=5",
)

ROW = DemoRow(
    label="BC",
    summary="Behavioral cloning (BC) fits a policy to the pairs of observation and "
    "action in 50 episodes of the expert.",
    command="bc",
    settings={
        "seals/CartPole-v0": (
            *_COMMON,
            "bc.train_kwargs.n_epochs=5",
            "bc.train_kwargs.log_interval=350",
        ),
        "Pendulum-v1": (
            *_COMMON,
            "bc.optimizer_kwargs.lr=0.001",
            "bc.train_kwargs.n_epochs=20",
            "bc.train_kwargs.log_interval=280",
        ),
    },
    fast=("bc.train_kwargs.n_epochs=2", "bc.train_kwargs.log_interval=1"),
    policy="final.th",
    learned_from="{s.demonstrations.n_expert_demos} demonstrations",
    seconds=6,
    position=0,
)
