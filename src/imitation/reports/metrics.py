"""Reading the metrics that a logger has written: CSV, JSON lines or TensorBoard events.

A run that was resumed has a log for each of its parts; `joined` makes them one.
"""

import csv
import importlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imitation.errors import ArtifactError
from imitation.util.paths import AnyPath

__all__ = ["CLOCKS", "MetricRow", "find_clock", "joined", "read_metrics"]

MetricRow = Mapping[str, float]
"""The numbers logged at one moment, by name."""

CLOCKS = {
    "mean/gen/time/total_timesteps": "environment steps",
    "mean/agent/time/total_timesteps": "environment steps",
    "eval/timesteps": "environment steps",
    "time/total_timesteps": "environment steps",
    "dagger/total_timesteps": "steps labelled by the expert",
    "bc/batch": "optimiser steps",
    "step": "step",
}
"""Metrics that say how far a run has come, and in which unit."""


def read_metrics(log_dir: AnyPath) -> list[dict[str, float]]:
    """Reads the metrics of a logger.

    Args:
        log_dir: the directory given to `imitation.util.logger.configure`.

    Returns:
        What was logged at each dump, oldest first, from ``progress.csv``, else from
        ``progress.json``, else from TensorBoard events (with their "step"); empty if
        nothing was logged.

    Raises:
        ArtifactError: a file is damaged.
    """
    directory = pathlib.Path(os.fsdecode(log_dir))
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


def joined(parts: Sequence[Sequence[MetricRow]]) -> list[MetricRow]:
    """Joins the logs of an interrupted run and of those that continued it.

    A run continues from its last saved state. What was logged between that and the
    interruption is of a training that went no further, and is left out.

    Args:
        parts: the rows of each log, in the order in which they were written.
    """
    rows: list[MetricRow] = []
    for part in parts:
        clock = find_clock(part)
        if rows and clock:
            first = next(row[clock] for row in part if clock in row)
            late = (i for i, row in enumerate(rows) if row.get(clock, -1.0) >= first)
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
    """What the default logger has written; raw values count their steps differently."""
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
        events = event_accumulator.EventAccumulator(
            str(folder), size_guidance={event_accumulator.SCALARS: 0}
        )
        events.Reload()
        for name in events.Tags()["scalars"]:
            for event in events.Scalars(name):
                rows.setdefault(event.step, {})[name] = float(event.value)
    return [{"step": float(step), **rows[step]} for step in sorted(rows)]
