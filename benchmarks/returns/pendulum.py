"""How well do GAIL and AIRL do with continuous actions and 300,000 steps?

    python benchmarks/returns/pendulum.py
    python benchmarks/returns/pendulum.py --seeds 0 1 2 --output other.json

Trains GAIL with PPO and AIRL with SAC with five seeds, on sampled episodes of the
bundled expert. Plays 50 episodes with each policy and with the expert from the same
initial states (both deterministic), and writes `benchmarks/returns/pendulum.json`.
`gail_sac.py` measures GAIL with SAC.
"""

from __future__ import annotations

import adversarial_runs
import common

SETTINGS = [
    adversarial_runs.Setting(
        algorithm="gail",
        env_name="Pendulum-v1",
        total_timesteps=300_000,
        generator="ppo",
        generator_kwargs={
            "n_steps": 256,
            "batch_size": 256,
            "learning_rate": 1e-3,
            "gamma": 0.9,
            "n_epochs": 10,
        },
        trainer_kwargs={
            "demo_batch_size": 512,
            "gen_replay_buffer_capacity": 8192,
            "n_disc_updates_per_round": 16,
            "reward_form": "airl",
        },
        discriminator={"gradient_penalty": "r1"},
        hid_size=64,
        falling_learning_rate=True,
    ),
    adversarial_runs.Setting(
        algorithm="airl",
        env_name="Pendulum-v1",
        total_timesteps=300_000,
        generator="sac",
        generator_kwargs=adversarial_runs.PENDULUM_SAC,
        trainer_kwargs={
            "demo_batch_size": 256,
            "gen_train_timesteps": 800,
            "gen_replay_buffer_capacity": 20_000,
            "n_disc_updates_per_round": 20,
        },
        discriminator={"gradient_penalty": "r1", "gradient_penalty_coef": 1.0},
        hid_size=64,
        falling_learning_rate=True,
    ),
]

if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, adversarial_runs.measure)
