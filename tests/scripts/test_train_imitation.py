"""The commands bc and dagger: results, settings honored, resuming after a kill."""

import csv
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch as th

from imitation.algorithms.bc import reconstruct_policy
from imitation.data import serialize
from imitation.data.types import Trajectory
from imitation.errors import ConfigError
from imitation.policies import base
from imitation.policies.serialize import policy_registry
from imitation.scripts.ingredients.bc import BCSettings
from imitation.scripts.ingredients.demonstrations import (
    DemonstrationsSettings,
    get_expert_trajectories,
)
from imitation.scripts.ingredients.environment import EnvironmentSettings
from imitation.scripts.ingredients.expert import ExpertSettings
from imitation.scripts.train_imitation import train_imitation_ex

FAST = ["cartpole", "environment.fast", "demonstrations.fast", "policy_evaluation.fast"]
QUIET = {
    "logging.log_format_strs": ["csv"],
    "expert.policy_type": "random",
    "bc.batch_size": 8,
    "seed": 0,
}


class ActionReward(gym.Env):
    """Pays the action, 0 or 1; twelve steps an episode."""

    observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        obs = self.observation_space.sample()
        return obs, float(action), False, self.steps == 12, {}


gym.register("tests/ActionReward-v0", cast("Any", ActionReward))


def run(
    command: Any, log_dir: Any, named: Any = (*FAST, "fast"), **updates: Any
) -> Any:
    dotted = {key.replace("__", "."): value for key, value in updates.items()}
    return train_imitation_ex.run(
        command,
        named_configs=named,
        config_updates={**QUIET, "logging.log_dir": log_dir, **dotted},
    )


def final_weights(log_dir: Any) -> Any:
    return reconstruct_policy(f"{log_dir}/final.th", device="cpu").state_dict()


def assert_identical(one: Any, other: Any) -> None:
    one, other = final_weights(one), final_weights(other)
    assert one.keys() == other.keys()
    assert all(th.equal(one[key], other[key]) for key in one)


def test_bc_documented_command_line(workdir: pathlib.Path) -> None:
    line = (
        "bc with cartpole expert.policy_type=random demonstrations.n_expert_demos=8 "
        "environment.fast policy_evaluation.fast bc.batch_size=4 "
        "bc.train_kwargs.n_batches=6 seed=1"
    )
    assert train_imitation_ex.run_line(line.split(), "program") == 0
    (log_dir,) = (workdir / "output" / "bc" / "CartPole-v1").iterdir()
    for name in ("final.th", "checkpoints/latest", "monitor", "log", "sacred"):
        assert (log_dir / name).is_dir()
    sacred_dir = workdir / "output" / "sacred" / "train_imitation" / "1"
    assert (log_dir / "sacred").resolve() == sacred_dir.resolve()


def test_bc_result_keys(workdir: pathlib.Path) -> None:
    done = run("bc", "run")
    assert set(done.result) == {"imit_stats", "expert_stats"}
    assert {"monitor_return_mean", "n_traj"} <= set(done.result["imit_stats"])
    assert done.result["expert_stats"]["n_traj"] == 10


def test_expert_stats_are_left_out_without_rewards(workdir: pathlib.Path) -> None:
    venv_settings = EnvironmentSettings(gym_id="CartPole-v1", num_vec=1)
    episodes = get_expert_trajectories(
        DemonstrationsSettings(n_expert_demos=4),
        ExpertSettings(policy_type="random"),
        venv_settings,
        np.random.default_rng(0),
    )
    plain = [Trajectory(t.obs, t.acts, t.infos, t.terminal) for t in episodes]
    serialize.save("demos/final.npz", plain)
    done = run(
        "bc",
        "run",
        [name for name in FAST if name != "demonstrations.fast"] + ["fast"],
        demonstrations__source="local",
        demonstrations__path="demos/final",
    )
    assert set(done.result) == {"imit_stats"}


