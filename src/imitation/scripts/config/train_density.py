"""Settings and presets of `imitation.scripts.train_density`."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from imitation.algorithms.density import DensityOptions, DensityType
from imitation.errors import ConfigError
from imitation.scripts.command import CommandSettings
from imitation.scripts.config.density_presets import PRESETS
from imitation.scripts.config.environments import environment_presets
from imitation.scripts.ingredients.demonstrations import DemonstrationsSettings
from imitation.scripts.ingredients.environment import EnvironmentSettings
from imitation.scripts.ingredients.expert import ExpertSettings
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.policy_evaluation import PolicyEvaluationSettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.settings import require

__all__ = ["DensitySettings", "TrainDensitySettings"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DensitySettings:
    """The density, whose log is the reward."""

    density_type: Literal["state", "state_action", "state_state"] = "state_action"
    """What the density is of."""

    is_stationary: bool = True
    """Share one density among all time steps; if not, each has its own."""

    estimator: Literal["kernel", "knn"] = "kernel"
    """kernel, or knn (the distance of the k-th nearest neighbour) for many
    demonstrations."""

    kernel: str = "gaussian"
    """Kernel of the estimator kernel: gaussian, exponential, or, zero beyond the
    bandwidth, tophat, epanechnikov, linear, cosine."""

    kernel_bandwidth: float = 0.5
    """Width of the kernel, in standard deviations if inputs are standardised; for knn,
    the distance below which samples count as equally near."""

    n_neighbors: int = 10
    """k of knn."""

    standardise_inputs: bool = True
    """Give each input mean 0 and variance 1 over the demonstrations."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        try:
            self.options()
        except ConfigError as error:
            raise ConfigError(f"density.{error}") from error

    def options(self) -> DensityOptions:
        """Returns how the density is estimated."""
        return DensityOptions(
            kernel=self.kernel,
            kernel_bandwidth=self.kernel_bandwidth,
            standardise_inputs=self.standardise_inputs,
            estimator=self.estimator,
            n_neighbors=self.n_neighbors,
        )

    def arguments(self) -> dict[str, Any]:
        """Returns these settings as arguments of `DensityAlgorithm`."""
        return {
            **dataclasses.asdict(self.options()),
            "density_type": DensityType[f"{self.density_type.upper()}_DENSITY"],
            "is_stationary": self.is_stationary,
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainDensitySettings(CommandSettings):
    """Settings of train_density."""

    named_configs: ClassVar[Mapping[str, Mapping[str, Any]]] = environment_presets(
        PRESETS
    )

    environment: EnvironmentSettings = dataclasses.field(
        default_factory=EnvironmentSettings
    )
    """The environment to imitate in."""

    expert: ExpertSettings = dataclasses.field(default_factory=ExpertSettings)
    """Who is imitated."""

    demonstrations: DemonstrationsSettings = dataclasses.field(
        default_factory=DemonstrationsSettings
    )
    """Where the demonstrations come from."""

    density: DensitySettings = dataclasses.field(default_factory=DensitySettings)
    """The density, whose log is the reward."""

    rl: RLSettings = dataclasses.field(default_factory=RLSettings)
    """The algorithm that trains the policy on the reward."""

    policy: PolicySettings = dataclasses.field(default_factory=PolicySettings)
    """The policy to train."""

    policy_evaluation: PolicyEvaluationSettings = dataclasses.field(
        default_factory=PolicyEvaluationSettings
    )
    """How the final policy is evaluated."""

    total_timesteps: int = 1_000_000
    """Environment steps to train for."""

    normalize_reward: bool = True
    """Divide log densities by a running estimate of their return's standard deviation
    while training; they are large where a new policy is."""

    allow_variable_horizon: bool = False
    """Train although episodes end early, which gives the reward away."""

    checkpoint_interval: int | None = None
    """Environment steps between checkpoints, which resume= continues from; None saves
    10 in the training, 0 only the final one. Saving abandons the episodes in flight."""

    agent_path: str | None = None
    """A saved agent, or a policy such as final.th of bc, to start from instead of a new
    one."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        super().__post_init__()
        steps, interval = self.total_timesteps, self.checkpoint_interval
        require(steps > 0, "total_timesteps", "a positive integer", steps)
        good = interval is None or interval >= 0
        require(good, "checkpoint_interval", "an integer ≥ 0", interval)

    def resolved(self, command: str) -> Self:
        """Fills in everything that is derived from other settings."""
        environment = self.environment.resolved()
        interval = self.checkpoint_interval
        if interval is None:
            interval = -(-self.total_timesteps // 10)
        return dataclasses.replace(
            super().resolved(command),
            environment=environment,
            expert=self.expert.resolved(environment.env_name),
            demonstrations=self.demonstrations.resolved(),
            rl=self.rl.resolved(),
            logging=self.logging.resolved(command, environment.env_name),
            checkpoint_interval=interval,
        )

    def check(self, command: str) -> None:
        """Looks at classes and paths."""
        self.logging.check(replaces="train_density" if self.resume else None)
        self.policy.check()
        self.rl.check(self.environment.num_vec, self.policy)
        if self.agent_path is not None and not os.path.exists(self.agent_path):
            raise ConfigError(f"agent_path={self.agent_path!r} does not exist")
        self.expert.check()
        self.demonstrations.check()
