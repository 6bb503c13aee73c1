"""Rewards of mean 0 and variance 1 for the training of policies."""

from typing import Any

import torch as th
from torch import nn

from imitation.rewards.reward_nets.base import Array, ArrayObs, RewardNet
from imitation.rewards.reward_nets.wrappers import PredictProcessedWrapper
from imitation.util import networks, tensors

__all__ = ["NormalizedRewardNet"]


class NormalizedRewardNet(PredictProcessedWrapper):
    """Normalises the processed rewards of another network.

    Unlike Stable-Baselines3's `VecNormalize` it looks at rewards, not at returns, and
    subtracts their mean. Its statistics are part of the network and are saved with it.

    Args:
        base: the network whose rewards to normalise.
        normalize_output_layer: class called with the number of features, 1, for the
            layer that normalises, such as `networks.RunningNorm` or `EMANorm`. Any
            module class that maps ``(B, 1)`` to ``(B, 1)`` will do.

    Attributes:
        normalize_output_layer: the layer.
    """

    def __init__(
        self, base: RewardNet, normalize_output_layer: type[nn.Module]
    ) -> None:
        super().__init__(base)
        self.normalize_output_layer = normalize_output_layer(1)

    def predict_processed(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        update_stats: bool = True,
        **kwargs: Any,
    ) -> Array:
        """Computes normalised rewards.

        Args:
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.
            update_stats: whether the statistics shall take in these rewards, before
                they normalise them; False counts for networks inside, too.
            **kwargs: passed on to `base`.

        Returns:
            Rewards, shape ``(B,)``.
        """
        if not update_stats:  # True is the default, which not every network takes
            kwargs["update_stats"] = False
        processed = self.base.predict_processed(
            state, action, next_state, done, **kwargs
        )
        rewards = self.normalize(tensors.safe_to_tensor(processed), update_stats)
        return tensors.safe_to_numpy(rewards)

    def normalize(self, rewards: th.Tensor, update_stats: bool) -> th.Tensor:
        """Normalises rewards by the statistics of those seen.

        Args:
            rewards: shape ``(B,)``, on any device.
            update_stats: whether the statistics shall take in `rewards` first.

        Returns:
            The normalised rewards, without gradients: shape ``(B,)``, where the
            statistics are.
        """
        layer = self.normalize_output_layer
        for tensor in (*layer._buffers.values(), *layer._parameters.values()):
            if tensor is not None:
                rewards = rewards.to(tensor.device)
                break
        with th.no_grad(), networks.training_mode(layer, update_stats):
            normalized: th.Tensor = layer(rewards.unsqueeze(1))
        return normalized.squeeze(1)
