"""The whole state of density-based imitation, to continue it as if uninterrupted."""

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imitation.algorithms import sb3_state
from imitation.algorithms.density.estimators import DensityOptions
from imitation.algorithms.density.reward import DensityReward
from imitation.errors import ArtifactError
from imitation.util import checkpoint, seeding
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
    algo = None if trainer.rl_algo is None else trainer.connected()
    seed = seeding.make_seeds(trainer.rng)
    state: dict[str, Any] = {
        "kinds": _kinds(trainer),
        "env_seed": seed,
        "rng": seeding.rng_state(trainer.rng),
        "steps_trained": trainer.steps_trained,
        "replay_is_stale": trainer.replay_is_stale,
        "horizon": trainer._horizon,
        "options": dataclasses.asdict(trainer.reward.options),
        "samples": dict(trainer.reward.samples),
    }
    if algo is not None:
        state["policy"] = sb3_state.algorithm_state(algo)
        state["randomness"] = sb3_state.randomness(algo)
    checkpoint.save_state(path, KIND, state)
    if algo is not None:
        sb3_state.begin_anew(algo, trainer.venv, seed)


def load(trainer: "DensityAlgorithm", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another kind of trainer.
    """
    state = checkpoint.load_state(path, KIND)
    for name, kind in _kinds(trainer).items():
        saved = state.get("kinds", {}).get(name)
        if saved != kind:
            raise ArtifactError(
                f"{os.fsdecode(path)} is a state with the {name} {saved}, this trainer "
                f"has {kind}; make it with the arguments of the saved one"
            )
    try:
        _restore(trainer, state)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        lines = str(error).splitlines() or [repr(error)]
        raise ArtifactError(
            f"{os.fsdecode(path)} does not fit this trainer; make it with the "
            f"arguments of the saved one: {lines[-1].strip()}"
        ) from error


def _restore(trainer: "DensityAlgorithm", state: Mapping[str, Any]) -> None:
    algo = None if trainer.rl_algo is None else trainer.connected()
    options = DensityOptions(**state["options"])
    trainer.set_reward(DensityReward(trainer._features(), state["samples"], options))
    if algo is not None:
        sb3_state.load_algorithm_state(algo, state["policy"])
    trainer.steps_trained = int(state["steps_trained"])
    trainer.replay_is_stale = bool(state["replay_is_stale"])
    trainer._horizon = state["horizon"]
    seeding.restore_rng(trainer.rng, state["rng"])
    if algo is not None:
        sb3_state.load_randomness(algo, state["randomness"])
        sb3_state.begin_anew(algo, trainer.venv, int(state["env_seed"]))


def _kinds(trainer: "DensityAlgorithm") -> dict[str, str]:
    """What must be the same, even where states load."""
    return {
        "density": trainer.density_type.name,
        "algorithm": type(trainer.rl_algo).__name__,
    }