@pytest.mark.parametrize("command", ["bc", "dagger"])
def test_policy_settings_are_honored(workdir: pathlib.Path, command: str) -> None:  # S1
    named = (*FAST, "fast", "policy.normalize_running")
    actor_critic = "stable_baselines3.common.policies.ActorCriticPolicy"
    net_arch = {
        "policy__policy_cls": actor_critic,
        "policy__policy_kwargs__net_arch": [7],
    }
    run(command, "run", named, **net_arch)
    policy = reconstruct_policy("run/final.th")
    assert isinstance(policy.features_extractor, base.NormalizeFeaturesExtractor)
    assert policy.mlp_extractor.policy_net[0].out_features == 7


@pytest.mark.parametrize("command", ["bc", "dagger"])
def test_same_seed_same_numbers(workdir: pathlib.Path, command: str) -> None:
    results = [run(command, name).result for name in "ab"]
    assert results[0] == results[1]
    assert_identical("a", "b")
    run(command, "c", seed=1)
    one, other = final_weights("a"), final_weights("c")
    assert any(not th.equal(one[key], other[key]) for key in one)


def test_dagger_measures_the_expert_itself(workdir: pathlib.Path) -> None:  # S2
    done = run(
        "dagger",
        "run",
        ("policy_evaluation.fast", "fast"),
        environment__gym_id="tests/ActionReward-v0",
        environment__num_vec=2,
        expert__policy_type="zero",
        bc__optimizer_kwargs__lr=0.0,
        dagger__total_timesteps=200,
        dagger__beta_schedule={"kind": "linear", "rampdown_rounds": 1},
        seed=3,
    )
    collected = [
        serialize.load_with_rewards(path)[0].rews.sum()
        for path in pathlib.Path("run/scratch/demos").glob("round-*/*.npz")
    ]
    assert max(collected) > 0, "the learner earned nothing, so this shows nothing"
    assert done.result["expert_stats"]["return_max"] == 0
    assert set(done.result) == {"imit_stats", "expert_stats"}


def test_dagger_settings_are_honored(workdir: pathlib.Path) -> None:  # S29
    run(
        "dagger",
        "run",
        dagger__total_timesteps=60,
        dagger__rollout_round_min_episodes=4,
        dagger__rollout_round_min_timesteps=1,
        dagger__use_offline_rollouts=True,
        demonstrations__n_expert_demos=3,
    )
    rounds = sorted(pathlib.Path("run/scratch/demos").iterdir())
    collected = [list(path.glob("dagger-demo-*")) for path in rounds]
    assert len(rounds) >= 3
    assert all(len(episodes) >= 4 for episodes in collected if episodes)
    assert len(list(rounds[0].glob("initial_data-*"))) == 3


def test_dagger_stops_early(workdir: pathlib.Path) -> None:
    run(
        "dagger",
        "run",
        environment__gym_id="tests/ActionReward-v0",
        dagger__total_timesteps=100,
        dagger__rollout_round_min_timesteps=100,
        bc__optimizer_kwargs={"lr": 0.0},  # never better than before
        bc__val_fraction=0.2,
        bc__early_stopping_patience=2,
        bc__train_kwargs={"n_epochs": 50, "n_batches": None, "log_interval": 1},
    )
    with open("run/log/progress.csv", encoding="utf-8") as file:
        epochs = [row["bc/epoch"] for row in csv.DictReader(file) if row["bc/epoch"]]
    assert float(epochs[-1]) <= 3


