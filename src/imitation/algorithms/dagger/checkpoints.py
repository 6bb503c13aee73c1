"""Saving the state of DAgger trainers and reading it back.

A checkpoint is a directory of ``trainer.json`` (counters, schedule, random state) and
``bc/`` (the BC trainer: settings, policy, optimizer). The demonstrations are not in it:
they are in the scratch directory already. Nothing is pickled.
"""

import logging
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imitation.algorithms import bc
from imitation.algorithms.dagger.collector import EpisodeRecord
from imitation.data import types
from imitation.data.storage import episode_files
from imitation.errors import ArtifactError
from imitation.util import artifacts

__all__ = [
    "LATEST",
    "collected_records",
    "read_state",
    "remove_leftovers",
    "write",
]

FORMAT_VERSION = 1
KIND = "dagger"
LATEST = "checkpoint-latest.pt"

_STATE_KEYS = frozenset(
    ("beta_schedule", "rng", "round_num", "shares_rng", "timesteps_before_round")
)
"""What `DAggerTrainer` puts into the state."""


def write(
    scratch_dir: pathlib.Path,
    suffix: str,
    bc_trainer: bc.BC,
    state: Mapping[str, Any],
) -> tuple[pathlib.Path, pathlib.Path]:
    """Writes a checkpoint and then its policy once more, each atomically.

    Args:
        scratch_dir: where to.
        suffix: "latest" or the number of a round.
        bc_trainer: the trainer whose policy and state are saved.
        state: JSON values.

    Returns:
        The paths of the checkpoint and of the policy.
    """
    policy_path = scratch_dir / f"policy-{suffix}.pt"
    checkpoint_path = scratch_dir / f"checkpoint-{suffix}.pt"
    document = {"format_version": FORMAT_VERSION, "kind": KIND, "state": dict(state)}
    with artifacts.replacing_directory(checkpoint_path) as directory:
        bc_trainer.save(directory / "bc")
        artifacts.write_json(directory / "trainer.json", document)
    with artifacts.replacing_directory(policy_path) as directory:
        for file in (checkpoint_path / "bc" / "policy").iterdir():
            _link(file, directory / file.name)
    return checkpoint_path, policy_path


def _link(file: pathlib.Path, name: pathlib.Path) -> None:
    """Gives a file a second name, or copies it where the file system has only one."""
    try:
        name.hardlink_to(file)
    except OSError:
        shutil.copy(file, name)


def read_state(scratch_dir: pathlib.Path) -> dict[str, Any]:
    """Reads the state of the latest checkpoint.

    Raises:
        ArtifactError: there is no checkpoint, or it is damaged or of another version.
    """
    path = scratch_dir / LATEST
    if path.is_file():
        raise ArtifactError(
            f"{path} is a file: checkpoints of release 1.0 are pickles of the whole "
            "trainer and cannot be continued; start again in another directory"
        )
    if not path.is_dir():
        raise ArtifactError(
            f"no checkpoint at {path}: nothing was trained there yet; build the "
            "trainer with its constructor, which uses demonstrations already there"
        )
    document = artifacts.read_json(path / "trainer.json")
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise ArtifactError(f"{path} does not hold a DAgger trainer")
    if document.get("format_version") != FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has DAgger format {document.get('format_version')}, this version "
            f"reads {FORMAT_VERSION}"
        )
    state: dict[str, Any] = document.get("state", {})
    missing = _STATE_KEYS - set(state)
    if missing:
        raise ArtifactError(
            f"{path / 'trainer.json'} is damaged: it lacks {', '.join(sorted(missing))}"
        )
    return state


def collected_records(files: Sequence[pathlib.Path]) -> list[EpisodeRecord]:
    """Reads the lengths and returns of the episodes that a collector wrote.

    Args:
        files: the demonstrations of a round; those that the user put there are skipped.
    """
    records = []
    for path in files:
        if path.name.startswith("dagger-demo-") and episode_files.is_episode(path):
            episode = episode_files.read_episode(path)
            assert isinstance(episode, types.TrajectoryWithRew)
            total = float(np.sum(episode.rews, dtype=np.float64))
            records.append(EpisodeRecord(path, len(episode), total))
    return records


def remove_leftovers(scratch_dir: pathlib.Path) -> None:
    """Removes the temporary files of a process that was killed while writing."""
    for path in (*scratch_dir.glob(".*.tmp"), *scratch_dir.glob("demos/*/.*.tmp")):
        logging.getLogger(__name__).info("removing unfinished %s", path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
