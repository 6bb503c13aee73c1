"""The settings of the commands: documented names, defaults, presets, derived values."""

import ast
import inspect
import json
import pathlib
from typing import Any

import gymnasium as gym
import pytest

from imitation.errors import ConfigError
from imitation.scripts import settings as typed
from imitation.scripts.eval_policy import eval_policy_ex
from imitation.scripts.train_adversarial import train_adversarial_ex
from imitation.scripts.train_imitation import train_imitation_ex
from imitation.scripts.train_preference_comparisons import (
    train_preference_comparisons_ex,
)
from imitation.scripts.train_rl import train_rl_ex
from imitation.util.vec_envs import find_env_spec

EXPERIMENTS = (
    train_rl_ex,
    train_imitation_ex,
    train_adversarial_ex,
    train_preference_comparisons_ex,
    eval_policy_ex,
)
BY_NAME = {experiment.path: experiment.script for experiment in EXPERIMENTS}

DEFAULTS = {
    "environment.gym_id": "seals/CartPole-v0",
    "environment.num_vec": 8,
    "environment.max_episode_steps": None,
    "environment.env_make_kwargs": {},
    "logging.log_root": None,
    "logging.log_dir": None,
    "logging.log_level": 20,
    "logging.log_format_strs": ["tensorboard", "stdout"],
    "logging.log_format_strs_additional": {},
    "logging.wandb.wandb_tag": None,
    "logging.wandb.wandb_name_prefix": "",
    "logging.wandb.wandb_kwargs.project": "imitation",
    "logging.wandb.wandb_kwargs.monitor_gym": False,
    "logging.wandb.wandb_kwargs.save_code": False,
    "logging.wandb.wandb_additional_info": {},
}
RL: Any = {
    "rl.rl_cls": None,
    "rl.batch_size": None,
    "rl.rl_kwargs": {},
    "policy.policy_cls": "imitation.policies.base:FeedForward32Policy",
    "policy.policy_kwargs": {},
    "policy_evaluation.n_episodes_eval": 50,
}
REWARD: Any = {
    "reward.net_cls": None,
    "reward.net_kwargs": {},
    "reward.normalize_output_layer": "imitation.util.networks:RunningNorm",
    "reward.add_std_alpha": None,
    "reward.ensemble_size": None,
    "reward.ensemble_member_config": {},
}
EXPERT = {"expert.policy_type": "ppo-huggingface", "expert.loader_kwargs": {}}
DEMONSTRATIONS = {
    "demonstrations.source": "generated",
    "demonstrations.path": None,
    "demonstrations.loader_kwargs.split": "train",
    "demonstrations.organization": "HumanCompatibleAI",
    "demonstrations.algo_name": "ppo",
    "demonstrations.n_expert_demos": None,
}
DOCUMENTED_DEFAULTS = {
    "train_rl": {
        **DEFAULTS,
        **RL,
        "total_timesteps": 10**6,
        "normalize_reward": True,
        "normalize_kwargs": {},
        "reward_type": None,
        "reward_path": None,
        "load_reward_kwargs": {},
        "rollout_save_final": True,
        "rollout_save_n_timesteps": None,
        "rollout_save_n_episodes": None,
        "policy_save_interval": 10_000,
        "policy_save_final": True,
        "agent_path": None,
    },
    "train_imitation": {
        **DEFAULTS,
        **EXPERT,
        "policy.policy_kwargs": {},
        "policy_evaluation.n_episodes_eval": 50,
        **DEMONSTRATIONS,
        "bc.batch_size": 32,
        "bc.l2_weight": 3e-5,
        "bc.optimizer_cls": "torch.optim:Adam",
        "bc.optimizer_kwargs.lr": 4e-4,
        "bc.train_kwargs.n_epochs": None,
        "bc.train_kwargs.n_batches": None,
        "bc.train_kwargs.log_interval": 500,
        "bc.agent_path": None,
        "dagger.use_offline_rollouts": False,
        "dagger.total_timesteps": 10**5,
        "dagger.beta_schedule": None,
    },
    "train_adversarial": {
        **DEFAULTS,
        **RL,
        **EXPERT,
        **DEMONSTRATIONS,
        **REWARD,
        "show_config": False,
        "total_timesteps": 10**6,
        "algorithm_kwargs.demo_batch_size": 1024,
        "algorithm_kwargs.n_disc_updates_per_round": 4,
        "algorithm_specific.gail": {},
        "algorithm_specific.airl": {},
        "checkpoint_interval": 0,
        "agent_path": None,
    },
    "train_preference_comparisons": {
        **DEFAULTS,
        **RL,
        **REWARD,
        "fragment_length": 100,
        "total_timesteps": 10**6,
        "total_comparisons": 5000,
        "num_iterations": 5,
        "comparison_queue_size": None,
        "transition_oversampling": 1,
        "initial_comparison_frac": 0.1,
        "initial_epoch_multiplier": 200,
        "exploration_frac": 0.0,
        "preference_model_kwargs": {},
        "reward_trainer_kwargs.epochs": 3,
        "save_preferences": False,
        "agent_path": None,
        "gatherer_cls": "imitation.algorithms.preference_comparisons:SyntheticGatherer",
        "gatherer_kwargs": {},
        "active_selection": False,
        "active_selection_oversampling": 2,
        "uncertainty_on": "logit",
        "fragmenter_kwargs.warning_threshold": 0,
        "trajectory_path": None,
        "trajectory_generator_kwargs": {},
        "allow_variable_horizon": False,
        "checkpoint_interval": 0,
        "query_schedule": "hyperbolic",
    },
    "eval_policy": {
        **DEFAULTS,
        **EXPERT,
        "eval_n_timesteps": 10_000,
        "eval_n_episodes": None,
        "videos": False,
        "video_kwargs": {},
        "render": False,
        "render_fps": 60,
        "reward_type": None,
        "reward_path": None,
        "rollout_save_path": None,
        "explore_kwargs": None,
    },
}

