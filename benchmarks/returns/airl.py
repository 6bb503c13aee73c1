"""How well does a policy trained by AIRL do, and what is its reward worth?

    python benchmarks/returns/airl.py
    python benchmarks/returns/airl.py --seeds 0 1 2 --output other.json

Trains every setting below with five seeds, on episodes of the bundled expert. On
seals/CartPole, a fresh PPO is then trained on the recovered reward without its shaping.
Plays 50 episodes with each policy and with the expert from the same initial states (all
deterministic), and writes `benchmarks/returns/airl.json`.
"""

from __future__ import annotations

import adversarial_runs
import common

SETTINGS = [
    adversarial_runs.Setting(
        algorithm="airl",
        env_name="seals/CartPole-v0",
        total_timesteps=300_000,
        generator="ppo",
        generator_kwargs=adversarial_runs.CARTPOLE_PPO,
        trainer_kwargs={
            **adversarial_runs.CARTPOLE_TRAINER,
            "gen_replay_buffer_capacity": 4096,
            "gen_entropy_weight": 1.0,
        },
        discriminator={"gradient_penalty": "r1"},
        falling_learning_rate=True,
        retrain_timesteps=150_000,
    ),
]

if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, adversarial_runs.measure)
