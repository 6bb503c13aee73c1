"""Asking an expert for the actions of one round."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.dagger.collector import (
    EpisodeRecord,
    InteractiveTrajectoryCollector,
)
from imitation.data import policy_calls, rollout
from imitation.errors import ConfigError, DataError
from imitation.util import threads

__all__ = ["Expert", "RoundSize", "check_expert_spaces", "collect"]

Expert = BasePolicy | BaseAlgorithm | Callable[..., Any]
"""What can label states: an SB3 policy or algorithm (a person is one), a function."""


@dataclasses.dataclass(frozen=True)
class RoundSize:
    """When a round has enough demonstrations."""

    min_episodes: int
    """The least number of episodes."""

    min_timesteps: int
    """The least number of steps, over all its episodes."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value <= 0:
                raise ConfigError(
                    f"rollout_round_{field.name} must be positive, got {value}"
                )

    def reached(self, records: Sequence[EpisodeRecord]) -> bool:
        """Returns whether the episodes are enough."""
        n_timesteps = sum(record.n_timesteps for record in records)
        return len(records) >= self.min_episodes and n_timesteps >= self.min_timesteps


def check_expert_spaces(expert: Expert, venv: VecEnv) -> None:
    """Raises an error if an expert's spaces differ from the environments'.

    Functions have no spaces and pass.

    Raises:
        DataError: the spaces differ.
        TypeError: `expert` cannot act.
    """
    if not isinstance(expert, BasePolicy | BaseAlgorithm):
        if not callable(expert):
            raise TypeError(
                "expert_policy must be a Stable-Baselines3 policy or algorithm, or a "
                f"function of observations, got {expert!r}"
            )
        return
    if expert.observation_space != venv.observation_space:
        raise DataError(
            "Mismatched observation space between expert_policy and venv: "
            f"{expert.observation_space} != {venv.observation_space}"
            + _image_hint(expert.observation_space, venv.observation_space)
        )
    if expert.action_space != venv.action_space:
        raise DataError(
            "Mismatched action space between expert_policy and venv: "
            f"{expert.action_space} != {venv.action_space}"
        )


def collect(
    collector: InteractiveTrajectoryCollector,
    expert: Expert,
    novice: BasePolicy,
    size: RoundSize,
) -> None:
    """Steps a collector with an expert's actions until the round is large enough.

    Episodes in progress at that moment are finished, as in `rollout.rollout`: stopping
    at once would favour short ones.

    Args:
        collector: its `records` say what the round holds, and may not be empty.
        expert: asked deterministically if it is a policy; a function decides itself.
        novice: the policy behind the collector.
        size: when to stop.

    Raises:
        ConfigError: the expert does not fit the environments, or no episode ends.
    """
    if size.reached(collector.records):
        return
    is_policy = isinstance(expert, BasePolicy | BaseAlgorithm)
    with (
        policy_calls.evaluating(expert) as networks,
        policy_calls.evaluating(novice),
        threads.training_threads(novice, *networks),
    ):
        act = policy_calls.policy_to_callable(expert, collector, is_policy)
        _step_until(collector, act, size)


def _step_until(
    collector: InteractiveTrajectoryCollector,
    act: policy_calls.PolicyCallable,
    size: RoundSize,
) -> None:
    obs: Any = collector.reset()
    state: Any = None
    dones = np.ones(collector.num_envs, dtype=bool)
    active = dones.copy()
    waited = 0
    while active.any():
        acts, state = act(obs, state, dones)
        obs, _, dones, _ = collector.step(acts)
        waited = 0 if (dones & active).any() else waited + 1
        if dones.any() and size.reached(collector.records):
            active &= ~dones
        if waited >= rollout.MAX_STEPS_WITHOUT_EPISODE:
            raise ConfigError(
                f"no episode ended in {waited} steps of every environment; limit "
                "their length with gymnasium.wrappers.TimeLimit"
            )


def _image_hint(expert: gym.Space[Any], venv: gym.Space[Any]) -> str:
    """What to do when the two differ by the position of the image channels."""
    if not (
        isinstance(expert, gym.spaces.Box)
        and isinstance(venv, gym.spaces.Box)
        and len(expert.shape) == len(venv.shape) == 3
    ):
        return ""
    if expert.shape == (venv.shape[2], *venv.shape[:2]):
        return (
            "; the expert takes images with channels first: use its own environments, "
            "expert.get_env(), or VecTransposeImage(venv)"
        )
    if expert.shape == (*venv.shape[1:], venv.shape[0]):
        return "; the expert takes images with channels last: do not transpose venv"
    return ""
