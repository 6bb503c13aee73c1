"""Tunes hyperparameters: searches, then runs the best settings on further seeds.

Both phases are studies (see `imitation.scripts.parallel`) in the run directory,
``search`` and ``evaluation``. ``resume=RUN_DIR`` continues either.
"""

import copy
import logging
import math
import pathlib
import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from imitation.errors import ConfigError
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.parallel import ParallelSettings
from imitation.scripts.config.tuning import TuningSettings
from imitation.scripts.ingredients.logging import make_log_dir
from imitation.scripts.parallel import run_or_load
from imitation.scripts.registry import COMMANDS
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.scripts.settings import Config, ConfigDict, build, flatten, merge
from imitation.scripts.studies.study import run_study
from imitation.scripts.studies.trial import DIRECTORY

if TYPE_CHECKING:
    from ray.tune import ExperimentAnalysis
    from ray.tune.experiment import Trial

_logger = logging.getLogger("imitation.scripts.tuning")  # also as __main__

# What studies and Ray add to the sampled settings.
_BOOKKEEPING = (DIRECTORY, "__trial_index__")
# The first seed of evaluations; those of searches are below.
_EVALUATION_SEEDS = 2**30


def tune(settings: TuningSettings, run: RunHandle) -> None:
    """Tunes hyperparameters and evaluates the best ones.

    The best settings and their returns are in ``best.json`` of the run directory.

    Raises:
        ValueError: the search has no trial with a return.
    """
    from imitation.util import artifacts

    log_dir = make_log_dir(run, settings.logging)
    search = settings.search()
    analysis = run_or_load(search, log_dir / "search")
    if not analysis.trials:
        raise ConfigError("No trials found in the search; is num_samples positive?")
    return_key = COMMANDS[search.sacred_ex_name].metric or ""
    best = find_best_trial(analysis, return_key, print_return=True)
    found: ConfigDict = {"settings": _settings_of(best)}
    group = [t for t in analysis.trials if _settings_of(t) == found["settings"]]
    found["search"] = _spread(group, return_key)
    if settings.num_eval_seeds > 0:
        resources = dict(search.resources_per_trial)
        factor = settings.eval_best_trial_resource_multiplier
        resources["cpu"] = resources.get("cpu", 1) * factor
        evaluation = evaluate_trial(
            best,
            settings.num_eval_seeds,
            f"{search.run_name}_evaluation",
            {**settings.parallel_run_config, "seed": search.seed},
            resources,
            return_key,
            print_return=True,
            directory=log_dir / "evaluation",
        )
        found["evaluation"] = _spread(evaluation.trials, return_key)
    artifacts.write_json(log_dir / "best.json", found)
    run.info.update(found)
    _logger.info("The best settings: %s", log_dir / "best.json")


def find_best_trial(
    experiment_analysis: "ExperimentAnalysis",
    return_key: str,
    print_return: bool = False,
) -> "Trial":
    """Finds the settings with the best mean return over their seeds.

    Trials that differ in their seed only belong together; failed ones do not count.

    Args:
        experiment_analysis: of a search.
        return_key: where the return is in a result, with "/" between levels.
        print_return: whether to tell the mean and the deviation.

    Returns:
        The first trial with these settings.

    Raises:
        ValueError: no trial has a return.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in experiment_analysis.trials:
        if math.isfinite(_return_of(trial, return_key)):
            # By their text: sampled settings are nested, and cannot be hashed.
            groups.setdefault(repr(_settings_of(trial)), []).append(trial)
    if not groups:
        raise ConfigError(
            f"No trials found with a result {return_key!r}: "
            f"{len(experiment_analysis.trials)} trials, none of which finished with it"
        )
    best = max(groups.values(), key=lambda g: _spread(g, return_key)["mean"])
    if print_return:
        spread = _spread(best, return_key)
        _logger.info(
            "Best of %d settings: %s; mean return %.4g ± %.2g over %d seeds",
            *(len(groups), dict(flatten(_settings_of(best[0])))),
            *(spread["mean"], spread["std"], spread["n"]),
        )
    return best[0]


def evaluate_trial(
    trial: "Trial",
    num_eval_seeds: int,
    run_name: str,
    parallel_run_config: Config,
    resources_per_trial: Config,
    return_key: str,
    print_return: bool = False,
    *,
    directory: pathlib.Path | None = None,
) -> "ExperimentAnalysis":
    """Runs a trial's settings on seeds that no search uses.

    Args:
        trial: of a search.
        num_eval_seeds: how many seeds.
        run_name: the name of this study.
        parallel_run_config: settings of the search.
        resources_per_trial: what each run needs.
        return_key: where the return is in a result, with "/" between levels.
        print_return: whether to tell the mean and the deviation.
        directory: where to keep the study; None is a new one named `run_name`.
    """
    space = copy.deepcopy(_settings_of(trial))
    # The best of many is too good on average: only unseen seeds tell how good.
    seeds = [_EVALUATION_SEEDS + i for i in range(num_eval_seeds)]
    seeded = {"config_updates": {"seed": {"grid_search": seeds}}}
    search_options = ("experiment_checkpoint_path", "tune_run_kwargs", "logging")
    config = {
        **{k: v for k, v in parallel_run_config.items() if k not in search_options},
        "run_name": run_name,
        "search_space": merge(space, seeded),
        # The grid of seeds already repeats each run.
        "num_samples": 1,
        "repeat": 1,
        "resources_per_trial": dict(resources_per_trial),
    }
    settings = build(ParallelSettings, config).resolved("parallel")
    place = directory or pathlib.Path(settings.logging.log_dir or "")
    analysis = run_study(settings, place)
    spread = _spread(analysis.trials, return_key)
    if print_return and spread["n"]:
        _logger.info(
            "On %d further seeds: mean return %.4g ± %.2g",
            *(spread["n"], spread["mean"], spread["std"]),
        )
    return analysis


def _settings_of(trial: "Trial") -> dict[str, object]:
    """Returns what was sampled for a trial, without its seed."""
    config = {k: v for k, v in trial.config.items() if k not in _BOOKKEEPING}
    updates = {k: v for k, v in config.get("config_updates", {}).items() if k != "seed"}
    return {**config, "config_updates": updates}


def _return_of(trial: "Trial", return_key: str) -> float:
    """The return of a trial; NaN if it has none."""
    value: Any = trial.last_result or {}
    if return_key not in value:
        for key in return_key.split("/"):
            value = value.get(key) if isinstance(value, Mapping) else None
    else:
        value = value[return_key]
    return float(value) if isinstance(value, int | float) else math.nan


def _spread(trials: list["Trial"], return_key: str) -> ConfigDict:
    """The mean and the standard deviation of the returns of trials."""
    returns = [_return_of(trial, return_key) for trial in trials]
    known = [value for value in returns if math.isfinite(value)]
    if not known:
        return {"mean": None, "std": None, "n": 0}
    mean, std = statistics.fmean(known), statistics.pstdev(known)
    return {"mean": mean, "std": std, "n": len(known)}


tuning_ex = SacredExperiment(
    Script(
        name="tuning",
        doc="Tunes the hyperparameters of an algorithm, then evaluates the best ones.",
        settings_cls=TuningSettings,
        commands={"tune": tune},
    )
)

main_console = tuning_ex.main_console


if __name__ == "__main__":
    main_console()