INGREDIENT_PRESETS = ["environment.fast", "logging.wandb_logging"]
RL_PRESETS = [
    *("rl.fast", "rl.sac", "policy.sac", "policy.normalize_running"),
    *("policy.cnn_policy", "policy_evaluation.fast"),
]
REWARD_PRESETS = [
    *("reward.normalize_input_disable", "reward.normalize_input_running"),
    *("reward.normalize_output_disable", "reward.normalize_output_running"),
    *("reward.normalize_output_ema", "reward.reward_ensemble"),
]
RL_ENVS = [
    *("acrobot", "ant", "cartpole", "seals_cartpole", "half_cheetah"),
    *("seals_half_cheetah", "seals_hopper", "seals_humanoid", "mountain_car"),
    *("seals_mountain_car", "pendulum", "reacher", "seals_ant", "seals_swimmer"),
    *("seals_walker", "fast"),
]
TUNED = {
    script: [
        f"{algorithm}_seals_{env}"
        for algorithm in algorithms
        for env in ("ant", "half_cheetah", "hopper", "swimmer", "walker")
    ]
    for script, algorithms in (
        ("train_imitation", ("bc", "dagger")),
        ("train_adversarial", ("gail", "airl")),
    )
}
DOCUMENTED_PRESETS = {
    "train_rl": [*INGREDIENT_PRESETS, *RL_PRESETS, *RL_ENVS],
    "train_imitation": [
        *INGREDIENT_PRESETS,
        *("demonstrations.fast", "policy_evaluation.fast", "policy.normalize_running"),
        *("mountain_car", "seals_mountain_car", "cartpole", "seals_cartpole"),
        *("pendulum", "ant", "half_cheetah", "humanoid", "seals_humanoid", "fast"),
        *TUNED["train_imitation"],
    ],
    "train_adversarial": [
        *INGREDIENT_PRESETS,
        *RL_PRESETS,
        "demonstrations.fast",
        *REWARD_PRESETS,
        *("acrobot", "cartpole", "seals_cartpole", "mountain_car"),
        *("seals_mountain_car", "pendulum", "half_cheetah", "seals_humanoid"),
        *("reacher", "fast"),
        *TUNED["train_adversarial"],
    ],
    "train_preference_comparisons": [
        *(*INGREDIENT_PRESETS, *RL_PRESETS, *REWARD_PRESETS),
        *("cartpole", "seals_ant", "seals_half_cheetah", "seals_hopper"),
        *("seals_swimmer", "seals_walker", "seals_humanoid", "seals_cartpole"),
        *("seals_mountain_car", "half_cheetah", "pendulum", "mountain_car", "fast"),
    ],
    "eval_policy": [*INGREDIENT_PRESETS, *RL_ENVS, "explore_eps_greedy", "render"],
}
COMMANDS = {
    "train_rl": "train_rl",
    "train_imitation": "bc",
    "train_adversarial": "gail",
    "train_preference_comparisons": "train_preference_comparisons",
    "eval_policy": "eval_policy",
}


