"""Rewards that like or dislike what the network is uncertain of."""

from typing import Any

import numpy as np
import torch as th

from imitation.rewards.reward_nets.base import (
    Array,
    ArrayObs,
    RewardNet,
    RewardNetWithVariance,
)
from imitation.rewards.reward_nets.wrappers import PredictProcessedWrapper

__all__ = ["AddSTDRewardWrapper"]


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

    def predict_processed(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        alpha: float | None = None,
        **kwargs: Any,
    ) -> Array:
        """Computes the mean reward plus `alpha` times the standard deviation.

        Args:
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.
            alpha: the multiple; `default_alpha` if None.
            **kwargs: passed on to `base`, and by it to its members.

        Returns:
            Rewards, shape ``(B,)``.
        """
        base = self.base
        assert isinstance(base, RewardNetWithVariance)
        mean, variance = base.predict_reward_moments(
            state, action, next_state, done, **kwargs
        )
        multiple = self.default_alpha if alpha is None else alpha
        rewards: Array = mean + multiple * np.sqrt(variance)
        return rewards
