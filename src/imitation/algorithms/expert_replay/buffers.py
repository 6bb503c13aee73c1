"""Replay buffers that mix the learner's transitions with an expert's."""

from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch as th
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import (
    DictReplayBufferSamples,
    ReplayBufferSamples,
)
from stable_baselines3.common.vec_env import VecNormalize
from typing_extensions import override

from imitation.algorithms import base
from imitation.algorithms.expert_replay.demonstrations import stored_transitions
from imitation.data import tree
from imitation.errors import ConfigError, DataError
from imitation.util.spaces import Space

Samples = ReplayBufferSamples | DictReplayBufferSamples

EXPERT_REWARD, OWN_REWARD = 1.0, 0.0
MAX_REDRAWS = 1000

Obs = np.ndarray | dict[str, np.ndarray]
# Observations before and after, actions and ends of some transitions.
Gathered = tuple[Obs, Obs, np.ndarray, np.ndarray]


def expert_rows(samples: Samples) -> th.Tensor:
    """Marks the rows of a batch that are the expert's.

    Args:
        samples: what a buffer of this module returned.

    Returns:
        Booleans, shape ``(B, 1)``.
    """
    return samples.rewards == EXPERT_REWARD


class SQILReplayBuffer(ReplayBuffer):
    """A replay buffer of which half of each batch is drawn from demonstrations.

    The reward is 1 for the expert's transitions and 0 for the learner's (Reddy et al.,
    2019, algorithm 1). Where a time limit ended an episode the task goes on: ``dones``
    of sampled batches are 1 only where the task itself ended.

    Args:
        buffer_size: transitions of the learner to remember.
        observation_space: as the algorithm has it: images with channels first.
        action_space: of the environment.
        demonstrations: trajectories, transitions, or batches with next observations;
            None to pass them to `set_demonstrations` before sampling.
        device: of the samples.
        n_envs: number of environments.
        optimize_memory_usage: store observations once. The last transitions of
            episodes that a time limit cut are then never sampled.

    Attributes:
        expert_buffer: the demonstrations.

    Raises:
        NotImplementedError: the demonstrations hold no next observations.
        DataError: they do not fit the spaces.
    """

    expert_buffer: ReplayBuffer

    def __init__(
        self,
        buffer_size: int,
        observation_space: Space,
        action_space: Space,
        demonstrations: base.AnyTransitions | None,
        device: th.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
    ) -> None:
        super().__init__(
            buffer_size,
            observation_space,
            action_space,
            device=device,
            n_envs=n_envs,
            optimize_memory_usage=optimize_memory_usage,
            # SB3 refuses both together; `add` and `_gather` handle time limits anyway.
            handle_timeout_termination=not optimize_memory_usage,
        )
        if demonstrations is not None:
            self.set_demonstrations(demonstrations)

    def set_demonstrations(
        self, demonstrations: base.AnyTransitions, time_limit: int | None = None
    ) -> None:
        """Replaces the demonstrations.

        Args:
            demonstrations: see the class, which raises the same errors.
            time_limit: steps after which the environment cuts off an episode, for
                trajectories that do not say why they ended.
        """
        stored = stored_transitions(
            demonstrations, self.observation_space, self.action_space, time_limit
        )
        is_dict = isinstance(self.observation_space, gym.spaces.Dict)
        make: Any = DictReplayBuffer if is_dict else ReplayBuffer
        buffer: ReplayBuffer = make(
            len(stored), self.observation_space, self.action_space, device=self.device
        )
        # Each array is written at once; SB3's `add` copies one transition at a time.
        # The second axis is that of the environments, here a single one.
        _write(buffer.observations, stored.observations)
        _write(buffer.next_observations, stored.next_observations)
        buffer.actions[:, 0] = stored.actions
        buffer.dones[:, 0] = stored.dones
        buffer.timeouts[:, 0] = stored.timeouts
        buffer.rewards[:] = EXPERT_REWARD
        buffer.full = True
        self.expert_buffer = buffer

    @override
    def add(
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        place = self.pos  # `super().add` moves on
        ignored = np.full(np.shape(reward), OWN_REWARD, dtype=np.float32)
        super().add(obs, next_obs, action, ignored, done, infos)
        # SB3 leaves these out with optimize_memory_usage, and does not bootstrap then.
        self.timeouts[place] = [i.get("TimeLimit.truncated", False) for i in infos]

    def cut_episodes(self) -> None:
        """Marks the next transitions as not following on from the last ones."""
        if self.optimize_memory_usage and self.size() > 0:
            self.timeouts[self.pos - 1] = 1  # its next observation will be overwritten

    @override
    def sample(self, batch_size: int, env: VecNormalize | None = None) -> Samples:  # type: ignore[override]  # of either kind
        """Samples the learner's transitions and then as many of the expert's.

        Args:
            batch_size: of both together; the learner's are one more if it is odd, and
                none while there are none.
            env: normalizes observations, if it does; rewards stay as they are.

        Returns:
            A batch whose rewards say whose the transitions are.

        Raises:
            ConfigError: there are no demonstrations.
        """
        if not hasattr(self, "expert_buffer"):
            raise ConfigError("no demonstrations: call set_demonstrations() first")
        n_own = batch_size - batch_size // 2 if self.size() > 0 else 0
        expert = self.expert_buffer
        # From NumPy's global state because that is what Stable-Baselines3 seeds.
        steps = np.random.randint(0, expert.size(), size=batch_size - n_own)
        parts = [_gather(expert, steps, np.zeros(len(steps), dtype=np.intp))]
        if n_own > 0:
            parts.insert(0, _gather(self, *self._draw_own(n_own)))
        obs, next_obs, acts, dones = zip(*parts, strict=True)
        rewards = np.full((batch_size, 1), EXPERT_REWARD, dtype=np.float32)
        rewards[:n_own] = OWN_REWARD
        is_dict = isinstance(self.observation_space, gym.spaces.Dict)
        make: Any = DictReplayBufferSamples if is_dict else ReplayBufferSamples
        samples: Samples = make(
            observations=self._moved(self._normalize_obs(tree.concatenate(obs), env)),
            actions=self._moved(np.concatenate(acts)),
            next_observations=self._moved(
                self._normalize_obs(tree.concatenate(next_obs), env)
            ),
            dones=self._moved(np.concatenate(dones).reshape(-1, 1)),
            rewards=self._moved(rewards),
        )
        return samples

    def _moved(self, arrays: Obs) -> th.Tensor | dict[str, th.Tensor]:
        # Without copies: gathered arrays are used nowhere else.
        return tree.map(lambda array: self.to_torch(array, copy=False), arrays)

    def _draw_own(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws places and environments of the learner's transitions."""
        if not self.optimize_memory_usage:
            steps = np.random.randint(0, self.size(), size=n)
            return steps, np.random.randint(0, self.n_envs, size=n)
        steps, envs = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
        unusable = np.ones(n, dtype=bool)
        for _ in range(MAX_REDRAWS):
            count = int(unusable.sum())
            # The next observation of the newest transition lies in the next place.
            first, offset = (1, self.pos) if self.full else (0, 0)
            drawn = np.random.randint(first, self.size(), size=count) + offset
            steps[unusable] = drawn % self.buffer_size
            envs[unusable] = np.random.randint(0, self.n_envs, size=count)
            unusable = self.timeouts[steps, envs] > 0
            if not unusable.any():
                return steps, envs
        raise DataError(
            "every transition in the replay buffer is the last of its episode, which "
            "optimize_memory_usage=True cannot store; set it to False"
        )


class SQILDictReplayBuffer(SQILReplayBuffer, DictReplayBuffer):  # type: ignore[misc]  # as DictReplayBuffer
    """A `SQILReplayBuffer` for dictionary observations.

    The arguments are the same, but Stable-Baselines3 does not support
    `optimize_memory_usage` for dictionaries.
    """


def _write(target: Obs, values: Obs) -> None:
    for array, new in tree.zip_leaves(target, values):
        # Arrays of SB3 are (N, n_envs, ...), where a discrete value is (1,), not ().
        stored = cast(np.ndarray, array)
        stored[:, 0] = new.reshape(len(new), *array.shape[2:])


def _gather(buffer: ReplayBuffer, steps: np.ndarray, envs: np.ndarray) -> Gathered:
    stored: Obs = buffer.observations
    if buffer.optimize_memory_usage:
        after = tree.take(stored, ((steps + 1) % buffer.buffer_size, envs))
    else:
        after = tree.take(buffer.next_observations, (steps, envs))
    obs, acts = tree.take(stored, (steps, envs)), buffer.actions[steps, envs]
    # As SB3 does: an episode that a time limit cut goes on for the learner.
    ends = buffer.dones[steps, envs] * (1 - buffer.timeouts[steps, envs])
    return obs, after, acts, ends
