"""Presets of `imitation.scripts.train_adversarial`, one per environment, and fast."""

from collections.abc import Mapping
from typing import Any

from imitation.scripts.config import family_presets as families

__all__ = ["PRESETS"]

_UPDATES = "algorithm_kwargs.n_disc_updates_per_round"

PRESETS: Mapping[str, Mapping[str, Any]] = {
    **families.by_environment(
        cartpole={
            **families.CARTPOLE,
            "algorithm_kwargs.demo_batch_size": 1024,
            _UPDATES: 8,
            "total_timesteps": 300_000,
        },
        mountain_car={**families.MOUNTAIN_CAR, _UPDATES: 8},
        pendulum={**families.PENDULUM, _UPDATES: 8},
        mujoco={**families.MUJOCO, _UPDATES: 16, "total_timesteps": 10_000_000},
        terminates={"algorithm_kwargs.allow_variable_horizon": True},
    ),
    "fast": {
        "algorithm_kwargs.demo_batch_size": 8,
        _UPDATES: 2,
        "rl.ppo_batch_size": 16,
        "total_timesteps": 64,
    },
}
"""What each preset changes, by dotted name; the environment ids are added."""
