"""The whole state of a training on preferences, to continue it as if uninterrupted."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imitation.training import state_files as checkpoint
from imitation.util import seeding
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
    checkpoint.save_state(path, KIND, _state(trainer))


def load(trainer: "PreferenceComparisons", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another shape; the trainer keeps its
            own then, but begins new episodes.
    """

    def put(state: Mapping[str, Any]) -> None:
        trainer.load_state_dict(state["trainer"])
        seeding.restore_torch_rng(state["torch"], trainer.model.device)

    checkpoint.put_state(path, KIND, _state(trainer), put)


def _state(trainer: "PreferenceComparisons") -> dict[str, Any]:
    return {
        "kinds": _kinds(trainer),
        "torch": seeding.torch_rng_state(trainer.model.device),
        "trainer": trainer.state_dict(),
    }


def _kinds(trainer: "PreferenceComparisons") -> dict[str, str]:
    """Names of classes whose states are of different kinds, even where they load."""
    kinds = {name: type(getattr(trainer, name)).__name__ for name in PARTS}
    algorithm = getattr(trainer.trajectory_generator, "algorithm", None)
    return kinds | {"agent": type(algorithm).__name__}
