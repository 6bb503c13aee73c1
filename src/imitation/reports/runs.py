"""Reading what a command has written to its run directory.

``settings.json`` (required), metrics in ``log/`` (CSV, JSON lines or TensorBoard
events), the episodes in ``monitor/``, the names of ``checkpoints/``, and the result in
Sacred's ``run.json``. Earlier parts of a resumed run are in ``earlier/<number>/``.
"""

import csv
import dataclasses
import importlib
import json
import math
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from imitation.errors import ArtifactError
from imitation.util import artifacts
from imitation.util.paths import AnyPath

# The numbers logged at one moment, by name.
MetricRow = Mapping[str, float]

# Metrics that measure the progress of a run, and their units.
CLOCKS = {
    "mean/gen/time/total_timesteps": "environment steps",
    "mean/agent/time/total_timesteps": "environment steps",
    "eval/timesteps": "environment steps",
    "time/total_timesteps": "environment steps",
    "dagger/total_timesteps": "steps labeled by the expert",
    "bc/batch": "optimizer steps",
    "iteration": "iterations",
    "step": "step",
}


@dataclasses.dataclass(frozen=True)
class Episode:
    """One finished episode of a monitored environment."""

    seconds: float
    """Time of its end, since the environments were created (again, if resumed)."""

    episode_return: float
    length: int


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """The content of a run directory."""

    path: pathlib.Path
    command: str
    """The command, such as "bc"."""

    script: str
    """The script that it belongs to, such as "train_imitation"."""

    settings: Mapping[str, Any]
    status: str
    """Sacred's status, such as "COMPLETED"; "unknown" without a ``run.json``."""

    result: Mapping[str, Mapping[str, float]]
    """Statistics by name, such as "imit_stats"; empty if there is no result."""

    metrics: tuple[MetricRow, ...]
    """Logged metrics, oldest first, interruptions left out."""

    episodes: tuple[Episode, ...]
    """Monitored episodes with a finite return, in the order in which they ended."""

    checkpoints: tuple[str, ...] = ()
    """Names of the directories in ``checkpoints/``, sorted."""

    n_resumed: int = 0
    """Number of times the run was resumed."""

    def setting(self, *path: str) -> Any:
        """Returns a setting by its nested names; None if there is none."""
        value: object = self.settings
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def statistic(self, name: str, key: str) -> float:
        """Returns a number of the result; NaN if it is not known."""
        return self.result.get(name, {}).get(key, math.nan)


def read_run(path: AnyPath) -> RunRecord:
    """Reads a run directory, finished or not.

    Args:
        path: the directory that a command has printed, with ``settings.json``.

    Raises:
        ArtifactError: it is not a run directory, or a file in it is damaged.
    """
    directory = pathlib.Path(os.fsdecode(path))
    if not (directory / "settings.json").is_file():
        raise ArtifactError(
            f"{directory} is not a run directory: it has no settings.json; name one "
            "that a command has printed, such as output/bc/<environment>/<time>"
        )
    stored = _read_object(directory / "settings.json")
    settings = stored.get("settings")
    if (
        not isinstance(settings, Mapping)
        or not isinstance(settings.get("environment", {}), Mapping)
        or not {"script", "command"} <= set(stored)
    ):
        raise ArtifactError(f"{directory / 'settings.json'} does not describe a run")
    sacred_file = directory / "sacred" / "run.json"
    sacred = _read_object(sacred_file) if sacred_file.is_file() else {}
    # Oldest first: every resume moves the logs before it to the next number.
    parts = [*sorted((directory / "earlier").glob("[0-9]*")), directory]
    return RunRecord(
        path=directory,
        command=str(stored["command"]),
        script=str(stored["script"]),
        settings=settings,
        status=str(sacred.get("status", "unknown")),
        result=_statistics(sacred.get("result")),
        metrics=tuple(joined([read_metrics(part / "log") for part in parts])),
        episodes=tuple(e for part in parts for e in _episodes(part / "monitor")),
        checkpoints=tuple(
            sorted(p.name for p in directory.glob("checkpoints/*") if p.is_dir())
        ),
        n_resumed=len(parts) - 1,
    )


