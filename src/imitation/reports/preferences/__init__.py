"""Sections of a report on a run of preference comparisons.

- `imitation.reports.preferences.course`: the policy's returns, how the reward was
  learned, what was saved.
- `imitation.reports.preferences.quality`: numbers that measure a learned reward.
- `imitation.reports.preferences.judgment`: the sections that show these numbers.
- `imitation.reports.preferences.fragments`: fragments of episodes in motion.
"""

from imitation.reports.preferences.course import (
    SHOWN,
    HeldOut,
    checkpoint_list,
    highlights,
    lead,
    learning,
    returns,
)

__all__ = [
    "SHOWN",
    "HeldOut",
    "checkpoint_list",
    "highlights",
    "lead",
    "learning",
    "returns",
]
