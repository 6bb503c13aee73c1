"""Measuring a generator's true return while it is trained."""

from typing import TYPE_CHECKING

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import rollout
from imitation.errors import ConfigError
from imitation.util import seeding

if TYPE_CHECKING:
    from imitation.algorithms.adversarial.checkpoints import Checkpoints
    from imitation.algorithms.adversarial.common import AdversarialTrainer

__all__ = ["Evaluator"]


class Evaluator:
    """Rolls the generator out from time to time and keeps the best one.

    Args:
        trainer: whose generator.
        venv: where; None measures nothing.
        interval: rounds between measurements; 0 for none.
        n_episodes: episodes of a measurement.
        saver: gets the generator when it is the best so far.

    Raises:
        ConfigError: `venv` is that of the trainer.
    """

    def __init__(
        self,
        trainer: "AdversarialTrainer",
        venv: VecEnv | None,
        interval: int,
        n_episodes: int,
        saver: "Checkpoints",
    ) -> None:
        if venv is not None and (venv is trainer.venv or venv is trainer.venv_train):
            raise ConfigError(
                "eval_venv must not be the environments that are trained in, whose "
                "episodes an evaluation would cut off; make others"
            )
        self._trainer = trainer
        self._venv = venv
        self._interval = interval if venv is not None else 0
        self._n_episodes = n_episodes
        self._saver = saver

    def after_round(self, round_num: int) -> None:
        """Measures if it is time.

        Args:
            round_num: number of the round that has ended, from 0.
        """
        if self._interval <= 0 or (round_num + 1) % self._interval != 0:
            return
        returns = self._returns()
        mean = float(np.mean(returns))
        logger = self._trainer.logger
        logger.record("eval/return_mean", mean)
        logger.record("eval/return_std", float(np.std(returns)))
        logger.record("eval/timesteps", self._trainer.gen_algo.num_timesteps)
        if mean > self._trainer.best_return:
            self._trainer.best_return = mean
            self._saver.save("best")

    def _returns(self) -> list[float]:
        """Returns of whole episodes; the trainer's own randomness is left alone."""
        assert self._venv is not None
        algo = self._trainer.gen_algo
        trajectories = rollout.generate_trajectories(
            algo,
            algo._wrap_env(self._venv, monitor_wrapper=False),
            rollout.make_min_episodes(self._n_episodes),
            seeding.make_rng(0),
            deterministic_policy=True,
        )
        return [float(t.rews.sum()) for t in trajectories]
