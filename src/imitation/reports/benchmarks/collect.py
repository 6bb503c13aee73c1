"""Reading the runs of a folder: what each Sacred run trained, where, and its score.

A run is a directory with ``config.json`` and ``run.json``, at any depth. Runs of
release 1.0 are read too.
"""

import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from imitation.errors import ArtifactError
from imitation.util.paths import AnyPath, parse_path
from imitation.util.sacred import SacredDicts, dict_get_nested, filter_subdirs

COMPLETED = "COMPLETED"
# The status of a run whose files cannot be read.
DAMAGED = "DAMAGED"

# Commands that start or read other runs and have no score of their own.
HOUSEKEEPING = ("parallel", "tune", "analyze_imitation", "gather_tb_directories")

# Names of commands in releases before 1.0, with those of today.
_LEGACY_NAMES = {"train_bc": "bc", "train_dagger": "dagger"}


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a command, with its Sacred directory and, if it has one, its seed."""

    path: pathlib.Path
    algorithm: str
    """The command that ran, such as "gail"; "" if it is not known."""

    env: str
    """The environment's id; "" if it is not known."""

    status: str
    """As Sacred says, such as "COMPLETED", or "DAMAGED"."""

    seed: int | None = None
    score: float | None = None
    """Mean return of the evaluated policy, by the environment's own reward."""

    expert_score: float | None = None
    """Mean return of the expert or its demonstrations."""

    policy_type: str = ""
    """Of eval_policy: the type of the policy, such as "random"."""

    error: str = ""
    """Why it failed or cannot be read, in a line."""

    log_dir: str = ""
    """Its run directory as stored; "" if it is not known."""

    resumed: bool = False
    """True if it continued an earlier run in the same run directory."""

    start_time: str = ""
    """Its start, as Sacred stores it: ISO 8601."""

    @property
    def usable(self) -> bool:
        """True if it was completed and has a score."""
        return self.status == COMPLETED and self.score is not None


def read_runs(*roots: AnyPath) -> list[Run]:
    """Reads all runs below folders such as ``output/sacred``, ordered by path.

    A run found twice is returned once, and of one that was interrupted and resumed the
    last part.

    Raises:
        ArtifactError: a folder does not exist or holds no run.
    """
    found: dict[pathlib.Path, Run] = {}
    for root in roots:
        for directory in run_directories(root):
            found.setdefault(directory, _from_sacred(directory))
    # The start of the last resume of each run, by what all parts of it share.
    last: dict[tuple[str, str], str] = {}
    for run in found.values():
        if run.resumed:
            key = run.algorithm, run.log_dir
            last[key] = max(last.get(key, ""), run.start_time)
    return [
        run
        for run in found.values()
        if run.start_time >= last.get((run.algorithm, run.log_dir), "")
    ]


def algorithm_of(run: Mapping[str, object]) -> str:
    """Returns the command of a run by its ``run.json``; "" if it is not known."""
    command = run.get("command")
    if not isinstance(command, str):
        return ""
    return _LEGACY_NAMES.get(command, command)


def env_of(config: Mapping[str, object]) -> str:
    """Returns the environment's id by ``config.json``; "" if it is not known.

    For arrays from a file, as of a tabular environment, that is the file's name.
    """
    path = dict_get_nested(config, "environment.path")
    if isinstance(path, str):
        return pathlib.PurePath(path).stem
    env = dict_get_nested(config, "environment.gym_id")
    return env if isinstance(env, str) else ""


def run_directories(root: AnyPath) -> Sequence[pathlib.Path]:
    """Finds the Sacred directories below a folder, in the order of their paths.

    Raises:
        ArtifactError: it does not exist or holds no run.
    """
    root = parse_path(root)
    if not root.is_dir():
        raise ArtifactError(f"expected a folder of runs, {root} is not a folder")
    directories = filter_subdirs(root, nested_ok=True)
    if not directories:
        raise ArtifactError(
            f"{root} holds no runs: no folder in it has both run.json and config.json; "
            "name one that commands write to, such as output/sacred"
        )
    return directories


def _from_sacred(path: pathlib.Path) -> Run:
    """Reads a Sacred directory; damaged files make a run of the status "DAMAGED"."""
    try:
        _, config, run = SacredDicts.load_from_dir(path)
    except ArtifactError as error:
        return Run(path, "", "", DAMAGED, error=" ".join(str(error).split()))
    # Settings of a failed run may be anything: types are checked one by one.
    seed = config.get("seed")
    result = run.get("result")
    tables: Mapping[str, Any] = result if isinstance(result, Mapping) else {}
    trace = run.get("fail_trace")
    return Run(
        path=path,
        algorithm=algorithm_of(run),
        env=env_of(config),
        status=str(run.get("status", DAMAGED)),
        seed=seed if isinstance(seed, int) else None,
        score=_mean_return(tables.get("imit_stats", tables)),
        expert_score=_mean_return(tables.get("expert_stats")),
        policy_type=str(dict_get_nested(config, "expert.policy_type", default="")),
        error=str(trace[-1]).strip() if isinstance(trace, Sequence) and trace else "",
        log_dir=str(dict_get_nested(config, "logging.log_dir", default="")),
        resumed=config.get("resume") is not None,
        start_time=str(run.get("start_time", "")),
    )


def _mean_return(stats: object) -> float | None:
    """Returns the environment's own return, which a learned reward does not change."""
    if not isinstance(stats, Mapping):
        return None
    for name in ("monitor_return_mean", "return_mean"):
        value = stats.get(name)
        if isinstance(value, Mapping):  # a NumPy number, as release 1.0 stored it
            value = value.get("value")
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    return None
