"""Generative adversarial imitation learning in the demo."""

from imitation.scripts.demo.rows import DemoRow

# Words of GAIL and AIRL for CartPole; its preset has the hyperparameters of PPO.
SETTINGS = (
    "reward.normalize_output_disable",
    "discriminator.gradient_penalty=r1",
    "algorithm_kwargs.demo_batch_size=512",
    "algorithm_kwargs.n_disc_updates_per_round=8",
    "rl.batch_size=1920",
    "rl.rl_kwargs.learning_rate=lin_4e-4",
    "total_timesteps=204800",
    "eval_interval=8",
    "n_eval_episodes=5",
    # Saving the state would abandon the episodes in flight.
    "state_interval=0",
)

FAST = (
    "total_timesteps=640",
    "rl.batch_size=320",
    "algorithm_kwargs.demo_batch_size=64",
    "algorithm_kwargs.n_disc_updates_per_round=1",
    "eval_interval=1",
    "n_eval_episodes=1",
)

POLICY = "checkpoints/final/gen_policy/model.zip"

LEARNED_FROM = (
    "{s.demonstrations.n_expert_demos} demonstrations and {s.total_timesteps:,} steps "
    "of its own"
)

ROW = DemoRow(
    label="GAIL",
    summary="Generative adversarial imitation learning (GAIL) trains a discriminator "
    "to tell the expert's steps from the learner's, and the learner by reinforcement "
    "learning to be taken for the expert.",
    command="gail",
    settings={"seals/CartPole-v0": SETTINGS},
    fast=FAST,
    policy=POLICY,
    learned_from=LEARNED_FROM,
    seconds=45,
    position=2,
    statistic="monitor_return_mean",  # return_mean is that of the learned reward
)
