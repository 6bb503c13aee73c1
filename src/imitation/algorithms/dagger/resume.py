"""Continuing a DAgger run from its scratch directory."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import bc
from imitation.algorithms.dagger import checkpoints, schedules
from imitation.algorithms.dagger.trainer import DAggerTrainer
from imitation.data import types
from imitation.util import logger as imit_logger
from imitation.util import seeding

__all__ = ["Restored", "reconstruct_trainer", "restore"]


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
    restored = restore(scratch_dir, custom_logger, device, beta_schedule, lr_schedule)
    trainer = DAggerTrainer(
        venv=venv,
        scratch_dir=scratch_dir,
        rng=restored.rng,
        beta_schedule=restored.beta_schedule,
        bc_trainer=restored.bc_trainer,
        custom_logger=custom_logger,
    )
    trainer.load_state(restored.state)
    return trainer


@dataclasses.dataclass(frozen=True)
class Restored:
    """What a checkpoint holds, built again."""

    bc_trainer: bc.BC
    rng: np.random.Generator
    beta_schedule: Callable[[int], float]
    state: dict[str, Any]
    """Counters, for `DAggerTrainer.load_state`."""


def restore(
    scratch_dir: types.AnyPath,
    custom_logger: imit_logger.HierarchicalLogger | None,
    device: th.device | str,
    beta_schedule: Callable[[int], float] | None,
    lr_schedule: Callable[[float], float] | None,
) -> Restored:
    """Builds the parts of a trainer from the latest checkpoint."""
    directory = pathlib.Path(os.fsdecode(scratch_dir))
    state = checkpoints.read_state(directory)
    if beta_schedule is None:
        beta_schedule = schedules.schedule_from_description(state["beta_schedule"])
    bc_trainer = bc.BC.load(
        directory / checkpoints.LATEST / "bc",
        device=device,
        custom_logger=custom_logger,
        lr_schedule=lr_schedule,
    )
    rng = (
        bc_trainer.rng if state["shares_rng"] else seeding.rng_from_state(state["rng"])
    )
    checkpoints.remove_leftovers(directory)
    return Restored(bc_trainer, rng, beta_schedule, state)
