"""The interface of a reward network.

``forward`` gives rewards that carry gradients, to train the network;
``predict_processed`` gives rewards to train a policy on, which a subclass may normalize
or correct.
"""

import abc
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from torch import Tensor

from imitation.data.dict_obs import DictObs
from imitation.rewards.reward_nets.inputs import (
    TensorObs,
    check_lengths,
    encode,
    encode_leaf,
)
from imitation.util import networks, rebuilding
from imitation.util.spaces import Space

__all__ = ["Obs", "RewardNet", "RewardNetWithVariance", "Rows", "TensorObs"]

Rows = np.ndarray | Tensor
"""One entry per transition, ``(B, ...)``."""

Obs = Rows | DictObs | Mapping[str, Rows]
"""One observation per transition."""

FLAG = gym.spaces.MultiBinary(())


class RewardNet(rebuilding.Rebuildable, abc.ABC):
    """A reward of transitions; a subclass implements `forward`.

    All methods but `forward` take a batch of transitions as `preprocess` does.

    Save one with `imitation.rewards.serialize.save_reward_net`, or with `torch.save`.
    Both store the constructor arguments and the tensors, so attributes of your own have
    to follow from these, and `imitation.util.artifacts.register_class` has to know your
    class.

    Args:
        observation_space: the observation space of the environment.
        action_space: the action space of the environment.
        normalize_images: scale image observations from [0, 255] to [0, 1].
    """

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        normalize_images: bool = True,
    ) -> None:
        super().__init__()
        self.observation_space = observation_space
        self.action_space = action_space
        self.normalize_images = normalize_images

    @abc.abstractmethod
    def forward(
        self, state: TensorObs, action: Tensor, next_state: TensorObs, done: Tensor
    ) -> Tensor:
        """Computes rewards that carry gradients.

        Args:
            state: preprocessed observations, shape ``(B, ...)``, or a dictionary.
            action: preprocessed actions, shape ``(B, ...)``; discrete ones one-hot.
            next_state: like `state`.
            done: 1 where the episode ended, else 0, shape ``(B,)``.

        Returns:
            Rewards, shape ``(B,)``.
        """

    def preprocess(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows
    ) -> tuple[TensorObs, Tensor, TensorObs, Tensor]:
        """Turns a batch of arrays or tensors into what `forward` takes.

        Images are scaled to [0, 1] and discrete values made one-hot, once: a floating
        tensor where the space holds images of bytes, or one with the shape of one-hot
        vectors, is left as it is, so the result may be given to it again. Arrays are
        never taken for preprocessed.

        Args:
            state: observations, shape ``(B, *observation_shape)``, or a dictionary.
            action: actions, shape ``(B, *action_shape)``.
            next_state: like `state`.
            done: whether the episode ended, shape ``(B,)``.

        Returns:
            The four as tensors on the network's device, floating ones of its dtype.

        Raises:
            DataError: one does not fit its space.
        """
        # Looked up once: walking to the first parameter costs as much as an encoding.
        space, scale = self.observation_space, self.normalize_images
        device, dtype = self.device, self.dtype
        return (
            encode("state", state, space, scale, device, dtype),
            encode_leaf("action", action, self.action_space, False, device, dtype),
            encode("next_state", next_state, space, scale, device, dtype),
            encode_leaf("done", done, FLAG, False, device, dtype),
        )

    def predict_th(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows
    ) -> Tensor:
        """Computes rewards as a tensor, in evaluation mode and without gradients.

        Returns:
            Rewards, shape ``(B,)``.

        Raises:
            DataError: an input does not fit its space, or they differ in length.
        """
        parts = self.preprocess(state, action, next_state, done)
        # Here and not in `preprocess`, as trainers' own batches need no check.
        check_lengths(*parts)
        with networks.evaluating(self), th.no_grad():
            rewards: Tensor = self(*parts)
        assert rewards.shape == (len(action),), rewards.shape
        return rewards

    def predict(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows
    ) -> np.ndarray:
        """Computes rewards as `predict_th` does, as an array of shape ``(B,)``."""
        return self.predict_th(state, action, next_state, done).cpu().numpy()

    def predict_processed(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows, **kwargs: Any
    ) -> np.ndarray:
        """Computes the rewards to train a policy on.

        Returns:
            Rewards, shape ``(B,)``; those of `predict` unless a subclass changes them.
        """
        del kwargs
        return self.predict(state, action, next_state, done)

    @property
    def device(self) -> th.device:
        """Device of the parameters; the CPU without parameters."""
        tensor = self._first_tensor()
        return th.device("cpu") if tensor is None else tensor.device

    @property
    def dtype(self) -> th.dtype:
        """Type of the parameters; torch's default without parameters."""
        tensor = self._first_tensor()
        return th.get_default_dtype() if tensor is None else tensor.dtype

    def _first_tensor(self) -> Tensor | None:
        # `next(self.parameters())` takes longer than a small network's forward pass.
        for module in networks.submodules(self):
            for parameter in module._parameters.values():
                if parameter is not None:
                    return parameter
        return None


class RewardNetWithVariance(RewardNet):
    """A reward network that knows how uncertain it is."""

    @abc.abstractmethod
    def predict_reward_moments(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows, **kwargs: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Computes mean and variance of the reward, without gradients.

        Returns:
            Means and variances, each of shape ``(B,)``.
        """
