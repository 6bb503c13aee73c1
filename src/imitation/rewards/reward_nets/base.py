"""What a reward network is.

Two ways of asking matter. ``forward`` gives rewards that carry gradients, to train the
network; ``predict_processed`` gives rewards to train a policy on, which a subclass may
normalise or correct.
"""

import abc
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy.typing as npt
import torch as th

from imitation.data import types
from imitation.errors import DataError
from imitation.rewards.reward_nets.inputs import TensorObs, encode
from imitation.util import networks, rebuilding

__all__ = ["Array", "ArrayObs", "RewardNet", "RewardNetWithVariance", "TensorObs"]

Array = npt.NDArray[Any]
ArrayObs = Array | th.Tensor | types.DictObs | Mapping[str, Array | th.Tensor]

FLAG = gym.spaces.MultiBinary(())


class RewardNet(rebuilding.Rebuildable, abc.ABC):
    """A reward of transitions; a subclass implements `forward`.

    Save one with `imitation.rewards.net_io.save_reward_net`, or with `torch.save`. Both
    store the constructor arguments and the tensors, so attributes of your own have to
    follow from these, and `imitation.util.artifacts.register_class` has to know your
    class.

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
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
    ) -> tuple[TensorObs, th.Tensor, TensorObs, th.Tensor]:
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
            DataError: one does not fit its space, or they differ in length.
        """
        device, dtype, scale = self.device, self.dtype, self.normalize_images
        space = self.observation_space
        state, next_state = map(types.maybe_unwrap_dictobs, (state, next_state))
        states = encode("state", state, space, scale, device, dtype)
        acts = encode("action", action, self.action_space, False, device, dtype)
        next_states = encode("next_state", next_state, space, scale, device, dtype)
        dones = encode("done", done, FLAG, False, device, dtype)
        assert isinstance(acts, th.Tensor) and isinstance(dones, th.Tensor)
        _check_lengths(states, acts, next_states, dones)
        return states, acts, next_states, dones

    def predict_th(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
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
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
    ) -> Array:
        """Computes rewards as an array of shape ``(B,)``; see `predict_th`."""
        return self.predict_th(state, action, next_state, done).cpu().numpy()

    def predict_processed(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
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
        tensor = self._first_tensor()
        return th.device("cpu") if tensor is None else tensor.device

    @property
    def dtype(self) -> th.dtype:
        """The type of its parameters; torch's default if it has none."""
        tensor = self._first_tensor()
        return th.get_default_dtype() if tensor is None else tensor.dtype

    def _first_tensor(self) -> th.Tensor | None:
        """Returns the first parameter; unlike ``parameters()`` in no time."""
        for module in networks.submodules(self):
            for parameter in module._parameters.values():
                if parameter is not None:
                    return parameter
        return None


class RewardNetWithVariance(RewardNet):
    """A reward network that knows how uncertain it is."""

    @abc.abstractmethod
    def predict_reward_moments(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
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


def _check_lengths(
    state: TensorObs, action: th.Tensor, next_state: TensorObs, done: th.Tensor
) -> None:
    n = action.shape[0]
    for name, value in (("state", state), ("next_state", next_state), ("done", done)):
        parts = value.values() if isinstance(value, dict) else (value,)
        for part in parts:
            if part.shape[0] != n:
                raise DataError(
                    f"a batch needs as many of each part, got {part.shape[0]} of "
                    f"{name} and {n} of action"
                )
