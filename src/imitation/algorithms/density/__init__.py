"""Density-based imitation: rewards are log densities of the demonstrations."""

from imitation.algorithms.density.estimators import DensityOptions
from imitation.algorithms.density.features import DensityType
from imitation.algorithms.density.reward import DensityReward
from imitation.algorithms.density.trainer import DensityAlgorithm

__all__ = ["DensityAlgorithm", "DensityOptions", "DensityReward", "DensityType"]
