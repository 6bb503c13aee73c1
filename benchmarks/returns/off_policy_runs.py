"""What the measurements of SQIL and IQ-Learn share: settings, training, their rows."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Mapping
from typing import Any

import common
import numpy as np
from stable_baselines3 import DQN, SAC
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from imitation.algorithms.expert_replay.trainer import ExpertReplayTrainer
from imitation.algorithms.iq_learn import IQSAC, IQLearn, IQSoftQ
from imitation.algorithms.soft_q import SoftQ
from imitation.algorithms.sqil import SQIL
from imitation.data import rollout
from imitation.policies import base, experts
from imitation.util import logger as imit_logger
from imitation.util import networks, util

LEARNERS: Mapping[str, type[OffPolicyAlgorithm]] = {
    "soft_q": SoftQ,
    "dqn": DQN,
    "sac": SAC,
    "iq_soft_q": IQSoftQ,
    "iq_sac": IQSAC,
}
PENDULUM_SAC = {
    "learning_rate": 1e-3,
    "gamma": 0.95,
    "learning_starts": 500,
    "policy_kwargs": {"net_arch": [64, 64]},
}


@dataclasses.dataclass(frozen=True)
class Setting:
    """What to train, and how, where it differs from the defaults."""

    algorithm: str
    env_name: str
    learner: str
    total_timesteps: int
    """Environment steps; none is offline."""
    n_demonstrations: int
    learner_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    falling_learning_rate: bool = True
    """The learning rate falls linearly to 0, from the learner's own or the given."""
    offline_updates: int = 0
    n_envs: int = 1
    normalized: bool = False
    """Observations are normalized by running statistics."""
    deterministic_expert: bool = True


def make_trainer(setting: Setting, seed: int, directory: str) -> ExpertReplayTrainer:
    """A trainer with demonstrations of the bundled expert."""
    rng = np.random.default_rng(seed)
    venv = util.make_vec_env(setting.env_name, rng=rng, n_envs=setting.n_envs)
    demonstrations = rollout.rollout(
        experts.load_expert(setting.env_name, venv),
        venv,
        rollout.make_min_episodes(setting.n_demonstrations),
        rng=rng,
        deterministic_policy=setting.deterministic_expert,
        unwrap=False,
    )[: setting.n_demonstrations]
    kwargs = {"learning_rate": 1e-3, **setting.learner_kwargs}
    if setting.falling_learning_rate:
        rate = kwargs["learning_rate"]
        kwargs["learning_rate"] = lambda remaining: rate * remaining
    if setting.normalized:
        kwargs["policy_kwargs"] = {
            "features_extractor_class": base.NormalizeFeaturesExtractor,
            "features_extractor_kwargs": {"normalize_class": networks.RunningNorm},
        }
    trainer_class = SQIL if setting.algorithm == "sqil" else IQLearn
    return trainer_class(
        venv=venv,
        demonstrations=demonstrations,
        policy="MlpPolicy",
        custom_logger=imit_logger.configure(directory, ["csv"]),
        rl_algo_class=LEARNERS[setting.learner],
        rl_kwargs={**kwargs, "seed": seed, "device": "cpu"},
    )


def train(setting: Setting, seed: int) -> tuple[ExpertReplayTrainer, float]:
    """Trains; returns the trainer and the seconds it took."""
    with tempfile.TemporaryDirectory() as directory:
        trainer = make_trainer(setting, seed, directory)
        start = time.perf_counter()
        if setting.offline_updates:
            assert isinstance(trainer, IQLearn)
            trainer.train_offline(n_updates=setting.offline_updates)
        if setting.total_timesteps:
            trainer.train(total_timesteps=setting.total_timesteps)  # type: ignore[attr-defined]  # of both
        seconds = time.perf_counter() - start
        trainer.logger.close()
    return trainer, seconds


def measure(setting: Setting, seeds: list[int]) -> dict[str, Any]:
    """Trains and evaluates with every seed."""
    learners: dict[bool, list[common.Returns]] = {True: [], False: []}
    teachers, seconds = [], []
    for seed in seeds:
        trainer, took = train(setting, seed)
        seconds.append(round(took, 2))
        expert = experts.load_expert(setting.env_name)
        teachers.append(common.play(expert, setting.env_name, seed))
        for how in (True, False):
            learners[how].append(
                common.play(trainer.policy, setting.env_name, seed, deterministic=how)
            )
        print(
            f"{setting.algorithm} {setting.learner} {setting.env_name} seed {seed}: "
            f"{learners[True][-1].mean():.1f}, sampled {learners[False][-1].mean():.1f}"
            f", expert {teachers[-1].mean():.1f}, {took:.1f} s",
            flush=True,
        )
    return {
        **dataclasses.asdict(setting),
        "seeds": seeds,
        "n_episodes": common.N_EPISODES,
        **common.summary(learners[True]),
        "expert": common.summary(teachers),
        "sampled": common.summary(learners[False]),
        "training_s_by_seed": seconds,
    }
