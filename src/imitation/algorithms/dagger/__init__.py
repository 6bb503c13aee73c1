"""DAgger: imitation of an expert that labels the states the novice visits.

Ross, Gordon and Bagnell, "A Reduction of Imitation Learning and Structured Prediction
to No-Regret Online Learning" (https://arxiv.org/abs/1011.0686).
"""

from imitation.algorithms.dagger.collector import InteractiveTrajectoryCollector
from imitation.algorithms.dagger.schedules import (
    BetaSchedule,
    ExponentialBetaSchedule,
    LinearBetaSchedule,
)
from imitation.algorithms.dagger.simple import SimpleDAggerTrainer
from imitation.algorithms.dagger.trainer import (
    DAggerTrainer,
    NeedsDemosException,
    reconstruct_trainer,
)

__all__ = [
    "BetaSchedule",
    "DAggerTrainer",
    "ExponentialBetaSchedule",
    "InteractiveTrajectoryCollector",
    "LinearBetaSchedule",
    "NeedsDemosException",
    "SimpleDAggerTrainer",
    "reconstruct_trainer",
]
