"""Imitates observations alone (GAIfO): nobody recorded the expert's actions.

The discriminator compares what follows what, state and next state, so demonstrations
may come from a camera, or from somebody who acts by other means.

    python examples/gaifo.py
"""

import numpy as np
from stable_baselines3 import PPO

from imitation.algorithms.adversarial.gail import GAIL
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.data import rollout, types
from imitation.policies import experts
from imitation.policies.evaluate import evaluate
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.util import networks, util

rng = np.random.default_rng(0)
venv = util.make_vec_env("seals:seals/CartPole-v0", rng=rng, n_envs=8)
expert = experts.load_expert("seals/CartPole-v0", venv)
recorded = rollout.rollout(
    expert, venv, rollout.make_min_episodes(20), rng=rng, unwrap=False
)
# What you would load: observations, (T + 1, 4). Actions (T, 0) say that there are none.
watched = [
    types.Trajectory(
        obs=episode.obs,
        acts=np.empty((len(episode), 0)),
        infos=None,
        terminal=episode.terminal,
    )
    for episode in recorded
]

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
trainer = GAIL(
    demonstrations=watched,
    demo_batch_size=512,
    n_disc_updates_per_round=8,
    venv=venv,
    gen_algo=learner,
    reward_net=BasicRewardNet(
        venv.observation_space,
        venv.action_space,
        use_action=False,
        use_next_state=True,
        normalize_input_layer=networks.RunningNorm,
    ),
    disc_options=DiscriminatorOptions(gradient_penalty="r1"),
)
trainer.train(150_000)

mean_return = evaluate(trainer.policy, venv, 20).mean
print(f"return of the learner: {mean_return:.1f} of 500")
