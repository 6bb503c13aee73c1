"""Trains SQIL: reward 1 for what the expert did, 0 for what the learner does.

python examples/sqil.py
"""

import numpy as np

from imitation.algorithms.sqil import SQIL
from imitation.data import rollout
from imitation.policies import experts
from imitation.policies.evaluate import evaluate
from imitation.util import util

rng = np.random.default_rng(0)
venv = util.make_vec_env("CartPole-v1", rng=rng, n_envs=1)
expert = experts.load_expert("CartPole-v1", venv)
demonstrations = rollout.rollout(
    expert, venv, rollout.make_min_episodes(10), rng=rng, unwrap=False
)

# With discrete actions a soft Q-learner; its learning rate falls to 0 at the end.
trainer = SQIL(
    venv=venv,
    demonstrations=demonstrations,
    policy="MlpPolicy",
    rl_kwargs={"learning_rate": lambda remaining: 1e-3 * remaining, "seed": 0},
)
trainer.train(total_timesteps=10_000)

mean_return = evaluate(trainer.policy, venv, 20).mean
print(f"return of the learner: {mean_return:.1f} of 500")
