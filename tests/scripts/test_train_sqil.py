"""The commands sqil and iq_learn: results, settings honored, resuming after a kill."""

import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import stable_baselines3 as sb3
import torch as th

from imitation.algorithms.iq_learn import ActorCriticReward, SoftQReward
from imitation.algorithms.soft_q import SoftQPolicy
from imitation.errors import ConfigError
from imitation.rewards.serialize import load_reward_net
from imitation.scripts import console
from imitation.scripts.ingredients.sqil import IQLearnSettings, SQILSettings
from imitation.scripts.train_imitation import train_imitation_ex
from imitation.training import state_files as checkpoint
from imitation.util.policy_io import load_policy

FAST = ["environment.fast", "demonstrations.fast", "policy_evaluation.fast", "fast"]
QUIET = {
    "logging.log_format_strs": ["csv"],
    "expert.policy_type": "random",
    "rl.batch_size": 8,
    "seed": 0,
}
COMMANDS = ["sqil", "iq_learn"]


def run(
    command: Any, log_dir: Any, env: str = "cartpole", named: Any = (), **updates: Any
) -> Any:
    dotted = {key.replace("__", "."): value for key, value in updates.items()}
    return train_imitation_ex.run(
        command,
        named_configs=[env, *FAST, *named],
        config_updates={**QUIET, "logging.log_dir": log_dir, **dotted},
    )


def weights(log_dir: Any) -> Any:
    return load_policy(f"{log_dir}/final.th", "cpu").state_dict()


def assert_identical(one: Any, other: Any) -> None:
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    assert all(th.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("env", "policy_class"),
    [("cartpole", SoftQPolicy), ("pendulum", sb3.sac.policies.SACPolicy)],
)
def test_results_and_files(
    workdir: pathlib.Path, command: Any, env: str, policy_class: Any
) -> None:
    done = run(command, "run", env)
    assert set(done.result) == {"imit_stats", "expert_stats"}
    assert {"monitor_return_mean", "n_traj"} <= set(done.result["imit_stats"])
    assert done.result["expert_stats"]["n_traj"] == 10
    assert isinstance(load_policy("run/final.th", "cpu"), policy_class)
    for name in ("checkpoints/latest", "monitor", "log"):
        assert pathlib.Path("run", name).is_dir()
    reward = {"cartpole": SoftQReward, "pendulum": ActorCriticReward}[env]
    if command == "iq_learn":
        assert isinstance(load_reward_net("run/reward.pt"), reward)
    else:
        assert not pathlib.Path("run/reward.pt").exists()


def test_documented_defaults() -> None:
    expected = {"log_interval": 4, "progress_bar": True}
    for settings in (SQILSettings(), IQLearnSettings()):
        assert settings.total_timesteps == 300_000
        assert settings.train_kwargs == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_the_console_command(
    workdir: pathlib.Path, command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"{command} with cartpole expert.policy_type=random logging.log_dir=run"
    assert console.run([*words.split(), *FAST]) == 0
    assert "training" in capsys.readouterr().err  # the progress bar
    assert pathlib.Path("run/final.th").is_dir()


def test_iq_learn_offline_takes_no_step(workdir: pathlib.Path) -> None:
    run("iq_learn", "run", iq_learn__offline_updates=12)
    saved = checkpoint.load_state("run/checkpoints/latest", "expert replay")
    counters = saved["algorithm"]["counters"]
    assert counters["num_timesteps"] == 0 and counters["_n_updates"] == 12


@pytest.mark.parametrize("command", COMMANDS)
def test_same_seed_same_numbers(workdir: pathlib.Path, command: Any) -> None:
    results = [run(command, name).result for name in "ab"]
    assert results[0] == results[1]
    assert_identical("a", "b")
    run(command, "c", seed=1)
    one, other = weights("a"), weights("c")
    assert any(not th.equal(one[key], other[key]) for key in one)


def test_the_algorithm_and_policy_are_honored(workdir: pathlib.Path) -> None:
    run(
        "sqil", "dqn",
        rl__rl_cls="stable_baselines3.DQN",
        policy__policy_kwargs={"net_arch": [7]},
        rl__rl_kwargs={"learning_rate": "lin_1e-3"},
    )  # fmt: skip
    policy: Any = load_policy("dqn/final.th", "cpu")
    assert not isinstance(policy, SoftQPolicy)
    assert policy.q_net.q_net[0].out_features == 7
    run("sqil", "td3", "pendulum", rl__rl_cls="stable_baselines3.TD3")
    assert isinstance(load_policy("td3/final.th", "cpu"), sb3.td3.policies.TD3Policy)
    run(
        "iq_learn", "iq",
        rl__rl_kwargs={"temperature": 0.5, "chi2_alpha": 0.1},
        policy__policy_cls="imitation.algorithms.soft_q:SoftQPolicy",
    )  # fmt: skip
    assert load_policy("iq/final.th", "cpu").temperature == 0.5


MALFORMED = {
    "rl.rl_cls=stable_baselines3:PPO": "must be off-policy, such as",
    "rl.rl_cls=stable_baselines3:SAC rl.rl_kwargs.temperatur=1": "temperatur is not kn",
    "rl.rl_kwargs.replay_buffer_class=1": "replay_buffer_class is not known",
    "sqil.total_timesteps=0": "sqil.total_timesteps must be a positive integer, got 0",
    "sqil.checkpoint_interval=0": "checkpoint_interval must be a positive integer",
    "sqil.train_kwargs.log_interval=x": "log_interval must be a positive integer",
    "sqil.train_kwargs.callback=x": "sqil.train_kwargs.callback is not known",
    "iq_learn.offline_updates=-1": "offline_updates must be an integer ≥ 0, got -1",
    "policy.policy_cls=stable_baselines3.sac.policies:SACPolicy": "cannot train policy",
    "rl.rl_cls=stable_baselines3:TD3": "TD3 cannot act in Discrete",
}


@pytest.mark.parametrize("words", MALFORMED)
def test_malformed_settings(
    workdir: pathlib.Path, words: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"sqil with cartpole expert.policy_type=random {' '.join(FAST)} {words}"
    assert train_imitation_ex.run_line(line.split(), "program") == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert MALFORMED[words] in last, last


def test_iq_learn_takes_its_own_learners_only(workdir: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="must be IQSoftQ, IQSAC or a subclass"):
        run("iq_learn", "run", rl__rl_cls="stable_baselines3.DQN")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "extra"),
    [("sqil", ""), ("iq_learn", ""), ("iq_learn", "iq_learn.offline_updates=3000")],
)
def test_resumed_after_sigkill_ends_with_identical_weights(
    workdir: pathlib.Path, command: str, extra: str
) -> None:
    line = (
        f"{command} with cartpole expert.policy_type=random seed=5 {' '.join(FAST)} "
        f"{command}.total_timesteps=6000 {command}.checkpoint_interval=500 "
        f"rl.rl_kwargs.learning_rate=lin_1e-2 logging.log_format_strs=[] {extra}"
    )
    process: Any = subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-m", "imitation.scripts.train_imitation"),
            *(*line.split(), "logging.log_dir=killed"),
        ],
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 100
    while not pathlib.Path("killed/checkpoints/latest").is_dir():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    assert not pathlib.Path("killed/final.th").exists()

    def finish(*words: Any) -> None:
        assert train_imitation_ex.run_line([*words], "program") == 0

    np.random.seed(3)
    finish(command, "with", "resume=killed")
    finish(*line.split(), "logging.log_dir=whole")
    assert_identical("killed", "whole")
