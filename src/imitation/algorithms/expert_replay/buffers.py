"""Replay buffers that mix the learner's transitions with an expert's."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch as th
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import (
    DictReplayBufferSamples,
    ReplayBufferSamples,
)
from stable_baselines3.common.vec_env import VecNormalize

from imitation.algorithms import base
from imitation.algorithms.expert_replay.demonstrations import (
    StoredTransitions,
    stored_transitions,
)
from imitation.data.types import map_maybe_dict
from imitation.errors import ConfigError, DataError
from imitation.util.spaces import Space

__all__ = ["SQILDictReplayBuffer", "SQILReplayBuffer", "expert_rows"]

Array = npt.NDArray[Any]
Samples = ReplayBufferSamples | DictReplayBufferSamples

EXPERT_REWARD, OWN_REWARD = 1.0, 0.0
MAX_REDRAWS = 1000


def expert_rows(samples: Samples) -> th.Tensor:
    """Says which rows of a batch are the expert's.

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
        device: where samples shall be.
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
            handle_timeout_termination=not optimize_memory_usage,
        )
        if demonstrations is not None:
            self.set_demonstrations(demonstrations)

    def set_demonstrations(
        self, demonstrations: base.AnyTransitions, time_limit: int | None = None
    ) -> None:
        """Replaces the demonstrations.

        Args:
            demonstrations: see the class.
            time_limit: steps after which the environment cuts off an episode, for
                trajectories whose infos do not say why they ended.

        Raises:
            NotImplementedError: the demonstrations hold no next observations.
            DataError: they do not fit the spaces.
        """
        self.expert_buffer = _filled(
            stored_transitions(
                demonstrations, self.observation_space, self.action_space, time_limit
            ),
            self,
        )

    def add(
        self,
        obs: Any,
        next_obs: Any,
        action: Array,
        reward: Array,
        done: Array,
        infos: list[dict[str, Any]],
    ) -> None:
        """Adds one transition of each environment, with reward 0.

        Args:
            obs: observations, shape ``(n_envs, *stored_shape)``, or a dictionary.
            next_obs: observations after the actions; at the end of an episode, its own.
            action: actions, shape ``(n_envs, ...)``, scaled for a box.
            reward: ignored.
            done: which episodes ended, shape ``(n_envs,)``.
            infos: info dictionaries; ``TimeLimit.truncated`` marks time limits.
        """
        place = self.pos
        nothing = np.full(np.shape(reward), OWN_REWARD, dtype=np.float32)
        super().add(obs, next_obs, action, nothing, done, infos)
        self.timeouts[place] = [i.get("TimeLimit.truncated", False) for i in infos]

    def cut_episodes(self) -> None:
        """Says that the next transitions do not follow on from the last ones."""
        if self.optimize_memory_usage and self.size() > 0:
            self.timeouts[self.pos - 1] = 1  # its next observation will be overwritten

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> Samples:  # type: ignore[override]  # of either kind
        """Samples the learner's transitions and then as many of the expert's.

        Args:
            batch_size: of both together; the learner's are one more if it is odd, and
                none while there are none.
            env: normalises observations, if it does; rewards stay as they are.

        Returns:
            A batch whose rewards say whose the transitions are.

        Raises:
            ConfigError: there are no demonstrations.
        """
        if not hasattr(self, "expert_buffer"):
            raise ConfigError("no demonstrations: call set_demonstrations() first")
        n_own = batch_size - batch_size // 2 if self.size() > 0 else 0
        parts = [_gather(self.expert_buffer, *self._draw_expert(batch_size - n_own))]
        if n_own > 0:
            parts.insert(0, _gather(self, *self._draw_own(n_own)))
        columns = zip(*parts, strict=True)
        obs, next_obs, acts, dones = (_joined(column) for column in columns)
        rewards = np.full((batch_size, 1), EXPERT_REWARD, dtype=np.float32)
        rewards[:n_own] = OWN_REWARD
        made: Any = (
            DictReplayBufferSamples if isinstance(obs, dict) else ReplayBufferSamples
        )
        samples: Samples = made(
            observations=map_maybe_dict(self._moved, self._normalize_obs(obs, env)),
            actions=self._moved(acts),
            next_observations=map_maybe_dict(
                self._moved, self._normalize_obs(next_obs, env)
            ),
            dones=self._moved(dones.reshape(-1, 1)),
            rewards=self._moved(rewards),
        )
        return samples

    def _moved(self, array: Array) -> th.Tensor:
        return self.to_torch(array, copy=False)  # gathered arrays are nobody else's

    def _draw_expert(self, n: int) -> tuple[Array, Array]:
        # From NumPy's global state because that is what Stable-Baselines3 seeds.
        steps = np.random.randint(0, self.expert_buffer.size(), size=n)
        return steps, np.zeros(n, dtype=np.intp)

    def _draw_own(self, n: int) -> tuple[Array, Array]:
        """Places and environments of some of the learner's transitions."""
        if not self.optimize_memory_usage:
            steps = np.random.randint(0, self.size(), size=n)
            return steps, np.random.randint(0, self.n_envs, size=n)
        steps, envs = (np.zeros(n, dtype=np.intp) for _ in "ab")
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

    Args:
        buffer_size: see `SQILReplayBuffer`, as for the others.
        observation_space: a dictionary.
        action_space: of the environment.
        demonstrations: or None.
        device: where samples shall be.
        n_envs: number of environments.
        optimize_memory_usage: not supported by Stable-Baselines3.
    """


def _filled(transitions: StoredTransitions, like: SQILReplayBuffer) -> ReplayBuffer:
    """Makes a full buffer of transitions, each array written at once."""
    is_dict = isinstance(like.observation_space, gym.spaces.Dict)
    make: Any = DictReplayBuffer if is_dict else ReplayBuffer
    buffer: ReplayBuffer = make(
        len(transitions), like.observation_space, like.action_space, device=like.device
    )
    _write(buffer.observations, transitions.observations)
    _write(buffer.next_observations, transitions.next_observations)
    buffer.actions[:, 0] = transitions.actions
    buffer.dones[:, 0] = transitions.dones
    buffer.timeouts[:, 0] = transitions.timeouts
    buffer.rewards[:] = EXPERT_REWARD
    buffer.full = True
    return buffer


def _write(array: Any, values: Any) -> None:
    if isinstance(array, dict):
        for key, part in array.items():
            _write(part, values[key])
    else:
        array[:, 0] = values.reshape(len(values), *array.shape[2:])


def _gather(buffer: ReplayBuffer, steps: Array, envs: Array) -> tuple[Any, ...]:
    """Observations before and after, actions and ends of some transitions."""

    def at(array: Array, places: Array = steps) -> Array:
        return array[places, envs]

    stored: Any = buffer.observations
    if buffer.optimize_memory_usage:
        after = at(stored, (steps + 1) % buffer.buffer_size)
    else:
        after = map_maybe_dict(at, buffer.next_observations)
    ends = at(buffer.dones) * (1 - at(buffer.timeouts))
    return map_maybe_dict(at, stored), after, at(buffer.actions), ends


def _joined(parts: tuple[Any, ...]) -> Any:
    if isinstance(parts[0], dict):
        return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
    return np.concatenate(parts)
