"""A reward network and a potential of convolutions, where observations are images."""

from collections.abc import Iterable
from typing import Any

import torch as th
from gymnasium import spaces
from torch import Tensor
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.base import RewardNet, TensorObs
from imitation.util import networks, rebuilding
from imitation.util.spaces import Space
from imitation.vision.images import cnn_transpose, is_image, num_channels


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
        observation_space: Space,
        action_space: Space,
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

    def get_num_channels_obs(self, space: Space) -> int:
        """Returns the number of channels of the images in a space."""
        return num_channels(space, self.hwc_format)

    @override
    def forward(
        self, state: TensorObs, action: Tensor, next_state: TensorObs, done: Tensor
    ) -> Tensor:
        used = [state] * self.use_state + [next_state] * self.use_next_state
        images = [
            cnn_transpose(image) if self.hwc_format else image
            for image in used
            if isinstance(image, Tensor)
        ]
        outputs: Tensor = self.cnn(th.cat(images, dim=1))  # (B, n_outputs)
        if self.use_done:
            # The first half is for transitions within an episode, (B, n_actions) each.
            going_on, ended = outputs.chunk(2, dim=1)
            outputs = th.where(done.bool().unsqueeze(1), ended, going_on)
        if self.use_action:
            return (outputs * action).sum(dim=1)  # actions are one-hot
        return outputs.squeeze(1)


class BasicPotentialCNN(rebuilding.Rebuildable):
    """A potential that is a convolutional network of the image observed.

    Args:
        observation_space: a space of images.
        hid_sizes: numbers of channels of the convolutions.
        hwc_format: whether images have their channels last, ``(H, W, C)``, instead of
            first.
        **kwargs: passed to `networks.build_cnn`.

    Raises:
        ConfigError: observations are not images.
    """

    def __init__(
        self,
        observation_space: Space,
        hid_sizes: Iterable[int],
        hwc_format: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if not is_image(observation_space):
            raise ConfigError("CNN potential must be given image inputs.")
        self.hwc_format = hwc_format
        channels = num_channels(observation_space, hwc_format)
        fixed = {"in_channels": channels, "squeeze_output": True}
        options = {"hid_channels": hid_sizes} | kwargs | fixed
        self._potential_net = networks.build_cnn(**options)

    def forward(self, state: Tensor) -> Tensor:
        """Maps preprocessed images, shape ``(B, ...)``, to potentials, ``(B,)``."""
        images = cnn_transpose(state) if self.hwc_format else state
        potentials: Tensor = self._potential_net(images)
        return potentials
