"""The command train_density: results, files, settings honored, mistakes, resuming."""

import inspect
import json
import pathlib
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize

from imitation.algorithms.density import DensityAlgorithm, DensityReward, DensityType
from imitation.data import rollout, serialize
from imitation.policies.base import RandomPolicy
from imitation.scripts import console
from imitation.scripts import settings as typed
from imitation.scripts import train_density as script
from imitation.scripts.config.train_density import DensitySettings
from imitation.util.vec_envs import find_env_spec, make_vec_env

EX = script.train_density_ex


class Halting(gym.Env[Any, Any]):
    """Five steps an episode; stops the process after a number of steps."""

    observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)
    left = -1

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        Halting.left -= 1
        if Halting.left == 0:
            raise KeyboardInterrupt
        return self.observe(), float(action), False, self.steps == 5, {}

    def observe(self) -> Any:
        return self.np_random.uniform(-1, 1, 2).astype(np.float32)


gym.register("tests/Halting-v0", cast("Any", Halting))

GROUPS = ["environment.fast", "demonstrations.fast", "policy_evaluation.fast", "fast"]
FAST = ["seals_cartpole", *GROUPS]
PENDULUM = ["pendulum", *GROUPS]
QUIET = {
    "logging.log_format_strs": ["csv"],
    "expert.policy_type": "random",
    "seed": 0,
}


def run(log_dir: str, named: Any = FAST, **updates: Any) -> Any:
    dotted = {key.replace("__", "."): value for key, value in updates.items()}
    return EX.run(
        "train_density",
        named_configs=named,
        config_updates={**QUIET, "logging.log_dir": log_dir, **dotted},
    )


def weights(log_dir: str) -> Any:
    path = pathlib.Path(log_dir, "checkpoints", "final", "policy", "model.zip")
    return PPO.load(path, device="cpu").policy.state_dict()


def same(one: Any, other: Any) -> bool:
    assert one.keys() == other.keys()
    return all(th.equal(one[key], other[key]) for key in one)


def test_command_line_and_output_layout(workdir: pathlib.Path) -> None:
    line = f"with {' '.join(FAST)} expert.policy_type=random seed=1"
    words = [*line.split(), "checkpoint_interval=32"]
    assert EX.run_line(words, "program") == 0
    (log_dir,) = (workdir / "output/train_density/seals_CartPole-v0").iterdir()
    sacred_dir = workdir / "output" / "sacred" / "train_density" / "1"
    assert (log_dir / "sacred").resolve() == sacred_dir.resolve()
    checkpoints = sorted(path.name for path in (log_dir / "checkpoints").iterdir())
    assert checkpoints == ["000000000032", "final", "latest"]
    for name in checkpoints[:2]:
        checkpoint = log_dir / "checkpoints" / name
        assert (checkpoint / "policy" / "model.zip").is_file()
        reward = DensityReward.load(checkpoint / "density")
        assert reward.features.density_type is DensityType.STATE_ACTION_DENSITY
    record = json.loads((sacred_dir / "run.json").read_text())
    assert record["command"] == "train_density"
    assert set(record["result"]) == {"imit_stats", "expert_stats"}
    stats = record["result"]["imit_stats"]
    assert stats["monitor_return_mean"] == 5.0  # five steps of one point each
    assert stats["return_mean"] != 5.0


@pytest.mark.parametrize("density_type", ["state", "state_action", "state_state"])
@pytest.mark.parametrize("is_stationary", [True, False])
def test_every_density(
    workdir: pathlib.Path, density_type: str, is_stationary: bool
) -> None:
    done = run(
        "run",
        PENDULUM,
        density__density_type=density_type,
        density__is_stationary=is_stationary,
        density__estimator="kernel" if is_stationary else "knn",
    )
    assert np.isfinite(done.result["imit_stats"]["return_mean"])
    reward = DensityReward.load("run/checkpoints/final/density")
    assert reward.features.density_type.name == f"{density_type.upper()}_DENSITY"
    assert reward.is_stationary == is_stationary


def test_settings_reach_the_trainer(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}

    class Spy(DensityAlgorithm):
        def __init__(self, **kwargs: Any) -> None:
            made.update(kwargs)
            super().__init__(**kwargs)
            made["normalized"] = isinstance(self.venv_train, VecNormalize)

    monkeypatch.setattr(script, "DensityAlgorithm", Spy)
    common = {"kernel_bandwidth": 0.3, "standardise_inputs": False}
    for own in (
        {**common, "estimator": "kernel", "kernel": "exponential"},
        {**common, "estimator": "knn", "n_neighbors": 3},
    ):
        run(
            str(own["estimator"]),
            allow_variable_horizon=True,
            normalize_reward=False,
            **{f"density__{name}": value for name, value in own.items()},
        )
        assert {name: made[name] for name in own} == own
        assert made["allow_variable_horizon"] and not made["normalized"]
    run("again")
    assert made["normalized"]