def checkpoint_commands(
    run: RunRecord, name: str, reward: str, policy: str
) -> dict[str, list[str]]:
    """Returns the commands that use a checkpoint, as words by purpose.

    Args:
        run: of an algorithm that learns a reward and a policy.
        name: the checkpoint's directory below ``checkpoints/``.
        reward: its file of the reward.
        policy: its directory of the policy; "" if it was not saved.
    """
    path = run.path / "checkpoints" / name
    names = ("gym_id", "max_episode_steps", "env_make_kwargs")
    given = {key: run.setting("environment", key) for key in names}
    shared = [
        "with",
        *(f"environment.{k}={value}" for k, value in given.items() if value),
    ]
    learned = ["reward_type=RewardNet_unnormalized", f"reward_path={path / reward}"]
    kind = str(run.setting("rl", "rl_cls") or "").rpartition(":")[2].lower()
    use = {}
    if policy and kind in ("ppo", "sac"):  # the types that the commands can load
        loaded = f"expert.loader_kwargs.path={path / policy}"
        words = ["imitation", "eval_policy", *shared, f"expert.policy_type={kind}"]
        use["Evaluate the policy"] = [*words, loaded]
    train = ["imitation", "train_rl", *shared, *learned]
    return {**use, "Train another policy on the learned reward": train}


def read_metrics(log_dir: AnyPath) -> list[dict[str, float]]:
    """Reads the metrics of a logger.

    Args:
        log_dir: the directory given to `imitation.util.logger.configure`.

    Returns:
        The metrics of each dump, oldest first, from ``progress.csv``, else from
        ``progress.json``, else from TensorBoard events (with their "step"); empty if
        nothing was logged.

    Raises:
        ArtifactError: a file is damaged.
    """
    directory = pathlib.Path(os.fsdecode(log_dir))
    # CSV first: it is complete; TensorBoard rounds to float32 and is slow to read.
    for name, read in (("progress.csv", _from_csv), ("progress.json", _from_json)):
        path = directory / name
        if path.is_file():
            try:
                rows = list(read(path))
            except (ValueError, csv.Error) as error:
                raise ArtifactError(f"cannot read metrics: {path}: {error}") from error
            if rows:
                return rows
    return _from_tensorboard(directory)


def find_clock(rows: Sequence[MetricRow]) -> str:
    """Returns the first of `CLOCKS` that the rows have; "" if they have none."""
    return next((clock for clock in CLOCKS if any(clock in row for row in rows)), "")


def interpolated(rows: Sequence[MetricRow], *clocks: str) -> list[float]:
    """Computes the time of each row from those that have a clock.

    Off-policy learners log the time every few episodes only; rows between two readings
    are equally far apart.

    Args:
        rows: the metrics of a run.
        *clocks: metrics of the time; in a row with several, the first one counts.

    Returns:
        Shape (n_rows,), increasing; empty if no row has a clock.
    """
    known = [
        (i, row[clock])
        for i, row in enumerate(rows)
        if (clock := next((c for c in clocks if c in row), ""))
        and math.isfinite(row[clock])
    ]
    if not known:
        return []
    # Before the first row, at index -1, no time has passed.
    at, readings = zip((-1.0, 0.0), *known, strict=True)
    return [float(x) for x in np.interp(np.arange(len(rows)), at, readings)]


