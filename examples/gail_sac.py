"""Trains GAIL with SAC, which reuses what it has experienced.

The rewards in its replay buffer are computed when transitions are sampled, so that none
is that of an older discriminator. The demonstrations are those of an expert that ends
near -150; an untrained policy ends near -1,200.

    python examples/gail_sac.py
"""

import numpy as np
from stable_baselines3 import SAC

from imitation.algorithms.adversarial.gail import GAIL
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.data import rollout
from imitation.policies import experts
from imitation.policies.evaluate import evaluate
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.util import networks, util

rng = np.random.default_rng(0)
venv = util.make_vec_env("Pendulum-v1", rng=rng, n_envs=1)
expert = experts.load_expert("Pendulum-v1", venv)
demonstrations = rollout.rollout(
    expert,
    venv,
    rollout.make_min_episodes(60),
    rng=rng,
    unwrap=False,
    deterministic_policy=True,
)

trainer = GAIL(
    demonstrations=demonstrations,
    demo_batch_size=256,
    n_disc_updates_per_round=10,
    gen_train_timesteps=100,
    gen_replay_buffer_capacity=20_000,
    reward_form="airl",
    venv=venv,
    gen_algo=SAC(
        "MlpPolicy",
        venv,
        learning_rate=lambda remaining: 1e-3 * remaining,
        gamma=0.95,
        learning_starts=500,
        policy_kwargs={"net_arch": [64, 64]},
        seed=0,
    ),
    reward_net=BasicRewardNet(
        venv.observation_space,
        venv.action_space,
        use_action=False,
        use_next_state=True,
        hid_sizes=(64, 64),
        normalize_input_layer=networks.RunningNorm,
    ),
    disc_options=DiscriminatorOptions(gradient_penalty="r1"),
)
trainer.train(20_000)

mean_return = evaluate(trainer.policy, venv, 20).mean
print(f"return of the learner: {mean_return:.1f}")
