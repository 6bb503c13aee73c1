"""Learns a reward for the pendulum from 300 comparisons, and a policy from the reward.

The comparisons are made by the environment's reward, which stands for a person; give
`HumanGatherer` instead and run `imitation label` to make them yourself.

    python examples/preference_comparisons.py
"""

import numpy as np
from stable_baselines3 import SAC

from imitation.algorithms import preference_comparisons
from imitation.policies.evaluate import evaluate
from imitation.rewards.reward_nets import BasicRewardNet, NormalizedRewardNet
from imitation.util import networks, util

rng = np.random.default_rng(0)
venv = util.make_vec_env("Pendulum-v1", rng=rng, n_envs=1)
agent = SAC(
    "MlpPolicy",
    venv,
    learning_rate=lambda remaining: 1e-3 * remaining,
    learning_starts=500,
    gamma=0.95,
    policy_kwargs={"net_arch": [64, 64]},
    seed=0,
)
reward_net = BasicRewardNet(
    venv.observation_space,
    venv.action_space,
    hid_sizes=(64, 64),
    normalize_input_layer=networks.RunningNorm,
)
normalized = NormalizedRewardNet(reward_net, networks.RunningNorm)
trainer = preference_comparisons.PreferenceComparisons(
    preference_comparisons.AgentTrainer(agent, normalized, venv, rng),
    reward_net,
    num_iterations=10,
    fragmenter=preference_comparisons.RandomFragmenter(rng, warning_threshold=0),
    preference_gatherer=preference_comparisons.SyntheticGatherer(
        temperature=0, rng=rng
    ),
    reward_trainer=preference_comparisons.BasicRewardTrainer(
        preference_comparisons.PreferenceModel(reward_net),
        preference_comparisons.CrossEntropyRewardLoss(),
        rng,
        epochs=50,
    ),
    fragment_length=50,
    initial_comparison_frac=0.3,
    initial_epoch_multiplier=4,
    query_schedule="constant",
)
trainer.train(total_timesteps=15_000, total_comparisons=300)

mean_return = evaluate(agent.policy, venv, 20).mean
print(f"return of the learner: {mean_return:.1f}")
