"""The environments that have a preset, by the preset's name, and PPO's settings there.

Presets of a command differ by kind of environment, not by environment.
"""

from collections.abc import Mapping

from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.settings import Config, Presets

ENVIRONMENTS: Mapping[str, str] = {
    "acrobot": "Acrobot-v1",
    "ant": "Ant-v5",
    "cartpole": "CartPole-v1",
    "half_cheetah": "HalfCheetah-v5",
    "humanoid": "Humanoid-v5",
    "mountain_car": "MountainCar-v0",
    "pendulum": "Pendulum-v1",
    "reacher": "Reacher-v5",
    "seals_ant": "seals/Ant-v1",
    "seals_cartpole": "seals/CartPole-v0",
    "seals_half_cheetah": "seals/HalfCheetah-v1",
    "seals_hopper": "seals/Hopper-v1",
    "seals_humanoid": "seals/Humanoid-v1",
    "seals_mountain_car": "seals/MountainCar-v0",
    "seals_swimmer": "seals/Swimmer-v1",
    "seals_walker": "seals/Walker2d-v1",
}

_CLASSIC = ("acrobot", "cartpole", "mountain_car", "pendulum")
# Their episodes end early by success or failure, unlike those of seals.
_TERMINATES = ("acrobot", "cartpole", "mountain_car", "ant", "humanoid")

NORMALIZED: Config = {
    "policy.policy_kwargs": PolicySettings.named_configs["normalize_running"][
        "policy_kwargs"
    ]
}

ACROBOT: Config = {"rl.ppo_kwargs": {"gae_lambda": 0.94}, "total_timesteps": 500_000}

CARTPOLE: Config = {
    "rl.ppo_batch_size": 2048,
    "rl.ppo_kwargs": {
        "batch_size": 64,
        "gamma": 0.95,
        "learning_rate": 4e-4,
        "n_epochs": 5,
    },
}

MOUNTAIN_CAR: Config = {
    **NORMALIZED,
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

PENDULUM: Config = {
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

MUJOCO: Config = {
    **NORMALIZED,
    "rl.ppo_batch_size": 16384,
    "rl.ppo_kwargs": {"batch_size": 256, "gae_lambda": 0.95},
}


def environment_presets(
    extra: Presets, *, terminates: Config | None = None, **kinds: Config
) -> dict[str, Config]:
    """Makes one preset per environment.

    Args:
        extra: further settings for some of the presets, and presets that are not about
            an environment.
        terminates: settings where episodes end early, which gives the reward away; use
            the presets of seals to measure an algorithm.
        **kinds: settings by kind of environment: acrobot, cartpole, mountain_car and
            pendulum (also those of seals), and mujoco for all of locomotion.

    Returns:
        The updates of each preset.
    """
    presets: dict[str, Config] = dict(extra)
    for name, gym_id in ENVIRONMENTS.items():
        kind = name.removeprefix("seals_")
        presets[name] = {
            "environment.gym_id": gym_id,
            **(terminates if terminates and name in _TERMINATES else {}),
            **kinds.get(kind if kind in _CLASSIC else "mujoco", {}),
            # Last, so that they win over what the kind of environment sets.
            **extra.get(name, {}),
        }
    return presets
