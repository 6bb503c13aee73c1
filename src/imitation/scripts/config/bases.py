"""Settings that commands share: to act, to train an agent, to learn from an expert."""

import dataclasses
from typing import Self

from typing_extensions import override

from imitation.scripts.command import CommandSettings
from imitation.scripts.ingredients.demonstrations import DemonstrationsSettings
from imitation.scripts.ingredients.environment import EnvironmentSettings
from imitation.scripts.ingredients.expert import ExpertSettings
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.policy_evaluation import PolicyEvaluationSettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.settings import group, setting

__all__ = ["AgentSettings", "ExpertDataSettings", "PolicyCommandSettings"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicyCommandSettings(CommandSettings):
    """Settings of a command whose policy acts in an environment."""

    environment: EnvironmentSettings = group(EnvironmentSettings)
    """The environment to act in."""

    policy: PolicySettings = group(PolicySettings)
    """The policy to train."""

    policy_evaluation: PolicyEvaluationSettings = group(PolicyEvaluationSettings)
    """How the final policy is evaluated."""

    @property
    @override
    def place(self) -> str:
        return self.environment.env_name

    @override
    def resolved(self, command: str) -> Self:
        settings = super().resolved(command)
        environment = self.environment.resolved()
        return dataclasses.replace(settings, environment=environment)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AgentSettings(PolicyCommandSettings):
    """Settings of a command that trains an agent by reinforcement learning."""

    rl: RLSettings = group(RLSettings)
    """The algorithm that trains the policy."""

    total_timesteps: int = setting(1_000_000, more_than=0)
    """Environment steps to train for."""

    agent_path: str | None = setting(None, path=True)
    """A saved agent, or a policy such as final.th of bc, to start from instead of a new
    one."""

    @override
    def resolved(self, command: str) -> Self:
        return dataclasses.replace(super().resolved(command), rl=self.rl.resolved())

    @override
    def check(self, command: str) -> None:
        self.policy.check()
        self.rl.check(self.environment.num_vec, self.policy)
        super().check(command)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpertDataSettings(PolicyCommandSettings):
    """Settings of a command that learns from demonstrations of an expert."""

    expert: ExpertSettings = group(ExpertSettings)
    """The expert to imitate."""

    demonstrations: DemonstrationsSettings = group(DemonstrationsSettings)
    """Where the demonstrations come from."""

    @override
    def resolved(self, command: str) -> Self:
        return dataclasses.replace(
            super().resolved(command),
            expert=self.expert.resolved(self.environment.env_name),
            demonstrations=self.demonstrations.resolved(),
        )

    @override
    def check(self, command: str) -> None:
        super().check(command)
        self.expert.check()
        if self.needs_demonstrations(command):
            self.demonstrations.check()

    def needs_demonstrations(self, command: str) -> bool:
        """Returns whether the command reads the demonstrations."""
        return True
