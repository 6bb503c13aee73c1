"""Learning a reward from preferences in the demo."""

from imitation.scripts.demo.rows import DemoRow

ROW = DemoRow(
    label="Preferences",
    summary="Preference comparisons know no expert: somebody says which of two short "
    "clips is better (here the environment's own reward), a "
    "reward is learned from the answers, and the policy from the reward.",
    command="train_preference_comparisons",
    settings={
        "seals/CartPole-v0": (
            "noiseless",
            "environment.num_vec=8",  # of which the preset's rollouts are a multiple
        ),
    },
    fast=(
        "fragment_length=5",
        "held_out_episodes=2",
        "initial_epoch_multiplier=1.0",
        "num_iterations=2",
        "rl.ppo_batch_size=320",
        "total_comparisons=20",
        "total_timesteps=640",
    ),
    policy="checkpoints/final/policy/model.zip",
    learned_from="{s.total_comparisons} comparisons and "
    "{s.total_timesteps:,} steps of its own",
    seconds=86,
    position=4,
    asks_expert=False,
    statistic="monitor_return_mean",
)
