"""The training loop of DAgger, one round at a time.

Stéphane Ross, Geoffrey Gordon and Drew Bagnell, "A Reduction of Imitation Learning and
Structured Prediction to No-Regret Online Learning", AISTATS 2011
(https://arxiv.org/abs/1011.0686), algorithm 3.1: collect episodes with a mixture of
expert and novice, add the expert's actions on the states visited to the data set, train
the next novice on the whole of it by behavioural cloning.
"""

import logging
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from stable_baselines3.common import utils as sb3_utils
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import base, bc
from imitation.algorithms.dagger import checkpoints, schedules
from imitation.algorithms.dagger.collector import (
    EpisodeRecord,
    InteractiveTrajectoryCollector,
)
from imitation.algorithms.dagger.store import DemonstrationStore
from imitation.data import policy_calls, types
from imitation.errors import DataError
from imitation.util import logger as imit_logger
from imitation.util import seeding

__all__ = ["DAggerTrainer", "NeedsDemosException"]


class NeedsDemosException(Exception):  # noqa: N818, the documented name
    """Signals demos need to be collected for current round before continuing."""


class DAggerTrainer(base.BaseImitationAlgorithm):
    """DAgger in single steps, suitable for a person as the expert.

    In each round, step the environments of `create_trajectory_collector` with the
    expert's actions, then call `extend_and_update`. Everything is kept in
    `scratch_dir`::

        scratch_dir/
            checkpoint-latest.pt/   policy-latest.pt/   (after every round)
            checkpoint-001.pt/      policy-001.pt/      (by `save_trainer`)
            demos/round-000/dagger-demo-0000-<hex>.npz  (the moment an episode ends)

    `reconstruct_trainer` continues from there, after a kill at any instant. Episodes of
    different length are fine: no horizon check is applied.

    Args:
        venv: the training environments.
        scratch_dir: directory for demonstrations and checkpoints.
        rng: decides who acts and names the episodes; None for fresh entropy.
        beta_schedule: the probability of executing the expert's action, by round; None
            means `LinearBetaSchedule(15)`.
        bc_trainer: trains the novice.
        custom_logger: where to log to; None uses the logger of `bc_trainer`.

    Raises:
        ValueError: the spaces of `venv` and `bc_trainer` differ.
        TypeError: `venv` is no vector environment.
    """

    DEFAULT_N_EPOCHS: int = 4
    """The default number of BC training epochs in `extend_and_update`."""

    def __init__(
        self,
        *,
        venv: VecEnv,
        scratch_dir: types.AnyPath,
        rng: np.random.Generator | None = None,
        beta_schedule: Callable[[int], float] | None = None,
        bc_trainer: bc.BC,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(custom_logger=custom_logger or bc_trainer.logger)
        if not isinstance(venv, VecEnv):
            raise TypeError(
                "venv must be a vector environment, such as "
                f"imitation.util.util.make_vec_env makes, got {venv!r}"
            )
        sb3_utils.check_for_correct_spaces(
            venv, bc_trainer.observation_space, bc_trainer.action_space
        )
        self.venv = venv
        self.scratch_dir = pathlib.Path(os.fsdecode(scratch_dir))
        self.scratch_dir.mkdir(parents=True, exist_ok=True)
        self.rng = seeding.make_rng(rng)
        self.beta_schedule = beta_schedule or schedules.LinearBetaSchedule(15)
        self.bc_trainer = bc_trainer
        self.bc_trainer.logger = self.logger
        self.round_num = 0
        self.store = DemonstrationStore(
            self.scratch_dir / "demos", venv.observation_space, venv.action_space
        )
        self._timesteps_before_round = 0
        self._round_records: list[EpisodeRecord] = []
        self._owns_checkpoint = False

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """Where the algorithm, and its BC trainer, log to."""
        return super().logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value
        self.bc_trainer.logger = value

    @property
    def policy(self) -> BasePolicy:
        """The novice."""
        return self.bc_trainer.policy

    @property
    def batch_size(self) -> int:
        """The batch size of the BC trainer, in transitions."""
        return self.bc_trainer.batch_size

    @property
    def total_timesteps(self) -> int:
        """Environment steps in all finished episodes, of all rounds and runs."""
        in_round = sum(record.n_timesteps for record in self._round_records)
        return self._timesteps_before_round + in_round

    def create_trajectory_collector(self) -> InteractiveTrajectoryCollector:
        """Makes environments that extend the current round's demonstrations.

        Returns:
            A collector with this round's beta, whose novice is the current policy,
            acting deterministically.
        """
        with policy_calls.evaluating(self.policy):
            act = policy_calls.policy_to_callable(
                self.policy, self.venv, deterministic_policy=True
            )
        return InteractiveTrajectoryCollector(
            venv=self.venv,
            get_robot_acts=lambda obs: act(obs, None, None)[0],
            beta=self.beta_schedule(self.round_num),
            save_dir=self.store.round_dir(self.round_num),
            rng=self.rng,
            records=self._round_records,
        )

    def extend_and_update(
        self, bc_train_kwargs: Mapping[str, Any] | None = None
    ) -> int:
        """Adds the round's new demonstrations, trains BC and starts the next round.

        Args:
            bc_train_kwargs: arguments of `BC.train`. `log_rollouts_venv` defaults to
                this trainer's environments, and `n_epochs` to `DEFAULT_N_EPOCHS` if
                there is no `n_batches` either.

        Returns:
            The number of the round that starts.

        Raises:
            NeedsDemosException: the current round has no demonstrations yet.
            ValueError: all demonstrations together do not fill one batch.
        """
        self._load_demonstrations()
        kwargs = dict(bc_train_kwargs or {})
        kwargs.setdefault("log_rollouts_venv", self.venv)
        if kwargs.get("n_epochs") is None and kwargs.get("n_batches") is None:
            kwargs["n_epochs"] = self.DEFAULT_N_EPOCHS
        self.bc_trainer.train(**kwargs)
        self._timesteps_before_round = self.total_timesteps
        self._round_records = []
        self.round_num += 1
        self._save("latest")
        return self.round_num

    def save_trainer(self) -> tuple[pathlib.Path, pathlib.Path]:
        """Saves the trainer, and its policy a second time on its own.

        Returns:
            The paths ``checkpoint-NNN.pt`` and ``policy-NNN.pt``, NNN the round.
            ``checkpoint-latest.pt`` and ``policy-latest.pt`` hold the same. All are
            directories without pickles; each replaces its older version atomically.
        """
        paths = self._save(f"{self.round_num:03d}")
        self._save("latest")
        return paths

    def _load_demonstrations(self) -> None:
        if not self.store.files(self.round_num):
            raise NeedsDemosException(
                f"no demonstrations for round {self.round_num} in "
                f"{self.store.round_dir(self.round_num)}; step the environments of "
                "create_trajectory_collector() until an episode ends"
            )
        self.store.load_new(self.round_num)
        if len(self.store) < self.batch_size:
            raise DataError(
                "Not enough transitions to form a single batch: "
                f"self.batch_size={self.batch_size} > len(transitions)="
                f"{len(self.store)}; collect more episodes or use a smaller batch"
            )
        self.bc_trainer.set_demonstrations(self.store.transitions())

    def _save(self, suffix: str) -> tuple[pathlib.Path, pathlib.Path]:
        if (
            not self._owns_checkpoint
            and (self.scratch_dir / checkpoints.LATEST).exists()
        ):
            logging.getLogger(__name__).warning(
                "%s holds an earlier DAgger run: its checkpoint is replaced now, its "
                "demonstrations are used again. To continue that run, use "
                "reconstruct_trainer or SimpleDAggerTrainer.load; to start afresh, an "
                "empty directory",
                self.scratch_dir,
            )
        self._owns_checkpoint = True
        return checkpoints.write(
            self.scratch_dir, suffix, self.bc_trainer, self._state()
        )

    def _state(self) -> dict[str, Any]:
        return {
            "round_num": self.round_num,
            "timesteps_before_round": self._timesteps_before_round,
            "beta_schedule": schedules.describe_schedule(self.beta_schedule),
            "shares_rng": self.rng is self.bc_trainer.rng,
            "rng": seeding.rng_state(self.rng),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Takes over the counters of a checkpoint and the round's finished episodes.

        Args:
            state: what `resume.restore` read; this trainer was built from its parts.
        """
        self.round_num = state["round_num"]
        self._timesteps_before_round = state["timesteps_before_round"]
        self._round_records = checkpoints.collected_records(
            self.store.files(self.round_num)
        )
        self._owns_checkpoint = True
        # The environments' states are not saved. Seeded as in the first attempt, they
        # would replay the very episodes that are already on disk.
        entropy = seeding.make_seeds(seeding.rng_from_state(state["rng"]), 4)
        position = [self.round_num, len(self._round_records)]
        self.venv.seed(seeding.make_seeds(np.random.default_rng([*entropy, *position])))
