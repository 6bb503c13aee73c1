"""How well does density-based imitation do?

    python benchmarks/returns/density.py
    python benchmarks/returns/density.py --only Pendulum-v1 --seeds 0 1

Trains PPO on the density of episodes of the bundled expert, with five seeds. Plays 50
episodes with each policy and with the expert from the same initial states (both
deterministic), and writes `benchmarks/returns/density.json`.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import common
import numpy as np
from adversarial_runs import CARTPOLE_PPO, GENERATORS

from imitation.algorithms.density import DensityAlgorithm
from imitation.data import rollout
from imitation.policies import experts
from imitation.util import logger as imit_logger
from imitation.util import util


@dataclasses.dataclass(frozen=True)
class Setting:
    """What to train, and how."""

    env_name: str
    generator: str
    generator_kwargs: Mapping[str, Any]
    total_timesteps: int
    n_envs: int
    n_demonstrations: int
    deterministic_expert: bool
    density_kwargs: Mapping[str, Any]
    algorithm: str = "density"


SETTINGS = [
    Setting(
        env_name="seals/CartPole-v0",
        generator="ppo",
        generator_kwargs=CARTPOLE_PPO,
        total_timesteps=200_000,
        n_envs=8,
        n_demonstrations=20,
        deterministic_expert=False,
        density_kwargs={
            "estimator": "knn",
            "kernel_bandwidth": 0.1,
            "normalize_reward": True,
        },
    ),
    Setting(
        env_name="Pendulum-v1",
        generator="ppo",
        generator_kwargs={
            "n_steps": 256,
            "batch_size": 256,
            "learning_rate": 1e-3,
            "gamma": 0.95,
            "gae_lambda": 0.9,
        },
        total_timesteps=300_000,
        n_envs=16,
        n_demonstrations=50,
        deterministic_expert=False,
        density_kwargs={
            "estimator": "knn",
            "kernel_bandwidth": 0.1,
            "normalize_reward": True,
        },
    ),
]


def train(setting: Setting, seed: int) -> tuple[DensityAlgorithm, float]:
    """Trains a policy; returns its trainer and the seconds it took."""
    rng = np.random.default_rng(seed)
    venv = util.make_vec_env(setting.env_name, rng=rng, n_envs=setting.n_envs)
    n_demonstrations = setting.n_demonstrations
    demonstrations = rollout.rollout(
        experts.load_expert(setting.env_name, venv),
        venv,
        rollout.make_min_episodes(n_demonstrations),
        rng=rng,
        unwrap=False,
        deterministic_policy=setting.deterministic_expert,
    )[:n_demonstrations]
    kwargs = dict(setting.generator_kwargs)
    rate = kwargs["learning_rate"]
    kwargs["learning_rate"] = lambda remaining: rate * remaining
    learner = GENERATORS[setting.generator](
        "MlpPolicy", venv, seed=seed, device="cpu", **kwargs
    )
    with tempfile.TemporaryDirectory() as directory:
        trainer = DensityAlgorithm(
            demonstrations=demonstrations,
            venv=venv,
            rng=rng,
            rl_algo=learner,
            custom_logger=imit_logger.configure(directory, ["csv"]),
            **setting.density_kwargs,
        )
        start = time.perf_counter()
        trainer.train()
        trainer.train_policy(setting.total_timesteps)
        seconds = time.perf_counter() - start
        trainer.logger.close()
    return trainer, seconds


def measure(setting: Setting, seeds: list[int]) -> dict[str, Any]:
    """Trains and evaluates with every seed."""
    learners, teachers, seconds = [], [], []
    for seed in seeds:
        trainer, took = train(setting, seed)
        venv = util.make_vec_env(setting.env_name, rng=np.random.default_rng(0))
        expert = experts.load_expert(setting.env_name, venv)
        learners.append(common.play(trainer.policy, setting.env_name, seed))
        teachers.append(common.play(expert, setting.env_name, seed))
        seconds.append(round(took, 2))
        print(
            f"density {setting.env_name} seed {seed}: {learners[-1].mean():.1f}, "
            f"expert {teachers[-1].mean():.1f}, {took:.1f} s",
            flush=True,
        )
    return {
        **dataclasses.asdict(setting),
        "falling_learning_rate": True,
        "seeds": seeds,
        "n_episodes": common.N_EPISODES,
        **common.summary(learners),
        "expert": common.summary(teachers),
        "training_s_by_seed": seconds,
    }


if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, measure)
