"""The whole state of a training, to continue it as if uninterrupted."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch as th

from imitation.training import state_files as checkpoint
from imitation.util import seeding
from imitation.util.paths import AnyPath

if TYPE_CHECKING:
    from imitation.algorithms.mce_irl.trainer import MCEIRL

__all__ = ["load", "save"]

KIND = "mce_irl"


def save(trainer: "MCEIRL", path: AnyPath) -> None:
    """Saves the state of a trainer, atomically.

    Args:
        trainer: what to save.
        path: the directory to write.
    """
    checkpoint.save_state(path, KIND, _state(trainer))


def load(trainer: "MCEIRL", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another shape; nothing is changed
            then.
    """

    def put(state: Mapping[str, Any]) -> None:
        trainer.reward_net.load_state_dict(state["reward_net"])
        trainer.optimizer.load_state_dict(_copied(state["optimizer"]))
        seeding.restore_rng(trainer.rng, state["rng"])
        trainer.iterations_trained = int(state["iterations_trained"])

    checkpoint.put_state(path, KIND, _state(trainer), put)


def _state(trainer: "MCEIRL") -> dict[str, Any]:
    parts = {"reward network": trainer.reward_net, "optimizer": trainer.optimizer}
    return {
        "kinds": {name: type(part).__name__ for name, part in parts.items()},
        "iterations_trained": trainer.iterations_trained,
        "reward_net": trainer.reward_net.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "rng": seeding.rng_state(trainer.rng),
    }


def _copied(value: Any) -> Any:
    """A nested state with tensors of their own.

    Those of a file lie at odd addresses, where products round differently.
    """
    if isinstance(value, th.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
