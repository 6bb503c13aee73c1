"""Inverse soft Q-learning (IQ-Learn), with an environment or from data alone.

Garg, D. et al. (2021). IQ-Learn: Inverse soft-Q Learning for Imitation.
https://arxiv.org/abs/2106.12142
"""

from imitation.algorithms.iq_learn.learners import IQSAC, IQSoftQ
from imitation.algorithms.iq_learn.losses import IQTerms, inverse_bellman, iq_terms
from imitation.algorithms.iq_learn.reward import (
    ActorCriticReward,
    InverseSoftQReward,
    SoftQReward,
    recover_reward,
)
from imitation.algorithms.iq_learn.trainer import IQLearn

__all__ = [
    "IQSAC",
    "ActorCriticReward",
    "IQLearn",
    "IQSoftQ",
    "IQTerms",
    "InverseSoftQReward",
    "SoftQReward",
    "inverse_bellman",
    "iq_terms",
    "recover_reward",
]
