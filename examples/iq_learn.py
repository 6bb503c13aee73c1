"""Learns a policy and a reward by IQ-Learn, from five episodes and nothing else.

The environment is asked for its spaces, and for episodes to evaluate the policy in.

    python examples/iq_learn.py
"""

import numpy as np

from imitation.algorithms.iq_learn import IQLearn
from imitation.data import rollout
from imitation.policies import experts
from imitation.policies.evaluate import evaluate
from imitation.rewards.serialize import save_reward_net
from imitation.util import util

rng = np.random.default_rng(0)
venv = util.make_vec_env("seals/CartPole-v0", rng=rng, n_envs=1)
expert = experts.load_expert("seals/CartPole-v0", venv)
demonstrations = rollout.rollout(
    expert,
    venv,
    rollout.make_min_episodes(5),
    rng=rng,
    unwrap=False,
    deterministic_policy=True,
)

trainer = IQLearn(
    venv=venv,
    demonstrations=demonstrations,
    policy="MlpPolicy",
    rl_kwargs={"learning_rate": lambda remaining: 1e-3 * remaining, "seed": 0},
)
trainer.train_offline(n_updates=5_000)

# The reward that the Q-function stands for, to train others on.
save_reward_net(trainer.reward_net, "iq-reward.pt")

mean_return = evaluate(trainer.policy, venv, 20).mean
print(f"return of the learner: {mean_return:.1f} of 500")
