"""What the measurements of GAIL and AIRL share: one setting, its training, its row."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import common
import numpy as np
import torch as th
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.adversarial import airl, gail
from imitation.algorithms.adversarial.common import AdversarialTrainer
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.data import rollout, types
from imitation.policies import experts
from imitation.rewards import reward_nets
from imitation.training.learned_rewards import retrain_policy
from imitation.util import logger as imit_logger
from imitation.util import networks, util

N_ENVS = 8
CARTPOLE_PPO = {
    "n_steps": 256,
    "batch_size": 64,
    "learning_rate": 4e-4,
    "gamma": 0.95,
    "n_epochs": 5,
}
CARTPOLE_TRAINER = {"demo_batch_size": 512, "n_disc_updates_per_round": 8}
PENDULUM_SAC = {
    "learning_rate": 1e-3,
    "gamma": 0.95,
    "learning_starts": 500,
    "policy_kwargs": {"net_arch": [64, 64]},
}
GENERATORS: Mapping[str, type[BaseAlgorithm]] = {"dqn": DQN, "ppo": PPO, "sac": SAC}


@dataclasses.dataclass(frozen=True)
class Setting:
    """What to train, and how, where it differs from the defaults."""

    algorithm: str
    env_name: str
    total_timesteps: int
    generator: str
    generator_kwargs: Mapping[str, Any]
    trainer_kwargs: Mapping[str, Any]
    discriminator: Mapping[str, Any]
    n_envs: int = N_ENVS
    hid_size: int = 32
    """Width of the hidden layers of the reward network."""
    falling_learning_rate: bool = False
    """The generator's learning rate falls linearly to 0."""
    n_demonstrations: int = 60
    deterministic_expert: bool = False
    state_only: bool = False
    """The demonstrations have no actions."""
    action_free_reward: bool = False
    """The reward depends on states and next states alone."""
    retrain_timesteps: int = 0


def demonstrations(setting: Setting, venv: VecEnv, seed: int) -> list[Any]:
    """Episodes of the bundled expert, without their actions where asked for."""
    trajectories = rollout.rollout(
        experts.load_expert(setting.env_name, venv),
        venv,
        rollout.make_min_episodes(setting.n_demonstrations),
        rng=np.random.default_rng(seed),
        deterministic_policy=setting.deterministic_expert,
        unwrap=False,
    )[: setting.n_demonstrations]
    if not setting.state_only:
        return list(trajectories)
    return [
        types.Trajectory(
            obs=traj.obs,
            acts=np.empty((len(traj), 0)),
            infos=None,
            terminal=traj.terminal,
        )
        for traj in trajectories
    ]


def reward_net(
    setting: Setting, venv: VecEnv, discount: float
) -> reward_nets.RewardNet:
    """A discriminator with running normalization of its inputs."""
    spaces = (venv.observation_space, venv.action_space)
    normalized = {"normalize_input_layer": networks.RunningNorm}
    hid_sizes = (setting.hid_size, setting.hid_size)
    if setting.algorithm == "airl":
        return reward_nets.BasicShapedRewardNet(
            *spaces,
            reward_hid_sizes=(setting.hid_size,),
            potential_hid_sizes=hid_sizes,
            discount_factor=discount,
            **normalized,
        )
    action_free = setting.state_only or setting.action_free_reward
    return reward_nets.BasicRewardNet(
        *spaces,
        use_action=not action_free,
        use_next_state=action_free,
        hid_sizes=hid_sizes,
        **normalized,
    )


def train(setting: Setting, seed: int) -> tuple[AdversarialTrainer, float]:
    """Trains a generator; returns its trainer and the seconds it took."""
    th.manual_seed(seed)  # weights of the reward network
    rng = np.random.default_rng(seed)
    venv = util.make_vec_env(setting.env_name, rng=rng, n_envs=setting.n_envs)
    generator = make_generator(setting, venv, seed)
    trainer_class = airl.AIRL if setting.algorithm == "airl" else gail.GAIL
    with tempfile.TemporaryDirectory() as directory:
        trainer: AdversarialTrainer = trainer_class(
            demonstrations=demonstrations(setting, venv, seed),
            venv=venv,
            gen_algo=generator,
            reward_net=reward_net(setting, venv, generator.gamma),
            disc_options=DiscriminatorOptions(**setting.discriminator),
            custom_logger=imit_logger.configure(directory, ["csv"]),
            **setting.trainer_kwargs,
        )
        start = time.perf_counter()
        trainer.train(setting.total_timesteps)
        seconds = time.perf_counter() - start
        trainer.logger.close()
    return trainer, seconds


def make_generator(setting: Setting, venv: VecEnv, seed: int) -> Any:
    """A new algorithm with the setting's hyperparameters."""
    algorithm_class = GENERATORS[setting.generator]
    kwargs = dict(setting.generator_kwargs)
    if setting.falling_learning_rate:
        rate = kwargs["learning_rate"]
        kwargs["learning_rate"] = lambda remaining: rate * remaining
    return algorithm_class("MlpPolicy", venv, seed=seed, device="cpu", **kwargs)


def retrain(setting: Setting, trainer: AdversarialTrainer, seed: int) -> Any:
    """Trains a fresh policy on the recovered reward, without its shaping."""
    rng = np.random.default_rng([seed, 1])
    venv = util.make_vec_env(setting.env_name, rng=rng, n_envs=setting.n_envs)
    fresh = make_generator(setting, venv, seed + 1000)
    net = reward_nets.NormalizedRewardNet(trainer.reward_test, networks.RunningNorm)
    return retrain_policy(net, fresh, setting.retrain_timesteps)


def measure(setting: Setting, seeds: list[int]) -> dict[str, Any]:
    """Trains and evaluates with every seed."""
    learners, again, teachers, seconds = [], [], [], []
    for seed in seeds:
        trainer, took = train(setting, seed)
        venv = util.make_vec_env(setting.env_name, rng=np.random.default_rng(0))
        expert = experts.load_expert(setting.env_name, venv)
        learners.append(common.play(trainer.policy, setting.env_name, seed))
        teachers.append(common.play(expert, setting.env_name, seed))
        seconds.append(round(took, 2))
        print(
            f"{setting.algorithm} {setting.env_name} seed {seed}: "
            f"{learners[-1].mean():.1f}, expert {teachers[-1].mean():.1f}, "
            f"{took:.1f} s",
            flush=True,
        )
        if setting.retrain_timesteps:
            policy = retrain(setting, trainer, seed)
            again.append(common.play(policy, setting.env_name, seed))
            print(f"  retrained: {again[-1].mean():.1f}", flush=True)
    row = {
        **dataclasses.asdict(setting),
        "seeds": seeds,
        "n_episodes": common.N_EPISODES,
        **common.summary(learners),
        "expert": common.summary(teachers),
        "training_s_by_seed": seconds,
    }
    return row | ({"retrained": common.summary(again)} if again else {})
