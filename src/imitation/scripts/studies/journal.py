"""The files of a study: every trial's settings and result.

A study is a directory with ``study.json`` and one directory per trial,
``trials/<number>-<what was sampled>/``, which holds ``trial.json`` (written when the
trial is proposed), ``result.json`` (written by the worker when it is finished) or
``error.txt``, the run directory ``run`` and Sacred's directory ``sacred``. Every file
appears at once or not at all, so that a kill at any instant loses no finished trial.
"""

import csv
import dataclasses
import io
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from imitation.errors import ArtifactError, ConfigError
from imitation.scripts.settings import Config, flatten
from imitation.util import artifacts

_STUDY = "study.json"
_TRIAL = "trial.json"
_RESULT = "result.json"
_ERROR = "error.txt"


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One trial."""

    directory: pathlib.Path
    """Where everything about it is."""

    index: int
    """Its number in the study, from 0."""

    group: int
    """Trials of one group have the same settings but the seed."""

    repeat: int
    """Its number in the group, from 0."""

    sampled: Config
    """What the search space became: keyword arguments of the experiment's ``run``."""

    run: Config
    """The complete keyword arguments."""

    sacred_ex_name: str
    """The experiment."""

    run_name: str
    """The name of the study, which Sacred stores with the run."""

    cwd: str
    """The directory that relative paths start from."""

    result: Config | None = None
    """What the command returned; None if it is not finished."""

    error: str = ""
    """Why it failed, in a line; "" if it did not."""

    @property
    def status(self) -> str:
        """One of "finished", "failed" and "open"."""
        if self.result is not None:
            return "finished"
        return "failed" if self.error else "open"


class Journal:
    """The directory of a study.

    Args:
        directory: created if need be.
        spec: what the study is: plain data. A study that is there already keeps the
            directory "cwd" that its relative paths start from.

    Raises:
        ConfigError: another study is kept in the directory.
    """

    def __init__(self, directory: pathlib.Path, spec: Mapping[str, object]) -> None:
        self.directory = directory = directory.absolute()  # workers are elsewhere
        self.spec = spec
        path = directory / _STUDY
        if path.exists():
            self.spec = artifacts.read_json(path)
            same = isinstance(self.spec, Mapping)
            if not same or _compared(self.spec) != _compared(spec):
                raise ConfigError(
                    f"{directory} holds another study; choose another directory, or "
                    "give the settings that it was started with"
                )
        else:
            (directory / "trials").mkdir(parents=True, exist_ok=True)
            artifacts.write_json(path, spec)

    def trials(self) -> list[TrialRecord]:
        """Reads all trials, in the order in which they were proposed."""
        paths = sorted((self.directory / "trials").glob(f"*/{_TRIAL}"))
        return sorted((read_trial(p.parent) for p in paths), key=lambda t: t.index)

    def add(self, **values: Any) -> TrialRecord:
        """Writes a new trial down."""
        # Padded, so that the folders sort as the trials do.
        name = f"{values['index']:05d}"
        label = _label(values["sampled"])
        directory = self.directory / "trials" / (f"{name}-{label}" if label else name)
        directory.mkdir(parents=True, exist_ok=True)
        record = TrialRecord(directory=directory, **values)
        stored = dataclasses.asdict(record)
        for name in ("directory", "result", "error"):
            del stored[name]
        artifacts.write_json(directory / _TRIAL, stored)
        return record

    def write_table(self) -> pathlib.Path:
        """Writes all trials to ``trials.csv``; returns its path."""
        rows = [_row(trial) for trial in self.trials()]
        columns = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        path = self.directory / "trials.csv"
        with artifacts.replacing_file(path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")
        return path


def read_trial(directory: pathlib.Path) -> TrialRecord:
    """Reads a trial."""
    stored = artifacts.read_json(directory / _TRIAL)
    result_file, error_file = directory / _RESULT, directory / _ERROR
    result = artifacts.read_json(result_file) if result_file.exists() else None
    error = error_file.read_text("utf-8").strip() if error_file.exists() else ""
    try:
        return TrialRecord(directory=directory, **stored, result=result, error=error)
    except TypeError as error_of_fields:
        raise ArtifactError(f"{directory / _TRIAL} is damaged") from error_of_fields


def write_result(directory: pathlib.Path, result: Mapping[str, object]) -> None:
    """Keeps the result of a finished trial."""
    artifacts.write_json(directory / _RESULT, result)
    clear_error(directory)


def clear_error(directory: pathlib.Path) -> None:
    """Forgets why a trial failed, when it is tried again."""
    (directory / _ERROR).unlink(missing_ok=True)


def write_error(directory: pathlib.Path, error: str) -> None:
    """Keeps why a trial failed; it is tried again when the study is resumed."""
    with artifacts.replacing_file(directory / _ERROR) as temporary:
        temporary.write_text(" ".join(error.split()), encoding="utf-8")


# A study that is resumed from another directory is the same study.
def _compared(spec: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in spec.items() if key != "cwd"}


def _row(trial: TrialRecord) -> dict[str, object]:
    return {
        "trial": trial.index,
        "status": trial.status,
        **dict(flatten(trial.sampled)),
        "seed": trial.run.get("config_updates", {}).get("seed"),
        **dict(flatten(trial.result or {})),
        "error": trial.error,
        "directory": trial.directory.name,
    }


def _label(sampled: Mapping[str, object]) -> str:
    """Returns the sampled settings as part of a file's name."""
    words: Sequence[str] = [
        f"{key.rpartition('.')[2]}={value:.4g}"
        if isinstance(value, float)
        else f"{key.rpartition('.')[2]}={value}"
        for key, value in flatten(sampled)
        if value not in ([], {}, None) and key != "command_name"
    ]
    # File systems allow 255 bytes for a name, and the number comes before it.
    return re.sub(r"[^\w.=,+-]+", "_", ",".join(words))[:80].strip("_.")
