"""Reading what a command has written to its run directory.

``settings.json`` (required), metrics in ``log/`` (see `metrics`), the episodes in
``monitor/``, the names of ``checkpoints/``, and the result in Sacred's ``run.json``.
What a resumed run had written before is in ``earlier/<number>/``.
"""

import csv
import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from imitation.errors import ArtifactError
from imitation.reports.metrics import MetricRow, joined, read_metrics
from imitation.util import artifacts
from imitation.util.paths import AnyPath

__all__ = ["Episode", "RunRecord", "read_metrics", "read_run"]


@dataclasses.dataclass(frozen=True)
class Episode:
    """One finished episode of a monitored environment."""

    seconds: float
    """When it ended, since the environments were made (again, if resumed)."""

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
    """What was logged, oldest first, interruptions left out."""

    episodes: tuple[Episode, ...]
    """Monitored episodes with a finite return, in the order in which they ended."""

    checkpoints: tuple[str, ...] = ()
    """Names of the directories in ``checkpoints/``, sorted."""

    n_resumed: int = 0
    """How often the run was resumed."""


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


def _read_object(path: pathlib.Path) -> Mapping[str, Any]:
    content = artifacts.read_json(path)
    if not isinstance(content, Mapping):
        raise ArtifactError(f"{path} does not describe a run")
    return content


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
