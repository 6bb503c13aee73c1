"""How well does GAIL do with an off-policy generator and few steps?

    python benchmarks/returns/gail_sac.py
    python benchmarks/returns/gail_sac.py --seeds 0 1 2 --output other.json

Trains SAC on the rewards of a discriminator with five seeds, on episodes of the bundled
expert. Plays 50 episodes with each policy and with the expert from the same initial
states (both deterministic), and writes `benchmarks/returns/gail_sac.json`.
"""

from __future__ import annotations

import adversarial_runs
import common

SETTINGS = [
    adversarial_runs.Setting(
        algorithm="gail",
        env_name="Pendulum-v1",
        total_timesteps=20_000,
        generator="sac",
        generator_kwargs=adversarial_runs.PENDULUM_SAC,
        trainer_kwargs={
            "demo_batch_size": 256,
            "gen_train_timesteps": 100,
            "gen_replay_buffer_capacity": 20_000,
            "n_disc_updates_per_round": 10,
            "reward_form": "airl",
        },
        discriminator={"gradient_penalty": "r1"},
        hid_size=64,
        falling_learning_rate=True,
        action_free_reward=True,
        n_envs=1,
        deterministic_expert=True,
    ),
]

if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, adversarial_runs.measure)
