"""Settings and presets of `imitation.scripts.train_rl`."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from stable_baselines3.common.vec_env import VecNormalize

from imitation.errors import ConfigError
from imitation.scripts.command import CommandSettings
from imitation.scripts.config.environments import environment_presets
from imitation.scripts.ingredients.environment import EnvironmentSettings
from imitation.scripts.ingredients.learned_reward import check_reward
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.policy_evaluation import PolicyEvaluationSettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.settings import check_keys, require

__all__ = ["TrainRLSettings"]

_MUJOCO: dict[str, Any] = {
    "rl.ppo_batch_size": 16384,
    "rl.ppo_kwargs": {"batch_size": 256, "gae_lambda": 0.95},
    "total_timesteps": 5_000_000,
}

_MOUNTAIN_CAR: dict[str, Any] = {
    "environment.num_vec": 16,
    "policy.policy_kwargs": PolicySettings.named_configs["normalize_running"][
        "policy_kwargs"
    ],
    "rl.ppo_batch_size": 8192,
    "rl.ppo_kwargs": {
        "batch_size": 1024,
        "gae_lambda": 0.98,
        "gamma": 0.99,
        "learning_rate": 1e-3,
        "n_epochs": 20,
    },
    "total_timesteps": 1_000_000,
}

_PRESETS: dict[str, dict[str, Any]] = {
    "acrobot": {
        "rl.ppo_kwargs": {"gamma": 0.99, "gae_lambda": 0.94},
        "total_timesteps": 300_000,
    },
    "cartpole": {"rl.ppo_kwargs": {"gamma": 0.98}, "total_timesteps": 150_000},
    "seals_cartpole": {"rl.ppo_kwargs": {"gamma": 0.98}, "total_timesteps": 200_000},
    "mountain_car": dict(_MOUNTAIN_CAR),
    "seals_mountain_car": dict(_MOUNTAIN_CAR),
    "pendulum": {
        "environment.num_vec": 16,
        "rl.ppo_batch_size": 4096,
        "rl.ppo_kwargs": {
            "batch_size": 256,
            "gamma": 0.95,
            "gae_lambda": 0.9,
            "learning_rate": 1e-3,
        },
        "total_timesteps": 500_000,
    },
    "fast": {
        "total_timesteps": 16,
        "policy_save_interval": 8,
        "rollout_save_n_timesteps": 10,
    },
    **{
        name: dict(_MUJOCO)
        for name in (
            "ant",
            "half_cheetah",
            "humanoid",
            "reacher",
            "seals_ant",
            "seals_half_cheetah",
            "seals_hopper",
            "seals_humanoid",
            "seals_swimmer",
            "seals_walker",
        )
    },
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainRLSettings(CommandSettings):
    """Settings of train_rl."""

    named_configs: ClassVar[Mapping[str, Mapping[str, Any]]] = environment_presets(
        _PRESETS
    )

    environment: EnvironmentSettings = dataclasses.field(
        default_factory=EnvironmentSettings
    )
    """The environment to train in."""

    rl: RLSettings = dataclasses.field(default_factory=RLSettings)
    """The algorithm."""

    policy: PolicySettings = dataclasses.field(default_factory=PolicySettings)
    """The policy to train."""

    policy_evaluation: PolicyEvaluationSettings = dataclasses.field(
        default_factory=PolicyEvaluationSettings
    )
    """How the final policy is evaluated."""

    total_timesteps: int = 1_000_000
    """Environment steps to train for."""

    normalize_reward: bool = True
    """Divide rewards by a running estimate of the return's standard deviation."""

    normalize_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Keyword arguments of Stable-Baselines3's VecNormalize."""

    reward_type: str | None = None
    """Key of the reward registry: train on this reward instead of the environment's."""

    reward_path: str | None = None
    """Where the reward of `reward_type` is saved."""

    load_reward_kwargs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Keyword arguments of `load_reward` that the reward is called with, such as
    alpha and update_stats."""

    rollout_save_final: bool = True
    """Save rollouts of the final policy to rollouts/final.npz."""

    rollout_save_n_timesteps: int | None = None
    """Least number of saved steps; 2000 if neither number is given."""

    rollout_save_n_episodes: int | None = None
    """Least number of saved episodes."""

    policy_save_interval: int = 10_000
    """Environment steps between saved policies; 0 or less saves none on the way."""

    policy_save_final: bool = True
    """Save the final policy to policies/final."""

    agent_path: str | None = None
    """A saved agent, or a policy such as final.th of bc, to start from instead of a new
    one."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        super().__post_init__()
        steps, episodes = self.rollout_save_n_timesteps, self.rollout_save_n_episodes
        positive = "a positive integer"
        require(
            self.total_timesteps > 0, "total_timesteps", positive, self.total_timesteps
        )
        for name, value in (
            ("rollout_save_n_timesteps", steps),
            ("rollout_save_n_episodes", episodes),
        ):
            require(value is None or value > 0, name, f"{positive} or None", value)
        if steps is not None and episodes is not None:
            raise ConfigError(
                "set rollout_save_n_timesteps or rollout_save_n_episodes, not both"
            )
        check_keys(self.normalize_kwargs, VecNormalize, "normalize_kwargs", ["venv"])
        if self.normalize_kwargs.get("norm_obs"):
            raise ConfigError(
                "normalize_kwargs.norm_obs would be lost when the policy is saved; "
                "use the named config policy.normalize_running"
            )

    def resolved(self, command: str) -> Self:
        """Fills in everything that is derived from other settings."""
        settings = super().resolved(command)
        steps = self.rollout_save_n_timesteps
        if steps is None and self.rollout_save_n_episodes is None:
            steps = 2000
        environment = self.environment.resolved()
        return dataclasses.replace(
            settings,
            environment=environment,
            rl=self.rl.resolved(),
            rollout_save_n_timesteps=steps,
            logging=self.logging.resolved(command, environment.env_name),
        )

    def check(self, command: str) -> None:
        """Looks at classes and paths."""
        self.logging.check(replaces="train_rl" if self.resume else None)
        self.policy.check()
        self.rl.check(self.environment.num_vec, self.policy)
        if self.agent_path is not None and not os.path.exists(self.agent_path):
            raise ConfigError(f"agent_path={self.agent_path!r} does not exist")
        check_reward(self.reward_type, self.reward_path)
