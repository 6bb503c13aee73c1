"""Settings of IQ-Learn."""

import dataclasses
from typing import ClassVar

from imitation.scripts.ingredients.off_policy import ExpertReplaySettings, Learners
from imitation.scripts.settings import ClassPath, When, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class IQLearnSettings(ExpertReplaySettings):
    """Settings of IQ-Learn that are not those of its algorithm (rl) or policy."""

    prefix: ClassVar[str] = "iq_learn."

    learners: ClassVar[Learners] = Learners(
        discrete=ClassPath("imitation.algorithms.iq_learn:IQSoftQ"),
        continuous=ClassPath("imitation.algorithms.iq_learn:IQSAC"),
    )

    offline_updates: int = setting(0, at_least=0)
    """Optimizer steps on the demonstrations alone, without the environment; 0 trains
    in the environment."""

    total_timesteps: int = setting(
        300_000, more_than=0, applies=When("offline_updates", (0,))
    )
    """Environment steps, unless offline."""

    checkpoint_interval: int = setting(10_000, more_than=0)
    """Environment steps, or optimizer steps if offline, between checkpoints to resume
    from."""
