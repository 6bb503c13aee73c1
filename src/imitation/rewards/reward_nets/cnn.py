"""A reward network of convolutions, for observations that are images."""

import warnings
from typing import Any

import gymnasium as gym
import torch as th
from gymnasium import spaces

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.base import RewardNet
from imitation.rewards.reward_nets.inputs import TensorObs, is_image
from imitation.util import networks

__all__ = ["CnnRewardNet", "cnn_transpose", "num_channels"]


class CnnRewardNet(RewardNet):
    """A convolutional network of the images of a transition.

    The images used, of the state and of the next state, are joined along their
    channels. The network has one output for each action if actions are used, and twice
    as many if the end of the episode is; the reward is the output that belongs to the
    transition.

    For observations that are dictionaries of images and vectors use `BasicRewardNet`.

    Args:
        observation_space: a space of images.
        action_space: the action space, `Discrete` if `use_action`.
        use_state: whether the reward depends on the state.
        use_action: whether it depends on the action.
        use_next_state: whether it depends on the next state.
        use_done: whether it depends on the end of the episode.
        hwc_format: whether images have their channels last, ``(H, W, C)``, instead of
            first.
        **kwargs: passed to `networks.build_cnn`; two convolutions of 32 channels by
            default.

    Raises:
        ConfigError: neither the state nor the next state is used, observations are not
            images, or actions are used and are not discrete.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        use_state: bool = True,
        use_action: bool = True,
        use_next_state: bool = False,
        use_done: bool = False,
        hwc_format: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.use_state = use_state
        self.use_action = use_action
        self.use_next_state = use_next_state
        self.use_done = use_done
        self.hwc_format = hwc_format
        if not (use_state or use_next_state):
            raise ConfigError(
                "CnnRewardNet must take current or next state as input. "
                "Set use_state or use_next_state."
            )
        if not is_image(observation_space):
            raise ConfigError(
                "CnnRewardNet requires observations to be images. "
                f"Got {observation_space}; BasicRewardNet takes all kinds."
            )
        n_outputs = 1
        if use_action:
            if not isinstance(action_space, spaces.Discrete):
                raise ConfigError(
                    "CnnRewardNet can only use Discrete action spaces. "
                    f"Got {action_space}; set use_action=False or use BasicRewardNet."
                )
            n_outputs = int(action_space.n)
        n_images = int(use_state) + int(use_next_state)
        fixed = {
            "in_channels": n_images * self.get_num_channels_obs(observation_space),
            "out_size": n_outputs * (2 if use_done else 1),
            "squeeze_output": False,
        }
        self.cnn = networks.build_cnn(**({"hid_channels": (32, 32)} | kwargs | fixed))

    def get_num_channels_obs(self, space: gym.Space[Any]) -> int:
        """Returns the number of channels of the images in a space."""
        return num_channels(space, self.hwc_format)

    def forward(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
    ) -> th.Tensor:
        """Computes rewards; see `RewardNet.forward`."""
        used = [state] * self.use_state + [next_state] * self.use_next_state
        images = [
            cnn_transpose(image) if self.hwc_format else image
            for image in used
            if isinstance(image, th.Tensor)
        ]
        outputs: th.Tensor = self.cnn(th.cat(images, dim=1))
        if self.use_done:
            going_on, ended = outputs.chunk(2, dim=1)
            outputs = th.where(done.bool().unsqueeze(1), ended, going_on)
        if self.use_action:
            return (outputs * action).sum(dim=1)
        return outputs.squeeze(1)


def num_channels(space: gym.Space[Any], hwc_format: bool) -> int:
    """Returns the number of channels of images, and warns if it is unlikely.

    Args:
        space: a space of images.
        hwc_format: whether their channels come last.
    """
    assert space.shape is not None and len(space.shape) == 3, space
    first, _, last = space.shape
    channels, side = (last, first) if hwc_format else (first, last)
    if channels >= 4 * side:
        warnings.warn(
            f"images of shape {space.shape} look as if their channels came "
            f"{'first' if hwc_format else 'last'}; if so, pass "
            f"hwc_format={not hwc_format}",
            stacklevel=3,
        )
    return channels


def cnn_transpose(tens: th.Tensor) -> th.Tensor:
    """Moves the channels of a batch of images from the last place to the second.

    Args:
        tens: shape ``(B, H, W, C)``.

    Returns:
        A view of shape ``(B, C, H, W)``.

    Raises:
        ConfigError: `tens` has not four axes.
    """
    if tens.ndim != 4:
        raise ConfigError(
            f"Invalid input: expected shape (batch, height, width, channels), "
            f"got {tuple(tens.shape)}"
        )
    return tens.permute(0, 3, 1, 2)
