"""Settings, search spaces and presets of `imitation.scripts.tuning`."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override

from imitation.errors import ConfigError
from imitation.scripts.command import CommandSettings
from imitation.scripts.config.parallel import ParallelSettings
from imitation.scripts.settings import When, build, merge, setting, to_config

__all__ = ["TuningSettings"]

_NONE: Mapping[str, Any] = {}

_RL: Mapping[str, Any] = {
    "sacred_ex_name": "train_rl",
    "run_name": "rl_tuning",
    "base_named_configs": [],
    "base_config_updates": {"environment": {"num_vec": 1}},
    "search_space": {
        "config_updates": {
            "rl": {
                "batch_size": {"choice": [512, 1024, 2048, 4096, 8192]},
                "rl_kwargs": {
                    "learning_rate": {"loguniform": [1e-5, 1e-2]},
                    "batch_size": {"choice": [64, 128, 256, 512]},
                    "n_epochs": {"choice": [5, 10, 20]},
                },
            }
        }
    },
    "num_samples": 100,
    "repeat": 3,
    "resources_per_trial": {"cpu": 1},
}

_BC: Mapping[str, Any] = {
    "sacred_ex_name": "train_imitation",
    "run_name": "bc_tuning",
    "base_named_configs": [],
    "base_config_updates": {
        "environment": {"num_vec": 1},
        "demonstrations": {"n_expert_demos": 10},
    },
    "search_space": {
        "command_name": "bc",
        "config_updates": {
            "bc": {
                "batch_size": {"choice": [8, 16, 32, 64]},
                "l2_weight": {"loguniform": [1e-6, 1e-2]},
                "optimizer_kwargs": {"lr": {"loguniform": [1e-5, 1e-2]}},
                "train_kwargs": {"n_epochs": {"choice": [1, 5, 10, 20]}},
            }
        },
    },
    "num_samples": 64,
    "repeat": 3,
    "resources_per_trial": {"cpu": 1},
}

_DAGGER: Mapping[str, Any] = {
    "sacred_ex_name": "train_imitation",
    "run_name": "dagger_tuning",
    "base_named_configs": [],
    "base_config_updates": {
        "environment": {"num_vec": 1},
        "dagger": {"total_timesteps": 100_000},
        "bc": {
            "batch_size": 16,
            "l2_weight": 1e-4,
            "optimizer_kwargs": {"lr": 1e-3},
        },
    },
    "search_space": {
        "command_name": "dagger",
        "config_updates": {
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
        },
    },
    "num_samples": 50,
    "repeat": 3,
    "resources_per_trial": {"cpu": 1},
}

_TRAINED_REWARD: Mapping[str, Any] = {
    "batch_size": {"choice": [4096, 8192, 16384]},
    "rl_kwargs": {
        "ent_coef": {"loguniform": [1e-7, 1e-3]},
        "learning_rate": {"loguniform": [1e-5, 1e-2]},
    },
}


def _adversarial(algorithm: str) -> Mapping[str, Any]:
    return {
        "sacred_ex_name": "train_adversarial",
        "run_name": f"{algorithm}_tuning",
        "base_named_configs": [],
        "base_config_updates": {
            "environment": {"num_vec": 8, "parallel": False},
            "total_timesteps": 10_000_000,
        },
        "search_space": {
            "command_name": algorithm,
            "config_updates": {
                "algorithm_kwargs": {
                    "demo_batch_size": {"choice": [32, 128, 512, 2048, 8192]},
                    "n_disc_updates_per_round": {"choice": [8, 16]},
                },
                "rl": _TRAINED_REWARD,
            },
        },
        "num_samples": 100,
        "repeat": 3,
        "resources_per_trial": {"cpu": 1},
    }


_PC: Mapping[str, Any] = {
    "sacred_ex_name": "train_preference_comparisons",
    "run_name": "pc_tuning",
    "base_named_configs": [],
    "base_config_updates": {
        "environment": {"num_vec": 8, "parallel": False},
        "total_timesteps": 20_000_000,
        "total_comparisons": 1000,
        "query_schedule": "hyperbolic",
    },
    "search_space": {
        "config_updates": {
            "num_iterations": {"choice": [5, 20, 50]},
            "initial_comparison_frac": {"choice": [0.1, 0.25]},
            "reward_trainer_kwargs": {"epochs": {"choice": [1, 3, 6]}},
            "rl": _TRAINED_REWARD,
        }
    },
    "num_samples": 100,
    "repeat": 3,
    "resources_per_trial": {"cpu": 1},
}

_FAST: Mapping[str, Any] = {
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
    "rl": _RL,
    "bc": _BC,
    "dagger": _DAGGER,
    "gail": _adversarial("gail"),
    "airl": _adversarial("airl"),
    "pc": _PC,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuningSettings(CommandSettings):
    """Settings of tuning."""

    named_configs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **{name: {"parallel_run_config": space} for name, space in _SPACES.items()},
        "fast": _FAST,
    }

    parallel_run_config: Mapping[str, Any] = setting(_NONE)
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
