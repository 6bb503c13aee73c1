"""How well does a policy cloned from 50 episodes do, against its expert?

    python benchmarks/returns/bc.py
    python benchmarks/returns/bc.py --seeds 0 1 2 --output other.json

Collects 50 episodes of the bundled expert with sampled actions, as the quick start
does, trains BC on them with five seeds, and plays 50 episodes with each clone and with
the expert from the same initial states: deterministic, which the tables show, and
sampled, which `imitation` 1.0 documented. Writes `benchmarks/returns/bc.json`.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from typing import Any

import common
import numpy as np

from imitation.algorithms import bc
from imitation.data import rollout, wrappers
from imitation.policies import experts
from imitation.util import logger as imit_logger
from imitation.util import util

N_DEMONSTRATIONS = 50


@dataclasses.dataclass(frozen=True)
class Setting:
    """What to clone, and how, where it differs from the defaults."""

    env_name: str
    n_epochs: int
    learning_rate: float = 1e-3


SETTINGS = [
    Setting("seals/CartPole-v0", n_epochs=5),
    Setting("CartPole-v1", n_epochs=5),
    Setting("Pendulum-v1", n_epochs=50),
    Setting("Acrobot-v1", n_epochs=40),
    Setting("seals/MountainCar-v0", n_epochs=60),
]


def train(setting: Setting, seed: int) -> tuple[bc.BC, float]:
    """Collects demonstrations and trains a clone; returns it and the seconds."""
    rng = np.random.default_rng(seed)
    venv = util.make_vec_env(
        setting.env_name,
        rng=rng,
        post_wrappers=[lambda env, _: wrappers.RolloutInfoWrapper(env)],
    )
    demonstrations = rollout.rollout(
        experts.load_expert(setting.env_name, venv),
        venv,
        rollout.make_min_episodes(N_DEMONSTRATIONS),
        rng=rng,
    )[:N_DEMONSTRATIONS]
    with tempfile.TemporaryDirectory() as directory:
        logger = imit_logger.configure(directory, ["csv"])
        trainer = bc.BC(
            observation_space=venv.observation_space,
            action_space=venv.action_space,
            rng=rng,
            demonstrations=demonstrations,
            optimizer_kwargs={"lr": setting.learning_rate},
            device="cpu",
            custom_logger=logger,
        )
        start = time.perf_counter()
        trainer.train(n_epochs=setting.n_epochs, progress_bar=False)
        seconds = time.perf_counter() - start
        logger.close()
    return trainer, seconds


def measure(setting: Setting, seeds: list[int]) -> dict[str, Any]:
    """Trains and evaluates with every seed."""
    env_name, seconds = setting.env_name, []
    clones: dict[bool, list[common.Returns]] = {True: [], False: []}
    teachers: dict[bool, list[common.Returns]] = {True: [], False: []}
    for seed in seeds:
        trainer, took = train(setting, seed)
        seconds.append(round(took, 2))
        expert = experts.load_expert(env_name)
        for how in (True, False):
            clone = common.play(trainer.policy, env_name, seed, deterministic=how)
            clones[how].append(clone)
            teacher = common.play(expert, env_name, seed, deterministic=how)
            teachers[how].append(teacher)
            print(
                f"{env_name} seed {seed} {'deterministic' if how else 'sampled'}: "
                f"{clone.mean():.1f}, expert {teacher.mean():.1f}, {took:.1f} s",
                flush=True,
            )
    return {
        "algorithm": "bc",
        **dataclasses.asdict(setting),
        "n_demonstrations": N_DEMONSTRATIONS,
        "seeds": seeds,
        "n_episodes": common.N_EPISODES,
        **common.summary(clones[True]),
        "expert": common.summary(teachers[True]),
        "sampled": {
            **common.summary(clones[False]),
            "expert": common.summary(teachers[False]),
        },
        "training_s_by_seed": seconds,
    }


if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, measure)
