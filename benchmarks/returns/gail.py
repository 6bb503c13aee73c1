"""How well does a policy trained by GAIL do, against its expert?

    python benchmarks/returns/gail.py
    python benchmarks/returns/gail.py --seeds 0 1 2 --output other.json

Trains every setting below with five seeds, on episodes of the bundled expert, and then
on their observations alone (GAIfO: the demonstrations have no actions). Plays 50
episodes with each policy and with the expert from the same initial
states (both deterministic), and writes `benchmarks/returns/gail.json`.
"""

from __future__ import annotations

import adversarial_runs
import common

SETTINGS = [
    adversarial_runs.Setting(
        algorithm="gail",
        env_name="seals/CartPole-v0",
        total_timesteps=200_000,
        generator="ppo",
        generator_kwargs=adversarial_runs.CARTPOLE_PPO,
        trainer_kwargs=adversarial_runs.CARTPOLE_TRAINER,
        discriminator={"gradient_penalty": "r1"},
        falling_learning_rate=True,
    ),
    adversarial_runs.Setting(
        algorithm="gaifo",
        env_name="seals/CartPole-v0",
        total_timesteps=300_000,
        generator="ppo",
        generator_kwargs=adversarial_runs.CARTPOLE_PPO,
        trainer_kwargs=adversarial_runs.CARTPOLE_TRAINER,
        discriminator={"gradient_penalty": "r1"},
        falling_learning_rate=True,
        state_only=True,
    ),
]

if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, adversarial_runs.measure)
