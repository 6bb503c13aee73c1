"""Tests that episodes tell the seed that repeats them."""

from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.data import rollout
from imitation.envs.episode_seeds import EPISODE_SEED_KEY, EpisodeSeedWrapper
from imitation.policies.base import RandomPolicy


def make() -> gym.Env:
    return gym.make("Pendulum-v1", max_episode_steps=7)


def play(seed: Any) -> list[Any]:
    venv = DummyVecEnv([lambda: EpisodeSeedWrapper(make())] * 2)
    venv.seed(seed)
    policy = RandomPolicy(venv.observation_space, venv.action_space)
    episodes = rollout.generate_trajectories(
        policy, venv, rollout.make_min_episodes(4), np.random.default_rng(0)
    )
    return list(episodes)


def test_every_episode_is_repeated_by_its_seed_and_actions() -> None:
    seeds = set()
    for episode in play(3):
        (seed,) = {info[EPISODE_SEED_KEY] for info in episode.infos}
        seeds.add(seed)
        env = make()
        again = [env.reset(seed=seed)[0]]
        again += [env.step(act)[0] for act in episode.acts]
        np.testing.assert_array_equal(np.array(again), episode.obs)
    assert len(seeds) == 4


def test_the_seed_of_reset_decides_all_seeds() -> None:
    def seeds(seed: int) -> list[int]:
        return sorted(e.infos[0][EPISODE_SEED_KEY] for e in play(seed))

    assert seeds(3) == seeds(3) != seeds(4)
