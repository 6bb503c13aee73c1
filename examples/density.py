"""Trains SAC on how densely the expert's steps lie around the learner's.

The density of pairs of state and action is estimated by nearest neighbors, once; no
reward of the environment and no discriminator is used. The expert ends near -150, an
untrained policy near -1,200.

    python examples/density.py
"""

import numpy as np
from stable_baselines3 import SAC

from imitation.algorithms.density import DensityAlgorithm, DensityType
from imitation.data import rollout
from imitation.policies import experts
from imitation.policies.evaluate import evaluate
from imitation.util import util

rng = np.random.default_rng(0)
venv = util.make_vec_env("Pendulum-v1", rng=rng, n_envs=1)
expert = experts.load_expert("Pendulum-v1", venv)
demonstrations = rollout.rollout(
    expert,
    venv,
    rollout.make_min_episodes(20),
    rng=rng,
    unwrap=False,
    deterministic_policy=True,
)

trainer = DensityAlgorithm(
    demonstrations=demonstrations,
    venv=venv,
    rng=rng,
    rl_algo=SAC(
        "MlpPolicy",
        venv,
        learning_rate=lambda remaining: 1e-3 * remaining,
        gamma=0.95,
        learning_starts=500,
        policy_kwargs={"net_arch": [64, 64]},
        seed=0,
    ),
    density_type=DensityType.STATE_ACTION_DENSITY,
    estimator="knn",
    kernel_bandwidth=0.1,
)
trainer.train()
trainer.train_policy(15_000)

mean_return = evaluate(trainer.policy, venv, 20).mean
print(f"return of the learner: {mean_return:.1f}")
