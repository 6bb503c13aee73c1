"""Settings of SQIL."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from imitation.scripts.ingredients.off_policy import ExpertReplaySettings, Learners
from imitation.scripts.settings import ClassPath, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class SQILSettings(ExpertReplaySettings):
    """Settings of SQIL that are not those of its algorithm (rl) or policy."""

    prefix: ClassVar[str] = "sqil."

    learners: ClassVar[Learners] = Learners(
        discrete=ClassPath("imitation.algorithms.soft_q:SoftQ"),
        continuous=ClassPath("stable_baselines3:SAC"),
    )

    sac_kwargs: Mapping[str, Any] = setting({"ent_coef": 0.05, "tau": 0.02})
    """Further rl.rl_kwargs if the algorithm is SAC; rl.rl_kwargs win."""
