"""Settings, search spaces and presets of `imitation.scripts.tuning`."""

import dataclasses
from typing import ClassVar

from typing_extensions import override

from imitation.errors import ConfigError
from imitation.scripts.command import CommandSettings
from imitation.scripts.config.parallel import ParallelSettings
from imitation.scripts.settings import (
    Config,
    Presets,
    When,
    build,
    merge,
    setting,
    to_config,
)


def _search(
    script: str,
    name: str,
    num_samples: int,
    base: Config,
    space: Config,
    command: str | None = None,
) -> Config:
    """Makes the settings of `parallel` for a search with three seeds per sample."""
    search_space = {"config_updates": space}
    return {
        "sacred_ex_name": script,
        "run_name": f"{name}_tuning",
        "base_named_configs": [],
        "base_config_updates": base,
        "search_space": search_space | ({"command_name": command} if command else {}),
        "num_samples": num_samples,
        "repeat": 3,
        "resources_per_trial": {"cpu": 1},
    }


_ONE_ENV = {"environment": {"num_vec": 1}}
_EIGHT_ENVS = {"environment": {"num_vec": 8, "parallel": False}}

_RL_SPACE = {
    "rl": {
        "batch_size": {"choice": [512, 1024, 2048, 4096, 8192]},
        "rl_kwargs": {
            "learning_rate": {"loguniform": [1e-5, 1e-2]},
            "batch_size": {"choice": [64, 128, 256, 512]},
            "n_epochs": {"choice": [5, 10, 20]},
        },
    }
}

_BC_SPACE = {
    "bc": {
        "batch_size": {"choice": [8, 16, 32, 64]},
        "l2_weight": {"loguniform": [1e-6, 1e-2]},
        "optimizer_kwargs": {"lr": {"loguniform": [1e-5, 1e-2]}},
        "train_kwargs": {"n_epochs": {"choice": [1, 5, 10, 20]}},
    }
}

_DAGGER_BASE = {
    **_ONE_ENV,
    "dagger": {"total_timesteps": 100_000},
    "bc": {"batch_size": 16, "l2_weight": 1e-4, "optimizer_kwargs": {"lr": 1e-3}},
}
_DAGGER_SPACE = {
    "bc": {"train_kwargs": {"n_epochs": {"choice": [1, 5, 10]}}},
    "dagger": {
        "beta_schedule": {
            "choice": [
                *({"kind": "linear", "rampdown_rounds": n} for n in (1, 5, 15)),
                *(
                    {"kind": "exponential", "decay_probability": p}
                    for p in (0.3, 0.5, 0.7)
                ),
            ]
        },
        "rollout_round_min_episodes": {"choice": [3, 5, 10]},
    },
}

_LEARNED_REWARD_RL = {
    "batch_size": {"choice": [4096, 8192, 16384]},
    "rl_kwargs": {
        "ent_coef": {"loguniform": [1e-7, 1e-3]},
        "learning_rate": {"loguniform": [1e-5, 1e-2]},
    },
}

_ADVERSARIAL_BASE = {**_EIGHT_ENVS, "total_timesteps": 10_000_000}
_ADVERSARIAL_SPACE = {
    "algorithm_kwargs": {
        "demo_batch_size": {"choice": [32, 128, 512, 2048, 8192]},
        "n_disc_updates_per_round": {"choice": [8, 16]},
    },
    "rl": _LEARNED_REWARD_RL,
}

_PREFERENCES_BASE = {
    **_EIGHT_ENVS,
    "total_timesteps": 20_000_000,
    "total_comparisons": 1000,
    "query_schedule": "hyperbolic",
}
_PREFERENCES_SPACE = {
    "num_iterations": {"choice": [5, 20, 50]},
    "initial_comparison_frac": {"choice": [0.1, 0.25]},
    "reward_trainer_kwargs": {"epochs": {"choice": [1, 3, 6]}},
    "rl": _LEARNED_REWARD_RL,
}

_FAST: Config = {
    "num_eval_seeds": 1,
    "parallel_run_config": {
        "num_samples": 2,
        "repeat": 1,
        "sacred_ex_name": "train_rl",
        "run_name": "fast_tuning",
        "base_named_configs": ["cartpole", "fast", "environment.fast", "rl.fast"],
        "base_config_updates": {"policy_evaluation": {"n_episodes_eval": 1}},
        "search_space": {
            "config_updates": {
                "rl": {"rl_kwargs": {"learning_rate": {"loguniform": [1e-4, 1e-3]}}}
            }
        },
    },
}

_SPACES = {
    "rl": _search("train_rl", "rl", 100, _ONE_ENV, _RL_SPACE),
    "bc": _search(
        "train_imitation",
        "bc",
        64,
        {**_ONE_ENV, "demonstrations": {"n_expert_demos": 10}},
        _BC_SPACE,
        "bc",
    ),
    "dagger": _search(
        "train_imitation", "dagger", 50, _DAGGER_BASE, _DAGGER_SPACE, "dagger"
    ),
    **{
        name: _search(
            "train_adversarial", name, 100, _ADVERSARIAL_BASE, _ADVERSARIAL_SPACE, name
        )
        for name in ("gail", "airl")
    },
    "pc": _search(
        "train_preference_comparisons", "pc", 100, _PREFERENCES_BASE, _PREFERENCES_SPACE
    ),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuningSettings(CommandSettings):
    """Settings of tuning."""

    named_configs: ClassVar[Presets] = {
        **{name: {"parallel_run_config": space} for name, space in _SPACES.items()},
        "fast": _FAST,
    }

    parallel_run_config: Config = setting({})
    """Settings of `parallel` for the search; the presets have one per algorithm."""

    eval_best_trial_resource_multiplier: int = setting(
        1, more_than=0, applies=When("num_eval_seeds")
    )
    """How many times the CPUs of resources_per_trial an evaluation gets."""

    num_eval_seeds: int = setting(5, at_least=0)
    """Further seeds to run the best settings with; 0 skips that."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        # Both phases write below the run directory of the tuning.
        if "logging" in self.parallel_run_config:
            raise ConfigError(
                "leave out parallel_run_config.logging; set logging of the tuning"
            )
        # Keeps what Ray's objects are described as.
        config = dict(self.parallel_run_config)
        described = to_config(build(ParallelSettings, config))
        plain = {key: described[key] for key in config}
        object.__setattr__(self, "parallel_run_config", plain)

    @property
    @override
    def place(self) -> str:
        return str(self.parallel_run_config.get("sacred_ex_name", "train_rl"))

    @override
    def check(self, command: str) -> None:
        if not self.parallel_run_config:
            raise ConfigError(
                "parallel_run_config is empty; name a search space, one of "
                f"{', '.join(_SPACES)}, or write one"
            )
        super().check(command)
        self.search().check_study()

    def search(self) -> ParallelSettings:
        """Returns the settings of the search, with the seed of the tuning."""
        config = merge({"seed": self.seed}, self.parallel_run_config)
        settings = build(ParallelSettings, config)
        return dataclasses.replace(settings, run_name=settings.run_name or "tuning")
