"""Settings and presets of `imitation.scripts.parallel`."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from typing_extensions import override

from imitation.errors import ConfigError, SettingTypeError
from imitation.scripts.command import CommandSettings
from imitation.scripts.registry import experiments, load_experiment
from imitation.scripts.settings import (
    Config,
    ConfigDict,
    Presets,
    check_keys,
    expand_dotted,
    merge,
    setting,
)
from imitation.scripts.studies import spaces
from imitation.util.paths import make_unique_timestamp

# Arguments of ray.tune.run that the command fills in.
_FILLED = (
    *("run_or_experiment", "name", "config", "num_samples", "resources_per_trial"),
    *("resume", "resume_config", "restore", "trial_dirname_creator"),
)

_EXAMPLE_RL: Config = {
    "sacred_ex_name": "train_rl",
    "run_name": "example-cartpole-rl",
    "base_named_configs": ["cartpole"],
    "base_config_updates": {"total_timesteps": 20_000},
    "search_space": {
        "config_updates": {
            "seed": {"grid_search": [0, 1, 2]},
            "rl": {"rl_kwargs": {"learning_rate": {"grid_search": [3e-4, 1e-3]}}},
        }
    },
}

_FAST: Config = {
    "sacred_ex_name": "train_rl",
    "run_name": "fast",
    "base_named_configs": ["cartpole", "fast", "environment.fast", "rl.fast"],
    "base_config_updates": {
        "policy_evaluation": {"n_episodes_eval": 1},
        "rollout_save_final": False,
    },
    "search_space": {"config_updates": {"seed": {"grid_search": [0, 1]}}},
}


_NO_SPACE: Config = {"named_configs": [], "config_updates": {}}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParallelSettings(CommandSettings):
    """Settings of parallel."""

    named_configs: ClassVar[Presets] = {
        "example_cartpole_rl": _EXAMPLE_RL,
        "fast": _FAST,
    }

    sacred_ex_name: str = setting("train_rl", choices=experiments(repeatable=True))
    """The experiment to run."""

    init_kwargs: Config = setting({})
    """Keyword arguments of ``ray.init``: {"num_cpus": 8}, or {"address": "auto"} for a
    cluster whose machines share the run directory."""

    run_name: str | None = setting(None)
    """The study's name, also "experiment.name" in the run.json of its runs; None is
    DEFAULT_<timestamp>."""

    resources_per_trial: Config = setting({})
    """What a trial needs: {"cpu": 2, "gpu": 0.5}; one CPU by default."""

    base_named_configs: Any = setting(())
    """Named configs of every trial."""

    base_config_updates: Any = setting({})
    """Settings of every trial, nested or with dotted names."""

    search_space: Any = setting(_NO_SPACE)
    """named_configs, config_updates, command_name and so on of the trials; they win
    over the base. Any value can be {"grid_search": [...]}, {"choice": [...]},
    {"uniform": [low, high]}, {"loguniform": [low, high]}, {"randint": [low, high]} or,
    from Python, an object of ``ray.tune``."""

    num_samples: int = setting(1, more_than=0)
    """How often to sample from the search space, without repetitions."""

    repeat: int = setting(1, more_than=0)
    """Runs with different seeds for each sample; with more than one, Optuna searches
    by their mean, unless tune_run_kwargs has another search_alg."""

    experiment_checkpoint_path: str = setting("")
    """Ray's directory of an earlier study: read it instead of running one. That can
    run code which the directory holds; read what you trust."""

    tune_run_kwargs: Config = setting({})
    """Further arguments of ``ray.tune.run``, such as metric, mode, scheduler,
    search_alg and max_concurrent_trials."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        check_types(self)
        changed = {
            "base_named_configs": tuple(self.base_named_configs),
            "base_config_updates": spaces.describe(
                expand_dotted(self.base_config_updates)
            ),
            "search_space": spaces.describe(expand_dotted(self.search_space)),
            "tune_run_kwargs": spaces.describe(self.tune_run_kwargs),
        }
        for name, value in changed.items():
            # The class is frozen; settings must be plain data to be stored.
            object.__setattr__(self, name, value)
        for _ in spaces.spaces_in(self.search_space):
            pass  # each is checked as it is found
        updates = self.base_config_updates, self.search_space.get("config_updates", {})
        for place in updates:
            if "log_dir" in place.get("logging", {}):
                raise ConfigError(
                    "leave out logging.log_dir: every trial has a directory of its own"
                )

    @property
    @override
    def place(self) -> str:
        return self.sacred_ex_name

    @override
    def resolved(self, command: str) -> Self:
        name = self.run_name or f"DEFAULT_{make_unique_timestamp()}"
        return dataclasses.replace(super().resolved(command), run_name=name)

    @override
    def check(self, command: str) -> None:
        super().check(command)
        self.check_study()

    def make_run(self, sampled: Config, repeat: int) -> ConfigDict:
        """Makes the keyword arguments of the experiment's ``run`` for one trial.

        Nested settings are merged key by key, what was sampled wins. The seed depends
        on the study's seed and on `repeat` only, unless the settings give one, so that
        all trials of a comparison see the same seeds.
        """
        others = {
            key: value
            for key, value in sampled.items()
            if key not in ("named_configs", "config_updates")
        }
        updates = merge(
            expand_dotted(self.base_config_updates),
            expand_dotted(sampled.get("config_updates", {})),
        )
        # Below 2^30, which leaves the seeds above to evaluations of what was found.
        updates.setdefault("seed", self.make_seed(f"repeat {repeat}") % 2**30)
        named = [*self.base_named_configs, *sampled.get("named_configs", ())]
        return {**others, "named_configs": named, "config_updates": updates}

    def check_study(self) -> None:
        """Checks what Ray and the experiment are given."""
        tune = spaces.import_tune()
        check_keys(self.tune_run_kwargs, tune.run, "tune_run_kwargs", _FILLED)
        kwargs = {k: spaces.realize(v) for k, v in self.tune_run_kwargs.items()}
        check_search_alg(kwargs.get("search_alg"), self.repeat)
        script = load_experiment(self.sacred_ex_name).script
        # Misspelt names cost a second here and a night in the trials.
        first = self.make_run(spaces.with_first(self.search_space), 0)
        trial_command = str(first.get("command_name") or script.default_command)
        if trial_command not in script.commands:
            raise ConfigError(
                f"search_space.command_name must be one of {', '.join(script.commands)}"
                f" for {self.sacred_ex_name}, got {trial_command!r}"
            )
        script.make_settings(
            trial_command, first["config_updates"], first["named_configs"]
        )


