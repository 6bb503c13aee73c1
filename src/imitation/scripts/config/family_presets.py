"""What presets of several commands share: settings of PPO by kind of environment."""

from collections.abc import Mapping
from typing import Any

from imitation.scripts.ingredients.policy import PolicySettings

__all__ = ["CARTPOLE", "MOUNTAIN_CAR", "MUJOCO", "PENDULUM", "by_environment"]

_NORMALIZED = {
    "policy.policy_kwargs": PolicySettings.named_configs["normalize_running"][
        "policy_kwargs"
    ]
}

CARTPOLE: Mapping[str, Any] = {
    "rl.ppo_batch_size": 2048,
    "rl.ppo_kwargs": {
        "batch_size": 64,
        "gamma": 0.95,
        "learning_rate": 4e-4,
        "n_epochs": 5,
    },
}

MOUNTAIN_CAR: Mapping[str, Any] = {
    **_NORMALIZED,
    "environment.num_vec": 16,
    "rl.ppo_batch_size": 4096,
    "rl.ppo_kwargs": {
        "batch_size": 1024,
        "gae_lambda": 0.98,
        "gamma": 0.99,
        "learning_rate": 1e-3,
    },
    "total_timesteps": 1_000_000,
}

PENDULUM: Mapping[str, Any] = {
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

MUJOCO: Mapping[str, Any] = {
    **_NORMALIZED,
    "rl.ppo_batch_size": 16384,
    "rl.ppo_kwargs": {"batch_size": 256, "gae_lambda": 0.95},
}

_ACROBOT: Mapping[str, Any] = {
    "rl.ppo_kwargs": {"gae_lambda": 0.94},
    "total_timesteps": 500_000,
}

_MUJOCO_NAMES = (
    "half_cheetah",
    "reacher",
    "seals_ant",
    "seals_half_cheetah",
    "seals_hopper",
    "seals_humanoid",
    "seals_swimmer",
    "seals_walker",
)
"""Those whose episodes have one length."""


def by_environment(
    *,
    cartpole: Mapping[str, Any],
    mountain_car: Mapping[str, Any],
    pendulum: Mapping[str, Any],
    mujoco: Mapping[str, Any],
    terminates: Mapping[str, Any],
) -> dict[str, Mapping[str, Any]]:
    """Gives each environment the settings of its kind.

    Args:
        cartpole: settings by dotted name, for balancing a pole.
        mountain_car: for the mountain car.
        pendulum: for swinging up a pendulum.
        mujoco: for locomotion.
        terminates: added where episodes end early, which gives the reward away; use
            the presets of seals to measure an algorithm.

    Returns:
        The settings of each environment, by the name of its preset.
    """
    return {
        "acrobot": {**terminates, **_ACROBOT},
        "cartpole": {**terminates, **cartpole},
        "seals_cartpole": cartpole,
        "mountain_car": {**terminates, **mountain_car},
        "seals_mountain_car": mountain_car,
        "pendulum": pendulum,
        "ant": {**terminates, **mujoco},
        "humanoid": {**terminates, **mujoco},
        **dict.fromkeys(_MUJOCO_NAMES, mujoco),
    }
