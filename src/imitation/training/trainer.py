"""The base of everything that trains: its state, what it exports, saving and resuming.

A subclass says what its state is (`state_dict`, `restore`), what a user takes away
(`export`) and, if it acts in environments, how they begin new episodes
(`restart_episodes`). Saving, loading and checkpoints follow.

Environments cannot be saved in the middle of an episode. So `save` abandons the
episodes in flight and starts new ones from a seed that it writes, and `load_state`
starts them from the same seed: the trainer that was saved and the one that was loaded
go on alike.
"""

import copy
import pathlib
from collections.abc import Mapping
from typing import ClassVar, final

import numpy as np

from imitation.errors import ArtifactError
from imitation.training import state_files
from imitation.util import artifacts, seeding
from imitation.util.artifacts import State
from imitation.util.paths import AnyPath, parse_path

__all__ = ["State", "Trainer"]


class Trainer:
    """Base of algorithms, representation learners and regressions."""

    kind: ClassVar[str]
    """What a saved state belongs to, such as "bc"; another kind's is refused."""

    digits: ClassVar[int] = 5
    """Width of the progress in the names of exported directories."""

    progress: int = 0
    """Rounds, batches or steps done, those before an interruption included."""

    rng: np.random.Generator
    """Decides whatever is random."""

    def kinds(self) -> dict[str, str]:
        """Returns class names of the parts whose states fit no other class.

        Returns:
            Names by role; a state is loaded only if all are equal.
        """
        return {"trainer": type(self).__name__}

    def state_dict(self) -> State:
        """Returns all that a trainer with the same arguments needs to go on alike.

        Asking changes nothing. A subclass adds its own to ``super().state_dict()``.
        """
        return {
            "kinds": self.kinds(),
            "progress": self.progress,
            "rng": seeding.rng_state(self.rng),
        }

    def restore(self, state: State) -> None:
        """Takes over a state from `state_dict`; it may fail half way.

        Called by `load_state_dict`. A subclass calls ``super().restore(state)``.

        Args:
            state: of a trainer of the same `kinds`.
        """
        self.progress = int(state["progress"])
        if self.progress < 0:
            raise ArtifactError(f"progress must not be negative, got {self.progress}")
        seeding.restore_rng(self.rng, state["rng"])

    def export(self, directory: pathlib.Path) -> None:
        """Writes what a user takes away: a policy, a reward, an encoder.

        Args:
            directory: an empty directory.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot be exported; override its export()"
        )

    def check_export(self) -> None:
        """Raises an error now if `export` would at the end; by default never."""

    def save_parts(self, directory: pathlib.Path) -> None:
        """Writes beside a state what rebuilds the trainer; by default nothing.

        Args:
            directory: that of the state.
        """

    def restart_episodes(self, seed: int) -> None:
        """Starts new episodes in the environments, if there are any.

        Args:
            seed: decides them.
        """

    def has_episodes(self) -> bool:
        """Returns whether there are environments to restart."""
        return type(self).restart_episodes is not Trainer.restart_episodes

    @final
    def load_state_dict(self, state: State) -> None:
        """Takes over a state, or stays as it is; touches no file and no environment.

        Args:
            state: from `state_dict` of a trainer created with the same arguments.

        Raises:
            ArtifactError: the state does not fit; nothing has changed.
        """
        # Torch's optimizers would share the tensors of a state they are given.
        self._take_over(copy.deepcopy(state))

    @final
    def save(self, path: AnyPath) -> None:
        """Saves everything needed to continue, atomically, and starts new episodes.

        Args:
            path: the directory to write; an older state there is replaced.
        """
        # Before `state_dict`, so that the saved generator has drawn the seed, too. A
        # trainer without environments draws none: it goes on as if it was not saved.
        seed = seeding.make_seeds(self.rng) if self.has_episodes() else None
        state = self.state_dict() | {"env_seed": seed}
        with artifacts.replacing_directory(path) as directory:
            state_files.write_state(directory, self.kind, state)
            self.save_parts(directory)
        if seed is not None:
            self.restart_episodes(seed)

    @final
    def load_state(self, path: AnyPath) -> None:
        """Continues where `save` was called on a trainer made with the same arguments.

        Args:
            path: where it was saved.

        Raises:
            ArtifactError: there is no state, or one that does not fit; the trainer
                stays as it is.
        """
        state = state_files.load_state(path, self.kind)
        seed = state.get("env_seed")
        if self.has_episodes() and not isinstance(seed, int):
            raise ArtifactError(
                f"{parse_path(path)} does not fit this trainer: expected an integer as "
                f"env_seed, got {seed!r}"
            )
        try:
            self._take_over(state)
        except ArtifactError as error:
            raise ArtifactError(f"{parse_path(path)}: {error}") from error
        if seed is not None:
            self.restart_episodes(seed)

    def _take_over(self, state: State) -> None:
        """Restores a state that nobody else holds, or its own where it does not fit."""
        own = self.state_dict()
        kinds = state.get("kinds")
        for role, cls in own["kinds"].items():
            saved = kinds.get(role) if isinstance(kinds, Mapping) else None
            if saved != cls:
                raise ArtifactError(
                    f"the state has the {role} {saved}, this trainer has {cls}; create "
                    "the trainer with the arguments of the saved one"
                )
        # Modules and optimizers return references: `restore` would overwrite them.
        before = copy.deepcopy(own)
        try:
            self.restore(state)
        except ArtifactError:
            self.restore(before)
            raise
        except Exception as error:  # whatever NumPy, torch and others raise
            self.restore(before)
            lines = str(error).splitlines() or [repr(error)]
            raise ArtifactError(
                "the state does not fit this trainer; create the trainer with the "
                f"arguments of the saved one: {lines[-1].strip()}"
            ) from error
