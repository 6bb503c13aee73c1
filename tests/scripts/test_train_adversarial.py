"""The commands gail and airl: results, files, settings honored, resuming."""

import csv
import json
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
from stable_baselines3 import PPO

from imitation.algorithms.adversarial.gail import RewardNetFromDiscriminatorLogit
from imitation.algorithms.bc import reconstruct_policy
from imitation.data import rollout, serialize
from imitation.policies.base import RandomPolicy
from imitation.rewards import reward_nets
from imitation.rewards.serialize import load_reward_net
from imitation.scripts import console
from imitation.scripts.eval_policy import eval_policy_ex
from imitation.scripts.train_adversarial import train_adversarial_ex
from imitation.scripts.train_imitation import train_imitation_ex
from imitation.scripts.train_rl import train_rl_ex
from imitation.util import util


class Interruptible(gym.Env):
    """Five steps an episode; stops the process after a number of steps."""

    observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)
    left = -1

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        Interruptible.left -= 1
        if Interruptible.left == 0:
            raise KeyboardInterrupt
        return self.observe(), float(action), False, self.steps == 5, {}

    def observe(self) -> Any:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)


class Pictures(gym.Env):
    """Five pictures an episode, channels last."""

    observation_space = gym.spaces.Box(0, 255, (36, 36, 3), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self.observe(), 1.0, False, self.steps == 5, {}

    def observe(self) -> Any:
        return self.np_random.integers(0, 256, (36, 36, 3), dtype=np.uint8)


gym.register("tests/Interruptible-v0", cast("Any", Interruptible))
gym.register("tests/Pictures-v0", cast("Any", Pictures))

FAST = [
    *("seals_cartpole", "environment.fast", "demonstrations.fast"),
    *("policy_evaluation.fast", "fast"),
]
QUIET = {
    "logging.log_format_strs": ["csv"],
    "expert.policy_type": "random",
    "seed": 0,
}
PENDULUM = ["pendulum", *FAST[1:]]
TINY_SAC = {
    "rl__rl_cls": "stable_baselines3:SAC",
    "rl__rl_kwargs": {"learning_starts": 8, "buffer_size": 100},
    "policy__policy_cls": "stable_baselines3.sac.policies:SACPolicy",
    "policy__policy_kwargs": {"net_arch": [8]},
    "algorithm_kwargs__gen_train_timesteps": 16,
}


def run(command: Any, log_dir: Any, named: Any = FAST, **updates: Any) -> Any:
    dotted = {key.replace("__", "."): value for key, value in updates.items()}
    return train_adversarial_ex.run(
        command,
        named_configs=named,
        config_updates={**QUIET, "logging.log_dir": log_dir, **dotted},
    )


def reward(
    log_dir: Any, name: str = "reward_train.pt", checkpoint: str = "final"
) -> Any:
    return load_reward_net(f"{log_dir}/checkpoints/{checkpoint}/{name}")


def weights(log_dir: Any, checkpoint: str = "final") -> dict[str, Any]:
    path = pathlib.Path(log_dir, "checkpoints", checkpoint, "gen_policy", "model.zip")
    state = PPO.load(path, device="cpu").policy.state_dict()
    return {**state, **reward(log_dir, checkpoint=checkpoint).state_dict()}


def same(one: Any, other: Any) -> Any:
    assert one.keys() == other.keys()
    return all(th.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("command", ["gail", "airl"])
def test_documented_command_line_and_output_layout(
    workdir: pathlib.Path, command: str
) -> None:
    line = (
        f"{command} with seals_cartpole fast environment.fast demonstrations.fast "
        "policy_evaluation.fast expert.policy_type=random seed=1 checkpoint_interval=2"
    )
    arguments = line.split()
    assert train_adversarial_ex.run_line(arguments, "program") == 0
    (log_dir,) = (workdir / "output" / command / "seals_CartPole-v0").iterdir()
    sacred_dir = workdir / "output" / "sacred" / "train_adversarial" / "1"
    assert (log_dir / "sacred").resolve() == sacred_dir.resolve()
    monitors = sorted(path.name for path in (log_dir / "monitor").iterdir())
    assert monitors == ["mon000.monitor.csv", "mon001.monitor.csv"]
    assert (log_dir / "log").is_dir()
    checkpoints = sorted(path.name for path in (log_dir / "checkpoints").iterdir())
    assert checkpoints == ["00002", "00004", "final", "latest"]
    for name in ("00002", "00004", "final"):
        checkpoint = log_dir / "checkpoints" / name
        assert (checkpoint / "gen_policy" / "model.zip").is_file()
        for which in ("reward_train.pt", "reward_test.pt"):
            assert isinstance(
                load_reward_net(checkpoint / which), reward_nets.RewardNet
            )
    record = json.loads((sacred_dir / "run.json").read_text())
    assert record["command"] == command
    assert set(record["result"]) == {"imit_stats", "expert_stats"}


def test_returns_are_learned_and_monitored_returns_are_the_environments(
    workdir: pathlib.Path,
) -> None:
    stats = run("gail", "run").result["imit_stats"]
    assert stats["monitor_return_mean"] == 5.0  # five steps of one point each
    assert stats["return_mean"] != stats["monitor_return_mean"]
    expert = run("gail", "again").result["expert_stats"]
    assert expert["return_mean"] == expert["monitor_return_mean"] == 5.0


def test_each_command_trains_its_own_reward(workdir: pathlib.Path) -> None:
    run("gail", "gail")
    run("airl", "airl", rl__rl_kwargs__gamma=0.5)
    assert isinstance(reward("gail"), RewardNetFromDiscriminatorLogit)
    assert type(reward("airl", "reward_test.pt")) is reward_nets.BasicRewardNet
    (shaped,) = [
        module
        for module in reward("airl").modules()
        if isinstance(module, reward_nets.BasicShapedRewardNet)
    ]
    assert shaped.discount_factor == 0.5


@pytest.mark.parametrize("command", ["gail", "airl"])
def test_same_seed_same_numbers(workdir: pathlib.Path, command: str) -> None:
    results = [run(command, name).result for name in "ab"]
    assert results[0] == results[1]
    assert same(weights("a"), weights("b"))
    run(command, "c", seed=1)
    assert not same(weights("a"), weights("c"))


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(-1, []), (0, ["final", "latest"]), (3, ["00003", "final", "latest"])],
)
def test_checkpoint_interval(
    workdir: pathlib.Path, interval: int, expected: list[Any] | list[str]
) -> None:
    run("gail", "run", checkpoint_interval=interval)
    assert sorted(p.name for p in pathlib.Path("run/checkpoints").glob("*")) == expected


