"""Running a study on Ray: one machine, or a cluster that shares its file system."""

import contextlib
import importlib
import logging
import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imitation.errors import ConfigError, missing_extra
from imitation.scripts.config.parallel import ParallelSettings
from imitation.scripts.registry import COMMANDS
from imitation.scripts.settings import Config, ConfigDict, to_config
from imitation.scripts.studies.journal import Journal
from imitation.scripts.studies.spaces import import_tune, realize
from imitation.scripts.studies.trial import DIRECTORY, run_trial

if TYPE_CHECKING:
    from ray.tune import ExperimentAnalysis

    from imitation.scripts.studies.search import Proposals

_logger = logging.getLogger(__name__)

# What Ray reads from the environment: no telemetry, relative paths mean what they mean,
# no TensorBoard files of its own, and a trial without the metric has no score.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
}

# Defaults of init_kwargs; what trials print is in their directories.
_INIT = {"include_dashboard": False, "log_to_driver": False, "logging_level": "warning"}


# How often to start Ray, which gives up by itself on a machine that is busy.
_ATTEMPTS = 3


def run_study(
    settings: ParallelSettings, directory: pathlib.Path
) -> "ExperimentAnalysis":
    """Runs a study, or what is left of it.

    Returns:
        Ray's analysis of all trials, those of earlier parts included.
    """
    from filelock import FileLock, Timeout

    import_tune()
    # What two starts of the same study share, but for the directory.
    shared = (
        *("sacred_ex_name", "run_name", "base_named_configs", "base_config_updates"),
        *("search_space", "num_samples", "repeat", "seed"),
    )
    config = to_config(settings)
    spec = {"format_version": 1, **{k: config[k] for k in shared}, "cwd": os.getcwd()}
    journal = Journal(directory, spec)
    try:
        # Two drivers would propose the same trials to the same directories.
        lock = FileLock(directory / ".lock", timeout=0).acquire()
    except Timeout as error:
        raise ConfigError(f"the study in {directory} is running already") from error
    # In this order: Ray reads the environment when it starts.
    with lock, _environment(), _ray(settings.init_kwargs):
        analysis = _run(settings, journal)
    table = journal.write_table()
    _report(journal, table)
    return analysis


def _run(settings: ParallelSettings, journal: Journal) -> "ExperimentAnalysis":
    from imitation.scripts.studies.search import Progress, StudySearcher

    tune = import_tune()
    kwargs = {key: realize(value) for key, value in settings.tune_run_kwargs.items()}
    proposals, n_groups, metric = _proposals(settings, journal, kwargs)
    n_trials = n_groups * settings.repeat
    shape = n_groups, settings.repeat
    searcher = StudySearcher(journal, proposals, *shape, settings.make_run, metric)
    n_before = len([t for t in journal.trials() if t.status == "finished"])
    _logger.info(
        "%d trials in %s, %d of them finished", n_trials, journal.directory, n_before
    )
    ray_directory = journal.directory / "ray"
    # Ray refuses to write to an experiment that exists, so each start is a part.
    part = len(list(ray_directory.glob("*"))) if ray_directory.is_dir() else 0
    name = settings.run_name if part == 0 else f"{settings.run_name}-{part}"
    defaults = {
        "storage_path": str(ray_directory.absolute()),
        "verbose": 0,
        # A new process for each trial would import torch again.
        "reuse_actors": True,
        # The others go on, and `_report` names those that failed.
        "raise_on_failed_trial": False,
    }
    loggers = importlib.import_module("ray.tune.logger")
    callbacks = [
        # Ray's analysis reads what these two write.
        *(loggers.JsonLoggerCallback(), loggers.CSVLoggerCallback()),
        *(Progress(n_trials, n_before), *kwargs.pop("callbacks", ())),
    ]
    analysis: ExperimentAnalysis = tune.run(
        run_trial,
        **{**defaults, **kwargs},
        name=name,
        search_alg=searcher,
        num_samples=n_trials,
        resources_per_trial=dict(settings.resources_per_trial) or None,
        trial_dirname_creator=lambda t: pathlib.Path(t.config[DIRECTORY]).name,
        callbacks=callbacks,
    )
    # Ray turns Ctrl-C into a normal return with unfinished trials.
    ended = sum(trial.status in ("TERMINATED", "ERROR") for trial in analysis.trials)
    limited = {"time_budget_s", "stop", "fail_fast"} & set(kwargs)
    if ended < n_trials and not limited:
        raise KeyboardInterrupt
    return analysis


def _proposals(
    settings: ParallelSettings, journal: Journal, kwargs: ConfigDict
) -> tuple["Proposals", int, str | None]:
    """Returns the source of settings, the number of groups and the metric to tell."""
    from ray.tune.search import BasicVariantGenerator, SearchGenerator

    from imitation.scripts.studies.search import SearchedProposals, VariantProposals

    algorithm = kwargs.pop("search_alg", None)
    assert settings.seed is not None, "resolved settings have a seed"
    plain = algorithm is None or isinstance(algorithm, BasicVariantGenerator)
    if plain and settings.repeat == 1:
        variants = VariantProposals(
            settings.search_space, settings.num_samples, settings.seed
        )
        return variants, variants.n_groups, None
    if isinstance(algorithm, SearchGenerator):
        algorithm = algorithm.searcher
    metric = kwargs.get("metric") or COMMANDS[settings.sacred_ex_name].metric or ""
    mode = kwargs.get("mode") or "max"
    if algorithm is None:
        # A sampler begins each part of a study anew: with the same seed it would
        # propose again what it proposed first.
        n_known = len(journal.trials())
        try:
            optuna = importlib.import_module("optuna")
        except ModuleNotFoundError as error:
            raise missing_extra("optuna", "tune") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        module = importlib.import_module("ray.tune.search.optuna")
        seed = (settings.seed + n_known) % 2**32
        algorithm = module.OptunaSearch(metric=metric, mode=mode, seed=seed)
    n = settings.num_samples
    searched = SearchedProposals(settings.search_space, algorithm, metric, mode, n)
    return searched, n, metric


def _report(journal: Journal, table: pathlib.Path) -> None:
    """Says what became of the trials."""
    trials = journal.trials()
    failed = [trial for trial in trials if trial.status == "failed"]
    for trial in failed:
        _logger.warning("Failed: %s: %s", trial.directory.name, trial.error)
    if failed and len(failed) == len(trials):
        raise ConfigError(
            f"all {len(trials)} trials failed, the first one with {failed[0].error}; "
            f"see {failed[0].directory}"
        )
    _logger.info("All trials: %s", table)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Sets what Ray reads from the environment and is not set yet."""
    missing = {k: v for k, v in _ENVIRONMENT.items() if k not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for key in missing:
            del os.environ[key]


@contextlib.contextmanager
def _ray(init_kwargs: Config) -> Iterator[None]:
    """Starts Ray or connects to it, and leaves one that runs already alone."""
    ray = importlib.import_module("ray")
    if ray.is_initialized():
        yield
        return
    for left in reversed(range(_ATTEMPTS)):
        try:
            ray.init(**{**_INIT, **init_kwargs})
            break
        except Exception as error:  # Ray raises no narrower one when it is too slow
            ray.shutdown()
            if left == 0 or "timed out" not in str(error):
                raise ConfigError(
                    f"init_kwargs={dict(init_kwargs)!r}: Ray does not start: {error}"
                ) from error
            _logger.warning("Ray was too slow to start; trying again")
    try:
        yield
    finally:
        ray.shutdown()
