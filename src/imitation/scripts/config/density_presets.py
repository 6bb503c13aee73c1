"""Presets of `imitation.scripts.train_density`, one per environment, and fast."""

from collections.abc import Mapping
from typing import Any

from imitation.scripts.config import family_presets as families

__all__ = ["PRESETS"]

_NEIGHBORS = {"density.estimator": "knn", "density.kernel_bandwidth": 0.1}
"""PPO can learn from the log of a distance; the exponent of a kernel, its square, grows
too fast far from the demonstrations."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    **families.by_environment(
        cartpole={**families.CARTPOLE, **_NEIGHBORS, "total_timesteps": 200_000},
        mountain_car=families.MOUNTAIN_CAR,
        pendulum={**families.PENDULUM, **_NEIGHBORS},
        mujoco={**families.MUJOCO, "total_timesteps": 5_000_000},
        terminates={"allow_variable_horizon": True},
    ),
    "fast": {"rl.ppo_batch_size": 16, "total_timesteps": 64},
}
"""What each preset changes, by dotted name; the environment ids are added."""
