"""Settings and presets of `imitation.scripts.train_mce_irl`."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import torch as th

from imitation.scripts.command import CommandSettings
from imitation.scripts.ingredients.mdp import MdpDemonstrationsSettings, MdpSettings
from imitation.scripts.ingredients.policy_evaluation import PolicyEvaluationSettings
from imitation.scripts.settings import ClassPath, building, load_class, require

__all__ = ["MCESettings", "TabularRewardSettings", "TrainMCEIRLSettings"]


_ADAM = ClassPath("torch.optim:Adam")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TabularRewardSettings:
    """The network that gives the reward of a state from its observation."""

    hid_sizes: tuple[int, ...] = (256,)
    """Sizes of the hidden layers; none make the reward linear."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        good = all(size > 0 for size in self.hid_sizes)
        require(good, "reward.hid_sizes", "positive integers", self.hid_sizes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MCESettings:
    """Maximum causal entropy inverse reinforcement learning."""

    optimizer_cls: ClassPath = _ADAM
    """Optimizer of the reward network."""

    optimizer_kwargs: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {"lr": 1e-2}
    )
    """Arguments of the optimizer."""

    discount: float = 1.0
    """What a reward one step later is worth."""

    linf_eps: float = 1e-3
    """Stop if no state is visited oftener or more rarely by more than this."""

    grad_l2_eps: float = 1e-4
    """Stop if the l2 norm of the gradient falls below this."""

    log_interval: int | None = 10
    """Iterations between logs; None logs nothing."""

    objective: Literal["likelihood", "occupancy"] = "likelihood"
    """likelihood: of the demonstrated actions, where whole episodes are given.
    occupancy: always match the visits that were counted."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        discount, interval = self.discount, self.log_interval
        good = 0 <= discount <= 1
        require(good, "mce_irl.discount", "a number in [0, 1]", discount)
        good = interval is None or interval > 0
        name = "mce_irl.log_interval"
        require(good, name, "a positive integer or None", interval)

    def load_optimizer_cls(self) -> type[th.optim.Optimizer]:
        """Returns the class of the optimizer.

        Raises:
            ConfigError: there is no such optimizer.
        """
        name = "mce_irl.optimizer_cls"
        return load_class(self.optimizer_cls, th.optim.Optimizer, name)

    def check(self) -> None:
        """Raises a ConfigError unless the optimizer takes its arguments."""
        optimizer_cls = self.load_optimizer_cls()
        with building("mce_irl.optimizer_cls with mce_irl.optimizer_kwargs"):
            optimizer_cls([th.nn.Parameter(th.zeros(1))], **self.optimizer_kwargs)

    def arguments(self) -> dict[str, Any]:
        """Returns these settings as arguments of `MCEIRL`."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**values, "optimizer_cls": self.load_optimizer_cls()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainMCEIRLSettings(CommandSettings):
    """Settings of train_mce_irl."""

    named_configs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "cliff_world": {
            "environment.gym_id": "seals/CliffWorld7x4XY-v0",
            "environment.horizon": 40,
        },
        "cliff_world_15x6": {"environment.gym_id": "seals/CliffWorld15x6XY-v0"},
        "cliff_world_100x20": {"environment.gym_id": "seals/CliffWorld100x20XY-v0"},
        "random_mdp": {"environment.gym_id": "seals/Random-v0"},
        "fast": {"max_iter": 3, "mce_irl.log_interval": 1},
    }

    environment: MdpSettings = dataclasses.field(default_factory=MdpSettings)
    """The environment, whose dynamics are known."""

    demonstrations: MdpDemonstrationsSettings = dataclasses.field(
        default_factory=MdpDemonstrationsSettings
    )
    """Where the demonstrations come from."""

    reward: TabularRewardSettings = dataclasses.field(
        default_factory=TabularRewardSettings
    )
    """The reward network."""

    mce_irl: MCESettings = dataclasses.field(default_factory=MCESettings)
    """The algorithm."""

    policy_evaluation: PolicyEvaluationSettings = dataclasses.field(
        default_factory=PolicyEvaluationSettings
    )
    """How the final policy is evaluated."""

    max_iter: int = 1000
    """Most iterations to train for."""

    checkpoint_interval: int = 100
    """Iterations between states in checkpoints/latest, which resume= continues from; 0
    saves only the final one."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        super().__post_init__()
        for name in ("max_iter", "checkpoint_interval"):
            value = getattr(self, name)
            require(value >= 0, name, "an integer ≥ 0", value)

    def resolved(self, command: str) -> Self:
        """Fills in everything that is derived from other settings."""
        return dataclasses.replace(
            super().resolved(command),
            logging=self.logging.resolved(command, self.environment.env_name),
        )

    def check(self, command: str) -> None:
        """Looks at classes and paths."""
        self.logging.check(replaces="train_mce_irl" if self.resume else None)
        self.environment.check()
        self.demonstrations.check()
        self.mce_irl.check()
