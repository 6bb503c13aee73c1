"""Reinforcement learning with Stable-Baselines3 as a trainer, to resume it exactly.

Stable-Baselines3's ``save`` writes neither the replay buffer of SAC and DQN nor the
random numbers drawn so far; the state here holds both, and the optimizers and the
statistics of a `VecNormalize` as well.
"""

import pathlib
from collections.abc import Sequence

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecNormalize
from typing_extensions import override

from imitation.training import sb3_state
from imitation.training.checkpoints import Checkpoints
from imitation.training.sb3_learning import SaveBetweenRollouts
from imitation.training.trainer import Trainer
from imitation.util import artifacts, seeding
from imitation.util.artifacts import State
from imitation.util.threads import training_threads

_NORMALIZATION = "reward_normalization.json"


class RLTrainer(Trainer):
    """Trains an algorithm of Stable-Baselines3; its progress is environment steps.

    `export` writes ``model.zip``, and ``reward_normalization.json`` if the environments
    are in a `VecNormalize`.

    Args:
        algorithm: on- or off-policy, with its environments.
        rng: seeds the episodes after a state was saved or loaded.
    """

    kind = "rl"
    digits = 12

    def __init__(
        self, algorithm: BaseAlgorithm, *, rng: np.random.Generator | None = None
    ) -> None:
        self.algorithm = algorithm
        self.rng = seeding.make_rng(rng)

    def train(
        self,
        total_timesteps: int,
        callbacks: Sequence[BaseCallback] = (),
        *,
        exports: Checkpoints | None = None,
        states: Checkpoints | None = None,
    ) -> None:
        """Trains until so many steps are done, those before a resumption included.

        Args:
            total_timesteps: environment steps; whole rollouts of them are done.
            callbacks: of the algorithm's ``learn``.
            exports: exports policies at any step, which changes nothing.
            states: saves states between two rollouts.
        """
        if not self.progress:
            self.algorithm.num_timesteps = 0  # a loaded agent counts its own training
        if self.progress >= total_timesteps:
            return
        nowhere = Checkpoints(self, None)
        with training_threads(self.algorithm.policy):
            # Stable-Baselines3 adds the steps done, so that schedules of the learning
            # rate go on where they were.
            self.algorithm.learn(
                total_timesteps - self.progress,
                callback=[
                    *callbacks,
                    SaveBetweenRollouts(self, states or nowhere),
                    _Exports(exports or nowhere),
                ],
                reset_num_timesteps=not self.progress,
            )

    @override
    def kinds(self) -> dict[str, str]:
        return super().kinds() | {"algorithm": type(self.algorithm).__name__}

    @override
    def state_dict(self) -> State:
        return super().state_dict() | {
            "algorithm": sb3_state.algorithm_state(self.algorithm),
            "randomness": sb3_state.random_state(self.algorithm),
        }

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        sb3_state.load_algorithm_state(self.algorithm, state["algorithm"])
        sb3_state.restore_random_state(self.algorithm, state["randomness"])

    @override
    def export(self, directory: pathlib.Path) -> None:
        self.algorithm.save(directory / "model.zip")
        normalizer = self.algorithm.get_vec_normalize_env()
        if isinstance(normalizer, VecNormalize):
            statistics = normalizer.ret_rms
            numbers = {
                name: float(getattr(statistics, name)) for name in sb3_state.MOMENTS
            }
            artifacts.write_json(directory / _NORMALIZATION, numbers)

    @override
    def restart_episodes(self, seed: int) -> None:
        venv = self.algorithm.get_env()
        assert venv is not None, "an algorithm that is trained has environments"
        sb3_state.restart_episodes(self.algorithm, venv, seed)


class _Exports(BaseCallback):
    """Exports the policy whenever its interval has passed, also within a rollout."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        super().__init__()
        self._checkpoints = checkpoints

    @override
    def _on_step(self) -> bool:
        self._checkpoints.after(self.num_timesteps)
        return True
