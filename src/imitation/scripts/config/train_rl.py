"""Settings and presets of `imitation.scripts.train_rl`."""

import dataclasses
from typing import ClassVar, Self

from stable_baselines3.common.vec_env import VecNormalize
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.scripts.config.bases import AgentSettings
from imitation.scripts.config.environments import (
    MOUNTAIN_CAR,
    MUJOCO,
    PENDULUM,
    environment_presets,
)
from imitation.scripts.ingredients.reward import check_reward
from imitation.scripts.settings import Config, Presets, When, setting

_SAVES_ROLLOUTS = When("rollout_save_final")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainRLSettings(AgentSettings):
    """Settings of train_rl."""

    named_configs: ClassVar[Presets] = environment_presets(
        {
            "fast": {
                "total_timesteps": 16,
                "policy_save_interval": 8,
                "rollout_save_n_timesteps": 10,
            },
            "seals_cartpole": {"total_timesteps": 200_000},
        },
        acrobot={
            "rl.ppo_kwargs": {"gamma": 0.99, "gae_lambda": 0.94},
            "total_timesteps": 300_000,
        },
        cartpole={"rl.ppo_kwargs": {"gamma": 0.98}, "total_timesteps": 150_000},
        mountain_car={
            **MOUNTAIN_CAR,
            "rl.ppo_batch_size": 8192,
            "rl.ppo_kwargs": {
                "batch_size": 1024,
                "gae_lambda": 0.98,
                "gamma": 0.99,
                "learning_rate": 1e-3,
                "n_epochs": 20,
            },
        },
        pendulum={**PENDULUM, "total_timesteps": 500_000},
        mujoco={
            "rl.ppo_batch_size": MUJOCO["rl.ppo_batch_size"],
            "rl.ppo_kwargs": MUJOCO["rl.ppo_kwargs"],
            "total_timesteps": 5_000_000,
        },
    )

    normalize_reward: bool = setting(True)
    """Divide rewards by a running estimate of the return's standard deviation."""

    normalize_kwargs: Config = setting(
        {},
        arguments_of=VecNormalize,
        filled=("venv",),
        applies=When("normalize_reward"),
    )
    """Keyword arguments of Stable-Baselines3's VecNormalize."""

    reward_type: str | None = setting(None)
    """Key of the reward registry: train on this reward instead of the environment's."""

    reward_path: str | None = setting(None, path=True, applies=When("reward_type"))
    """Where the reward of `reward_type` is saved."""

    load_reward_kwargs: Config = setting({}, applies=When("reward_type"))
    """Keyword arguments of `load_reward` that the reward is called with, such as
    alpha and update_stats."""

    rollout_save_final: bool = setting(True)
    """Save rollouts of the final policy to rollouts/final.npz."""

    rollout_save_n_timesteps: int | None = setting(
        None, more_than=0, applies=_SAVES_ROLLOUTS
    )
    """Least number of saved steps; 2000 if neither number is given."""

    rollout_save_n_episodes: int | None = setting(
        None, more_than=0, applies=_SAVES_ROLLOUTS
    )
    """Least number of saved episodes."""

    policy_save_interval: int = setting(10_000)
    """Environment steps between saved policies; 0 or less saves none on the way."""

    state_interval: int | None = setting(None, at_least=0)
    """Environment steps between states in checkpoints/latest, which resume= continues
    from; None saves 20 in the training, and 0 only the last. Saving a state abandons
    the episodes in flight."""

    policy_save_final: bool = setting(True)
    """Save the final policy to policies/final."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        steps, episodes = self.rollout_save_n_timesteps, self.rollout_save_n_episodes
        if steps is not None and episodes is not None:
            raise ConfigError(
                "set rollout_save_n_timesteps or rollout_save_n_episodes, not both"
            )
        if self.normalize_kwargs.get("norm_obs"):
            raise ConfigError(
                "normalize_kwargs.norm_obs would be lost when the policy is saved; "
                "use the named config policy.normalize_running"
            )

    @override
    def resolved(self, command: str) -> Self:
        steps = self.rollout_save_n_timesteps
        if steps is None and self.rollout_save_n_episodes is None:
            steps = 2000
        interval = self.state_interval
        if interval is None:
            # 0 would save the last state only.
            interval = max(1, self.total_timesteps // 20)
        return dataclasses.replace(
            super().resolved(command),
            rollout_save_n_timesteps=steps,
            state_interval=interval,
        )

    @override
    def check(self, command: str) -> None:
        super().check(command)
        check_reward(self.reward_type, self.reward_path)
