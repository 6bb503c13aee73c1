"""The training loop of DAgger, one round at a time.

Stéphane Ross, Geoffrey Gordon and Drew Bagnell, "A Reduction of Imitation Learning and
Structured Prediction to No-Regret Online Learning", AISTATS 2011
(https://arxiv.org/abs/1011.0686), algorithm 3.1: collect episodes with a mixture of
expert and novice, add the expert's actions on the states visited to the data set, train
the next novice on the whole of it by behavioral cloning.
"""

import dataclasses
import logging
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common import utils as sb3_utils
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.algorithms import base, bc
from imitation.algorithms.dagger import schedules
from imitation.algorithms.dagger.collector import (
    EpisodeRecord,
    InteractiveTrajectoryCollector,
    collected_records,
)
from imitation.algorithms.dagger.store import DemonstrationStore
from imitation.data import acting, types
from imitation.errors import ArtifactError, DataError, reason
from imitation.training import state_files
from imitation.training.trainer import State
from imitation.util import artifacts, policy_io, seeding
from imitation.util import logger as imit_logger

LATEST = "checkpoint-latest.pt"

_logger = logging.getLogger(__name__)


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
        TypeError: `venv` is not a vector environment.
    """

    kind = "dagger"
    digits = 3

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
        self.store = DemonstrationStore(
            self.scratch_dir / "demos", venv.observation_space, venv.action_space
        )
        self._timesteps_before_round = 0
        self._records: list[EpisodeRecord] | None = []
        self._entropy: list[int] | None = None
        self._owns_checkpoint = False

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """The logger of the algorithm and of its BC trainer."""
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
    def round_num(self) -> int:
        """The number of finished rounds."""
        return self.progress

    @property
    def batch_size(self) -> int:
        """The batch size of the BC trainer, in transitions."""
        return self.bc_trainer.batch_size

    @property
    def total_timesteps(self) -> int:
        """Environment steps in all finished episodes, of all rounds and runs."""
        in_round = sum(record.n_timesteps for record in self._round_records())
        return self._timesteps_before_round + in_round

    def create_trajectory_collector(self) -> InteractiveTrajectoryCollector:
        """Makes environments that extend the current round's demonstrations.

        Returns:
            A collector with this round's beta, whose novice is the current policy,
            acting deterministically.
        """
        if self._entropy is not None:
            # After a state was loaded, which holds no episodes. Seeded as in the first
            # attempt, the environments would replay what is already on disk.
            position = [self.round_num, len(self._round_records())]
            seeds = np.random.default_rng([*self._entropy, *position])
            self.venv.seed(seeding.make_seeds(seeds))
            self._entropy = None
        with acting.evaluating(self.policy):
            act = acting.policy_to_callable(
                self.policy, self.venv, deterministic_policy=True
            )
        return InteractiveTrajectoryCollector(
            venv=self.venv,
            get_robot_acts=lambda obs: act(obs, None, None)[0],
            beta=self.beta_schedule(self.round_num),
            save_dir=self.store.round_dir(self.round_num),
            rng=self.rng,
            records=self._round_records(),
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
        kwargs = dict(bc_train_kwargs or {})
        # Rollouts abandon the collector's episodes, which `create_trajectory_collector`
        # resets anyway.
        kwargs.setdefault("log_rollouts_venv", self.venv)
        if kwargs.get("n_epochs") is None and kwargs.get("n_batches") is None:
            kwargs["n_epochs"] = self.DEFAULT_N_EPOCHS
        self.bc_trainer.train(**kwargs)
        self._timesteps_before_round = self.total_timesteps
        self._records = []
        self.progress += 1
        self._save_as("latest")
        return self.round_num

    def save_trainer(self) -> tuple[pathlib.Path, pathlib.Path]:
        """Saves the trainer, and its policy a second time on its own.

        Returns:
            The paths ``checkpoint-NNN.pt`` and ``policy-NNN.pt``, NNN the round.
            ``checkpoint-latest.pt`` and ``policy-latest.pt`` hold the same. All are
            directories without pickles; each replaces its older version atomically.
        """
        paths = self._save_as(f"{self.round_num:03d}")
        self._save_as("latest")
        return paths

    @override
    def kinds(self) -> dict[str, str]:
        # `reconstruct_trainer` resumes a `SimpleDAggerTrainer` without its expert.
        return {"policy": type(self.policy).__name__}

    @override
    def state_dict(self) -> State:
        return super().state_dict() | {
            "bc": self.bc_trainer.state_dict(),
            "timesteps_before_round": self._timesteps_before_round,
            "beta_schedule": schedules.describe_schedule(self.beta_schedule),
            "shares_rng": self.rng is self.bc_trainer.rng,
        }

    @override
    def restore(self, state: State) -> None:
        """Takes over a state; the next collector continues the round from disk."""
        super().restore(state)
        self.bc_trainer.restore(state["bc"])
        self._timesteps_before_round = int(state["timesteps_before_round"])
        # Read from disk when they are needed: restoring a state touches no file.
        self._records = None
        self._entropy = seeding.make_seeds(seeding.rng_from_state(state["rng"]), 4)
        self._owns_checkpoint = True

    @override
    def export(self, directory: pathlib.Path) -> None:
        self.bc_trainer.export(directory)

    @override
    def save_parts(self, directory: pathlib.Path) -> None:
        self.bc_trainer.save_parts(directory)

    def _round_records(self) -> list[EpisodeRecord]:
        """Returns the episodes of this round, those before an interruption included."""
        if self._records is None:
            self._records = collected_records(self.store.files(self.round_num))
        return self._records

    def _save_as(self, suffix: str) -> tuple[pathlib.Path, pathlib.Path]:
        """Saves the state, and then its policy once more, each atomically."""
        if not self._owns_checkpoint and (self.scratch_dir / LATEST).exists():
            _logger.warning(
                "%s holds an earlier DAgger run: its checkpoint is replaced now, its "
                "demonstrations are used again. To continue that run, use "
                "reconstruct_trainer or SimpleDAggerTrainer.load; to start afresh, an "
                "empty directory",
                self.scratch_dir,
            )
        self._owns_checkpoint = True
        checkpoint_path = self.scratch_dir / f"checkpoint-{suffix}.pt"
        policy_path = self.scratch_dir / f"policy-{suffix}.pt"
        self.save(checkpoint_path)
        with artifacts.replacing_directory(policy_path) as directory:
            for file in (checkpoint_path / "policy").iterdir():
                try:
                    # The same bytes under a second name: policies may be large.
                    (directory / file.name).hardlink_to(file)
                except OSError:  # the file system allows one name only
                    shutil.copy(file, directory / file.name)
        return checkpoint_path, policy_path


@dataclasses.dataclass(frozen=True)
class Saved:
    """A checkpoint in a scratch directory, and the parts that it was read into."""

    path: pathlib.Path
    rng: np.random.Generator
    beta_schedule: Callable[[int], float]
    bc_trainer: bc.BC

    @classmethod
    def read(
        cls,
        scratch_dir: types.AnyPath,
        custom_logger: imit_logger.HierarchicalLogger | None,
        device: th.device | str,
        beta_schedule: Callable[[int], float] | None,
        lr_schedule: Callable[[float], float] | None,
    ) -> "Saved":
        """Builds the parts of a trainer from the latest checkpoint."""
        directory = pathlib.Path(os.fsdecode(scratch_dir))
        path = directory / LATEST
        if path.is_file():
            raise ArtifactError(
                f"{path} is a file: checkpoints of release 1.0 are pickles of the "
                "whole trainer and cannot be resumed; start again in another directory"
            )
        if not path.is_dir():
            raise ArtifactError(
                f"no checkpoint at {path}: nothing was trained there yet; build the "
                "trainer with its constructor, which uses demonstrations already there"
            )
        state = state_files.load_state(path, DAggerTrainer.kind)
        policy = policy_io.load_policy(path / "policy", device)
        try:
            if beta_schedule is None:
                described = state["beta_schedule"]
                beta_schedule = schedules.schedule_from_description(described)
            bc_trainer = bc.BC.from_state(
                state["bc"],
                policy,
                device=device,
                custom_logger=custom_logger,
                lr_schedule=lr_schedule,
            )
            # BC and DAgger may draw from one generator, each sees the other's draws.
            shared = state["shares_rng"]
            rng = bc_trainer.rng if shared else seeding.rng_from_state(state["rng"])
        except (ArtifactError, AttributeError, LookupError, TypeError) as error:
            raise ArtifactError(
                f"{path} is damaged or from another version: {reason(error)}"
            ) from error
        for left in (*directory.glob(".*.tmp"), *directory.glob("demos/*/.*.tmp")):
            _logger.info("removing unfinished %s", left)
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        return cls(path, rng, beta_schedule, bc_trainer)


def reconstruct_trainer(
    scratch_dir: types.AnyPath,
    venv: VecEnv,
    custom_logger: imit_logger.HierarchicalLogger | None = None,
    device: th.device | str = "auto",
    *,
    beta_schedule: Callable[[int], float] | None = None,
    lr_schedule: Callable[[float], float] | None = None,
) -> DAggerTrainer:
    """Continues a trainer from the latest checkpoint in its scratch directory.

    Everything is restored: the BC trainer with its settings, policy, optimizer and
    random state, the round, the counters, the schedule, and all demonstrations,
    including the episodes that were finished after the checkpoint. Environments cannot
    be saved, so `venv` is seeded anew, from the random state.

    Args:
        scratch_dir: the directory of the earlier run.
        venv: the training environments.
        custom_logger: where to log to; None makes a new logger.
        device: where to put the policy.
        beta_schedule: replaces the schedule; needed if the run used a function of its
            own, which a checkpoint cannot hold.
        lr_schedule: the learning rate schedule of the BC trainer, if it had one.

    Returns:
        The trainer. A run of `SimpleDAggerTrainer` is continued as one, with its
        expert, by `SimpleDAggerTrainer.load`.

    Raises:
        ArtifactError: there is no complete checkpoint.
        ConfigError: `beta_schedule` is needed.
        ValueError: `venv` has other spaces than the run.
    """
    saved = Saved.read(scratch_dir, custom_logger, device, beta_schedule, lr_schedule)
    trainer = DAggerTrainer(
        venv=venv,
        scratch_dir=scratch_dir,
        rng=saved.rng,
        beta_schedule=saved.beta_schedule,
        bc_trainer=saved.bc_trainer,
        custom_logger=custom_logger,
    )
    trainer.load_state(saved.path)
    return trainer
