"""What a reward network is.

Two ways of asking matter. ``forward`` gives rewards that carry gradients, to train the
network; ``predict_processed`` gives rewards to train a policy on, which a subclass may
normalise or correct.
"""

import abc
from typing import Any

import gymnasium as gym
import numpy.typing as npt
import torch as th
from stable_baselines3.common import preprocessing

from imitation.data import types
from imitation.util import networks, tensors

__all__ = ["RewardNet", "RewardNetWithVariance", "TensorObs"]

Array = npt.NDArray[Any]
TensorObs = th.Tensor | dict[str, th.Tensor]


class RewardNet(th.nn.Module, abc.ABC):
    """A reward of transitions; a subclass implements `forward`.

    Args:
        observation_space: the observation space of the environment.
        action_space: the action space of the environment.
        normalize_images: scale image observations from [0, 255] to [0, 1].
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        normalize_images: bool = True,
    ) -> None:
        super().__init__()
        self.observation_space = observation_space
        self.action_space = action_space
        self.normalize_images = normalize_images

    @abc.abstractmethod
    def forward(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
    ) -> th.Tensor:
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
        self,
        state: Array | types.DictObs,
        action: Array,
        next_state: Array | types.DictObs,
        done: Array,
    ) -> tuple[TensorObs, th.Tensor, TensorObs, th.Tensor]:
        """Turns a batch of arrays into what `forward` takes.

        Args:
            state: observations, shape ``(B, *observation_shape)``, or a dictionary.
            action: actions, shape ``(B, *action_shape)``.
            next_state: like `state`.
            done: whether the episode ended, shape ``(B,)``.

        Returns:
            The four as tensors on the network's device.
        """
        acts = self._tensor(action, self.action_space)
        assert isinstance(acts, th.Tensor)
        return (
            self._tensor(state, self.observation_space),
            acts,
            self._tensor(next_state, self.observation_space),
            tensors.safe_to_tensor(done).to(self.device, th.float32),
        )

    def predict_th(
        self,
        state: Array | types.DictObs,
        action: Array,
        next_state: Array | types.DictObs,
        done: Array,
    ) -> th.Tensor:
        """Computes rewards as a tensor, in evaluation mode and without gradients.

        Args:
            state: see `preprocess`.
            action: see `preprocess`.
            next_state: see `preprocess`.
            done: see `preprocess`.

        Returns:
            Rewards, shape ``(B,)``.
        """
        with networks.evaluating(self), th.no_grad():
            rewards: th.Tensor = self(*self.preprocess(state, action, next_state, done))
        assert rewards.shape == (len(action),), rewards.shape
        return rewards

    def predict(
        self,
        state: Array | types.DictObs,
        action: Array,
        next_state: Array | types.DictObs,
        done: Array,
    ) -> Array:
        """Computes rewards as an array of shape ``(B,)``; see `predict_th`."""
        return self.predict_th(state, action, next_state, done).cpu().numpy()

    def predict_processed(
        self,
        state: Array | types.DictObs,
        action: Array,
        next_state: Array | types.DictObs,
        done: Array,
        **kwargs: Any,
    ) -> Array:
        """Computes the rewards to train a policy on.

        Args:
            state: see `preprocess`.
            action: see `preprocess`.
            next_state: see `preprocess`.
            done: see `preprocess`.
            **kwargs: options of subclasses.

        Returns:
            Rewards, shape ``(B,)``; those of `predict` unless a subclass changes them.
        """
        del kwargs
        return self.predict(state, action, next_state, done)

    @property
    def device(self) -> th.device:
        """Where the network is; the CPU if it has no parameters."""
        parameter = next(self.parameters(), None)
        return th.device("cpu") if parameter is None else parameter.device

    @property
    def dtype(self) -> th.dtype:
        """The type of its parameters; torch's default if it has none."""
        parameter = next(self.parameters(), None)
        return th.get_default_dtype() if parameter is None else parameter.dtype

    def _tensor(self, value: Array | types.DictObs, space: gym.Space[Any]) -> TensorObs:
        plain = types.map_maybe_dict(
            lambda part: tensors.safe_to_tensor(part).to(self.device),
            types.maybe_unwrap_dictobs(value),
        )
        preprocessed = preprocessing.preprocess_obs(plain, space, self.normalize_images)
        converted: TensorObs = types.map_maybe_dict(
            lambda part: part.to(self.dtype), preprocessed
        )
        return converted


class RewardNetWithVariance(RewardNet):
    """A reward network that knows how uncertain it is."""

    @abc.abstractmethod
    def predict_reward_moments(
        self,
        state: Array,
        action: Array,
        next_state: Array,
        done: Array,
        **kwargs: Any,
    ) -> tuple[Array, Array]:
        """Computes mean and variance of the reward, without gradients.

        Args:
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.
            **kwargs: options of subclasses.

        Returns:
            Means and variances, each of shape ``(B,)``.
        """
