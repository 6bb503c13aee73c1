"""Recovers a reward with AIRL and trains a fresh policy on it.

The fresh policy knows neither the demonstrations nor the environment's reward: what it
learns, the recovered reward must have told it.

    python examples/airl.py
"""

import numpy as np
from stable_baselines3 import PPO

from imitation.algorithms.adversarial.airl import AIRL
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.data import rollout
from imitation.policies import experts
from imitation.policies.evaluate import evaluate
from imitation.rewards.reward_nets import BasicShapedRewardNet, NormalizedRewardNet
from imitation.rewards.serialize import save_reward_net
from imitation.training.learned_rewards import retrain_policy
from imitation.util import networks, util

GAMMA = 0.95

rng = np.random.default_rng(0)
venv = util.make_vec_env("seals:seals/CartPole-v0", rng=rng, n_envs=8)
expert = experts.load_expert("seals/CartPole-v0", venv)
demonstrations = rollout.rollout(
    expert, venv, rollout.make_min_episodes(60), rng=rng, unwrap=False
)


def make_ppo(seed):
    """A learner that knows nothing yet."""
    return PPO(
        "MlpPolicy",
        venv,
        n_steps=256,
        batch_size=64,
        n_epochs=5,
        gamma=GAMMA,
        learning_rate=lambda remaining: 4e-4 * remaining,
        seed=seed,
    )


trainer = AIRL(
    demonstrations=demonstrations,
    demo_batch_size=512,
    n_disc_updates_per_round=8,
    gen_replay_buffer_capacity=4096,
    venv=venv,
    gen_algo=make_ppo(seed=1),
    reward_net=BasicShapedRewardNet(
        venv.observation_space,
        venv.action_space,
        discount_factor=GAMMA,
        normalize_input_layer=networks.RunningNorm,
    ),
    disc_options=DiscriminatorOptions(gradient_penalty="r1"),
    gen_entropy_weight=1.0,
)
trainer.train(300_000)
imitated = evaluate(trainer.policy, venv, 20).mean
print(f"the generator: {imitated:.1f} of 500")

# The reward without its shaping, for others: load_reward_net("cartpole-reward").
save_reward_net(trainer.reward_test, "cartpole-reward")
fresh = make_ppo(seed=2)
recovered = NormalizedRewardNet(trainer.reward_test, networks.RunningNorm)
retrain_policy(recovered, fresh, 150_000)
mean_return = evaluate(fresh.policy, venv, 20).mean
print(f"return of the learner: {mean_return:.1f} of 500")
