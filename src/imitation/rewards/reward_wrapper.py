"""A vector environment with another reward, and a callback that logs it.

``RewardVecEnvWrapper`` is how a policy is trained on a learned reward: it asks a reward
function to rate each step, once for all environments.
"""

import collections
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from imitation.data import tree
from imitation.errors import ConfigError, DataError
from imitation.rewards.reward_function import (
    RewardFn,
    check_finite,
    check_spaces,
    checked_rewards,
)
from imitation.util.spaces import Env, Info

__all__ = [
    "RewardVecEnvWrapper",
    "WrappedRewardCallback",
    "check_spaces",
    "checked_rewards",
]


class RewardVecEnvWrapper(VecEnvWrapper):
    """Replaces the reward of a vector environment by that of a reward function.

    The environment's own reward stays in ``info["original_env_rew"]`` of each step.
    Where an episode ends, the reward function gets the observation that ended it, not
    the first of the next episode.

    Unlike release 1.0 the constructor does not reset the environments, so none is reset
    twice; call ``reset()`` before the first step, as for any vector environment.

    Args:
        venv: the environments whose reward to replace.
        reward_fn: rates a batch of ``n_envs`` transitions. It gets arrays, or plain
            dictionaries of them where observations are dictionaries.
        ep_history: how many of the latest episodes' rewards to keep for the mean.

    Attributes:
        episode_rewards: sums of the new rewards over the latest episodes that ended, in
            the order in which they did.
        reward_fn: the argument; a trainer may replace it.

    Raises:
        AssertionError: `venv` is a `RewardVecEnvWrapper` already.
        ConfigError: `ep_history` is not positive, or the reward function belongs to a
            reward network for spaces of another shape.
    """

    envs: Sequence[Env]
    """The environments beneath, where they live in this process."""

    def __init__(
        self, venv: VecEnv, reward_fn: RewardFn, ep_history: int = 100
    ) -> None:
        assert not isinstance(venv, RewardVecEnvWrapper), (
            "venv has its reward replaced already; wrap the venv beneath, venv.venv"
        )
        if ep_history < 1:
            raise ConfigError(f"ep_history must be at least 1, got {ep_history}")
        check_spaces(reward_fn, venv.observation_space, venv.action_space)
        super().__init__(venv)
        self.reward_fn = reward_fn
        self.episode_rewards: collections.deque[float] = collections.deque(
            maxlen=ep_history
        )
        self._running = np.zeros(self.num_envs)  # rewards of the episodes in flight
        self._n_steps = 0
        self._obs: VecEnvObs | None = None
        self._deferring = False
        # Observations and actions of the step under way; None if it is not rated.
        self._acted: tuple[Any, np.ndarray] | None = None

    def make_log_callback(self) -> "WrappedRewardCallback":
        """Creates a callback that logs the mean reward of the latest episodes."""
        return WrappedRewardCallback(self.episode_rewards)

    def reset(self) -> VecEnvObs:
        """Resets all environments and drops the episodes in flight."""
        self._obs = self.venv.reset()
        self._acted = None
        self._n_steps = 0
        self._running[:] = 0
        return self._obs

    def step_async(self, actions: np.ndarray) -> None:
        """Starts a step with actions ``(n_envs, *action_shape)``.

        Raises:
            RuntimeError: ``reset()`` was not called.
        """
        if self._obs is None:
            raise RuntimeError("RewardVecEnvWrapper step before reset(): call reset().")
        if not self._deferring:
            assert not isinstance(self._obs, tuple)  # SB3 has no such observations
            # Copies, because environments may reuse their arrays.
            self._acted = tree.map(np.array, self._obs), np.array(actions)
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Waits for the step and rates it.

        Returns:
            Observations, the new rewards (shape ``(n_envs,)``, a float dtype), dones
            and infos.

        Raises:
            DataError: the reward function returned another shape, or NaN or infinity.
        """
        obs, env_rews, dones, infos = self.venv.step_wait()
        # The key is that of release 1.0, which users' callbacks read.
        for info, env_rew in zip(infos, env_rews, strict=True):
            info["original_env_rew"] = env_rew
        acted, self._acted, self._obs = self._acted, None, obs
        self._n_steps += 1
        if acted is None:
            # Deferred: `record_rewards` adds to the history later.
            return obs, np.zeros(self.num_envs, dtype=np.float32), dones, infos
        next_obs = _before_resets(obs, dones, infos)
        rews = checked_rewards(self.reward_fn(*acted, next_obs, dones), self.num_envs)
        check_finite(rews[None], self._n_steps)
        self._running += rews
        if dones.any():
            self.episode_rewards.extend(self._running[dones].tolist())
            self._running[dones] = 0
        return obs, rews, dones, infos

    @contextlib.contextmanager
    def deferring(self) -> Iterator[None]:
        """Disables the reward function within a block: rewards are zero there.

        For trainers that rate a whole rollout at once; they pass the rewards to
        `record_rewards`, for the history of episode rewards.
        """
        before, self._deferring = self._deferring, True
        try:
            yield
        finally:
            self._deferring = before

    def record_rewards(self, rewards: np.ndarray, dones: np.ndarray) -> None:
        """Adds the rewards of deferred steps to the history of episode rewards.

        The history is, bit for bit, that of rating the steps one by one.

        Args:
            rewards: rewards of ``T`` steps in order, shape ``(T, n_envs)``.
            dones: which episodes ended there, shape ``(T, n_envs)``, bool.

        Raises:
            DataError: a shape is another, or a reward is NaN or infinite.
        """
        rewards, dones = np.asarray(rewards), np.asarray(dones, dtype=bool)
        if rewards.ndim != 2 or {rewards.shape, dones.shape} != {
            (len(rewards), self.num_envs)
        }:
            raise DataError(
                f"expected rewards and dones of shape (T, {self.num_envs}), got "
                f"{rewards.shape} and {dones.shape}"
            )
        check_finite(rewards, self._n_steps - len(rewards) + 1)
        # Number the stretches between ends, those of the first environment first, and
        # sum each in order of time, beginning with what was earned earlier. bincount
        # adds in that order, so sums round as in one step after the other.
        stretch = np.zeros((len(dones) + 1, self.num_envs), dtype=np.int64)
        np.cumsum(dones[:-1], axis=0, out=stretch[2:])
        n_ends = dones.sum(axis=0)
        # An environment with k ends has k + 1 stretches; `last` is its unfinished one.
        last = np.cumsum(n_ends + 1) - 1
        stretch += last - n_ends
        earned = np.concatenate([self._running[None], rewards])
        sums = np.bincount(stretch.ravel(), earned.ravel(), minlength=last[-1] + 1)
        self.episode_rewards.extend(sums[stretch[1:][dones]].tolist())
        # What the episodes in flight have earned so far, (n_envs,).
        self._running = sums[last]


class WrappedRewardCallback(BaseCallback):
    """Logs the mean of the wrapped rewards as ``rollout/ep_rew_wrapped_mean``.

    Args:
        episode_rewards: the rewards of the latest episodes; whoever steps the
            environment adds to them.
        *args: passed to `BaseCallback`.
        **kwargs: passed to `BaseCallback`.
    """

    def __init__(
        self, episode_rewards: collections.deque[float], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.episode_rewards = episode_rewards

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.episode_rewards:
            mean = sum(self.episode_rewards) / len(self.episode_rewards)
            self.logger.record("rollout/ep_rew_wrapped_mean", mean)


def _before_resets(obs: Any, dones: np.ndarray, infos: list[Info]) -> Any:
    """Returns the observations after a step, without those of automatic resets."""
    if not dones.any():
        return obs
    # Copied, because the rows of ended episodes are overwritten below.
    next_obs = tree.map(np.array, obs)
    for i in np.flatnonzero(dones).tolist():
        last = infos[i].get("terminal_observation")
        if last is None:
            raise DataError(
                f"environment {i} ended an episode without 'terminal_observation' in "
                "its info; use a vector environment that follows Stable-Baselines3"
            )
        if isinstance(next_obs, dict):
            for key, values in next_obs.items():
                values[i] = last[key]
        else:
            next_obs[i] = last
    return next_obs
