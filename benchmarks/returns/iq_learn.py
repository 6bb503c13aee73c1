"""How well does IQ-Learn do, online and offline, with few demonstrations?

    python benchmarks/returns/iq_learn.py
    python benchmarks/returns/iq_learn.py --seeds 0 1 2 --output other.json

Trains with five seeds on episodes of the bundled expert: on CartPole with one episode
and 20,000 steps, and with five and no step at all; on Pendulum with soft actor-critic
and 60 episodes, with no step and with 15,000.
Plays 50 episodes with each policy and with the expert from the same initial states:
deterministic, which the tables show, and sampled. Writes
`benchmarks/returns/iq_learn.json`.
"""

from __future__ import annotations

import common
import off_policy_runs
from off_policy_runs import Setting

SETTINGS = [
    Setting("iq_learn", "seals/CartPole-v0", "iq_soft_q", 0, 5, offline_updates=5_000),
    Setting("iq_learn", "seals/CartPole-v0", "iq_soft_q", 20_000, 1, normalized=True),
    Setting(
        "iq_learn",
        "Pendulum-v1",
        "iq_sac",
        0,
        60,
        {**off_policy_runs.PENDULUM_SAC, "gamma": 0.99},
        offline_updates=8_000,
    ),
    Setting(
        "iq_learn",
        "Pendulum-v1",
        "iq_sac",
        15_000,
        60,
        {**off_policy_runs.PENDULUM_SAC, "gamma": 0.99},
    ),
]

if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, off_policy_runs.measure)
