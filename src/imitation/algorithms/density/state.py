"""The whole state of density-based imitation, to continue it as if uninterrupted."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imitation.algorithms.density.estimators import DensityOptions
from imitation.algorithms.density.reward import DensityReward
from imitation.training import sb3_state
from imitation.training import state_files as checkpoint
from imitation.util import seeding
from imitation.util.paths import AnyPath

if TYPE_CHECKING:
    from imitation.algorithms.density.trainer import DensityAlgorithm

__all__ = ["load", "save"]

KIND = "density"


def save(trainer: "DensityAlgorithm", path: AnyPath) -> None:
    """Saves the state of a trainer, atomically; its environments start anew.

    Args:
        trainer: what to save.
        path: the directory to write.
    """
    state = _state(trainer)
    seed = seeding.make_seeds(trainer.rng)
    state |= {
        "env_seed": seed,
        "rng": seeding.rng_state(trainer.rng),
        "options": dataclasses.asdict(trainer.reward.options),
        "samples": dict(trainer.reward.samples),
    }
    checkpoint.save_state(path, KIND, state)
    if trainer.rl_algo is not None:
        sb3_state.restart_episodes(trainer.rl_algo, trainer.venv, seed)


def load(trainer: "DensityAlgorithm", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another kind of trainer; nothing is
            changed then.
    """
    put = functools.partial(_put, trainer)
    checkpoint.put_state(path, KIND, _state(trainer), put)


def _state(trainer: "DensityAlgorithm") -> dict[str, Any]:
    """All but the density and the seed of the environments, in whose place is None."""
    state: dict[str, Any] = {
        "kinds": {
            "density": trainer.density_type.name,
            "algorithm": type(trainer.rl_algo).__name__,
        },
        "rng": seeding.rng_state(trainer.rng),
        "steps_trained": trainer.steps_trained,
        "replay_is_stale": trainer.replay_is_stale,
        "horizon": trainer._horizon,
        "options": None,
        "env_seed": None,
    }
    if trainer.rl_algo is not None:
        algo = trainer.connected()
        state["policy"] = sb3_state.algorithm_state(algo)
        state["randomness"] = sb3_state.random_state(algo)
    return state


def _put(trainer: "DensityAlgorithm", state: Mapping[str, Any]) -> None:
    reward = None
    if state["options"] is not None:
        options = DensityOptions(**state["options"])
        reward = DensityReward(trainer._features(), state["samples"], options)
    if trainer.rl_algo is not None:
        algo = trainer.connected()
        sb3_state.load_algorithm_state(algo, state["policy"])
        sb3_state.restore_random_state(algo, state["randomness"])
    seeding.restore_rng(trainer.rng, state["rng"])
    trainer.steps_trained = int(state["steps_trained"])
    stale, trainer._horizon = bool(state["replay_is_stale"]), state["horizon"]
    seed = state["env_seed"]
    if trainer.rl_algo is not None and seed is not None:
        sb3_state.restart_episodes(trainer.rl_algo, trainer.venv, int(seed))
    if reward is not None:  # the last, as nothing can fail any more
        trainer.set_reward(reward)
    trainer.replay_is_stale = stale
