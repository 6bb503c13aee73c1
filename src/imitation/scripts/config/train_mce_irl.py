"""Settings and presets of `imitation.scripts.train_mce_irl`."""

import dataclasses
from typing import ClassVar, Literal

import torch as th
from typing_extensions import override

from imitation.scripts import settings as typed
from imitation.scripts.command import CommandSettings
from imitation.scripts.ingredients.mdp import MdpDemonstrationsSettings, MdpSettings
from imitation.scripts.ingredients.policy_evaluation import PolicyEvaluationSettings
from imitation.scripts.settings import (
    ClassPath,
    Config,
    ConfigDict,
    Presets,
    Settings,
    group,
    setting,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TabularRewardSettings(Settings):
    """The network that gives the reward of a state from its observation."""

    prefix = "reward."

    hid_sizes: tuple[int, ...] = setting((256,), more_than=0)
    """Sizes of the hidden layers; none make the reward linear."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MCESettings(Settings):
    """Maximum causal entropy inverse reinforcement learning."""

    prefix = "mce_irl."

    optimizer_cls: ClassPath = setting(ClassPath("torch.optim:Adam"))
    """Optimizer of the reward network."""

    optimizer_kwargs: Config = setting({"lr": 1e-2})
    """Arguments of the optimizer."""

    discount: float = setting(1.0, at_least=0, at_most=1)
    """Discount factor of the return."""

    linf_eps: float = setting(1e-3)
    """L∞ tolerance on visit counts: stop when no state's differs by more than this."""

    grad_l2_eps: float = setting(1e-4)
    """Stop if the l2 norm of the gradient falls below this."""

    log_interval: int | None = setting(10, more_than=0)
    """Iterations between logs; None logs nothing."""

    objective: Literal["likelihood", "occupancy"] = setting("likelihood")
    """likelihood: of the demonstrated actions, where whole episodes are given.
    occupancy: always match the visits that were counted."""

    def load_optimizer_cls(self) -> type[th.optim.Optimizer]:
        """Returns the class of the optimizer."""
        name = "mce_irl.optimizer_cls"
        return typed.load_class(self.optimizer_cls, th.optim.Optimizer, name)

    def check(self) -> None:
        """Raises a ConfigError unless the optimizer takes its arguments."""
        optimizer_cls = self.load_optimizer_cls()
        with typed.building("mce_irl.optimizer_cls with mce_irl.optimizer_kwargs"):
            # Optimizers check their arguments when made, and need one parameter.
            optimizer_cls([th.nn.Parameter(th.zeros(1))], **self.optimizer_kwargs)

    def arguments(self) -> ConfigDict:
        """Returns these settings as arguments of `MCEIRL`."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {**values, "optimizer_cls": self.load_optimizer_cls()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainMCEIRLSettings(CommandSettings):
    """Settings of train_mce_irl."""

    named_configs: ClassVar[Presets] = {
        "cliff_world": {
            "environment.gym_id": "seals/CliffWorld7x4XY-v0",
            "environment.horizon": 40,
        },
        "cliff_world_15x6": {"environment.gym_id": "seals/CliffWorld15x6XY-v0"},
        "cliff_world_100x20": {"environment.gym_id": "seals/CliffWorld100x20XY-v0"},
        "random_mdp": {"environment.gym_id": "seals/Random-v0"},
        "fast": {"max_iter": 3, "mce_irl.log_interval": 1},
    }

    environment: MdpSettings = group(MdpSettings)
    """The environment, whose dynamics are known."""

    demonstrations: MdpDemonstrationsSettings = group(MdpDemonstrationsSettings)
    """Where the demonstrations come from."""

    reward: TabularRewardSettings = group(TabularRewardSettings)
    """The reward network."""

    mce_irl: MCESettings = group(MCESettings)
    """The algorithm."""

    policy_evaluation: PolicyEvaluationSettings = group(PolicyEvaluationSettings)
    """How the final policy is evaluated."""

    max_iter: int = setting(1000, at_least=0)
    """Most iterations to train for."""

    checkpoint_interval: int = setting(100, at_least=0)
    """Iterations between states in checkpoints/latest, which resume= continues from; 0
    saves only the final one."""

    @property
    @override
    def place(self) -> str:
        return self.environment.env_name

    @override
    def check(self, command: str) -> None:
        super().check(command)
        self.mce_irl.check()
