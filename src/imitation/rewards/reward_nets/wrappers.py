"""Networks around networks, and the order in which they may be put.

A `ForwardWrapper` changes ``forward``, so it takes part in training the reward and must
be differentiable; a `PredictProcessedWrapper` changes only what a policy is trained on.
All of the first kind go inside all of the second kind.
"""

import abc
from typing import Any

import torch as th

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.base import Array, ArrayObs, RewardNet, TensorObs

__all__ = ["ForwardWrapper", "PredictProcessedWrapper", "RewardNetWrapper"]


class RewardNetWrapper(RewardNet):
    """A reward network that changes what another one does.

    Subclass `ForwardWrapper` or `PredictProcessedWrapper` instead of this.

    Args:
        base: the network to wrap, which becomes a submodule.
    """

    def __init__(self, base: RewardNet) -> None:
        super().__init__(
            base.observation_space, base.action_space, base.normalize_images
        )
        self._base = base

    @property
    def base(self) -> RewardNet:
        """The wrapped network."""
        return self._base

    @property
    def device(self) -> th.device:
        """Where the wrapped network is."""
        return self.base.device

    @property
    def dtype(self) -> th.dtype:
        """The type of the wrapped network's parameters."""
        return self.base.dtype

    def preprocess(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
    ) -> tuple[TensorObs, th.Tensor, TensorObs, th.Tensor]:
        """Preprocesses as the wrapped network does; see `RewardNet.preprocess`."""
        return self.base.preprocess(state, action, next_state, done)


class ForwardWrapper(RewardNetWrapper):
    """A wrapper that changes ``forward``, and with it every way of asking.

    Args:
        base: the network to wrap.

    Raises:
        ConfigError: `base` is a `PredictProcessedWrapper`.
    """

    def __init__(self, base: RewardNet) -> None:
        super().__init__(base)
        if isinstance(base, PredictProcessedWrapper):
            # Its predict_processed would be passed over without a word.
            raise ConfigError(
                "ForwardWrapper cannot be applied on top of PredictProcessedWrapper!"
            )


class PredictProcessedWrapper(RewardNetWrapper):
    """A wrapper that changes ``predict_processed`` and nothing else.

    A subclass implements `predict_processed`, and passes the keywords that it does not
    know to that of `base`.

    Args:
        base: the network to wrap.
    """

    def forward(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
    ) -> th.Tensor:
        """Computes the rewards of `base`; see `RewardNet.forward`."""
        rewards: th.Tensor = self.base(state, action, next_state, done)
        return rewards

    def predict_th(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
    ) -> th.Tensor:
        """Computes the rewards of `base`; see `RewardNet.predict_th`."""
        return self.base.predict_th(state, action, next_state, done)

    def predict(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
    ) -> Array:
        """Computes the rewards of `base`; see `RewardNet.predict`."""
        return self.base.predict(state, action, next_state, done)

    @abc.abstractmethod
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
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.
            **kwargs: passed on to `base`.

        Returns:
            Rewards, shape ``(B,)``.
        """
