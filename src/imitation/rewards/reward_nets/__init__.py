"""Reward networks: differentiable rewards of transitions, and wrappers around them.

Start with `BasicRewardNet` (vectors, and dictionaries of vectors and images) or
`CnnRewardNet` (images); see `RewardNet` for the methods they share.
"""

from imitation.rewards.reward_nets.base import RewardNet, RewardNetWithVariance
from imitation.rewards.reward_nets.cnn import BasicPotentialCNN, CnnRewardNet
from imitation.rewards.reward_nets.ensemble import RewardEnsemble
from imitation.rewards.reward_nets.mlp import BasicPotentialMLP, BasicRewardNet
from imitation.rewards.reward_nets.shaped import BasicShapedRewardNet, ShapedRewardNet
from imitation.rewards.reward_nets.wrappers import (
    AddSTDRewardWrapper,
    ForwardWrapper,
    NormalizedRewardNet,
    PredictProcessedWrapper,
    RewardNetWrapper,
)
from imitation.vision.images import cnn_transpose

__all__ = [
    "AddSTDRewardWrapper",
    "BasicPotentialCNN",
    "BasicPotentialMLP",
    "BasicRewardNet",
    "BasicShapedRewardNet",
    "CnnRewardNet",
    "ForwardWrapper",
    "NormalizedRewardNet",
    "PredictProcessedWrapper",
    "RewardEnsemble",
    "RewardNet",
    "RewardNetWithVariance",
    "RewardNetWrapper",
    "ShapedRewardNet",
    "cnn_transpose",
]
