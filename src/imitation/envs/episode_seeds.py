"""A wrapper that makes every single episode repeatable."""

from typing import Any

import numpy as np
from typing_extensions import override

from imitation.util import seeding
from imitation.util.spaces import Env, Info, StepResult, Wrapper

# Key of the infos for the seed with which their episode was reset.
EPISODE_SEED_KEY = "episode_seed"


class EpisodeSeedWrapper(Wrapper):
    """Resets every episode with a seed of its own, and records it in all infos.

    With that seed and the actions, an environment that takes all its randomness from
    the seed of ``reset`` repeats the episode.

    Args:
        env: the environment.
        rng: draws the seeds; None for fresh entropy. ``reset(seed=...)`` seeds it anew.
    """

    def __init__(self, env: Env, rng: np.random.Generator | None = None) -> None:
        super().__init__(env)
        self._rng = seeding.make_rng(rng)
        self._seed = 0

    @override
    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Any, Info]:
        """Starts an episode; `seed` decides those of it and all later ones."""
        if seed is not None:
            # Not passed on as it is: later episodes need seeds, too.
            self._rng = seeding.make_rng(seed)
        self._seed = seeding.make_seeds(self._rng)
        obs, info = self.env.reset(seed=self._seed, options=options)
        return obs, {**info, EPISODE_SEED_KEY: self._seed}

    @override
    def step(self, action: object) -> StepResult:
        obs, reward, terminated, truncated, info = self.env.step(action)
        info = {**info, EPISODE_SEED_KEY: self._seed}
        return obs, reward, terminated, truncated, info
