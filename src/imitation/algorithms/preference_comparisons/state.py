"""The whole state of a training on preferences, to continue it as if uninterrupted."""

import os
from typing import TYPE_CHECKING

from imitation.errors import ArtifactError
from imitation.util import checkpoint, seeding
from imitation.util.paths import AnyPath

if TYPE_CHECKING:
    from imitation.algorithms.preference_comparisons.trainer import (
        PreferenceComparisons,
    )

__all__ = ["load", "save"]

KIND = "preference_comparisons"
PARTS = ("trajectory_generator", "fragmenter", "preference_gatherer", "reward_trainer")


def save(trainer: "PreferenceComparisons", path: AnyPath) -> None:
    """Saves the state of a trainer, atomically; its environments start anew.

    Args:
        trainer: what to save.
        path: the directory to write.
    """
    state = {
        "kinds": _kinds(trainer),
        "torch": seeding.torch_rng_state(trainer.model.device),
        "trainer": trainer.state_dict(),
    }
    checkpoint.save_state(path, KIND, state)


def load(trainer: "PreferenceComparisons", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another shape.
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
        trainer.load_state_dict(state["trainer"])
        seeding.restore_torch_rng(state["torch"], trainer.model.device)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        lines = str(error).splitlines() or [repr(error)]
        raise ArtifactError(
            f"{os.fsdecode(path)} does not fit this trainer; make it with the "
            f"arguments of the saved one: {lines[-1].strip()}"
        ) from error


def _kinds(trainer: "PreferenceComparisons") -> dict[str, str]:
    """Names of classes whose states are of different kinds, even where they load."""
    kinds = {name: type(getattr(trainer, name)).__name__ for name in PARTS}
    algorithm = getattr(trainer.trajectory_generator, "algorithm", None)
    return kinds | {"agent": type(algorithm).__name__}
