"""Networks around networks, and the order in which they may be nested.

A `ForwardWrapper` changes ``forward``, so it takes part in training the reward and must
be differentiable; a `PredictProcessedWrapper` changes only what a policy is trained on.
All of the first kind go inside all of the second kind.
"""

import abc
import itertools
from typing import Any

import numpy as np
import torch as th
from torch import Tensor, nn
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.base import (
    Obs,
    RewardNet,
    RewardNetWithVariance,
    Rows,
    TensorObs,
)
from imitation.util import networks, tensors


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

    # A wrapper may have parameters of its own elsewhere; what counts is `base`.
    @property
    @override
    def device(self) -> th.device:
        return self.base.device

    @property
    @override
    def dtype(self) -> th.dtype:
        return self.base.dtype

    @override
    def preprocess(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows
    ) -> tuple[TensorObs, Tensor, TensorObs, Tensor]:
        return self.base.preprocess(state, action, next_state, done)


class ForwardWrapper(RewardNetWrapper):
    """A wrapper that changes ``forward``, and with it every prediction method.

    Args:
        base: the network to wrap.

    Raises:
        ConfigError: `base` is a `PredictProcessedWrapper`.
    """

    def __init__(self, base: RewardNet) -> None:
        super().__init__(base)
        if isinstance(base, PredictProcessedWrapper):
            # Nothing would call its predict_processed.
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

    @override
    def forward(
        self, state: TensorObs, action: Tensor, next_state: TensorObs, done: Tensor
    ) -> Tensor:
        rewards: Tensor = self.base(state, action, next_state, done)
        return rewards

    # Both go to `base`, which may override either, as `RewardEnsemble` does.
    @override
    def predict_th(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows
    ) -> Tensor:
        return self.base.predict_th(state, action, next_state, done)

    @override
    def predict(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows
    ) -> np.ndarray:
        return self.base.predict(state, action, next_state, done)

    @override
    @abc.abstractmethod
    def predict_processed(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows, **kwargs: Any
    ) -> np.ndarray: ...


class NormalizedRewardNet(PredictProcessedWrapper):
    """Normalizes the processed rewards of another network to mean 0 and variance 1.

    Unlike Stable-Baselines3's `VecNormalize` it looks at rewards, not at returns, and
    subtracts their mean. Its statistics are part of the network and are saved with it.

    Args:
        base: the network whose rewards to normalize.
        normalize_output_layer: class called with the number of features, 1, for the
            layer that normalizes, such as `networks.RunningNorm` or `EMANorm`. Any
            module class that maps ``(B, 1)`` to ``(B, 1)`` will do.

    Attributes:
        normalize_output_layer: the layer.
    """

    def __init__(
        self, base: RewardNet, normalize_output_layer: type[nn.Module]
    ) -> None:
        super().__init__(base)
        self.normalize_output_layer = normalize_output_layer(1)

    @override
    def predict_processed(
        self,
        state: Obs,
        action: Rows,
        next_state: Obs,
        done: Rows,
        update_stats: bool = True,
        **kwargs: Any,
    ) -> np.ndarray:
        """Computes normalized rewards, shape ``(B,)``.

        With `update_stats`, the running statistics take in these rewards before they
        normalize them. False holds for networks inside, too.
        """
        if not update_stats:  # True is the default, which not every network takes
            kwargs["update_stats"] = False
        processed = self.base.predict_processed(
            state, action, next_state, done, **kwargs
        )
        rewards = self.normalize(tensors.safe_to_tensor(processed), update_stats)
        return tensors.safe_to_numpy(rewards)

    def normalize(self, rewards: Tensor, update_stats: bool) -> Tensor:
        """Normalizes rewards by the running statistics.

        Args:
            rewards: shape ``(B,)``, on any device.
            update_stats: update the statistics by `rewards` first.

        Returns:
            The normalized rewards, without gradients, shape ``(B,)``, on the device of
            the statistics.
        """
        layer = self.normalize_output_layer
        statistics = itertools.chain(layer.buffers(False), layer.parameters(False))
        if (first := next(statistics, None)) is not None:
            rewards = rewards.to(first.device)
        with th.no_grad(), networks.training_mode(layer, update_stats):
            normalized: Tensor = layer(rewards.unsqueeze(1))  # (B, 1)
        return normalized.squeeze(1)


class AddSTDRewardWrapper(PredictProcessedWrapper):
    """Adds a multiple of the standard deviation to the mean reward.

    A positive multiple rewards going where the network is uncertain, a negative one
    gives a lower confidence bound.

    Args:
        base: a network that knows its variance, such as a `RewardEnsemble`.
        default_alpha: the multiple where a call gives none.

    Raises:
        TypeError: `base` does not know its variance.
    """

    def __init__(self, base: RewardNet, default_alpha: float = 0.0) -> None:
        super().__init__(base)
        if not isinstance(base, RewardNetWithVariance):
            raise TypeError(
                "Cannot add standard deviation to a reward net that is not an instance "
                f"of RewardNetWithVariance, got {type(base).__name__}"
            )
        self.default_alpha = default_alpha

    @override
    def predict_processed(
        self,
        state: Obs,
        action: Rows,
        next_state: Obs,
        done: Rows,
        alpha: float | None = None,
        **kwargs: Any,
    ) -> np.ndarray:
        """Computes the mean reward plus `alpha` times the standard deviation, ``(B,)``.

        `alpha` is `default_alpha` if None; other keywords go to the members of `base`.
        """
        base = self.base
        assert isinstance(base, RewardNetWithVariance)
        mean, variance = base.predict_reward_moments(
            state, action, next_state, done, **kwargs
        )
        multiple = self.default_alpha if alpha is None else alpha
        rewards: np.ndarray = mean + multiple * np.sqrt(variance)
        return rewards
