"""Soft Q-learning for discrete actions, as a Stable-Baselines3 algorithm.

Haarnoja, T. et al. (2017). Reinforcement Learning with Deep Energy-Based Policies.
https://arxiv.org/abs/1702.08165
"""

from imitation.algorithms.soft_q.learner import SoftQ
from imitation.algorithms.soft_q.losses import (
    log_policy,
    soft_bellman_loss,
    soft_value,
)
from imitation.algorithms.soft_q.policies import (
    CnnSoftQPolicy,
    MultiInputSoftQPolicy,
    SoftQNetwork,
    SoftQPolicy,
)

__all__ = [
    "CnnSoftQPolicy",
    "MultiInputSoftQPolicy",
    "SoftQ",
    "SoftQNetwork",
    "SoftQPolicy",
    "log_policy",
    "soft_bellman_loss",
    "soft_value",
]
