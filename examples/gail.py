"""Trains GAIL on ten demonstrations and keeps the best policy of the training.

The expert's episodes stand for a recording of yours. Nothing reads the environment's
reward but the evaluations, which choose the checkpoint to keep.

    python examples/gail.py
"""

import numpy as np
from stable_baselines3 import PPO

from imitation.algorithms.adversarial.gail import GAIL
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.data import rollout
from imitation.policies import experts
from imitation.policies.evaluate import evaluate
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.util import networks, util

rng = np.random.default_rng(0)
venv = util.make_vec_env("seals:seals/CartPole-v0", rng=rng, n_envs=8)
eval_venv = util.make_vec_env("seals:seals/CartPole-v0", rng=rng, n_envs=8)
expert = experts.load_expert("seals/CartPole-v0", venv)
demonstrations = rollout.rollout(
    expert, venv, rollout.make_min_episodes(10), rng=rng, unwrap=False
)

learner = PPO(
    "MlpPolicy",
    venv,
    n_steps=256,
    batch_size=64,
    n_epochs=5,
    gamma=0.95,
    learning_rate=lambda remaining: 4e-4 * remaining,
    seed=1,
)
discriminator = BasicRewardNet(
    venv.observation_space,
    venv.action_space,
    normalize_input_layer=networks.RunningNorm,
)
trainer = GAIL(
    demonstrations=demonstrations,
    demo_batch_size=512,
    n_disc_updates_per_round=8,
    venv=venv,
    gen_algo=learner,
    reward_net=discriminator,
    disc_options=DiscriminatorOptions(gradient_penalty="r1"),
)
trainer.train(
    100_000,
    checkpoint_dir="gail-cartpole",  # continue with resume=True
    eval_venv=eval_venv,
    eval_interval=8,
)

best = PPO.load("gail-cartpole/best/gen_policy/model.zip")
mean_return = evaluate(best, venv, 20).mean
print(f"return of the learner: {mean_return:.1f} of 500")
