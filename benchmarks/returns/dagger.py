"""How well does a policy trained by DAgger do, against its expert?

    python benchmarks/returns/dagger.py
    python benchmarks/returns/dagger.py --seeds 0 1 2 --output other.json

Trains on every environment below with five seeds, plays 50 episodes with each clone and
with the bundled expert from the same initial states (both deterministic), and writes
`benchmarks/returns/dagger.json`.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import tempfile
import time
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.policies import BasePolicy

from imitation.algorithms import bc, dagger
from imitation.data import rollout
from imitation.policies import experts
from imitation.util import artifacts, util
from imitation.util import logger as imit_logger

OUTPUT = pathlib.Path(__file__).with_suffix(".json")
N_EPISODES, N_RESAMPLES = 50, 10_000
LIBRARIES = ["torch", "stable-baselines3", "gymnasium", "numpy", "seals"]


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
    Setting("seals/CartPole-v0", 2_000, 1, 0.5, 1e-3, 4),
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


def returns(policy: BasePolicy, env_name: str, seed: int) -> np.ndarray:
    """Returns of N_EPISODES episodes; equal seeds have equal initial states."""
    rng = np.random.default_rng([seed, N_EPISODES])
    venv = util.make_vec_env(env_name, rng=rng, n_envs=10)
    trajectories = rollout.generate_trajectories(
        policy,
        venv,
        rollout.make_min_episodes(N_EPISODES),
        rng,
        deterministic_policy=True,
    )
    return np.array([traj.rews.sum() for traj in trajectories])


def summary(by_seed: list[np.ndarray]) -> dict[str, Any]:
    """Mean of all episodes, with a 95% interval from resampled seeds and episodes."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(N_RESAMPLES):
        seeds = rng.integers(len(by_seed), size=len(by_seed))
        means.append(np.mean([rng.choice(by_seed[s], len(by_seed[s])) for s in seeds]))
    low, high = np.percentile(means, [2.5, 97.5])
    return {
        "return_mean": round(float(np.mean(by_seed)), 2),
        "return_ci95": [round(float(low), 2), round(float(high), 2)],
        "return_mean_by_seed": [round(float(np.mean(r)), 2) for r in by_seed],
    }


def measure(setting: Setting, seeds: list[int]) -> dict[str, Any]:
    """Trains and evaluates with every seed."""
    clones, teachers, seconds, steps = [], [], [], []
    for seed in seeds:
        trainer, took = train(setting, seed)
        venv = util.make_vec_env(setting.env_name, rng=np.random.default_rng(0))
        expert = experts.load_expert(setting.env_name, venv)
        clones.append(returns(trainer.policy, setting.env_name, seed))
        teachers.append(returns(expert, setting.env_name, seed))
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
        "n_episodes": N_EPISODES,
        "timesteps": steps,
        **summary(clones),
        "expert": summary(teachers),
        "training_s_by_seed": seconds,
    }


def main() -> None:
    """Measures everything and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT)
    arguments = parser.parse_args()
    th.set_num_threads(1)
    rows = [measure(setting, arguments.seeds) for setting in SETTINGS]
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=OUTPUT.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    document = {
        "benchmark": "dagger",
        "command": "python benchmarks/returns/dagger.py",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit.stdout.strip(),
        "machine": {"system": platform.system(), "cores": os.cpu_count()},
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in LIBRARIES},
        },
        "rows": rows,
    }
    artifacts.write_json(arguments.output, document)
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