def test_same_seed_same_numbers(workdir: pathlib.Path) -> None:
    results = [run(name).result for name in "ab"]
    assert results[0] == results[1]
    assert same(weights("a"), weights("b"))
    run("c", seed=1)
    assert not same(weights("a"), weights("c"))


@pytest.mark.parametrize("preset", ["acrobot", "cartpole", "mountain_car"])
def test_environments_whose_episodes_end_early_are_allowed(
    workdir: pathlib.Path, preset: str
) -> None:
    named = [preset, *GROUPS]
    done = run("run", named, environment__max_episode_steps=None, total_timesteps=16)
    assert done.status == "COMPLETED"


def test_agent_path_warm_starts_the_policy(workdir: pathlib.Path) -> None:
    run("first")
    run(
        "second",
        agent_path="first/checkpoints/final/policy",
        rl__rl_kwargs__learning_rate=0.0,
    )
    assert same(weights("first"), weights("second"))


def test_sac(workdir: pathlib.Path) -> None:
    named = [*PENDULUM, "rl.sac", "policy.sac"]
    done = run("run", named, rl__rl_kwargs={"learning_starts": 8, "buffer_size": 100})
    assert np.isfinite(done.result["imit_stats"]["return_mean"])


def test_resumed_after_an_interrupt_it_ends_with_identical_weights(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = GROUPS[:3]
    small: dict[str, Any] = {
        "environment__gym_id": "tests/Halting-v0",
        "rl__batch_size": 16,
        "total_timesteps": 160,
        "checkpoint_interval": 32,
    }
    run("whole", named, **small)
    Halting.left = 160  # demonstrations take 50 to 60
    with pytest.raises(KeyboardInterrupt):
        run("part", named, **small)
    assert "To continue: train_density with resume=part" in capsys.readouterr().err
    assert (workdir / "part" / "checkpoints" / "latest").is_dir()
    assert not (workdir / "part" / "checkpoints" / "final").exists()
    EX.run("train_density", config_updates={"resume": "part"})
    assert same(weights("part"), weights("whole"))


def test_a_finished_run_resumed_only_evaluates_again(workdir: pathlib.Path) -> None:
    first, before = run("run"), weights("run")
    again = EX.run("train_density", config_updates={"resume": "run"})
    assert again.result == first.result
    assert same(weights("run"), before)


MISTAKES = {
    "total_timesteps=0": "total_timesteps must be a positive integer",
    "checkpoint_interval=-1": "checkpoint_interval must be an integer ≥ 0",
    "density.kernel=square": "density.kernel must be one of gaussian, tophat",
    "density.kernel_bandwidth=0": "density.kernel_bandwidth must be a positive number",
    "density.n_neighbors=0": "density.n_neighbors must be a positive integer",
    "density.density_type=action": "density.density_type must be one of",
    "density.estimator=tree": "density.estimator must be one of",
    "density.bandwidth=1": "did you mean density.kernel_bandwidth",
    "agent_path=missing": "agent_path='missing' does not exist",
    "rl.sac": "add the named configs rl.sac policy.sac",
    "environment.num_vec=3": "num_envs=3 must evenly divide batch_size=",
    "expert.policy_type=oracle": "is not registered; known are",
    "resume=nowhere": "holds no run to resume",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    assert console.run(["train_density", "with", *words.split()]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("imitation: ") and MISTAKES[words] in error
    assert not list(workdir.iterdir())


def test_episodes_longer_than_the_demonstrations(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = (
        "train_density with seals_cartpole fast environment.fast expert.policy_type="
        "random logging.log_format_strs=[] density.is_stationary=False "
        "demonstrations.n_expert_demos=2 allow_variable_horizon=True "
    )
    venv = make_vec_env("seals/CartPole-v0", n_envs=1, max_episode_steps=3)
    policy = RandomPolicy(venv.observation_space, venv.action_space)
    sample = rollout.make_min_episodes(2)
    short = rollout.rollout(policy, venv, sample, unwrap=False)
    serialize.save("demos", short)
    source = "demonstrations.source=local demonstrations.path=demos"
    assert console.run([*line.split(), *source.split()]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "Time 3 out of range (0, 3]" in last


@pytest.mark.parametrize("preset", EX.script.presets())
def test_presets(preset: str) -> None:
    settings = EX.script.make_settings("train_density", named_configs=[preset])
    assert settings.resolved("train_density") == settings
    assert find_env_spec(settings.environment.gym_id) is not None


def test_every_setting_is_documented_where_it_is_declared() -> None:
    cls: Any
    for cls in (EX.script.settings_cls, DensitySettings):
        docs = typed.field_docs(cls)
        assert all(docs.get(field) for field in inspect.signature(cls).parameters)
