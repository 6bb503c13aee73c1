"""Learns a reward with AIRL and carries it over to changed dynamics.

A cart with a light pole is imitated. The reward that is recovered from it then trains a
policy for a cart whose pole is longer and five times as heavy, which no demonstration
has shown. A reward that shall carry over must not depend on the actions.

    python examples/airl_transfer.py
"""

import numpy as np
from stable_baselines3 import PPO

from imitation.algorithms.adversarial.airl import AIRL
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.data import rollout
from imitation.policies import experts
from imitation.policies.evaluate import evaluate
from imitation.rewards.reward_nets import BasicShapedRewardNet, NormalizedRewardNet
from imitation.training.learned_rewards import retrain_policy
from imitation.util import networks, util

GAMMA = 0.95


def with_heavy_pole(env, index):
    """Changes what the pole weighs and measures, and what follows from it."""
    cart = env.unwrapped
    cart.masspole, cart.length = 0.5, 1.0
    cart.total_mass = cart.masspole + cart.masscart
    cart.polemass_length = cart.masspole * cart.length
    return env


def make_ppo(venv, seed):
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


rng = np.random.default_rng(0)
light = util.make_vec_env("seals:seals/CartPole-v0", rng=rng)
heavy = util.make_vec_env(
    "seals:seals/CartPole-v0", rng=rng, post_wrappers=[with_heavy_pole]
)
expert = experts.load_expert("seals/CartPole-v0", light)
demonstrations = rollout.rollout(
    expert, light, rollout.make_min_episodes(60), rng=rng, unwrap=False
)
trainer = AIRL(
    demonstrations=demonstrations,
    demo_batch_size=512,
    n_disc_updates_per_round=8,
    gen_replay_buffer_capacity=4096,
    venv=light,
    gen_algo=make_ppo(light, seed=1),
    reward_net=BasicShapedRewardNet(
        light.observation_space,
        light.action_space,
        use_action=False,
        discount_factor=GAMMA,
        normalize_input_layer=networks.RunningNorm,
    ),
    disc_options=DiscriminatorOptions(gradient_penalty="r1"),
    gen_entropy_weight=1.0,
)
trainer.train(300_000)

fresh = make_ppo(heavy, seed=2)
recovered = NormalizedRewardNet(trainer.reward_test, networks.RunningNorm)
retrain_policy(recovered, fresh, 150_000)
mean_return = evaluate(fresh.policy, heavy, 20).mean
print(f"return of the learner: {mean_return:.1f} of 500")
