"""The whole state of an adversarial training, to continue it as if uninterrupted.

A trainer that is saved begins new episodes, as one that is loaded; see `sb3_state`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imitation.training import sb3_state
from imitation.training import state_files as checkpoint
from imitation.util import seeding
from imitation.util.paths import AnyPath

if TYPE_CHECKING:
    from imitation.algorithms.adversarial.common import AdversarialTrainer

__all__ = ["load", "save"]

KIND = "adversarial"


def save(trainer: "AdversarialTrainer", path: AnyPath) -> None:
    """Saves the state of a trainer, atomically; its environments start anew.

    Args:
        trainer: what to save.
        path: the directory to write.
    """
    seed = seeding.make_seeds(trainer.rng)
    checkpoint.save_state(path, KIND, {**_state(trainer), "env_seed": seed})
    sb3_state.restart_episodes(trainer.gen_algo, trainer.venv, seed)


def load(trainer: "AdversarialTrainer", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another algorithm or shape; nothing
            is changed then.
    """

    def put(state: Mapping[str, Any]) -> None:
        trainer.load_state_dict(state["trainer"])
        sb3_state.load_algorithm_state(trainer.gen_algo, state["generator"])
        seeding.restore_rng(trainer.rng, state["rng"])
        sb3_state.restore_random_state(trainer.gen_algo, state["randomness"])
        if state["env_seed"] is not None:
            seed = int(state["env_seed"])
            sb3_state.restart_episodes(trainer.gen_algo, trainer.venv, seed)

    checkpoint.put_state(path, KIND, _state(trainer), put)


def _state(trainer: "AdversarialTrainer") -> dict[str, Any]:
    """All but the seed of the environments, in whose place is None."""
    return {
        "kinds": {
            "algorithm": type(trainer).__name__,
            "generator": type(trainer.gen_algo).__name__,
            "discriminator's optimiser": type(trainer._disc_opt).__name__,
        },
        "trainer": trainer.state_dict(),
        "generator": sb3_state.algorithm_state(trainer.gen_algo),
        "rng": seeding.rng_state(trainer.rng),
        "randomness": sb3_state.random_state(trainer.gen_algo),
        "env_seed": None,
    }
