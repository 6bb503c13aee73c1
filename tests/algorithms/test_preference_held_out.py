"""Tests of the episodes that are kept aside while a reward is learned."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms import preference_comparisons as pc
from imitation.algorithms.preference_comparisons.held_out import (
    HeldOutPlayer,
    load_held_out,
)
from imitation.envs.episode_seeds import EpisodeSeedWrapper
from imitation.errors import ArtifactError, ConfigError
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.util import logger as imit_logger


def make_env() -> gym.Env:
    return EpisodeSeedWrapper(gym.make("Pendulum-v1", max_episode_steps=5))


def make_trainer(tmp_path: Path) -> pc.AgentTrainer:
    venv = DummyVecEnv([make_env] * 2)
    net = BasicRewardNet(venv.observation_space, venv.action_space)
    agent = PPO("MlpPolicy", venv, n_steps=10, batch_size=10, n_epochs=1, seed=0)
    log = imit_logger.configure(tmp_path / "log", [])
    return pc.AgentTrainer(
        agent, net, venv, np.random.default_rng(0), custom_logger=log
    )


def make_player(tmp_path: Path, **kwargs: Any) -> HeldOutPlayer:
    venv = DummyVecEnv([make_env] * 2)
    trainer = make_trainer(tmp_path)
    return HeldOutPlayer(trainer, venv, tmp_path / "held_out", **kwargs)


def test_plays_evenly_spaced_and_loads_what_it_has_saved(tmp_path: Path) -> None:
    player = make_player(tmp_path, n_rounds=7, n_episodes=6, n_times=3)
    for number in range(7):
        player(number)
    held_out = load_held_out(tmp_path / "held_out")
    assert held_out.rounds.tolist() == [1, 1, 4, 4, 7, 7]
    assert len(set(held_out.seeds)) == 6
    for episode, seed in zip(held_out.trajectories, held_out.seeds, strict=True):
        assert episode.terminal and len(episode) == 5
        env = gym.make("Pendulum-v1", max_episode_steps=5)
        np.testing.assert_array_equal(env.reset(seed=int(seed))[0], episode.obs[0])
        steps: Any = [env.step(act) for act in episode.acts]
        np.testing.assert_allclose([step[1] for step in steps], episode.rews, rtol=1e-6)


def test_a_round_is_the_same_whether_earlier_ones_were_played(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    whole = make_player(tmp_path / "a", n_rounds=2, n_episodes=4)
    resumed = make_player(tmp_path / "b", n_rounds=2, n_episodes=4)
    whole(0)
    whole(1)
    resumed(1)
    first, second = (load_held_out(tmp_path / x / "held_out") for x in "ab")
    assert first.seeds[2:].tolist() == second.seeds.tolist()
    np.testing.assert_array_equal(
        first.trajectories[3].acts, second.trajectories[1].acts
    )


def test_playing_leaves_the_training_as_it_was(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    venv = DummyVecEnv([make_env])
    trainer.train(20)
    n_before = trainer.buffering_wrapper.n_transitions
    state = trainer.rng.bit_generator.state
    HeldOutPlayer(trainer, venv, tmp_path / "held_out", n_rounds=1)(0)
    assert trainer.buffering_wrapper.n_transitions == n_before == 20
    assert trainer.rng.bit_generator.state == state
    assert trainer.algorithm.get_env() is not venv


def test_bad_arguments_and_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="n_episodes must be positive, got 0"):
        make_player(tmp_path, n_rounds=1, n_episodes=0)
    with pytest.raises(ArtifactError, match="holds no episodes"):
        load_held_out(tmp_path)
    player = make_player(tmp_path, n_rounds=1, n_episodes=1)
    player(0)
    (tmp_path / "held_out" / "0001" / "tensors.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactError):
        load_held_out(tmp_path / "held_out")
