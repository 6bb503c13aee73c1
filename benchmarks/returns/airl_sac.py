"""How well does AIRL do with continuous actions and an off-policy generator?

    python benchmarks/returns/airl_sac.py
    python benchmarks/returns/airl_sac.py --seeds 0 1 2 --output other.json

Trains SAC on the rewards of AIRL with five seeds, on sampled episodes of the bundled
expert. Plays 50 episodes with each policy and with the expert from the same initial
states (both deterministic), and writes `benchmarks/returns/airl_sac.json`.
"""

from __future__ import annotations

import adversarial_runs
import common

SETTINGS = [
    adversarial_runs.Setting(
        algorithm="airl",
        env_name="Pendulum-v1",
        total_timesteps=40_000,
        generator="sac",
        generator_kwargs=adversarial_runs.PENDULUM_SAC,
        trainer_kwargs={
            "demo_batch_size": 256,
            "gen_train_timesteps": 100,
            "gen_replay_buffer_capacity": 40_000,
            "n_disc_updates_per_round": 10,
        },
        discriminator={"gradient_penalty": "r1"},
        n_envs=1,
        hid_size=64,
        falling_learning_rate=True,
    ),
]

if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, adversarial_runs.measure)