@pytest.mark.parametrize("name", BY_NAME)
def test_documented_keys_have_their_documented_defaults(name: Any) -> None:
    defaults = dict(typed.flatten(BY_NAME[name].defaults()))
    expected = DOCUMENTED_DEFAULTS[name]
    assert {key: defaults[key] for key in expected} == expected


@pytest.mark.parametrize("name", BY_NAME)
def test_every_documented_preset_gives_valid_settings(name: Any) -> None:
    script = BY_NAME[name]
    for preset in DOCUMENTED_PRESETS[name]:
        settings = script.make_settings(COMMANDS[name], named_configs=[preset])
        assert settings.resolved(COMMANDS[name]) == settings


@pytest.mark.parametrize("name", BY_NAME)
def test_every_preset_names_an_environment_that_exists(name: Any) -> None:
    script = BY_NAME[name]
    for preset in script.presets():
        settings = script.make_settings(COMMANDS[name], named_configs=[preset])
        assert isinstance(
            find_env_spec(settings.environment.gym_id), gym.envs.registration.EnvSpec
        )


@pytest.mark.parametrize("name", BY_NAME)
def test_every_setting_is_documented_where_it_is_declared(name: Any) -> None:
    def check(cls: Any, path: Any) -> None:
        docs = typed.field_docs(cls)
        for field in inspect.signature(cls).parameters:
            assert docs.get(field), f"{path}{field} has no docstring"
        for field, sub_cls in typed.sub_settings(cls).items():
            check(sub_cls, f"{path}{field}.")

    check(BY_NAME[name].settings_cls, "")


def test_tuned_presets_are_plain_json_and_honor_every_key() -> None:
    folder = pathlib.Path(inspect.getfile(type(train_rl_ex))).parent / "config"
    files = sorted((folder / "tuned_hps").glob("*.json"))
    scripts = {name: script for script, names in TUNED.items() for name in names}
    assert sorted(scripts) == [file.stem for file in files]
    for file in files:
        text = file.read_text()
        assert "py/" not in text
        settings: Any = BY_NAME[scripts[file.stem]].make_settings(
            file.stem.split("_")[0], named_configs=[file.stem]
        )
        stored = dict(typed.flatten(typed.to_config(settings)))
        tuned = dict(typed.flatten(json.loads(text)))
        assert {key: stored[key] for key in tuned} == tuned
        assert settings.environment.gym_id.endswith("-v1")
        policy = settings.policy.load_kwargs()
        assert (
            policy["features_extractor_class"].__name__ == "NormalizeFeaturesExtractor"
        )


def test_tuned_numbers_of_the_specification() -> None:
    def made(preset: Any) -> Any:
        command = preset.split("_")[0]
        return train_imitation_ex.script.make_settings(command, named_configs=[preset])

    swimmer = made("bc_seals_swimmer").bc
    assert (swimmer.optimizer_kwargs, swimmer.batch_size) == ({"lr": 1.6e-3}, 16)
    assert (swimmer.l2_weight, swimmer.train_kwargs["n_epochs"]) == (4.4e-5, 10)
    cheetah = made("dagger_seals_half_cheetah")
    assert cheetah.dagger.total_timesteps == 60_000
    assert cheetah.dagger.schedule()(2) == pytest.approx(0.49)
    assert made("dagger_seals_ant").dagger.schedule()(3) == pytest.approx(0.8)


@pytest.mark.parametrize("name", TUNED["train_adversarial"])
def test_tuned_adversarial_settings_lie_in_the_documented_ranges(name: Any) -> None:
    command = name.split("_")[0]
    make = train_adversarial_ex.script.make_settings
    settings: Any = make(command, named_configs=[name])
    kwargs = settings.merged_kwargs(command)
    assert 32 <= kwargs["demo_batch_size"] <= 8192
    assert kwargs["n_disc_updates_per_round"] in (8, 16)
    assert 4096 <= settings.rl.batch_size <= 16384
    assert settings.total_timesteps == 10**7
    assert 1e-7 <= settings.rl.rl_kwargs["ent_coef"] <= 1e-3
    assert 1e-5 <= settings.rl.rl_kwargs["learning_rate"] <= 1e-2
    assert settings.demonstrations.source == "huggingface"
    settings.check(command)


