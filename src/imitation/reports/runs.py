"""Reading what a command has written to its run directory.

``settings.json`` (required), metrics in ``log/`` as CSV, JSON lines or TensorBoard
events, the episodes in ``monitor/``, and the result in Sacred's ``run.json``.
"""

import csv
import dataclasses
import importlib
import json
import math
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from imitation.errors import ArtifactError
from imitation.util import artifacts
from imitation.util.paths import AnyPath

__all__ = ["Episode", "RunRecord", "read_metrics", "read_run"]

MetricRow = Mapping[str, float]
"""The numbers logged at one moment, by name."""


@dataclasses.dataclass(frozen=True)
class Episode:
    """One finished episode of a monitored environment."""

    seconds: float
    """When it ended, since the environments were made."""

    episode_return: float
    """The sum of its rewards."""

    length: int
    """Its number of steps."""


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """A run as its directory tells it."""

    path: pathlib.Path
    """The directory."""

    command: str
    """The command, such as "bc"."""

    script: str
    """The script that it belongs to, such as "train_imitation"."""

    settings: Mapping[str, Any]
    """Its settings, nested."""

    status: str
    """As Sacred says, such as "COMPLETED"; "unknown" without a ``run.json``."""

    result: Mapping[str, Mapping[str, float]]
    """Statistics by name, such as "imit_stats"; empty if there is no result."""

    metrics: tuple[MetricRow, ...]
    """What was logged, oldest first."""

    episodes: tuple[Episode, ...]
    """Monitored episodes with a finite return, in the order in which they ended."""


def read_run(path: AnyPath) -> RunRecord:
    """Reads a run directory, finished or not.

    Args:
        path: the directory that a command has printed, with ``settings.json``.

    Returns:
        Everything that is there.

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
    return RunRecord(
        path=directory,
        command=str(stored["command"]),
        script=str(stored["script"]),
        settings=settings,
        status=str(sacred.get("status", "unknown")),
        result=_statistics(sacred.get("result")),
        metrics=tuple(read_metrics(directory / "log")),
        episodes=tuple(_episodes(directory / "monitor")),
    )


def read_metrics(log_dir: AnyPath) -> list[dict[str, float]]:
    """Reads the metrics of a logger.

    Args:
        log_dir: the directory given to `imitation.util.logger.configure`.

    Returns:
        What was logged at each dump, oldest first, from ``progress.csv``, else from
        ``progress.json``, else from TensorBoard events (with their "step"); empty if
        there is none.

    Raises:
        ArtifactError: a file is damaged.
    """
    directory = pathlib.Path(os.fsdecode(log_dir))
    for name, read in (("progress.csv", _from_csv), ("progress.json", _from_json)):
        path = directory / name
        if path.is_file():
            try:
                return list(read(path))
            except (ValueError, csv.Error) as error:
                raise ArtifactError(f"cannot read metrics: {path}: {error}") from error
    return _from_tensorboard(directory)


def _read_object(path: pathlib.Path) -> Mapping[str, Any]:
    content = artifacts.read_json(path)
    if not isinstance(content, Mapping):
        raise ArtifactError(f"{path} does not describe a run")
    return content


def _from_csv(path: pathlib.Path) -> Iterator[dict[str, float]]:
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            # A row that a kill has cut off lacks its last columns.
            yield {key: float(value) for key, value in row.items() if key and value}


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
    files = sorted(directory.glob("**/events.out.tfevents.*"))
    if not files:
        return []
    # Imported by name: it has no types, and is slow to import.
    event_accumulator: Any = importlib.import_module(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    rows: dict[int, dict[str, float]] = {}
    for folder in dict.fromkeys(file.parent for file in files):
        events = event_accumulator.EventAccumulator(
            str(folder), size_guidance={event_accumulator.SCALARS: 0}
        )
        events.Reload()
        for name in events.Tags()["scalars"]:
            for event in events.Scalars(name):
                rows.setdefault(event.step, {})[name] = float(event.value)
    return [{"step": float(step), **rows[step]} for step in sorted(rows)]


def _episodes(directory: pathlib.Path) -> list[Episode]:
    """Monitor files: a comment, the columns' names (r, l, t), one row per episode."""
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
    return sorted(found, key=lambda episode: episode.seconds)


def _statistics(result: Any) -> dict[str, dict[str, float]]:
    """The result of a command as tables of numbers, by name."""
    if not isinstance(result, Mapping):
        return {}
    nested = {k: v for k, v in result.items() if isinstance(v, Mapping)}
    # The result of a command with one policy is flat; the learner comes first.
    named = sorted(nested.items(), key=lambda item: item[0] != "imit_stats")
    return {
        name: {k: float(v) for k, v in stats.items() if _is_number(v)}
        for name, stats in named or [("policy", result)]
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
