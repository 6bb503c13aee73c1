"""Runs a command many times on Ray Tune: grids, random samples, searches, seeds.

A study is kept in its run directory. Whatever is killed, ``resume=RUN_DIR`` keeps every
finished trial, continues those that were interrupted, and runs the rest.
"""

import pathlib
from typing import TYPE_CHECKING

from imitation.errors import ConfigError, reason
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.parallel import ParallelSettings
from imitation.scripts.ingredients.logging import make_log_dir
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.scripts.studies.spaces import import_tune
from imitation.scripts.studies.study import run_study

if TYPE_CHECKING:
    from ray.tune import ExperimentAnalysis


def parallel(settings: ParallelSettings, run: RunHandle) -> "ExperimentAnalysis":
    """Runs many trials of another experiment in parallel.

    Returns:
        Ray's analysis: the settings, results and best of all trials. The run
        directory has a table of them, ``trials.csv``, and each trial's run.

    Raises:
        TypeError: named configs are no sequence of strings, or config updates no
            mapping.
        ValueError: ``repeat > 1`` with a ``search_alg`` that is none of Ray's.
    """
    log_dir = make_log_dir(run, settings.logging)
    return run_or_load(settings, log_dir)


def run_or_load(
    settings: ParallelSettings, directory: pathlib.Path
) -> "ExperimentAnalysis":
    """Runs a study, or reads the earlier one that the settings name."""
    if settings.experiment_checkpoint_path:
        return _load(settings.experiment_checkpoint_path)
    return run_study(settings, directory)


def _load(path: str) -> "ExperimentAnalysis":
    try:
        analysis: ExperimentAnalysis = import_tune().ExperimentAnalysis(path)
    except ValueError as error:
        raise ConfigError(
            f"experiment_checkpoint_path={path!r} holds no study of Ray: "
            f"{reason(error)}; name a folder in the directory ray of a study"
        ) from error
    return analysis


parallel_ex = SacredExperiment(
    Script(
        name="parallel",
        doc="Runs a command many times on Ray Tune, with a search space.",
        settings_cls=ParallelSettings,
        commands={"parallel": parallel},
    )
)

main_console = parallel_ex.main_console


if __name__ == "__main__":
    main_console()
