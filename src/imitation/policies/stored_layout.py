"""Converting what off-policy algorithms store to what the environment saw.

Stable-Baselines3 moves the channels of images to the front before it stores them,
scales continuous actions to [-1, 1], flattens actions, and gives discrete observations
and actions an axis of length 1. Rewards are functions of what the environment itself
takes and returns.
"""

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th

from imitation.errors import ConfigError
from imitation.util.spaces import Space


@dataclasses.dataclass(frozen=True)
class StoredLayout:
    """The difference between stored observations and actions and the environment's.

    Raises:
        ConfigError: stored observations cannot come from such an environment, or
            actions without finite bounds are said to be scaled.
    """

    stored_space: Space
    """Observation space of the algorithm: images may have their channels first."""

    env_space: Space
    """Observation space of the environment."""

    action_space: Space
    """Action space of both."""

    scaled_actions: bool = True
    """True if stored actions of a box are scaled to [-1, 1]."""

    def __post_init__(self) -> None:
        stored, env = _parts(self.stored_space), _parts(self.env_space)
        if stored.keys() != env.keys() or not all(
            _moves_channels(stored[key], env[key]) is not None for key in env
        ):
            raise ConfigError(
                f"the replay buffer stores observations of {self.stored_space}, which "
                f"are not those of {self.env_space}, nor these with channels first; "
                "pass the environment's space as env_observation_space"
            )
        if self._unscales and not self.action_space.is_bounded():  # type: ignore[attr-defined]  # a box
            raise ConfigError(
                f"actions of {self.action_space} cannot have been scaled to [-1, 1]; "
                "bound the space, or pass scaled_actions=False"
            )

    def observations(self, stored: Any) -> Any:
        """Converts observations to the environment's shape.

        Args:
            stored: an array or tensor of shape ``(B, ...)``, or a dictionary of them.

        Returns:
            The same kind, shape ``(B, *observation_shape)``; views where possible.
        """
        stored_spaces, env_spaces = _parts(self.stored_space), _parts(self.env_space)
        if not isinstance(stored, dict):
            return _as_in_env(stored, stored_spaces[""], env_spaces[""])
        return {
            key: _as_in_env(part, stored_spaces[key], env_spaces[key])
            for key, part in stored.items()
        }

    def actions(self, stored: np.ndarray) -> np.ndarray:
        """Converts actions to the environment's shape, range and dtype.

        Args:
            stored: shape ``(B, action_dim)``.

        Returns:
            Shape ``(B, *action_shape)``, elements of the action space.
        """
        acts = stored.reshape(len(stored), *(self.action_space.shape or ()))
        if self._unscales:
            low, high = self.action_space.low, self.action_space.high  # type: ignore[attr-defined]  # a box
            # The inverse of SB3's scale_action; clipped, as rounding may leave the box.
            acts = np.clip(low + 0.5 * (acts + 1.0) * (high - low), low, high)
        return acts.astype(self.action_space.dtype, copy=False)

    @property
    def _unscales(self) -> bool:
        return self.scaled_actions and isinstance(self.action_space, gym.spaces.Box)


def _parts(space: Space) -> dict[str, Space]:
    """Returns the parts of a dictionary space by key; for others, itself under ""."""
    return dict(space.spaces) if isinstance(space, gym.spaces.Dict) else {"": space}


def _moves_channels(stored: Space, env: Space) -> bool | None:
    """Returns whether stored channels come first; None if the spaces do not fit."""
    if stored.shape == env.shape:
        return False
    if isinstance(env, gym.spaces.Box) and len(env.shape) == 3:
        # Compared with the shape that VecTransposeImage makes of the environment's.
        height, width, channels = env.shape
        return True if stored.shape == (channels, height, width) else None
    return None


def _as_in_env(value: Any, stored: Space, env: Space) -> Any:
    if _moves_channels(stored, env):
        order = (0, 2, 3, 1)  # (B, C, H, W) to (B, H, W, C)
        if isinstance(value, th.Tensor):
            return value.permute(order)
        return value.transpose(order)
    return value.reshape(len(value), *(env.shape or ()))