@pytest.mark.parametrize("command", ["gail", "airl"])
def test_derived_values_of_train_adversarial(command: str) -> None:
    make = train_adversarial_ex.script.make_settings
    settings = make(command)
    shaped = "BasicShapedRewardNet" if command == "airl" else "BasicRewardNet"
    assert settings.reward.net_cls == f"imitation.rewards.reward_nets:{shaped}"
    assert settings.reward.net_kwargs["normalize_input_layer"].endswith(":RunningNorm")
    assert settings.algorithm_kwargs == {
        "demo_batch_size": 1024,
        "n_disc_updates_per_round": 4,
        "gen_replay_buffer_capacity": 2048,
    }
    updates = {f"algorithm_specific.{command}.demo_batch_size": 7}
    specific = make(command, updates)
    assert specific.merged_kwargs(command)["demo_batch_size"] == 7
    other = {"gail": "airl", "airl": "gail"}[command]
    assert specific.merged_kwargs(other)["demo_batch_size"] == 1024


def test_the_shaping_discounts_as_the_policy_does() -> None:
    make = train_adversarial_ex.script.make_settings
    for updates, expected in (({}, 0.99), ({"rl.rl_kwargs.gamma": 0.9}, 0.9)):
        settings = make("airl", updates)
        assert settings.reward.net_kwargs["discount_factor"] == expected


def test_an_off_policy_generator_has_rounds_of_many_steps() -> None:  # S11
    named = ["rl.sac", "policy.sac", "pendulum"]
    settings = train_adversarial_ex.script.make_settings("gail", named_configs=named)
    assert settings.algorithm_kwargs["gen_train_timesteps"] == 256
    assert settings.algorithm_kwargs["gen_replay_buffer_capacity"] == 8192
    settings.check("gail")


@pytest.mark.parametrize(
    ("algorithm", "policy"),
    [
        ("stable_baselines3:A2C", None),
        ("stable_baselines3:DQN", "stable_baselines3.dqn.policies:DQNPolicy"),
        ("stable_baselines3:SAC", "imitation.policies.base:SAC1024Policy"),
        ("stable_baselines3:TD3", "stable_baselines3.td3.policies:TD3Policy"),
        ("sb3_contrib:TRPO", None),
        ("sb3_contrib:QRDQN", "sb3_contrib.qrdqn.policies:QRDQNPolicy"),
    ],
)
def test_other_algorithms(algorithm: str, policy: str | None) -> None:
    pytest.importorskip(algorithm.split(":")[0])
    updates = {"rl.rl_cls": algorithm}
    if policy is not None:
        settings = train_rl_ex.script.make_settings("train_rl", updates)
        with pytest.raises(ConfigError, match="policy"):
            settings.check("train_rl")
        updates["policy.policy_cls"] = policy
    settings = train_rl_ex.script.make_settings("train_rl", updates)
    settings.check("train_rl")
    kwargs = settings.rl.constructor_kwargs(8)
    assert kwargs.get("n_steps", 256) == 256
    assert kwargs.get("batch_size", 128) in (128, 256)


def test_dagger_rollout_minima_are_settings() -> None:  # S29
    updates = {"dagger.rollout_round_min_episodes": 5}
    settings = train_imitation_ex.script.make_settings("dagger", updates)
    assert settings.dagger.rollout_round_min_episodes == 5
    assert settings.dagger.rollout_round_min_timesteps == 500


def test_later_presets_win_and_explicit_values_win_over_presets() -> None:
    make = train_rl_ex.script.make_settings
    both = make("train_rl", named_configs=["cartpole", "pendulum"])
    assert both.environment.gym_id == "Pendulum-v1"
    given = make("train_rl", {"total_timesteps": 5}, ["cartpole"])
    assert given.total_timesteps == 5
    assert given.environment.gym_id == "CartPole-v1"


def test_derived_values_of_train_rl() -> None:
    make = train_rl_ex.script.make_settings
    settings: Any = make("train_rl")
    assert settings.rl.rl_cls == "stable_baselines3:PPO"
    assert settings.rl.batch_size == 2048
    assert settings.rl.constructor_kwargs(8)["n_steps"] == 256
    expected = {
        "learning_rate": 3e-4,
        "batch_size": 64,
        "n_epochs": 10,
        "ent_coef": 0.0,
    }
    assert settings.rl.rl_kwargs == expected
    assert settings.rollout_save_n_timesteps == 2000
    assert isinstance(settings.seed, int)
    assert settings.environment.parallel is False
    assert settings.logging.log_dir.startswith("output/train_rl/seals_CartPole-v0/")
    rooted: Any = make("train_rl", {"logging.log_root": "elsewhere"}).logging.log_dir
    assert rooted.startswith("elsewhere/train_rl/seals_CartPole-v0/")
    episodes = make("train_rl", {"rollout_save_n_episodes": 3})
    assert episodes.rollout_save_n_timesteps is None
    pendulum = make("train_rl", named_configs=["pendulum"])
    assert (pendulum.rl.batch_size, pendulum.rl.rl_kwargs["gamma"]) == (4096, 0.95)
    given = make("train_rl", {"rl.rl_kwargs.gamma": 0.5}, ["pendulum"])
    assert given.rl.rl_kwargs["gamma"] == 0.5


