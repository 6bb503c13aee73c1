"""The environments that have a preset, by the preset's name."""

from collections.abc import Mapping
from typing import Any

__all__ = ["ENVIRONMENTS", "environment_presets"]

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


def environment_presets(
    extra: Mapping[str, Mapping[str, Any]],
) -> dict[str, Mapping[str, Any]]:
    """Makes one preset per environment.

    Args:
        extra: further settings (dotted names) for some of the presets, and presets
            that are not about an environment.

    Returns:
        The updates of each preset.
    """
    presets: dict[str, Mapping[str, Any]] = {
        name: {"environment.gym_id": gym_id, **extra.get(name, {})}
        for name, gym_id in ENVIRONMENTS.items()
    }
    others = {name: updates for name, updates in extra.items() if name not in presets}
    return {**presets, **others}
