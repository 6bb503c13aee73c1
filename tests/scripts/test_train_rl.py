"""The command train_rl: what it writes, repeatability, and resuming."""

import json
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import stable_baselines3
import torch as th
from stable_baselines3 import PPO

from imitation.data import serialize
from imitation.errors import ArtifactError, ConfigError
from imitation.scripts import settings as typed
from imitation.scripts.ingredients.rl import RLSettings, StepProgress
from imitation.scripts.train_imitation import train_imitation_ex
from imitation.scripts.train_rl import train_rl_ex
from imitation.util import sacred as sacred_util

FAST = ["cartpole", "environment.fast", "rl.fast", "policy_evaluation.fast", "fast"]
QUIET: Any = {"logging": {"log_format_strs": ["csv"]}, "seed": 0}


def run(named: Any = FAST, **updates: Any) -> Any:
    config = {**QUIET, **updates}
    if "log_dir" in config:
        config["logging"] = {**QUIET["logging"], "log_dir": config.pop("log_dir")}
    return train_rl_ex.run(named_configs=named, config_updates=config)


def weights(path: Any) -> Any:
    return PPO.load(pathlib.Path(path, "model.zip"), device="cpu").policy.state_dict()


def assert_same_weights(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    assert all(th.equal(one[key], other[key]) for key in one)


def test_documented_command_line_and_output_layout(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = (
        "with cartpole environment.fast rl.fast policy_evaluation.fast fast "
        "total_timesteps=32 seed=1 logging.log_format_strs=['csv','stdout']"
    )
    assert train_rl_ex.run_line(line.split(), "program") == 0
    sacred_dir = workdir / "output" / "sacred" / "train_rl" / "1"
    written = {path.name for path in sacred_dir.iterdir()}
    assert {"config.json", "run.json", "cout.txt", "metrics.json"} <= written
    (log_dir,) = (workdir / "output" / "train_rl" / "CartPole-v1").iterdir()
    assert (log_dir / "sacred").resolve() == sacred_dir.resolve()
    assert (log_dir / "log" / "progress.csv").is_file()
    monitors = sorted(path.name for path in (log_dir / "monitor").iterdir())
    assert monitors == ["mon000.monitor.csv", "mon001.monitor.csv"]
    policies = sorted(path.name for path in (log_dir / "policies").iterdir())
    assert policies == [*(f"{8 * i:012d}" for i in range(1, 5)), "final"]
    assert all((log_dir / "policies" / p / "model.zip").is_file() for p in policies)
    episodes = serialize.load_with_rewards(log_dir / "rollouts" / "final.npz")
    assert sum(len(episode) for episode in episodes) >= 10
    # The stored config holds what was derived, where users look for it.
    config = json.loads((sacred_dir / "config.json").read_text())
    assert config["logging"]["log_dir"] == str(log_dir.relative_to(workdir))
    assert config["rl"]["rl_cls"] == "stable_baselines3:PPO"
    assert config["environment"]["parallel"] is False
    assert (config["seed"], config["total_timesteps"]) == (1, 32)
    record = json.loads((sacred_dir / "run.json").read_text())
    assert record["status"] == "COMPLETED"
    assert record["result"]["return_mean"] == 5.0
    assert record["meta"]["named_configs"] == FAST
    assert "INFO - train_rl - Result:" in (sacred_dir / "cout.txt").read_text()
    metrics = json.loads((sacred_dir / "metrics.json").read_text())
    assert metrics["return_mean"]["values"] == [5.0]
    assert f"Writing to {config['logging']['log_dir']}" in capsys.readouterr().err
    assert sacred_util.SacredDicts.load_from_dir(sacred_dir).config == config


def test_the_run_has_the_settings_that_were_resolved(workdir: pathlib.Path) -> None:
    done = run(log_dir="here")
    assert done.status == "COMPLETED"
    expected = train_rl_ex.script.make_settings(
        "train_rl", {**QUIET, "logging.log_dir": "here"}, FAST
    )
    assert done.config == typed.to_config(expected)
    assert done.result["n_traj"] >= 1


def test_a_small_policy_is_trained_on_one_thread(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []

    def learn(self: Any, *args: Any, **kwargs: Any) -> Any:
        counts.append(th.get_num_threads())
        return original(self, *args, **kwargs)

    original = PPO.learn
    monkeypatch.setattr(PPO, "learn", learn)
    before = th.get_num_threads()
    th.set_num_threads(2)
    try:
        run()
        assert (counts, th.get_num_threads()) == ([1], 2)
    finally:
        th.set_num_threads(before)


def test_same_seed_same_numbers(workdir: pathlib.Path) -> None:
    results = [run(log_dir=name, total_timesteps=64).result for name in "ab"]
    assert results[0] == results[1]
    assert_same_weights(weights("a/policies/final"), weights("b/policies/final"))
    one, other = (serialize.load(f"{name}/rollouts/final.npz") for name in "ab")
    assert list(one) == list(other)
    run(log_dir="c", total_timesteps=64, seed=1)
    changed = weights("c/policies/final")
    same = weights("a/policies/final")
    assert any(not th.equal(same[key], changed[key]) for key in same)


ALGORITHMS = {
    "PPO": ("cartpole", {"rl.rl_kwargs": {"learning_rate": "lin_1e-3"}}),
    # With gSDE, whose noise is drawn at the start of a rollout.
    "A2C": ("pendulum", {"rl.rl_kwargs": {"use_sde": True, "sde_sample_freq": 3}}),
    "SAC": ("pendulum", {"rl.rl_kwargs": {"learning_starts": 20}}),
    "TD3": ("pendulum", {"rl.rl_kwargs": {"learning_starts": 20, "policy_delay": 3}}),
    "DQN": (
        "cartpole",
        {
            "rl.rl_kwargs": {
                "learning_starts": 20,
                "target_update_interval": 30,
                "exploration_fraction": 0.7,
            }
        },
    ),
}
POLICIES = {
    "SAC": "sac.policies.SACPolicy",
    "TD3": "td3.policies.TD3Policy",
    "DQN": "dqn.policies.DQNPolicy",
}


def settings_of(algorithm: Any) -> Any:
    """The presets and settings of a training in which everything has a state."""
    updates: Any
    environment, updates = ALGORITHMS[algorithm]
    policy = POLICIES.get(algorithm, "common.policies.ActorCriticPolicy")
    named = [environment, "environment.fast", "policy_evaluation.fast", "fast"]
    return named, {
        "rl.rl_cls": f"stable_baselines3.{algorithm}",
        "rl.batch_size": 16,
        "policy.policy_cls": f"stable_baselines3.{policy}",
        "policy.policy_kwargs.net_arch": [8],
        "normalize_reward": True,
        "total_timesteps": 160,
        "state_interval": 48,
        "policy_save_interval": 0,
        "logging.log_format_strs": ["csv"],
        "seed": 3,
        **updates,
    }


def final_weights(algorithm: Any, directory: Any) -> Any:
    model_cls = getattr(stable_baselines3, algorithm)
    path = pathlib.Path(directory, "policies", "final", "model.zip")
    return model_cls.load(path, device="cpu").policy.state_dict()


def statistics_of_the_reward(directory: Any) -> Any:
    path = pathlib.Path(directory, "policies", "final", "reward_normalization.json")
    return json.loads(path.read_text())


def assert_same_ends(algorithm: Any, one: Any, other: Any) -> None:
    assert_same_weights(final_weights(algorithm, one), final_weights(algorithm, other))
    assert statistics_of_the_reward(one) == statistics_of_the_reward(other)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch, algorithm: Any
) -> None:
    named, updates = settings_of(algorithm)
    train_rl_ex.run(
        named_configs=named, config_updates={**updates, "logging.log_dir": "whole"}
    )

    class StopError(Exception):
        pass

    def stop(bar: Any) -> bool:
        if bar.num_timesteps >= 120:
            raise StopError
        return True

    with monkeypatch.context() as patch:
        patch.setattr(StepProgress, "_on_step", stop)
        with pytest.raises(StopError):
            train_rl_ex.run(
                named_configs=named,
                config_updates={**updates, "logging.log_dir": "interrupted"},
            )
    assert not pathlib.Path("interrupted/policies/final").exists()
    done = train_rl_ex.run(config_updates={"resume": "interrupted"})
    assert done.config["total_timesteps"] == 160
    assert_same_ends(algorithm, "interrupted", "whole")
    assert pathlib.Path("interrupted/earlier/000/log/progress.csv").is_file()
    assert pathlib.Path("interrupted/earlier/000/monitor").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["PPO", "SAC", "DQN"])
def test_resumed_after_sigkill_it_ends_with_identical_weights(
    workdir: pathlib.Path, algorithm: str
) -> None:
    named, updates = settings_of(algorithm)
    updates = {**updates, "total_timesteps": 3200, "state_interval": 400}
    arguments = ["with", *named, *(f"{key}={value}" for key, value in updates.items())]
    process: Any = subprocess.Popen(
        [
            *(sys.executable, "-m", "imitation.scripts.train_rl"),
            *(*arguments, "logging.log_dir=killed"),
        ],
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while not pathlib.Path("killed/checkpoints/latest").is_dir():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert not pathlib.Path("killed/policies/final").exists()
    for words in (["with", "resume=killed"], [*arguments, "logging.log_dir=whole"]):
        assert train_rl_ex.run_line(words, "program") == 0
    assert_same_ends(algorithm, "killed", "whole")


def test_a_damaged_state_is_one_line_and_changes_nothing(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(log_dir="run", total_timesteps=32)
    (workdir / "run/checkpoints/latest/state.json").write_text("{")
    before = weights("run/policies/final")
    assert train_rl_ex.run_line(["with", "resume=run"], "program") == 2
    assert "state.json" in capsys.readouterr().err.splitlines()[-1]
    assert_same_weights(weights("run/policies/final"), before)


def test_resume_restores_the_running_statistics_of_the_reward(
    workdir: pathlib.Path,
) -> None:
    run(log_dir="run", total_timesteps=32)
    policies = pathlib.Path("run", "policies")
    final = json.loads((policies / "final" / "reward_normalization.json").read_text())
    assert final["count"] == pytest.approx(32, abs=0.1)
    train_rl_ex.run(config_updates={"resume": "run"})
    again = json.loads((policies / "final" / "reward_normalization.json").read_text())
    assert again == final


def test_a_finished_run_resumed_only_evaluates_again(workdir: pathlib.Path) -> None:
    first = run(log_dir="run", total_timesteps=32)
    before = weights("run/policies/final")
    again = train_rl_ex.run(config_updates={"resume": "run"})
    assert again.result == first.result
    assert_same_weights(weights("run/policies/final"), before)


def test_a_directory_with_a_run_is_not_overwritten(workdir: pathlib.Path) -> None:
    run(log_dir="run")
    with pytest.raises(ConfigError, match="continue it with resume=run"):
        run(log_dir="run")


def test_resuming_with_the_wrong_command(workdir: pathlib.Path) -> None:
    run(log_dir="run")
    with pytest.raises(ArtifactError, match="was written by train_rl train_rl"):
        train_imitation_ex.run("bc", config_updates={"resume": "run"})


def test_resume_accepts_the_sacred_directory_and_a_moved_run(
    workdir: pathlib.Path,
) -> None:
    line = ["with", *FAST, "logging.log_format_strs=[]", "logging.log_dir=run"]
    assert train_rl_ex.run_line(line, "program") == 0
    by_sacred = ["resume=output/sacred/train_rl/1"]
    assert train_rl_ex.run_line(by_sacred, "program") == 0
    pathlib.Path("run").rename("moved")
    done = train_rl_ex.run(config_updates={"resume": "moved"})
    assert done.config["logging"]["log_dir"] == "moved"
    assert not pathlib.Path("run").exists()


def test_agent_path_continues_a_saved_agent(workdir: pathlib.Path) -> None:
    run(log_dir="first", total_timesteps=16)
    run(log_dir="second", total_timesteps=16, agent_path="first/policies/final")
    model = PPO.load("second/policies/final/model.zip", device="cpu")
    assert model.num_timesteps == 16
    one, other = weights("first/policies/final"), weights("second/policies/final")
    assert any(not th.equal(one[key], other[key]) for key in one)


def test_resume_before_the_first_checkpoint_trains_the_given_agent(
    workdir: pathlib.Path,
) -> None:
    run(log_dir="first", total_timesteps=16)
    run(log_dir="killed", total_timesteps=16, agent_path="first/policies/final")
    expected = weights("killed/policies/final")
    shutil.rmtree("killed/policies")
    shutil.rmtree("killed/checkpoints")
    train_rl_ex.run(config_updates={"resume": "killed"})
    assert_same_weights(weights("killed/policies/final"), expected)


def test_sac_trains_and_says_it_is_untuned(workdir: pathlib.Path) -> None:
    named = ["pendulum", "environment.fast", "policy_evaluation.fast", "fast"]
    small = {
        "rl.rl_cls": "stable_baselines3.SAC",
        "rl.batch_size": 8,
        "policy.policy_kwargs.net_arch": [8],
        "policy.policy_cls": "stable_baselines3.sac.policies.SACPolicy",
        "normalize_reward": False,
        **QUIET,
    }
    with pytest.raises(ConfigError, match=r"rl_kwargs\.n_epochs is not known"):
        train_rl_ex.run(
            named_configs=named, config_updates={**small, "rl.rl_kwargs.n_epochs": 1}
        )
    with pytest.warns(RuntimeWarning, match="not tuned"):
        done = train_rl_ex.run(named_configs=named, config_updates=small)
    assert np.isfinite(done.result["return_mean"])


def test_policy_settings_reach_the_agent(workdir: pathlib.Path) -> None:
    named = [*FAST, "policy.normalize_running"]
    actor_critic = "stable_baselines3.common.policies.ActorCriticPolicy"
    policy = {"policy_cls": actor_critic, "policy_kwargs": {"net_arch": [7]}}
    run(named, log_dir="run", policy=policy)
    state = weights("run/policies/final")
    assert state["mlp_extractor.policy_net.0.weight"].shape[0] == 7
    assert any("running_mean" in key for key in state)


def test_print_config_and_presets_print_and_write_nothing(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["print_config", "with", "pendulum"], ["print_named_configs"]):
        assert train_rl_ex.run_line(words, "program") == 0
    out = capsys.readouterr().out
    assert "Pendulum-v1" in out and "rollout_save_n_timesteps = 2000" in out
    assert "policy.normalize_running" in out and "seals_walker" in out
    assert list(workdir.iterdir()) == []


def test_help_lists_commands_and_options(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_rl_ex.run_line(["--help"], "imitation train_rl") == 0
    out = capsys.readouterr().out
    assert "imitation train_rl [(with UPDATE...)]" in out and "print_config" in out


@pytest.mark.parametrize(
    ("text", "rates"),
    [("lin_4e-4", [4e-4, 3.2e-4, 8e-5, 0]), ("cooldown_4e-4", [4e-4, 4e-4, 2e-4, 0])],
)
def test_a_learning_rate_may_fall(text: str, rates: list[Any]) -> None:
    settings = RLSettings(rl_kwargs={"learning_rate": text}).resolved()
    schedule = settings.constructor_kwargs(8)["learning_rate"]
    assert [schedule(left) for left in (1.0, 0.8, 0.2, 0.0)] == pytest.approx(rates)
    assert pickle.loads(pickle.dumps(schedule))(0.2) == pytest.approx(rates[2])


@pytest.mark.parametrize("text", ["x", "1e-3", "lin_", "cooldown", "log_1e-3"])
def test_a_learning_rate_of_another_form_is_refused(text: str) -> None:
    settings = RLSettings(rl_kwargs={"learning_rate": text}).resolved()
    with pytest.raises(ConfigError, match=r"such as lin_3e-4, or cooldown_ .*; got"):
        settings.constructor_kwargs(8)