def test_rl_sac_has_a_minibatch_size_and_no_ppo_arguments() -> None:  # S29
    for named in (["rl.sac", "pendulum"], ["pendulum", "rl.sac"]):
        settings = train_rl_ex.script.make_settings(
            "train_rl", named_configs=[*named, "policy.sac"]
        )
        assert settings.rl.load_cls().__name__ == "SAC"
        assert settings.rl.constructor_kwargs(8) == {"batch_size": 256}
        settings.check("train_rl")


def test_derived_values_of_train_imitation() -> None:
    make = train_imitation_ex.script.make_settings
    bc = make("bc")
    assert bc.demonstrations.n_expert_demos == 50
    assert bc.bc.train_kwargs["n_epochs"] == 10
    hub = {"organization": "HumanCompatibleAI", "env_name": "seals/CartPole-v0"}
    assert bc.expert.loader_kwargs == hub
    assert make("dagger").bc.train_kwargs["n_epochs"] == 4
    given = make("bc", {"bc.train_kwargs.n_epochs": 3}).bc.train_kwargs
    assert (given["n_epochs"], given["n_batches"]) == (3, None)
    prefixed: Any = make("bc", {"environment.gym_id": "seals:seals/CartPole-v0"})
    assert prefixed.expert.loader_kwargs["env_name"] == "seals/CartPole-v0"
    assert prefixed.logging.log_dir.startswith("output/bc/seals_CartPole-v0/")
    local = make("bc", {"demonstrations.source": "local", "demonstrations.path": "x"})
    assert local.demonstrations.n_expert_demos is None


def test_parts_of_a_run_have_independent_and_repeatable_generators() -> None:
    settings = train_rl_ex.script.make_settings("train_rl", {"seed": 3})
    draws = {
        purpose: settings.rng(purpose).integers(2**60)
        for purpose in ("training", "evaluation", "rollouts")
    }
    assert len(set(draws.values())) == 3
    assert settings.rng("training").integers(2**60) == draws["training"]
    other = train_rl_ex.script.make_settings("train_rl", {"seed": 4})
    assert other.rng("training").integers(2**60) != draws["training"]


def test_json_files_are_named_configs(workdir: pathlib.Path) -> None:
    pathlib.Path("mine.json").write_text('{"rl.batch_size": 64, "seed": 5}')
    settings = train_rl_ex.script.make_settings("train_rl", named_configs=["mine.json"])
    assert (settings.rl.batch_size, settings.seed) == (64, 5)


@pytest.mark.parametrize(
    ("name", "text"), [("a.pickle", "x"), ("b.json", "{"), ("c.json", "[1]")]
)
def test_other_config_files_are_refused(
    workdir: pathlib.Path, name: str, text: str
) -> None:
    pathlib.Path(name).write_text(text)
    with pytest.raises(ConfigError, match="config file"):
        train_rl_ex.script.make_settings("train_rl", named_configs=[name])


def test_parallel_follows_the_cost_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = train_rl_ex.script.make_settings
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert make("train_rl", named_configs=["cartpole"]).environment.parallel is False
    assert make("train_rl", named_configs=["seals_ant"]).environment.parallel is True
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert make("train_rl", named_configs=["seals_ant"]).environment.parallel is False
    asked = make("train_rl", {"environment.parallel": True}, ["cartpole"])
    assert asked.environment.parallel is True


def test_only_the_adapter_imports_sacred() -> None:
    folder = pathlib.Path(inspect.getfile(type(train_rl_ex))).parent
    for file in sorted(folder.rglob("*.py")):
        tree = ast.parse(file.read_text())
        imported = {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in [getattr(node, "module", None) or node.names[0].name]
        }
        uses = any(name.split(".")[0] == "sacred" for name in imported)
        assert not uses or file.name == "sacred_adapter.py", file
