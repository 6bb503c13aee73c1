"""A wrapper that makes every single episode one that can be played again."""

from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np

from imitation.util import seeding

__all__ = ["EPISODE_SEED_KEY", "EpisodeSeedWrapper"]

EPISODE_SEED_KEY = "episode_seed"
"""Where infos hold the seed that their episode was reset with."""


class EpisodeSeedWrapper(gym.Wrapper[Any, Any, Any, Any]):
    """Resets every episode with a seed of its own, and tells it in all infos.

    With that seed and the actions, an environment that takes all its randomness from
    the seed of ``reset`` repeats the episode.

    Args:
        env: the environment.
        rng: draws the seeds; None for fresh entropy. ``reset(seed=...)`` seeds it anew.
    """

    def __init__(
        self, env: gym.Env[Any, Any], rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(env)
        self._rng = seeding.make_rng(rng)
        self._seed = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: decides the seeds of this and the following episodes; None goes on.
            options: as for the environment.

        Returns:
            What the environment returns, with the seed in the info.
        """
        if seed is not None:
            self._rng = seeding.make_rng(seed)
        self._seed = seeding.make_seeds(self._rng)
        obs, info = self.env.reset(seed=self._seed, options=options)
        return obs, {**info, EPISODE_SEED_KEY: self._seed}

    def step(
        self, action: Any
    ) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Steps the environment.

        Args:
            action: as for the environment.

        Returns:
            What the environment returns, with the seed in the info.
        """
        obs, reward, terminated, truncated, info = self.env.step(action)
        info = {**info, EPISODE_SEED_KEY: self._seed}
        return obs, reward, terminated, truncated, info