def test_evaluations_on_the_way_keep_the_best(workdir: pathlib.Path) -> None:
    run("gail", "run", eval_interval=2, n_eval_episodes=2)
    assert isinstance(reward("run", checkpoint="best"), reward_nets.RewardNet)
    with open("run/log/progress.csv", encoding="utf-8") as file:
        measured = [row["eval/return_mean"] for row in csv.DictReader(file)]
    assert {value for value in measured if value} == {"5.0"}


def test_settings_reach_the_trainer(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {}
    gail: Any = train_adversarial_ex.script.commands["gail"].__globals__["ALGORITHMS"][
        "gail"
    ]

    class Spy(gail):  # type: ignore[misc]  # known only when it runs
        def __init__(self, **kwargs: Any) -> None:
            made.update(kwargs)
            super().__init__(**kwargs)

    monkeypatch.setitem(
        train_adversarial_ex.script.commands["gail"].__globals__["ALGORITHMS"],
        "gail",
        Spy,
    )
    run(
        "gail",
        "run",
        discriminator__gradient_penalty="r1",
        discriminator__gradient_penalty_coef=2.0,
        algorithm_kwargs__disc_opt_cls="torch.optim.SGD",
        algorithm_kwargs__disc_opt_kwargs={"lr": 1e-6},
        algorithm_specific__gail={"reward_form": "airl", "demo_batch_size": 4},
    )
    assert made["disc_options"].gradient_penalty == "r1"
    assert made["disc_options"].gradient_penalty_coef == 2
    assert made["disc_opt_cls"] is th.optim.SGD
    assert made["disc_opt_kwargs"] == {"lr": 1e-6}
    assert (made["reward_form"], made["demo_batch_size"]) == ("airl", 4)
    assert made["gen_replay_buffer_capacity"] == 16
    assert reward("run").reward_form == "airl"


def test_show_config_merges_what_is_specific(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    specific = {"airl": {"demo_batch_size": 4}, "gail": {"demo_batch_size": 2}}
    run("airl", "run", show_config=True, algorithm_specific=specific)
    out = capsys.readouterr().out
    assert "algorithm_kwargs.demo_batch_size = 4\n" in out
    assert "algorithm_specific" not in out and "total_timesteps = 64\n" in out


@pytest.mark.parametrize("preset", ["acrobot", "cartpole", "mountain_car"])
def test_environments_whose_episodes_end_early_are_allowed(
    workdir: pathlib.Path, preset: str
) -> None:
    named = [preset, *FAST[1:]]
    settings = {"environment__max_episode_steps": None, "total_timesteps": 16}
    assert run("gail", "run", named, **settings).status == "COMPLETED"


def test_agent_path_warm_starts_the_generator(workdir: pathlib.Path) -> None:
    run("gail", "first")
    agent = "first/checkpoints/final/gen_policy"
    still = {"agent_path": agent, "rl__rl_kwargs__learning_rate": 0.0}
    run("airl", "second", **still)
    one, other = (
        PPO.load(f"{name}/checkpoints/final/gen_policy/model.zip", device="cpu")
        for name in ("first", "second")
    )
    assert same(one.policy.state_dict(), other.policy.state_dict())


def test_agent_path_may_be_a_cloned_policy(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_imitation_ex.run(
        "bc",
        named_configs=[*FAST, "policy.normalize_running"],
        config_updates={**QUIET, "logging.log_dir": "clone", "bc.batch_size": 8},
    )
    cloned = reconstruct_policy("clone/final.th", device="cpu")
    still = {"agent_path": "clone/final.th", "rl__rl_kwargs__learning_rate": 0.0}
    run("gail", "run", **still)
    model = PPO.load("run/checkpoints/final/gen_policy/model.zip", device="cpu")
    assert type(model.policy) is type(cloned)
    trained = dict(model.policy.named_parameters())
    assert trained.keys() == dict(cloned.named_parameters()).keys()
    assert all(th.equal(trained[name], p) for name, p in cloned.named_parameters())
    words = ["gail", "with", *PENDULUM, "expert.policy_type=random"]
    quiet = ["agent_path=clone/final.th", "logging.log_format_strs=[]"]
    assert console.run([*words, *quiet]) == 2
    assert "clone/final.th" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("command", ["gail", "airl"])
def test_sac_learns_from_the_reward_of_the_algorithm(
    workdir: pathlib.Path, command: str
) -> None:  # S12
    done = run(command, "run", PENDULUM, **TINY_SAC)
    assert np.isfinite(done.result["imit_stats"]["return_mean"])


@pytest.mark.parametrize(
    ("named", "algorithm", "policy"),
    [
        (FAST, "stable_baselines3:A2C", None),
        (FAST, "stable_baselines3:DQN", "stable_baselines3.dqn.policies:DQNPolicy"),
        (PENDULUM, "stable_baselines3:TD3", "stable_baselines3.td3.policies:TD3Policy"),
        (FAST, "sb3_contrib:TRPO", None),
    ],
)
def test_other_generators(
    workdir: pathlib.Path, named: Any, algorithm: str, policy: str | None
) -> None:
    pytest.importorskip(algorithm.split(":")[0])
    updates: Any = {"rl__rl_cls": algorithm}
    if policy is not None:
        updates["policy__policy_cls"] = policy
        updates["rl__rl_kwargs"] = {"learning_starts": 8, "buffer_size": 100}
        updates["algorithm_kwargs__gen_train_timesteps"] = 16
    done = run("gail", "run", named, **updates)
    assert done.status == "COMPLETED"


@pytest.mark.parametrize("command", ["gail", "airl"])
def test_pictures(workdir: pathlib.Path, command: str) -> None:
    done = run(
        command,
        "run",
        ["fast", *FAST[1:-1], "policy.cnn_policy"],
        environment__gym_id="tests/Pictures-v0",
        reward__net_cls="imitation.rewards.reward_nets:CnnRewardNet",
        total_timesteps=32,
        eval_interval=1,
        n_eval_episodes=1,
    )
    stats = done.result["imit_stats"]
    assert stats["monitor_return_mean"] == 5 and np.isfinite(stats["return_mean"])


def test_resumed_after_an_interrupt_it_ends_with_identical_weights(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = ["environment.fast", "demonstrations.fast", "policy_evaluation.fast"]
    small = {
        "environment__gym_id": "tests/Interruptible-v0",
        "rl__batch_size": 16,
        "algorithm_kwargs__demo_batch_size": 8,
        "total_timesteps": 160,
        "checkpoint_interval": 4,
        "state_interval": 2,
    }
    run("gail", "whole", [*named], **small)
    Interruptible.left = 200  # demonstrations take 50 to 60, rounds 160
    with pytest.raises(KeyboardInterrupt):
        run("gail", "part", [*named], **small)
    assert "To continue: gail with resume=part" in capsys.readouterr().err
    assert (workdir / "part" / "checkpoints" / "latest").is_dir()
    assert not (workdir / "part" / "checkpoints" / "final").exists()
    done = train_adversarial_ex.run("gail", config_updates={"resume": "part"})
    assert done.config["logging"]["log_dir"] == "part"
    assert pathlib.Path("part/earlier/000/log/progress.csv").is_file()
    model = PPO.load("part/checkpoints/final/gen_policy/model.zip", device="cpu")
    assert model.num_timesteps == 160
    assert same(weights("part"), weights("whole"))


def test_a_finished_run_resumed_only_evaluates_again(workdir: pathlib.Path) -> None:
    first = run("airl", "run")
    before = weights("run")
    again = train_adversarial_ex.run("airl", config_updates={"resume": "run"})
    assert again.result == first.result
    assert same(weights("run"), before)


def test_resuming_with_the_other_command(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("airl", "run")
    assert console.run(["gail", "with", "resume=run"]) == 2
    assert "was written by train_adversarial airl" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["gail", "airl"])
def test_resumed_after_sigkill_it_ends_with_identical_weights(
    workdir: pathlib.Path, command: str
) -> None:
    arguments = [
        *(command, "with", "seals_cartpole", "environment.fast", "demonstrations.fast"),
        *("policy_evaluation.fast", "expert.policy_type=random", "seed=5"),
        *("rl.batch_size=64", "algorithm_kwargs.demo_batch_size=8"),
        *("total_timesteps=6400", "state_interval=3", "logging.log_format_strs=[]"),
    ]
    module = "imitation.scripts.train_adversarial"
    process: Any = subprocess.Popen(
        [
            *(sys.executable, "-W", "error", "-m", module),
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
    assert not pathlib.Path("killed/checkpoints/final").exists()
    for words in (
        [command, "with", "resume=killed"],
        [*arguments, "logging.log_dir=w"],
    ):
        assert train_adversarial_ex.run_line(words, "program") == 0
    assert same(weights("killed"), weights("w"))


def test_a_learned_reward_trains_and_measures_a_policy(workdir: pathlib.Path) -> None:
    run("airl", "run")
    path = "run/checkpoints/final/reward_test.pt"
    named = [*FAST[:2], "policy_evaluation.fast", "rl.fast", "fast"]
    learned = {"reward_type": "RewardNet_unnormalized", "reward_path": path}
    quiet = {"logging.log_format_strs": ["csv"], "seed": 0}
    done = train_rl_ex.run(
        named_configs=named,
        config_updates={**quiet, **learned, "logging.log_dir": "agent"},
    )
    assert done.result["return_mean"] == 5.0  # of the environment
    with open("agent/log/progress.csv", encoding="utf-8") as file:
        rewards = [row["rollout/ep_rew_wrapped_mean"] for row in csv.DictReader(file)]
    assert rewards and all(float(value) != 5.0 for value in rewards if value)
    episodes = serialize.load_with_rewards("agent/rollouts/final.npz")
    assert all((episode.rews == 1).all() for episode in episodes)
    policy = {
        "expert.policy_type": "ppo",
        "expert.loader_kwargs.path": "agent/policies/final",
    }
    measured = eval_policy_ex.run(
        named_configs=[*FAST[:2], "fast"],
        config_updates={
            **policy,
            **learned,
            "seed": 0,
            "logging.log_dir": "evaluation",
            "rollout_save_path": "rollouts",
        },
    ).result
    assert measured["monitor_return_mean"] == 5.0
    episodes = serialize.load_with_rewards("evaluation/rollouts")
    assert all((episode.rews == 1).all() for episode in episodes)
    net = load_reward_net(path)
    learned_returns = [
        net.predict(
            e.obs[:-1], e.acts, e.obs[1:], np.arange(len(e)) == len(e) - 1
        ).sum()
        for e in episodes
    ]
    assert measured["return_mean"] == pytest.approx(np.mean(learned_returns), abs=1e-4)


def test_normalizing_twice_is_warned_about(workdir: pathlib.Path) -> None:
    run("airl", "run")
    learned = {
        "reward_type": "RewardNet_normalized",
        "reward_path": "run/checkpoints/final/reward_train.pt",
        "logging.log_format_strs": [],
        "seed": 0,
    }
    named = [*FAST[:2], "policy_evaluation.fast", "rl.fast", "fast"]
    with pytest.warns(RuntimeWarning, match="already normalized reward"):
        train_rl_ex.run(named_configs=named, config_updates=learned)
    once = {**learned, "normalize_reward": False}
    assert train_rl_ex.run(named_configs=named, config_updates=once).result


def test_the_zero_reward_needs_no_file(workdir: pathlib.Path) -> None:
    zero = {"reward_type": "zero", "expert.policy_type": "random", "seed": 0}
    done = eval_policy_ex.run(named_configs=[*FAST[:2], "fast"], config_updates=zero)
    assert done.result["return_mean"] == 0
    assert done.result["monitor_return_mean"] == 5.0


def demonstrations_of(env_id: Any, n_episodes: Any) -> Any:
    venv = util.make_vec_env(env_id, rng=None, n_envs=1, max_episode_steps=5)
    policy = RandomPolicy(venv.observation_space, venv.action_space)
    enough = rollout.make_min_episodes(n_episodes)
    return rollout.rollout(policy, venv, enough, unwrap=False, verbose=False)


LATE = [
    ("Pendulum-v1", 4, "", "obs of shape (3,)"),
    ("seals:seals/CartPole-v0", 1, "algorithm_kwargs.demo_batch_size=64", "batch size"),
    (
        "seals:seals/CartPole-v0",
        4,
        "algorithm_kwargs.reward_form=x",
        "reward_form must",
    ),
    ("seals:seals/CartPole-v0", 4, "algorithm_kwargs.disc_opt_kwargs.x=1", "argument"),
    ("seals:seals/CartPole-v0", 4, "reward.net_kwargs.depth=1", "reward.net_kwargs"),
    ("seals:seals/CartPole-v0", 4, "agent_path=demos", "demos"),
]


@pytest.mark.parametrize(("env_id", "n_episodes", "setting", "message"), LATE)
def test_a_mistake_seen_while_building_is_the_users(
    workdir: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    env_id: Any,
    n_episodes: Any,
    setting: Any,
    message: Any,
) -> None:
    serialize.save("demos", demonstrations_of(env_id, n_episodes))
    line = (
        "gail with seals_cartpole environment.fast policy_evaluation.fast fast "
        "demonstrations.source=local demonstrations.path=demos "
        "logging.log_format_strs=[] " + setting
    )
    assert console.run(line.split()) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("imitation: ") and message in last


def test_a_damaged_reward_is_one_line(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pathlib.Path("reward.pt").mkdir()
    line = (
        "eval_policy with seals_cartpole environment.fast fast "
        "expert.policy_type=random reward_type=RewardNet_unnormalized "
        "reward_path=reward.pt"
    )
    assert console.run(line.split()) == 2
    assert "reward.pt" in capsys.readouterr().err.splitlines()[-1]
