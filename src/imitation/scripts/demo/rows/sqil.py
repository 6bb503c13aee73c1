"""Soft Q imitation learning in the demo."""

from imitation.scripts.demo.rows import DemoRow

# Words of SQIL and IQ-Learn for Pendulum.
PENDULUM = (
    "demonstrations.n_expert_demos=60",
    "policy.policy_kwargs.net_arch=[64,64]",
    "rl.rl_kwargs.learning_rate=lin_1e-3",
    "rl.rl_kwargs.learning_starts=500",
)

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
            *PENDULUM,
            "sqil.total_timesteps=10000",
            "rl.rl_kwargs.gamma=0.98",
        ),
    },
    fast=(
        "demonstrations.n_expert_demos=5",
        "sqil.total_timesteps=1000",
        "rl.rl_kwargs.learning_starts=990",
    ),
    policy="final.th",
    learned_from="{s.demonstrations.n_expert_demos} demonstrations and "
    "{s.sqil.total_timesteps:,} steps of its own",
    seconds=27,
    position=6,
)
