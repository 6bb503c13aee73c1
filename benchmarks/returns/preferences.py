"""How well does a policy do that learned from comparisons of fragments?

    python benchmarks/returns/preferences.py
    python benchmarks/returns/preferences.py --seeds 0 1 2 --output other.json

Trains with five seeds on synthetic preferences, a reward and an agent in turns, and
ends with the agent that the final reward rates best. Plays 50 episodes with it, with
the last agent, and with the bundled expert from the same initial states (all
deterministic), asks the learned reward about pairs of fragments that it was not trained
on, and writes `benchmarks/returns/preferences.json`.
"""

from __future__ import annotations

import adversarial_runs
import common
import preference_runs

SETTINGS = [
    preference_runs.Setting(
        env_name="seals/CartPole-v0",
        total_timesteps=200_000,
        total_comparisons=500,
        agent="ppo",
        agent_kwargs={
            "n_steps": 512,
            "batch_size": 64,
            "learning_rate": 1e-3,
            "gamma": 0.98,
            "n_epochs": 10,
            "ent_coef": 0.01,
            # As in the command's preset, which this follows.
            "policy_kwargs": {"net_arch": [32, 32]},
        },
        trainer_kwargs={
            "num_iterations": 10,
            "fragment_length": 25,
            "initial_comparison_frac": 0.5,
            "initial_epoch_multiplier": 3.0,
            "query_schedule": "constant",
        },
        reward_trainer_kwargs={"epochs": 100},
        net_kwargs={"use_action": False},
        cooldown=0.4,
        temperature=0.0,
        weight_decay=0.2,
    ),
    preference_runs.Setting(
        env_name="Pendulum-v1",
        total_timesteps=30_000,
        total_comparisons=700,
        agent="sac",
        agent_kwargs=adversarial_runs.PENDULUM_SAC,
        trainer_kwargs={
            "num_iterations": 10,
            "fragment_length": 50,
            "initial_comparison_frac": 0.3,
            "initial_epoch_multiplier": 4.0,
            "query_schedule": "constant",
        },
        reward_trainer_kwargs={"epochs": 50},
        net_kwargs={"hid_sizes": (64, 64)},
        n_envs=1,
        temperature=0.0,
    ),
]

if __name__ == "__main__":
    assert __doc__ is not None
    common.main(__file__, __doc__, SETTINGS, preference_runs.measure)
