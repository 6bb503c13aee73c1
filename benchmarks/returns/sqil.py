"""How well does SQIL do, with few demonstrations and few steps?

    python benchmarks/returns/sqil.py
    python benchmarks/returns/sqil.py --seeds 0 1 2 --output other.json

Trains with five seeds on episodes of the bundled expert: soft Q-learning and the plain
DQN of release 1.0 on CartPole, SAC on Pendulum. Plays 50 episodes with each policy and
with the expert from the same initial states: deterministic, which the tables
show, and sampled. Writes `benchmarks/returns/sqil.json`.
"""

from __future__ import annotations

import common
import off_policy_runs
from off_policy_runs import Setting

SETTINGS = [
    Setting("sqil", "CartPole-v1", "soft_q", 50_000, 10, {"gamma": 0.95}, n_envs=4),
    Setting(
        "sqil",
        "CartPole-v1",
        "dqn",
        50_000,
        10,
        {"learning_rate": 1e-4},  # and all other defaults of Stable-Baselines3
        falling_learning_rate=False,
    ),
    Setting(
        "sqil",
        "Pendulum-v1",
        "sac",
        15_000,
        60,
        {
            **off_policy_runs.PENDULUM_SAC,
            "gamma": 0.98,
            "ent_coef": 0.05,
            "tau": 0.02,
        },
    ),
]

if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, off_policy_runs.measure)
