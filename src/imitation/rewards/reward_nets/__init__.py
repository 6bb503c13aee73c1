"""Reward networks: differentiable rewards of transitions."""

from imitation.rewards.reward_nets.base import RewardNet, RewardNetWithVariance
from imitation.rewards.reward_nets.basic import BasicRewardNet
from imitation.rewards.reward_nets.ensemble import RewardEnsemble

__all__ = ["BasicRewardNet", "RewardEnsemble", "RewardNet", "RewardNetWithVariance"]