def test_dagger_resumes_after_an_interrupt(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = {"left": 12}

    class Impatient(base.ZeroPolicy):
        def predict(self, *args: Any, **kwargs: Any) -> Any:
            calls["left"] -= 1
            if calls["left"] == 0:
                raise KeyboardInterrupt
            return super().predict(*args, **kwargs)

    def load(venv: Any) -> Any:
        return Impatient(venv.observation_space, venv.action_space)

    policy_registry.register("tests-impatient", value=load)
    more = {"expert__policy_type": "tests-impatient", "dagger__total_timesteps": 60}
    with pytest.raises(KeyboardInterrupt):
        run("dagger", "run", **more)
    assert "To continue: dagger with resume=run" in capsys.readouterr().err
    demos = set(pathlib.Path("run/scratch/demos").glob("round-*/*.npz"))
    assert demos and not pathlib.Path("run/final.th").exists()
    done = train_imitation_ex.run("dagger", config_updates={"resume": "run"})
    assert done.config["logging"]["log_dir"] == "run"
    assert demos < set(pathlib.Path("run/scratch/demos").glob("round-*/*.npz"))
    assert pathlib.Path("run/final.th").is_dir()


def test_bc_resumed_after_sigkill_ends_with_identical_weights(
    workdir: pathlib.Path,
) -> None:
    arguments = [
        *("bc", "with", *FAST, "expert.policy_type=random", "seed=5"),
        *("bc.batch_size=16", "bc.checkpoint_interval=50", "bc.val_fraction=0.2"),
        *("bc.train_kwargs.n_batches=1500", "bc.lr_schedule=cosine"),
        "logging.log_format_strs=[]",
    ]
    process: Any = subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-m", "imitation.scripts.train_imitation"),
            *(*arguments, "logging.log_dir=killed"),
        ],
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
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

    finish("bc", "with", "resume=killed")
    finish(*arguments, "logging.log_dir=whole")
    assert_identical("killed", "whole")


def test_bc_extras_reach_the_trainer(workdir: pathlib.Path) -> None:
    done = run(
        "bc",
        "run",
        FAST,
        bc__train_kwargs={"n_epochs": 40, "log_rollouts_n_episodes": 1},
        bc__val_fraction=0.5,
        bc__early_stopping_patience=1,
        bc__max_grad_norm=0.5,
        bc__lr_schedule="linear",
        bc__optimizer_cls="torch.optim.SGD",
        bc__minibatch_size=4,
    )
    assert done.status == "COMPLETED"
    assert pathlib.Path("run/checkpoints/best").is_dir()


@pytest.mark.parametrize(
    ("name", "at_start", "at_half"),
    [("constant", None, None), ("linear", 2.0, 1.0), ("cosine", 2.0, 1.0)],
)
def test_learning_rate_schedules(
    name: Any, at_start: float | None, at_half: float | None
) -> None:
    schedule: Any = BCSettings(lr_schedule=name, optimizer_kwargs={"lr": 2.0}).schedule
    if at_start is None:
        assert schedule is None
    else:
        values = [schedule(1.0), schedule(0.5), schedule(0.0)]
        assert values == pytest.approx([at_start, at_half, 0.0])


def test_agent_path_starts_from_a_saved_policy_and_says_what_it_ignores(
    workdir: pathlib.Path,
) -> None:
    run("bc", "first")
    none = {"bc__optimizer_kwargs__lr": 0.0, "bc__agent_path": "first/final.th"}
    run("bc", "second", **none)
    assert_identical("first", "second")
    with pytest.warns(RuntimeWarning, match="bc.agent_path overrides"):
        run("bc", "third", (*FAST, "fast", "policy.normalize_running"), **none)


def test_generated_demonstrations_need_a_number() -> None:
    with pytest.raises(ConfigError, match="n_expert_demos must be specified when gen"):
        get_expert_trajectories(
            DemonstrationsSettings(),
            ExpertSettings(policy_type="random"),
            EnvironmentSettings(gym_id="CartPole-v1"),
            np.random.default_rng(0),
        )


def test_a_policy_that_bc_cannot_train(workdir: pathlib.Path) -> None:
    sac = "stable_baselines3.sac.policies.SACPolicy"
    with pytest.raises(ConfigError, match="must be an ActorCriticPolicy"):
        run("bc", "run", policy__policy_cls=sac)
    assert list(workdir.iterdir()) == []
