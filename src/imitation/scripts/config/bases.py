"""Settings that commands share: to act, to train an agent, to learn from an expert."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Self

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.data import types
from imitation.scripts.command import CommandSettings
from imitation.scripts.ingredients.demonstrations import (
    DemonstrationsSettings,
    get_expert_trajectories,
)
from imitation.scripts.ingredients.environment import EnvironmentSettings
from imitation.scripts.ingredients.expert import ExpertSettings
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.policy_evaluation import PolicyEvaluationSettings
from imitation.scripts.ingredients.rl import (
    RLSettings,
    load_rl_algo_from_path,
    make_rl_algo,
)
from imitation.scripts.settings import group, setting

_logger = logging.getLogger(__name__)


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

    def make_agent(self, venv: VecEnv) -> BaseAlgorithm:
        """Builds the agent, or loads the one at `agent_path`, with no steps done."""
        seed = self.make_seed("agent")
        if self.agent_path is None:
            return make_rl_algo(venv, self.rl, self.policy, seed)
        agent = load_rl_algo_from_path(self.agent_path, venv, self.rl, seed)
        agent.num_timesteps = 0  # it remembers its own training
        return agent

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

    def load_demonstrations(self) -> Sequence[types.Trajectory]:
        """Loads or generates the demonstrations; the same ones each time."""
        found = get_expert_trajectories(
            self.demonstrations,
            self.expert,
            self.environment,
            self.rng("demonstrations"),
        )
        _logger.info("Learning from %d demonstrations", len(found))
        return found

    def needs_demonstrations(self, command: str) -> bool:
        """Returns whether the command reads the demonstrations."""
        return True