def check_types(settings: ParallelSettings) -> None:
    """Checks what the documentation promises a TypeError for.

    Raises:
        SettingTypeError: named configs are no sequence of strings, or config updates
            no mapping.
    """
    space = settings.search_space
    _require_mapping(space, "search_space")
    _require_sequence(settings.base_named_configs, "base_named_configs")
    _require_mapping(settings.base_config_updates, "base_config_updates")
    _require_mapping(space.get("config_updates", {}), "search_space['config_updates']")
    named = spaces.describe(space.get("named_configs", ()))
    found = spaces.space_of(named)
    kinds, options = found if found is not None else ("", [named])
    # The options of a space are known, but not what a function will return.
    for option in options if kinds != "sample_from" else ():
        _require_sequence(option, "search_space['named_configs']")


def check_search_alg(search_alg: object, repeat: int) -> None:
    """Checks that a search algorithm can be told of repeated trials."""
    from ray.tune.search import BasicVariantGenerator, SearchAlgorithm, Searcher

    if search_alg is None:
        return
    usable = isinstance(search_alg, SearchAlgorithm | Searcher)
    if repeat > 1 and isinstance(search_alg, BasicVariantGenerator):
        usable = False
    if not usable:
        raise ConfigError(
            f"repeat={repeat} needs a search_alg that is an instance of "
            "ray.tune.search.SearchAlgorithm or Searcher, got "
            f"{type(search_alg).__name__}; leave search_alg out for Optuna"
        )


def _require_sequence(value: object, name: str) -> None:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise SettingTypeError(f"{name} must be a Sequence of names, got {value!r}")
    for item in value:
        if not isinstance(item, str):
            raise SettingTypeError(f"{name} must be a Sequence of names, got {item!r}")


def _require_mapping(value: object, name: str) -> None:
    if not isinstance(value, Mapping):
        raise SettingTypeError(f"{name} must be a Mapping, got {value!r}")
