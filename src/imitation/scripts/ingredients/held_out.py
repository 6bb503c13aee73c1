"""Episodes that a run keeps aside, for its report to judge the learned reward by."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from imitation.algorithms.preference_comparisons import (
    AgentTrainer,
    BestAgent,
    HeldOutPlayer,
)
from imitation.envs.episode_seeds import EpisodeSeedWrapper
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv
from imitation.util import seeding

__all__ = ["HELD_OUT_DIR", "keep_aside"]

HELD_OUT_DIR = "held_out"
"""Where in a run's directory the episodes are."""

_NUM_VEC = 2


@contextlib.contextmanager
def keep_aside(
    trainer: AgentTrainer,
    environment: EnvironmentSettings,
    run_dir: pathlib.Path,
    *,
    n_episodes: int,
    n_rounds: int,
    keep_best: bool,
    rng: np.random.Generator,
) -> Iterator[Callable[[int], None]]:
    """Makes what plays episodes after some of the rounds of a training.

    Args:
        trainer: whose agent plays.
        environment: where it plays, in environments made for this.
        run_dir: the run's directory.
        n_episodes: least number of episodes of the whole training.
        n_rounds: rounds of the whole training.
        keep_best: whether the last call puts back the best agent, see `BestAgent`.
        rng: decides environments and actions.

    Yields:
        To be called with the number of each round that has ended, from 0.
    """
    apart = dataclasses.replace(environment, num_vec=_NUM_VEC, parallel=False)
    with make_venv(apart, rng, post_wrappers=[_tell_seeds]) as venv:
        seed = seeding.make_seeds(rng)
        player = (BestAgent if keep_best else HeldOutPlayer)(
            trainer, venv, run_dir / HELD_OUT_DIR, n_rounds, n_episodes, seed=seed
        )
        yield player
        if isinstance(player, BestAgent):
            player.forget()


def _tell_seeds(env: gym.Env[Any, Any], index: int) -> gym.Env[Any, Any]:
    del index
    return EpisodeSeedWrapper(env)
