"""A saved reward in the place of the environment's."""

from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ConfigError
from imitation.rewards import serialize
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.scripts.settings import building

__all__ = ["check_reward", "replace_reward"]

_WITHOUT_FILE = ("zero",)


def check_reward(reward_type: str | None, reward_path: str | None) -> None:
    """Checks the settings of those names.

    Args:
        reward_type: key of the reward registry; None keeps the environment's reward.
        reward_path: where the reward is saved.

    Raises:
        ConfigError: the type is not registered, or the path is missing.
    """
    if reward_type is None:
        return
    known = sorted(serialize.reward_registry.keys())
    if reward_type not in known:
        raise ConfigError(
            f"reward_type={reward_type!r} is not registered; known are "
            f"{', '.join(known)}"
        )
    if reward_path is None and reward_type not in _WITHOUT_FILE:
        raise ConfigError(
            f"reward_type={reward_type!r} loads a saved reward; set reward_path"
        )


def replace_reward(
    venv: VecEnv,
    reward_type: str,
    reward_path: str | None,
    kwargs: Mapping[str, Any] | None = None,
) -> RewardVecEnvWrapper:
    """Puts a saved reward in the place of the environment's.

    Args:
        venv: the environment.
        reward_type: key of the reward registry.
        reward_path: where the reward is saved.
        kwargs: keyword arguments of `load_reward`, most of which are bound to the
            reward.

    Returns:
        The environment with that reward.

    Raises:
        ConfigError: the reward does not take the arguments or is for other spaces.
        ArtifactError: the reward cannot be read.
    """
    what = f"reward_type={reward_type} of reward_path={reward_path}"
    with building(what):
        reward_fn = serialize.load_reward(
            reward_type, reward_path or "", venv, **(kwargs or {})
        )
        return RewardVecEnvWrapper(venv, reward_fn)
