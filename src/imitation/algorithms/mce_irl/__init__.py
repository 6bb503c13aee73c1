"""Finite-horizon tabular maximum causal entropy inverse reinforcement learning."""

from imitation.algorithms.mce_irl.planning import (
    mce_occupancy_measures,
    mce_partition_fh,
)

__all__ = ["mce_occupancy_measures", "mce_partition_fh"]
