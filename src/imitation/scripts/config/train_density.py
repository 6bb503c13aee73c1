"""Settings and presets of `imitation.scripts.train_density`."""

import dataclasses
from typing import ClassVar, Literal, Self

from typing_extensions import override

from imitation.algorithms.density import DensityOptions, DensityType
from imitation.errors import ConfigError
from imitation.scripts.config import environments as envs
from imitation.scripts.config.bases import AgentSettings, ExpertDataSettings
from imitation.scripts.settings import (
    ConfigDict,
    Presets,
    Settings,
    When,
    group,
    setting,
)

_KERNEL = When("estimator", ("kernel",))
_KNN = When("estimator", ("knn",))

# PPO can learn from the log of a distance; the exponent of a kernel, its square, grows
# too fast far from the demonstrations.
_NEIGHBORS = {"density.estimator": "knn", "density.kernel_bandwidth": 0.1}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DensitySettings(Settings):
    """The density, whose log is the reward."""

    prefix = "density."

    density_type: Literal["state", "state_action", "state_state"] = setting(
        "state_action"
    )
    """What the density is of."""

    is_stationary: bool = setting(True)
    """Share one density among all time steps; if not, each has its own."""

    estimator: Literal["kernel", "knn"] = setting("kernel")
    """kernel, or knn (the distance of the k-th nearest neighbor) for many
    demonstrations."""

    kernel: str = setting(DensityOptions.kernel, applies=_KERNEL)
    """Kernel of the estimator kernel: gaussian, exponential, or, zero beyond the
    bandwidth, tophat, epanechnikov, linear, cosine."""

    kernel_bandwidth: float = setting(DensityOptions.kernel_bandwidth)
    """Width of the kernel, in standard deviations if inputs are standardized; for knn,
    the distance below which samples count as equally near."""

    n_neighbors: int = setting(DensityOptions.n_neighbors, applies=_KNN)
    """k of knn."""

    standardise_inputs: bool = setting(DensityOptions.standardise_inputs)
    """Give each input mean 0 and variance 1 over the demonstrations."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            self.options()  # checks the values
        except ConfigError as error:
            raise ConfigError(f"density.{error}") from error

    def options(self) -> DensityOptions:
        """Returns how the density is estimated."""
        # The settings have a field of the same name for each option.
        names = [field.name for field in dataclasses.fields(DensityOptions)]
        return DensityOptions(**{name: getattr(self, name) for name in names})

    def arguments(self) -> ConfigDict:
        """Returns these settings as arguments of `DensityAlgorithm`."""
        return {
            **dataclasses.asdict(self.options()),
            "density_type": DensityType[f"{self.density_type.upper()}_DENSITY"],
            "is_stationary": self.is_stationary,
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainDensitySettings(AgentSettings, ExpertDataSettings):
    """Settings of train_density."""

    named_configs: ClassVar[Presets] = envs.environment_presets(
        {"fast": {"rl.ppo_batch_size": 16, "total_timesteps": 64}},
        acrobot=envs.ACROBOT,
        cartpole={**envs.CARTPOLE, **_NEIGHBORS, "total_timesteps": 200_000},
        mountain_car=envs.MOUNTAIN_CAR,
        pendulum={**envs.PENDULUM, **_NEIGHBORS},
        mujoco={**envs.MUJOCO, "total_timesteps": 5_000_000},
        terminates={"allow_variable_horizon": True},
    )

    density: DensitySettings = group(DensitySettings)
    """The density, whose log is the reward."""

    normalize_reward: bool = setting(True)
    """Divide log densities by a running estimate of their return's standard deviation
    while training; they are large where a new policy is."""

    allow_variable_horizon: bool = setting(False)
    """Train although episodes end early, which gives the reward away."""

    checkpoint_interval: int | None = setting(None, at_least=0)
    """Environment steps between checkpoints, which resume= continues from; None saves
    10 in the training, 0 only the final one. Saving abandons the episodes in flight."""

    @override
    def resolved(self, command: str) -> Self:
        interval = self.checkpoint_interval
        if interval is None:
            interval = -(-self.total_timesteps // 10)  # rounded up
        settings = super().resolved(command)
        return dataclasses.replace(settings, checkpoint_interval=interval)
