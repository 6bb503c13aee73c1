"""The whole state of an adversarial training, to continue it as if uninterrupted.

A trainer that is saved begins new episodes, as one that is loaded; see `sb3_state`.
"""

import os
from typing import TYPE_CHECKING

from imitation.algorithms import sb3_state
from imitation.errors import ArtifactError
from imitation.util import checkpoint, seeding
from imitation.util.paths import AnyPath

if TYPE_CHECKING:
    from imitation.algorithms.adversarial.common import AdversarialTrainer

__all__ = ["load", "save"]


def save(trainer: "AdversarialTrainer", path: AnyPath) -> None:
    """Saves the state of a trainer, atomically; its environments start anew.

    Args:
        trainer: what to save.
        path: the directory to write.
    """
    seed = seeding.make_seeds(trainer.rng)
    state = {
        "kinds": _kinds(trainer),
        "env_seed": seed,
        "trainer": trainer.state_dict(),
        "generator": sb3_state.algorithm_state(trainer.gen_algo),
        "rng": seeding.rng_state(trainer.rng),
        "randomness": sb3_state.randomness(trainer.gen_algo),
    }
    checkpoint.save_state(path, "adversarial", state)
    sb3_state.begin_anew(trainer.gen_algo, trainer.venv, seed)


def load(trainer: "AdversarialTrainer", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another algorithm or shape.
    """
    state = checkpoint.load_state(path, "adversarial")
    for name, kind in _kinds(trainer).items():
        saved = state.get("kinds", {}).get(name)
        if saved != kind:
            raise ArtifactError(
                f"{os.fsdecode(path)} is a state with the {name} {saved}, this trainer "
                f"has {kind}; make it with the arguments of the saved one"
            )
    try:
        trainer.load_state_dict(state["trainer"])
        sb3_state.load_algorithm_state(trainer.gen_algo, state["generator"])
        seeding.restore_rng(trainer.rng, state["rng"])
        sb3_state.load_randomness(trainer.gen_algo, state["randomness"])
    except (KeyError, RuntimeError, ValueError) as error:
        lines = str(error).splitlines() or [repr(error)]
        raise ArtifactError(
            f"{os.fsdecode(path)} does not fit this trainer; make it with the "
            f"arguments of the saved one: {lines[-1].strip()}"
        ) from error
    sb3_state.begin_anew(trainer.gen_algo, trainer.venv, int(state["env_seed"]))


def _kinds(trainer: "AdversarialTrainer") -> dict[str, str]:
    """Names of classes whose states are of different kinds, even where they load."""
    return {
        "algorithm": type(trainer).__name__,
        "generator": type(trainer.gen_algo).__name__,
        "discriminator's optimiser": type(trainer._disc_opt).__name__,
    }
