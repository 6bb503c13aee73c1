"""Presets of `imitation.scripts.train_density`, one per environment, and fast."""

from collections.abc import Mapping
from typing import Any

from imitation.scripts.ingredients.policy import PolicySettings

__all__ = ["PRESETS"]

_TERMINATES = {"allow_variable_horizon": True}
"""Episodes of these environments end early, which gives their reward away; use the
presets of seals to measure an algorithm."""

_NEIGHBORS = {"density.estimator": "knn", "density.kernel_bandwidth": 0.1}
"""PPO can learn from the log of a distance; the exponent of a kernel, its square, grows
too fast far from the demonstrations."""

_CARTPOLE: dict[str, Any] = {
    **_NEIGHBORS,
    "rl.ppo_batch_size": 2048,
    "rl.ppo_kwargs": {
        "batch_size": 64,
        "gamma": 0.95,
        "learning_rate": 4e-4,
        "n_epochs": 5,
    },
    "total_timesteps": 200_000,
}

_MOUNTAIN_CAR: dict[str, Any] = {
    "environment.num_vec": 16,
    "policy.policy_kwargs": PolicySettings.named_configs["normalize_running"][
        "policy_kwargs"
    ],
    "rl.ppo_batch_size": 4096,
    "rl.ppo_kwargs": {
        "batch_size": 1024,
        "gae_lambda": 0.98,
        "gamma": 0.99,
        "learning_rate": 1e-3,
    },
    "total_timesteps": 1_000_000,
}

_PENDULUM: dict[str, Any] = {
    **_NEIGHBORS,
    "environment.num_vec": 16,
    "rl.ppo_batch_size": 4096,
    "rl.ppo_kwargs": {
        "batch_size": 256,
        "gae_lambda": 0.9,
        "gamma": 0.95,
        "learning_rate": 1e-3,
    },
    "total_timesteps": 1_000_000,
}

_MUJOCO: dict[str, Any] = {
    "policy.policy_kwargs": PolicySettings.named_configs["normalize_running"][
        "policy_kwargs"
    ],
    "rl.ppo_batch_size": 16384,
    "rl.ppo_kwargs": {"batch_size": 256, "gae_lambda": 0.95},
    "total_timesteps": 5_000_000,
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "acrobot": {
        **_TERMINATES,
        "rl.ppo_kwargs": {"gae_lambda": 0.94},
        "total_timesteps": 500_000,
    },
    "cartpole": {**_TERMINATES, **_CARTPOLE},
    "seals_cartpole": _CARTPOLE,
    "mountain_car": {**_TERMINATES, **_MOUNTAIN_CAR},
    "seals_mountain_car": _MOUNTAIN_CAR,
    "pendulum": _PENDULUM,
    "ant": {**_TERMINATES, **_MUJOCO},
    "humanoid": {**_TERMINATES, **_MUJOCO},
    "half_cheetah": _MUJOCO,
    "reacher": _MUJOCO,
    "seals_ant": _MUJOCO,
    "seals_half_cheetah": _MUJOCO,
    "seals_hopper": _MUJOCO,
    "seals_humanoid": _MUJOCO,
    "seals_swimmer": _MUJOCO,
    "seals_walker": _MUJOCO,
    "fast": {"rl.ppo_batch_size": 16, "total_timesteps": 64},
}
"""What each preset changes, by dotted name; the environment ids are added."""
