"""Behavioral cloning (BC): a policy by supervised learning on expert pairs.

Pomerleau, "Efficient Training of Artificial Neural Networks for Autonomous Navigation",
Neural Computation 3(1), 1991.
"""

from imitation.algorithms.bc.batches import (
    BatchIteratorWithEpochEndCallback,
    enumerate_batches,
)
from imitation.algorithms.bc.logs import BCLogger, RolloutStatsComputer
from imitation.algorithms.bc.losses import (
    BCTrainingMetrics,
    BehaviorCloningLossCalculator,
)
from imitation.algorithms.bc.trainer import BC, reconstruct_policy
from imitation.algorithms.bc.validation import EarlyStopping

__all__ = [
    "BC",
    "BCLogger",
    "BCTrainingMetrics",
    "BatchIteratorWithEpochEndCallback",
    "BehaviorCloningLossCalculator",
    "EarlyStopping",
    "RolloutStatsComputer",
    "enumerate_batches",
    "reconstruct_policy",
]