def joined(parts: Sequence[Sequence[MetricRow]]) -> list[MetricRow]:
    """Joins the logs of an interrupted run and of those that continued it.

    A run continues from its last saved state. Rows between that and the interruption
    belong to a training that went no further, and are left out.

    Args:
        parts: the rows of each log, in the order in which they were written.
    """
    rows: list[MetricRow] = []
    for part in parts:
        clock = find_clock(part)
        if rows and clock:
            first = next(row[clock] for row in part if clock in row)
            late = (i for i, row in enumerate(rows) if row.get(clock, -1.0) >= first)
            # Rows before the first one that is logged again, clock or no clock.
            rows = rows[: next(late, len(rows))]
        rows.extend(part)
    return rows


def _from_csv(path: pathlib.Path) -> Iterator[dict[str, float]]:
    text = path.read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    for i, row in enumerate(rows):
        try:
            # A row that a kill has cut off lacks its last columns.
            yield {key: float(value) for key, value in row.items() if key and value}
        except ValueError:
            if i == len(rows) - 1 and not text.endswith("\n"):
                return  # the cut went through a number
            raise


def _from_json(path: pathlib.Path) -> Iterator[dict[str, float]]:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    for line in lines:
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            if line is lines[-1] and not line.endswith("\n"):
                return  # what a kill has left of the last row
            raise
        if not isinstance(row, Mapping):
            raise ValueError(f"a row must be a JSON object, got {line.strip()[:40]}")
        yield {k: float(v) for k, v in row.items() if isinstance(v, int | float)}


def _from_tensorboard(directory: pathlib.Path) -> list[dict[str, float]]:
    """Reads the default logger's events; raw values count their steps differently."""
    folders = {
        file.parent
        for file in directory.glob("**/events.out.tfevents.*")
        if "raw" not in file.relative_to(directory).parts
    }
    if not folders:
        return []
    # Imported by name: it has no types, and is slow to import.
    event_accumulator: Any = importlib.import_module(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    rows: dict[int, dict[str, float]] = {}
    for folder in sorted(folders):
        # By default it samples 10,000 scalars at most; 0 keeps all.
        events = event_accumulator.EventAccumulator(
            str(folder), size_guidance={event_accumulator.SCALARS: 0}
        )
        events.Reload()
        for name in events.Tags()["scalars"]:
            for event in events.Scalars(name):
                rows.setdefault(event.step, {})[name] = float(event.value)
    return [{"step": float(step), **rows[step]} for step in sorted(rows)]


def _read_object(path: pathlib.Path) -> Mapping[str, object]:
    content = artifacts.read_json(path)
    if not isinstance(content, Mapping):
        raise ArtifactError(f"{path} does not describe a run")
    return content


def _episodes(directory: pathlib.Path) -> list[Episode]:
    """Reads monitor files: a comment, the columns r, l, t, one row per episode."""
    found = []
    for path in sorted(directory.glob("*.monitor.csv")):
        try:
            text = path.read_text(encoding="utf-8")
        except ValueError as error:
            raise ArtifactError(f"cannot read episodes: {path}: {error}") from error
        lines = (line for line in text.splitlines() if not line.startswith("#"))
        for row in csv.DictReader(lines):
            try:
                seconds, total = float(row["t"]), float(row["r"])
                episode = Episode(seconds, total, int(row["l"]))
            except (KeyError, TypeError, ValueError):
                break  # what a kill has left of the last row
            if math.isfinite(total):
                found.append(episode)
    # One file per environment of a vector, each in the order of time.
    return sorted(found, key=lambda episode: episode.seconds)


def _statistics(result: object) -> dict[str, dict[str, float]]:
    """Returns the result of a command as tables of numbers, by name."""
    if not isinstance(result, Mapping):
        return {}
    nested = {k: v for k, v in result.items() if isinstance(v, Mapping)}
    # The result of a command with one policy is flat; the learner comes first.
    named = sorted(nested.items(), key=lambda item: item[0] != "imit_stats")
    return {
        name: {
            key: float(value)
            for key, value in stats.items()
            if isinstance(value, int | float) and math.isfinite(value)
        }
        for name, stats in named or [("policy", result)]
    }
