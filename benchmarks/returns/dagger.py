"""How well does a policy trained by DAgger do, against its expert?

    python benchmarks/returns/dagger.py
    python benchmarks/returns/dagger.py --seeds 0 1 2 --output other.json

Trains on every environment below with five seeds, plays 50 episodes with each clone and
with the bundled expert from the same initial states (both deterministic), and writes
`benchmarks/returns/dagger.json`.
"""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import time
from typing import Any

import common
import numpy as np

from imitation.algorithms import bc, dagger
from imitation.policies import experts
from imitation.util import logger as imit_logger
from imitation.util import util


@dataclasses.dataclass(frozen=True)
class Setting:
    """What to train, and how, where it differs from the defaults."""

    env_name: str
    total_timesteps: int
    rollout_round_min_episodes: int
    decay_probability: float
    learning_rate: float
    n_epochs: int


SETTINGS = [
    Setting("seals/CartPole-v0", 2_000, 1, 0.5, 3e-3, 4),
    Setting("Pendulum-v1", 6_000, 3, 0.5, 3e-3, 10),
]
"""One environment each (`n_envs=1`), so that a round is as small as it can be."""


def train(setting: Setting, seed: int) -> tuple[dagger.SimpleDAggerTrainer, float]:
    """Trains a clone; returns its trainer and the seconds it took."""
    rng = np.random.default_rng(seed)
    venv = util.make_vec_env(setting.env_name, rng=rng, n_envs=1)
    with tempfile.TemporaryDirectory() as directory:
        logger = imit_logger.configure(directory, ["csv"])
        trainer = dagger.SimpleDAggerTrainer(
            venv=venv,
            scratch_dir=pathlib.Path(directory) / "scratch",
            expert_policy=experts.load_expert(setting.env_name, venv),
            rng=rng,
            beta_schedule=dagger.ExponentialBetaSchedule(setting.decay_probability),
            bc_trainer=bc.BC(
                observation_space=venv.observation_space,
                action_space=venv.action_space,
                rng=rng,
                optimizer_kwargs={"lr": setting.learning_rate},
                device="cpu",
                custom_logger=logger,
            ),
        )
        start = time.perf_counter()
        trainer.train(
            setting.total_timesteps,
            rollout_round_min_episodes=setting.rollout_round_min_episodes,
            bc_train_kwargs={
                "n_epochs": setting.n_epochs,
                "log_rollouts_n_episodes": 0,
            },
            progress_bar=False,
        )
        seconds = time.perf_counter() - start
        logger.close()
    return trainer, seconds


def measure(setting: Setting, seeds: list[int]) -> dict[str, Any]:
    """Trains and evaluates with every seed."""
    clones, teachers, seconds, steps = [], [], [], []
    for seed in seeds:
        trainer, took = train(setting, seed)
        venv = util.make_vec_env(setting.env_name, rng=np.random.default_rng(0))
        expert = experts.load_expert(setting.env_name, venv)
        clones.append(common.play(trainer.policy, setting.env_name, seed))
        teachers.append(common.play(expert, setting.env_name, seed))
        seconds.append(round(took, 2))
        steps.append(trainer.total_timesteps)
        print(
            f"{setting.env_name} seed {seed}: {clones[-1].mean():.1f}, "
            f"expert {teachers[-1].mean():.1f}, {took:.1f} s"
        )
    return {
        "algorithm": "dagger",
        **dataclasses.asdict(setting),
        "seeds": seeds,
        "n_episodes": common.N_EPISODES,
        "timesteps": steps,
        **common.summary(clones),
        "expert": common.summary(teachers),
        "training_s_by_seed": seconds,
    }


if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, measure)
