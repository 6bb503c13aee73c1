"""The command train_preference_comparisons: results, files, settings, resuming."""

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

from imitation.algorithms import preference_comparisons as prefs
from imitation.data import rollout, serialize, types
from imitation.rewards import reward_nets
from imitation.rewards.serialize import load_reward_net
from imitation.scripts import console
from imitation.scripts import train_preference_comparisons as script
from imitation.util import util

EX = script.train_preference_comparisons_ex


class Stopping(gym.Env):
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
        Stopping.left -= 1
        if Stopping.left == 0:
            raise KeyboardInterrupt
        return self.observe(), float(action), False, self.steps == 5, {}

    def observe(self) -> Any:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)


class Photographs(gym.Env):
    """Five pictures an episode, channels last."""

    observation_space = gym.spaces.Box(0, 255, (36, 36, 3), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self.observe(), float(action), False, self.steps == 5, {}

    def observe(self) -> Any:
        return self.np_random.integers(0, 256, (36, 36, 3), dtype=np.uint8)


gym.register("tests/Stopping-v0", cast("Any", Stopping), max_episode_steps=5)
gym.register("tests/Photographs-v0", cast("Any", Photographs))

GROUPS = ["environment.fast", "policy_evaluation.fast", "fast"]
FAST = ["seals_cartpole", *GROUPS]
PENDULUM = ["pendulum", *GROUPS]
QUIET = {"logging.log_format_strs": ["csv"], "seed": 0}
OFF_POLICY = {"learning_starts": 8, "buffer_size": 100}


def run(log_dir: Any, named: Any = FAST, **updates: Any) -> Any:
    dotted = {key.replace("__", "."): value for key, value in updates.items()}
    updates = {**QUIET, "logging.log_dir": log_dir, **dotted}
    return EX.run(named_configs=named, config_updates=updates)


def failure(capsys: pytest.CaptureFixture[str], *words: Any) -> Any:
    """The line that a mistake in the settings makes."""
    quiet = "logging.log_format_strs=[]"
    line = ["train_preference_comparisons", "with", *FAST, quiet, *words]
    assert console.run(line) == 2
    return capsys.readouterr().err.splitlines()[-1]


def reward(log_dir: Any, checkpoint: str = "final") -> Any:
    return load_reward_net(f"{log_dir}/checkpoints/{checkpoint}/reward_net.pt")


def agent(log_dir: Any, checkpoint: str = "final") -> Any:
    path = f"{log_dir}/checkpoints/{checkpoint}/policy/model.zip"
    return PPO.load(path, device="cpu")


def weights(log_dir: Any) -> dict[str, Any]:
    return {**agent(log_dir).policy.state_dict(), **reward(log_dir).state_dict()}


def same(one: Any, other: Any) -> Any:
    assert one.keys() == other.keys()
    return all(th.equal(one[key], other[key]) for key in one)


def checkpoints(log_dir: Any) -> Any:
    return sorted(path.name for path in pathlib.Path(log_dir, "checkpoints").glob("*"))


def episodes(n: Any, *, rewards: bool = True) -> Any:
    """Random ones of the environment that `FAST` has."""
    venv = util.make_vec_env(
        "seals/CartPole-v0", rng=np.random.default_rng(0), n_envs=1, max_episode_steps=5
    )
    made = rollout.rollout(
        None,
        venv,
        rollout.make_min_episodes(n),
        rng=np.random.default_rng(0),
        unwrap=False,
        verbose=False,
    )
    if rewards:
        return made
    return [types.Trajectory(t.obs, t.acts, None, t.terminal) for t in made]


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The trainers that runs have made."""
    made = []

    class Noting(prefs.PreferenceComparisons):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr(prefs, "PreferenceComparisons", Noting)
    return made


def test_documented_command_line_and_output_layout(workdir: pathlib.Path) -> None:
    line = (
        "with seals_cartpole fast environment.fast policy_evaluation.fast seed=1 "
        "checkpoint_interval=2 save_preferences=True"
    )
    assert EX.run_line(line.split(), "program") == 0
    root = workdir / "output" / "train_preference_comparisons" / "seals_CartPole-v0"
    (log_dir,) = root.iterdir()
    sacred_dir = workdir / "output" / "sacred" / "train_preference_comparisons" / "1"
    assert (log_dir / "sacred").resolve() == sacred_dir.resolve()
    assert (log_dir / "log").is_dir() and (log_dir / "monitor").is_dir()
    assert checkpoints(log_dir) == ["0002", "final", "latest"]
    for name in ("0002", "final"):
        assert isinstance(reward(log_dir, name), reward_nets.RewardNet)
        agent(log_dir, name)
    assert agent(log_dir).num_timesteps == 50
    saved = prefs.PreferenceDataset.load(log_dir / "preferences.pkl")
    assert len(saved) == 10 and len(saved[0][0][0]) == 2
    record = json.loads((sacred_dir / "run.json").read_text())
    keys = {"reward_loss", "reward_accuracy", "imit_stats"}
    assert record["result"].keys() == keys


def test_returns_are_learned_and_monitored_returns_are_the_environments(
    workdir: pathlib.Path,
) -> None:
    result = run("run").result
    assert result["imit_stats"]["monitor_return_mean"] == 5.0  # a point for each step
    assert result["imit_stats"]["return_mean"] != 5.0
    assert result["reward_loss"] > 0 and 0 <= result["reward_accuracy"] <= 1


def test_same_seed_same_numbers(workdir: pathlib.Path) -> None:
    assert run("a").result == run("b").result
    assert same(weights("a"), weights("b"))
    run("c", seed=1)
    assert not same(weights("a"), weights("c"))


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (-1, []),
        (0, ["final", "latest"]),
        (1, ["0001", "0002", "0003", "final", "latest"]),
    ],
)
def test_checkpoint_interval(
    workdir: pathlib.Path, interval: int, expected: list[Any] | list[str]
) -> None:
    run("run", checkpoint_interval=interval)
    assert checkpoints("run") == expected


def test_settings_reach_the_parts(workdir: pathlib.Path, trainers: Any) -> None:
    run(
        "run",
        fragment_length=3,
        total_comparisons=8,
        num_iterations=3,
        comparison_queue_size=6,
        transition_oversampling=1.5,
        initial_comparison_frac=0.5,
        initial_epoch_multiplier=2.0,
        exploration_frac=0.25,
        preference_model_kwargs={"noise_prob": 0.1, "discount_factor": 0.9},
        reward_trainer_kwargs={"epochs": 2, "lr": 1e-4, "batch_size": 4},
        gatherer_kwargs={"temperature": 0.5, "sample": False},
        fragmenter_kwargs={"warning_threshold": 1},
        trajectory_generator_kwargs={"switch_prob": 0.9, "random_prob": 0.1},
        query_schedule="constant",
        reward__net_kwargs__hid_sizes=[4],
    )
    (trainer,) = trainers
    assert trainer.fragment_length == 3 and trainer.num_iterations == 3
    assert trainer.dataset.max_size == 6 and len(trainer.dataset) == 6
    assert trainer.transition_oversampling == 1.5
    assert trainer.initial_comparison_frac == 0.5
    assert trainer.initial_epoch_multiplier == 2
    assert trainer.schedule is prefs.QUERY_SCHEDULES["constant"]
    model = trainer.reward_trainer.preference_model
    assert (model.noise_prob, model.discount_factor) == (0.1, 0.9)
    assert trainer.reward_trainer.epochs == 2
    assert trainer.reward_trainer.batch_size == 4
    assert trainer.reward_trainer.optim.param_groups[0]["lr"] == 1e-4
    assert trainer.preference_gatherer.temperature == 0.5
    assert not trainer.preference_gatherer.sample
    assert trainer.fragmenter.warning_threshold == 1
    generator = trainer.trajectory_generator
    assert generator.exploration_frac == 0.25
    assert (generator.switch_prob, generator.random_prob) == (0.9, 0.1)


class Biased(prefs.PreferenceGatherer):
    """Prefers the first fragment."""

    def __call__(self, fragment_pairs: Any) -> np.ndarray:
        assert self.rng is not None
        return np.ones(len(fragment_pairs), dtype=np.float32)


class Silent(Biased):
    """Prefers nothing."""

    def gather(self, fragment_pairs: Any) -> Any:
        return [], np.zeros(0, dtype=np.float32)


def test_a_gatherer_of_ones_own(workdir: pathlib.Path) -> None:
    run("run", gatherer_cls=Biased, save_preferences=True)
    saved = prefs.PreferenceDataset.load("run/preferences.pkl")
    assert saved.preferences.tolist() == [1.0] * 10


def test_gatherer_is_short_for_its_class() -> None:
    make = EX.script.make_settings
    command = "train_preference_comparisons"
    for name, cls in (
        ("human", prefs.HumanGatherer),
        ("synthetic", prefs.SyntheticGatherer),
    ):
        settings = make(command, {"gatherer": name})
        assert settings.load_gatherer() is cls
        assert settings.asks_people == (name == "human")
    assert make(command, {"gatherer_cls": prefs.HumanGatherer}).asks_people


@pytest.mark.parametrize("uncertainty_on", ["logit", "probability", "label"])
def test_ensemble_and_active_selection(
    workdir: pathlib.Path, trainers: Any, uncertainty_on: str
) -> None:
    run(
        "run",
        [*FAST, "reward.reward_ensemble"],
        reward__ensemble_size=3,
        active_selection=True,
        active_selection_oversampling=1.5,
        uncertainty_on=uncertainty_on,
    )
    (trainer,) = trainers
    assert type(trainer.reward_trainer) is prefs.EnsembleTrainer
    assert isinstance(trainer.fragmenter, prefs.ActiveSelectionFragmenter)
    assert trainer.fragmenter.uncertainty_on == uncertainty_on
    assert trainer.fragmenter.fragment_sample_factor == 1.5
    assert isinstance(reward("run"), reward_nets.AddSTDRewardWrapper)


@pytest.mark.parametrize(
    ("named", "algorithm", "policy"),
    [
        (FAST, "stable_baselines3:A2C", None),
        (FAST, "stable_baselines3:DQN", "stable_baselines3.dqn.policies:DQNPolicy"),
        (PENDULUM, "stable_baselines3:SAC", "stable_baselines3.sac.policies:SACPolicy"),
    ],
)
def test_other_algorithms(
    workdir: pathlib.Path, trainers: Any, named: Any, algorithm: str, policy: str | None
) -> None:
    updates: Any = {"rl__rl_cls": algorithm}
    if policy is not None:
        updates["policy__policy_cls"] = policy
        updates["policy__policy_kwargs"] = {"net_arch": [8]}
        updates["rl__rl_kwargs"] = OFF_POLICY
    result = run("run", named, **updates).result
    assert np.isfinite(result["imit_stats"]["return_mean"])
    steps = trainers[0].trajectory_generator.algorithm.num_timesteps
    assert 50 <= steps < 58  # DQN takes eight at a time


def test_pictures(workdir: pathlib.Path) -> None:
    result = run(
        "run",
        [*GROUPS, "policy.cnn_policy"],
        environment__gym_id="tests/Photographs-v0",
        reward__net_cls="imitation.rewards.reward_nets:CnnRewardNet",
        total_timesteps=16,
        num_iterations=1,
    ).result
    assert np.isfinite(result["imit_stats"]["return_mean"])
    assert 0 <= result["imit_stats"]["monitor_return_mean"] <= 5


def test_episodes_of_different_length(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = {"environment__max_episode_steps": None, "total_timesteps": 300}
    run("run", ["cartpole", *GROUPS], **longer)
    with pytest.raises(ValueError, match="Episodes of different length detected"):
        run("not", ["cartpole", *GROUPS], **longer, allow_variable_horizon=False)


def test_agent_path_warm_starts_the_agent(workdir: pathlib.Path) -> None:
    run("first")
    path = "first/checkpoints/final/policy"
    run("second", agent_path=path, rl__rl_kwargs__learning_rate=0.0)
    one, other = agent("first").policy, agent("second").policy
    assert same(one.state_dict(), other.state_dict())
    assert agent("second").num_timesteps == 50


def test_trajectories_of_somebody_else(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serialize.save("demos", episodes(12))
    done = run(
        "run", trajectory_path="demos", save_preferences=True, exploration_frac=0
    )
    assert done.result.keys() == {"reward_loss", "reward_accuracy"}
    assert sorted(p.name for p in pathlib.Path("run/checkpoints/final").iterdir()) == [
        "reward_net.pt"
    ]
    first = prefs.PreferenceDataset.load("run/preferences.pkl")[0][0][0]
    states = {tuple(row) for t in serialize.load("demos") for row in t.obs}
    assert all(tuple(row) in states for row in first.obs)

    said = failure(capsys, "trajectory_path=demos", "transition_oversampling=9")
    assert "Asked for 72 transitions but only 60 available" in said
    said = failure(capsys, "trajectory_path=demos", "environment.gym_id=Pendulum-v1")
    assert "'demos' has observations of shape (4,), the environment of (3,)" in said
    serialize.save("without", episodes(2, rewards=False))
    said = failure(capsys, "trajectory_path=without")
    assert "without has no rewards" in said


def test_there_is_no_best_agent_where_there_is_none(workdir: pathlib.Path) -> None:
    serialize.save("demos", episodes(12))
    # The preset sets keep_best_agent, and is not about agents alone.
    settings = run("run", trajectory_path="demos").config
    assert settings["keep_best_agent"] and settings["held_out_episodes"]
    assert not pathlib.Path("run/held_out").exists()


def test_resuming_with_trajectories_of_somebody_else(workdir: pathlib.Path) -> None:
    serialize.save("demos", episodes(12))
    first = run("run", trajectory_path="demos").result
    assert EX.run(config_updates={"resume": "run"}).result == first


def write_comparisons(n: Any) -> None:
    """A file of comparisons, each of the first steps of one episode and another."""
    serialize.save("demos", episodes(n + 1))
    lines = [
        json.dumps(
            {
                "first": {"file": "demos", "trajectory": i, "stop": 3},
                "second": {"file": "demos", "trajectory": i + 1, "stop": 3},
                "preference": "first",
            }
        )
        for i in range(n)
    ]
    pathlib.Path("comparisons.jsonl").write_text("\n".join(lines))


def test_imported_preferences(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_comparisons(6)
    options = {"preferences_path": "comparisons.jsonl", "save_preferences": True}
    run("more", **options)
    assert len(prefs.PreferenceDataset.load("more/preferences.pkl")) == 16
    result = run("alone", **options, total_comparisons=0).result
    assert result["reward_loss"] > 0 and "imit_stats" in result
    saved = prefs.PreferenceDataset.load("alone/preferences.pkl")
    assert saved.preferences.tolist() == [1.0] * 6
    options["preferences_path"] = "alone/preferences.pkl"
    run("again", **options, total_comparisons=0, comparison_queue_size=4)
    kept = prefs.PreferenceDataset.load("again/preferences.pkl")
    assert [*cast("Any", kept)] == [*cast("Any", saved)][2:]

    said = failure(
        capsys,
        "preferences_path=alone/preferences.pkl",
        "environment.gym_id=Pendulum-v1",
    )
    assert "has observations of shape (4,), the environment of (3,)" in said
    prefs.PreferenceDataset().save("empty.pkl")
    empty = "preferences_path=empty.pkl"
    assert "or 0 if there are some" in failure(capsys, empty, "total_comparisons=0")
    pathlib.Path("broken.jsonl").write_text("{")
    assert "broken.jsonl, line 1" in failure(capsys, "preferences_path=broken.jsonl")


def test_nothing_to_train_on_is_said(
    workdir: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run("run", gatherer_cls=Silent).result
    assert "Nobody compared anything" in caplog.text
    assert np.isnan(result["reward_loss"])


def test_the_documented_functions_save(
    workdir: pathlib.Path, trainers: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run("run")
    (trainer,) = trainers
    script.save_checkpoint(trainer, "both", True)
    script.save_checkpoint(trainer, "one", False)
    script.save_model(trainer.trajectory_generator, "model")
    for path in ("both/policy/model.zip", "both/reward_net.pt", "model/model.zip"):
        assert pathlib.Path(path).exists()
    assert [path.name for path in pathlib.Path("one").iterdir()] == ["reward_net.pt"]
    serialize.save("demos", episodes(12))
    run("dataset", trajectory_path="demos")
    script.save_checkpoint(trainers[1], "none", True)
    assert "There is no policy to save" in caplog.text
    assert [path.name for path in pathlib.Path("none").iterdir()] == ["reward_net.pt"]


def test_resumed_after_an_interrupt_it_ends_with_identical_weights(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {
        "environment__gym_id": "tests/Stopping-v0",
        "num_iterations": 4,
        "total_timesteps": 100,
        "exploration_frac": 0.2,
        "keep_best_agent": True,
    }
    whole = run("whole", GROUPS, **small).result
    Stopping.left = 150
    with pytest.raises(KeyboardInterrupt):
        run("part", GROUPS, **small)
    said = "To continue: train_preference_comparisons with resume=part"
    assert said in capsys.readouterr().err
    assert checkpoints("part") == ["latest"]
    done = EX.run(config_updates={"resume": "part"})
    assert done.config["logging"]["log_dir"] == "part"
    assert done.result == whole
    assert same(weights("part"), weights("whole"))
    assert agent("part").num_timesteps == 100


def test_a_finished_run_resumed_only_evaluates_again(workdir: pathlib.Path) -> None:
    first = run("run").result
    before = weights("run")
    assert EX.run(config_updates={"resume": "run"}).result == first
    assert same(weights("run"), before)


@pytest.mark.slow
def test_resumed_after_sigkill_it_ends_with_identical_weights(
    workdir: pathlib.Path,
) -> None:
    arguments = [
        *("with", "seals_cartpole", "environment.fast", "policy_evaluation.fast"),
        *("seed=5", "rl.batch_size=64", "fragment_length=4", "total_comparisons=60"),
        *("num_iterations=30", "total_timesteps=6400", "initial_epoch_multiplier=2"),
        *("logging.log_format_strs=[]", "reward.reward_ensemble"),
    ]
    module = "imitation.scripts.train_preference_comparisons"
    command = [sys.executable, "-W", "error", "-m", module, *arguments]
    process: Any = subprocess.Popen(
        [*command, "logging.log_dir=killed"], stderr=subprocess.PIPE
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
    for words in (["with", "resume=killed"], [*arguments, "logging.log_dir=whole"]):
        assert EX.run_line(words, "program") == 0
    assert same(weights("killed"), weights("whole"))
