"""The whole state of off-policy imitation, to go on as if uninterrupted.

A trainer that is saved begins new episodes, as one that is loaded; see `sb3_state`.
The demonstrations are no part of it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imitation.training import sb3_state
from imitation.training import state_files as checkpoint
from imitation.util import seeding
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
    checkpoint.save_state(path, KIND, {**_state(trainer), "env_seed": seed})
    sb3_state.begin_anew(trainer.rl_algo, trainer.venv, seed)


def load(trainer: "ExpertReplayTrainer", path: AnyPath) -> None:
    """Puts a trainer, made with the same arguments, into a saved state.

    Args:
        trainer: what to change.
        path: where `save` wrote.

    Raises:
        ArtifactError: there is no state, or one of another algorithm or shape; nothing
            is changed then.
    """

    def put(state: Mapping[str, Any]) -> None:
        sb3_state.load_algorithm_state(trainer.rl_algo, state["algorithm"])
        seeding.restore_rng(trainer.rng, state["rng"])
        sb3_state.load_randomness(trainer.rl_algo, state["randomness"])
        if state["env_seed"] is not None:
            seed = int(state["env_seed"])
            sb3_state.begin_anew(trainer.rl_algo, trainer.venv, seed)

    checkpoint.put_state(path, KIND, _state(trainer), put)


def _state(trainer: "ExpertReplayTrainer") -> dict[str, Any]:
    """All but the seed of the environments, in whose place is None."""
    return {
        "kinds": {"trainer": trainer.name, "algorithm": type(trainer.rl_algo).__name__},
        "algorithm": sb3_state.algorithm_state(trainer.rl_algo),
        "rng": seeding.rng_state(trainer.rng),
        "randomness": sb3_state.randomness(trainer.rl_algo),
        "env_seed": None,
    }
