"""Counting the steps of episodes, for rewards that depend on time."""

from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

__all__ = ["StepCounter"]


class StepCounter(VecEnvWrapper):
    """Knows when in its episode each environment is.

    Args:
        venv: the environments.

    Attributes:
        steps: the number of the last step in the episode that it belongs to, also where
            it ended that; counted from 0, shape ``(n_envs,)``.
    """

    steps: npt.NDArray[np.int64]

    def __init__(self, venv: VecEnv) -> None:
        super().__init__(venv)
        self._next = np.zeros(self.num_envs, dtype=np.int64)
        self.steps = self._next

    def reset(self) -> VecEnvObs:
        """Begins new episodes."""
        self._next = np.zeros(self.num_envs, dtype=np.int64)
        return self.venv.reset()

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Starts a step."""
        self.venv.step_async(actions)

    def step_wait(self) -> VecEnvStepReturn:
        """Waits for the step and counts it."""
        obs, rews, dones, infos = self.venv.step_wait()
        self.steps = self._next
        self._next = np.where(dones, 0, self.steps + 1)
        return obs, rews, dones, infos
