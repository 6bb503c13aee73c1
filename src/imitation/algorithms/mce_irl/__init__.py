"""Finite-horizon tabular maximum causal entropy inverse reinforcement learning.

Follows chapters 9 and 10 of Brian Ziebart's thesis "Modeling Purposeful Adaptive
Behavior with the Principle of Maximum Causal Entropy" (2010),
https://apps.dtic.mil/sti/citations/ADA608706.
"""

from imitation.algorithms.mce_irl.planning import (
    mce_occupancy_measures,
    mce_partition_fh,
)
from imitation.algorithms.mce_irl.policy import TabularPolicy
from imitation.algorithms.mce_irl.trainer import MCEIRL, squeeze_r

__all__ = [
    "MCEIRL",
    "TabularPolicy",
    "mce_occupancy_measures",
    "mce_partition_fh",
    "squeeze_r",
]
