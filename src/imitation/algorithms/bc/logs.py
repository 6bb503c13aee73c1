"""Logging of behavioral cloning, and the rollouts whose returns it logs."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from stable_baselines3.common import policies, vec_env

from imitation.algorithms.bc.losses import BCTrainingMetrics
from imitation.data import rollout, types
from imitation.util import logger as imit_logger
from imitation.util import seeding
from imitation.util.artifacts import State


@dataclasses.dataclass(frozen=True)
class RolloutStatsComputer:
    """Measures the returns of a policy in an environment."""

    venv: vec_env.VecEnv | None
    """Where to roll out; None measures nothing."""

    n_episodes: int
    """How many episodes to average over; nothing is measured unless positive."""

    def __call__(
        self, policy: policies.ActorCriticPolicy, rng: np.random.Generator
    ) -> Mapping[str, float]:
        """Rolls out the policy, sampling its actions.

        Args:
            policy: the policy; its train or eval mode is restored.
            rng: seeds the sampling, which leaves torch's own state alone.

        Returns:
            The ``return_*`` statistics, or nothing without an environment.
        """
        if self.venv is None or self.n_episodes <= 0:
            return {}
        enough = rollout.make_min_episodes(self.n_episodes)
        # Policies sample with torch's global generator, which training draws from, too.
        with seeding.torch_seeded(rng):
            trajectories = rollout.rollout(
                policy, self.venv, enough, rng=rng, unwrap=False, verbose=False
            )
        # Lengths and counts are left out: of interest here are returns.
        stats = rollout.rollout_stats(trajectories)
        return {k: v for k, v in stats.items() if k.startswith("return_")}


class BCLogger:
    """Logs the progress of behavioral cloning.

    Args:
        logger: where to log to.
    """

    def __init__(self, logger: imit_logger.HierarchicalLogger) -> None:
        self.logger = logger
        self._tensorboard_step = 0
        self._current_epoch = 0
        self._has_unwritten = False

    def reset_tensorboard_steps(self) -> None:
        """Starts the horizontal axis of the plots at zero again."""
        self._tensorboard_step = 0

    def log_epoch(self, epoch_number: int) -> None:
        """Notes the epoch that the following batches belong to."""
        self._current_epoch = epoch_number

    def log_batch(
        self,
        batch_num: int,
        batch_size: int,
        num_samples_so_far: int,
        training_metrics: BCTrainingMetrics,
        rollout_stats: Mapping[str, float],
    ) -> None:
        """Logs one batch.

        Args:
            batch_num: the batch's number in this call of `train`, from 0.
            batch_size: its rows.
            num_samples_so_far: rows of all batches in this call of `train`.
            training_metrics: the parts of its loss.
            rollout_stats: statistics of `RolloutStatsComputer`.
        """
        self.logger.record("batch_size", batch_size)
        self.logger.record("bc/epoch", self._current_epoch)
        self.logger.record("bc/batch", batch_num)
        self.logger.record("bc/samples_so_far", num_samples_so_far)
        for key, value in types.dataclass_quick_asdict(training_metrics).items():
            if value is not None:
                self.logger.record(f"bc/{key}", float(value))
        for key, value in rollout_stats.items():
            self.logger.record("rollout/" + key, value)
        self._dump()
        self._tensorboard_step += 1

    def log_validation(self, metrics: Mapping[str, float]) -> None:
        """Logs what was measured on held-out data, with the next batch or at the end.

        Args:
            metrics: values by name; logged as ``bc/val_NAME``.
        """
        for key, value in metrics.items():
            self.logger.record(f"bc/val_{key}", value)
        self._has_unwritten = True

    def finish(self) -> None:
        """Writes the last measures on held-out data, which no batch follows."""
        if self._has_unwritten:
            self._dump()

    def _dump(self) -> None:
        self.logger.dump(self._tensorboard_step)
        self._has_unwritten = False

    def state_dict(self) -> State:
        """Returns the position on the horizontal axis of the plots."""
        return {"tensorboard_step": self._tensorboard_step}

    def load_state_dict(self, state: State) -> None:
        """Continues from a position taken by `state_dict`."""
        self._tensorboard_step = int(state["tensorboard_step"])
