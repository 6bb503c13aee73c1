"""Running one trial in a worker of Ray."""

import contextlib
import os
import pathlib
import traceback
from collections.abc import Mapping
from typing import Any

from imitation.errors import ArtifactError
from imitation.scripts.registry import load_experiment
from imitation.scripts.settings import Config, ConfigDict, merge
from imitation.scripts.studies.journal import (
    TrialRecord,
    clear_error,
    read_trial,
    write_error,
    write_result,
)

# The key of a trial's directory in the configuration that Ray knows.
DIRECTORY = "__directory__"

# How long a worker waits for one that a killed driver has left behind.
_LOCK_S = 120.0


def run_trial(config: Config) -> None:
    """Runs a trial and reports its result to Ray."""
    from ray import tune

    tune.report(dict(finish_trial(pathlib.Path(config[DIRECTORY]))))


def finish_trial(directory: pathlib.Path) -> Config:
    """Runs a trial, or what is left of it.

    One that was interrupted continues from its last checkpoint; one that was finished
    is not run again.

    Returns:
        The numbers of the command's result, nested as they are.
    """
    from filelock import FileLock

    # A killed driver's worker may still be at it.
    with FileLock(directory / ".lock", timeout=_LOCK_S):
        record = read_trial(directory)
        result = record.result
        if result is None:
            clear_error(directory)
            try:
                result = _train(record)
            except Exception as error:
                trace = traceback.format_exception_only(error)[-1]
                write_error(directory, trace)
                raise
            write_result(directory, result)
    return result


def _train(record: TrialRecord) -> Mapping[str, object]:
    experiment = load_experiment(record.sacred_ex_name)
    here = record.cwd if os.path.isdir(record.cwd) else "."
    arguments = {**record.run}
    arguments["options"] = {**arguments.get("options", {}), "--name": record.run_name}
    run_dir = record.directory / "run"
    if (run_dir / "settings.json").is_file():
        # A resumed run has its own settings, and refuses others.
        arguments.pop("named_configs", None)
        arguments["config_updates"] = {"resume": str(run_dir)}
    else:
        place = {"logging": {"log_dir": str(run_dir)}}
        updates = arguments.get("config_updates", {})
        arguments["config_updates"] = merge(updates, place)
    # Workers start elsewhere; relative paths are those of the study's first start.
    with experiment.stored_in(record.directory / "sacred"), contextlib.chdir(here):
        run = experiment.run(**arguments)
    return numbers(run.result)


def numbers(result: Any) -> ConfigDict:
    """The numbers of a command's result, nested as they are."""
    kept = _numbers(result) if isinstance(result, Mapping) else {}
    if not kept:
        raise ArtifactError(f"the command returned no numbers to compare: {result!r}")
    return kept


def _numbers(result: Mapping[str, object]) -> dict[str, object]:
    kept: ConfigDict = {}
    for key, value in result.items():
        if isinstance(value, Mapping):
            kept[str(key)] = _numbers(value)
        # NumPy's scalars, which JSON does not take.
        elif hasattr(value, "item"):
            kept[str(key)] = value.item()
        elif isinstance(value, int | float):
            kept[str(key)] = value
    return kept
