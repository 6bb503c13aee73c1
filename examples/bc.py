"""Clones an expert whose demonstrations are plain arrays, and keeps the best weights.

The arrays stand for a recording of yours: here a bundled expert makes them. A fifth of
the episodes is held out; training stops when it predicts them no better.

    python examples/bc.py
"""

import numpy as np

from imitation.algorithms import bc
from imitation.data import importers, rollout
from imitation.policies import experts
from imitation.policies.evaluate import evaluate
from imitation.util import util

rng = np.random.default_rng(0)
venv = util.make_vec_env("seals:seals/CartPole-v0", rng=rng)
expert = experts.load_expert("seals/CartPole-v0", venv)
enough = rollout.make_sample_until(min_episodes=40)
recorded = rollout.rollout(expert, venv, enough, rng=rng, unwrap=False)

# What you would load from your own files: one array an episode.
obs = [episode.obs for episode in recorded]  # each (T + 1, 4)
acts = [episode.acts for episode in recorded]  # each (T,)

trainer = bc.BC(
    observation_space=venv.observation_space,
    action_space=venv.action_space,
    demonstrations=importers.from_arrays(obs, acts),
    val_fraction=0.2,
    rng=rng,
)
trainer.train(n_epochs=20, early_stopping=bc.EarlyStopping(patience=2))
trainer.save(
    "bc-cartpole"
)  # continue with bc.BC.load("bc-cartpole", demonstrations=...)

mean_return = evaluate(trainer.policy, venv, 20).mean
print(f"return of the clone: {mean_return:.1f} of 500")
