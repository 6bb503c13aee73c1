"""Learns what somebody wants in a world given as arrays, from a few of their episodes.

The world is a corridor of 12 cells. One step to the left or to the right succeeds nine
times out of ten. Somebody likes the two cells at 3 and 9 and starts in the middle. We
see ten of their episodes, but not their reward.

    python examples/mce_irl.py
"""

import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms.mce_irl import MCEIRL, TabularPolicy, mce_partition_fh
from imitation.data import rollout
from imitation.envs.tabular import TabularEnv
from imitation.rewards.reward_nets import BasicRewardNet

N_CELLS, HORIZON = 12, 20

transitions = np.zeros((N_CELLS, 2, N_CELLS))
for cell in range(N_CELLS):
    for action, step in enumerate((-1, 1)):
        transitions[cell, action, np.clip(cell + step, 0, N_CELLS - 1)] += 0.9
        transitions[cell, action, cell] += 0.1
liked = np.zeros(N_CELLS)
liked[[3, 9]] = 2.0
world = TabularEnv(
    transition_matrix=transitions,
    reward_matrix=liked,
    horizon=HORIZON,
    initial_state_dist=np.eye(N_CELLS)[6],
)

rng = np.random.default_rng(0)
venv = DummyVecEnv([lambda: world])
venv.seed(0)
_, _, pi = mce_partition_fh(world)
somebody = TabularPolicy(world.state_space, world.action_space, pi, rng)
episodes = rollout.generate_trajectories(
    somebody, venv, rollout.make_min_episodes(10), rng
)

reward_net = BasicRewardNet(
    world.observation_space, world.action_space, use_action=False, hid_sizes=[]
)
trainer = MCEIRL(episodes, world, reward_net, rng)
trainer.train(200)
print("learned reward of each cell:", trainer.rewards().round(1))

found = rollout.generate_trajectories(
    trainer.policy, venv, rollout.make_min_episodes(200), rng
)
mean_return = np.mean([episode.rews.sum() for episode in found])
shown = np.mean([episode.rews.sum() for episode in episodes])
print(f"return of those who showed it: {shown:.1f}")
print(f"return of the learner: {mean_return:.1f}")
