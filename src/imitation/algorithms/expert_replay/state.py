"""The whole state of off-policy imitation, to go on as if uninterrupted.

A trainer that is saved begins new episodes, as one that is loaded; see `sb3_state`.
The demonstrations are no part of it.
"""

import os
from typing import TYPE_CHECKING

from imitation.algorithms import sb3_state
from imitation.errors import ArtifactError
from imitation.util import checkpoint, seeding
from imitation.util.paths import AnyPath

if TYPE_CHECKING:
    from imitation.algorithms.expert_replay.trainer import ExpertReplayTrainer

__all__ = ["load", "save"]

KIND = "expert replay"


def save(trainer: "ExpertReplayTrainer", path: AnyPath) -> None:
    """Saves the state of a trainer, atomically; its environments start anew.

    Args:
        trainer: what to save.
        path: the directory to write.
    """
    seed = seeding.make_seeds(trainer.rng)
    trainer.replay_buffer.cut_episodes()
    saved = {
        "kinds": _kinds(trainer),
        "env_seed": seed,
        "algorithm": sb3_state.algorithm_state(trainer.rl_algo),
        "rng": seeding.rng_state(trainer.rng),
        "randomness": sb3_state.randomness(trainer.rl_algo),
    }
    checkpoint.save_state(path, KIND, saved)
    sb3_state.begin_anew(trainer.rl_algo, trainer.venv, seed)


def load(trainer: "ExpertReplayTrainer", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another algorithm or shape.
    """
    saved = checkpoint.load_state(path, KIND)
    for name, kind in _kinds(trainer).items():
        found = saved.get("kinds", {}).get(name)
        if found != kind:
            raise ArtifactError(
                f"{os.fsdecode(path)} is a state with the {name} {found}, this trainer "
                f"has {kind}; make it with the arguments of the saved one"
            )
    try:
        sb3_state.load_algorithm_state(trainer.rl_algo, saved["algorithm"])
        seeding.restore_rng(trainer.rng, saved["rng"])
        sb3_state.load_randomness(trainer.rl_algo, saved["randomness"])
    except (KeyError, RuntimeError, ValueError) as error:
        lines = str(error).splitlines() or [repr(error)]
        raise ArtifactError(
            f"{os.fsdecode(path)} does not fit this trainer; make it with the "
            f"arguments of the saved one: {lines[-1].strip()}"
        ) from error
    sb3_state.begin_anew(trainer.rl_algo, trainer.venv, int(saved["env_seed"]))


def _kinds(trainer: "ExpertReplayTrainer") -> dict[str, str]:
    return {"trainer": trainer.name, "algorithm": type(trainer.rl_algo).__name__}
