"""The command train_mce_irl: results, files, sources, mistakes, resuming."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from imitation.algorithms.mce_irl import MCEIRL, TabularPolicy
from imitation.algorithms.mce_irl.tables import load_tables
from imitation.data import serialize, types
from imitation.envs.tabular import random_mdp, save_mdp
from imitation.rewards.serialize import load_reward
from imitation.scripts import console
from imitation.scripts import train_mce_irl as script
from imitation.training import state_files as checkpoint
from imitation.training.checkpoints import Checkpoints
from imitation.util.util import make_vec_env

EX = script.train_mce_irl_ex
FAST = ["environment.fast", "demonstrations.fast", "policy_evaluation.fast", "fast"]
SMALL = {
    "logging.log_format_strs": ["csv"],
    "reward.hid_sizes": [8],
    "environment.num_vec": 2,
    "seed": 0,
}


def run(log_dir: str, **updates: Any) -> Any:
    dotted = {key.replace("__", "."): value for key, value in updates.items()}
    return EX.run(
        "train_mce_irl",
        named_configs=FAST,
        config_updates={**SMALL, "logging.log_dir": log_dir, **dotted},
    )


def test_command_line_and_output_layout(workdir: pathlib.Path) -> None:
    words = ["with", "cliff_world", *FAST, "reward.hid_sizes=[8]", "seed=1"]
    assert EX.run_line(words, "program") == 0
    (log_dir,) = workdir.glob("output/train_mce_irl/seals_CliffWorld7x4XY-v0/*")
    sacred_dir = workdir / "output" / "sacred" / "train_mce_irl" / "1"
    assert (log_dir / "sacred").resolve() == sacred_dir.resolve()
    final = log_dir / "checkpoints" / "final"
    tables = load_tables(final)
    assert tables.grid == (4, 7)
    assert TabularPolicy.load(final / "policy").pi.shape == (5, 28, 4)
    assert (final / "reward_net.pt").is_dir()
    result = json.loads((sacred_dir / "run.json").read_text())["result"]
    assert set(result) == {"imit_stats", "expert_stats", "irl_stats"}
    assert result["imit_stats"]["len_mean"] == 5.0
    assert result["irl_stats"]["iterations"] == 3
    difference = np.abs(tables.occupancy - tables.demo_occupancy).max()
    assert result["irl_stats"]["linf_delta"] == difference


@pytest.mark.parametrize("gym_id", ["seals/CliffWorld7x4-v0", "seals/Random-v0"])
def test_other_environments(workdir: pathlib.Path, gym_id: str) -> None:
    result = run("run", environment__gym_id=gym_id).result
    assert np.isfinite(result["imit_stats"]["return_mean"])


def test_settings_reach_the_trainer(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, Any] = {}

    class Spy(MCEIRL):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            made.update(kwargs)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(script, "MCEIRL", Spy)
    own: dict[str, Any] = {
        "optimizer_cls": "torch.optim:SGD",
        "optimizer_kwargs": {"lr": 0.5, "momentum": 0.1},
        "discount": 0.9,
        "linf_eps": 0.2,
        "grad_l2_eps": 0.3,
        "log_interval": 7,
        "objective": "occupancy",
    }
    run("run", **{f"mce_irl__{name}": value for name, value in own.items()})
    optimizer_cls = made.pop("optimizer_cls")
    assert optimizer_cls.__name__ == own.pop("optimizer_cls").rpartition(":")[2]
    del made["custom_logger"]
    made["optimizer_kwargs"] = {
        key: value
        for key, value in made["optimizer_kwargs"].items()
        if key in ("lr", "momentum")
    }
    assert made == own


def test_exact_occupancy(workdir: pathlib.Path) -> None:
    result = run(
        "run", demonstrations__source="occupancy", max_iter=400, mce_irl__linf_eps=0.1
    ).result
    assert result["irl_stats"]["linf_delta"] <= 0.1
    assert "expert_stats" not in result
    tables = load_tables("run/checkpoints/final")
    np.testing.assert_array_equal(tables.demo_occupancy, tables.true_occupancy)


def test_own_arrays_and_demonstrations(workdir: pathlib.Path) -> None:
    save_mdp("mine.npz", random_mdp(6, 2, horizon=3, rng=0))
    rng = np.random.default_rng(0)
    states, acts = rng.integers(6, size=4), rng.integers(2, size=3)
    episode = types.Trajectory(states, acts, None, terminal=True)
    serialize.save("demos", [episode] * 3)
    local = {"demonstrations.source": "local", "demonstrations.path": "demos"}
    result = EX.run(
        config_updates={
            **SMALL,
            **local,
            "environment.path": "mine.npz",
            "max_iter": 2,
            "policy_evaluation.n_episodes_eval": 2,
        }
    ).result
    assert set(result) == {"imit_stats", "irl_stats"}
    (log_dir,) = pathlib.Path("output/train_mce_irl/mine").iterdir()
    found = load_tables(log_dir / "checkpoints" / "final").demo_occupancy
    np.testing.assert_allclose(found, np.bincount(states, minlength=6))


def test_resumed_run_is_the_same_to_the_bit(
    workdir: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def halt(self: Checkpoints, iteration: int) -> bool:
        if iteration == 5:
            raise KeyboardInterrupt
        return after(self, iteration)

    updates = {"max_iter": 6, "checkpoint_interval": 2}
    whole = run("whole", **updates)
    after = Checkpoints.after
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoints, "after", halt)
        run("part", **updates)
    state = checkpoint.load_state("part/checkpoints/latest", "mce_irl")
    assert state["progress"] == 4
    resumed = EX.run("train_mce_irl", config_updates={"resume": "part"})
    assert resumed.result == whole.result
    for name in ("reward_net.pt/net", "policy/policy", "tables"):
        one, other = (
            pathlib.Path(run_dir, "checkpoints/final", f"{name}.safetensors")
            for run_dir in ("whole", "part")
        )
        assert one.read_bytes() == other.read_bytes()


def test_a_finished_run_stays_finished(workdir: pathlib.Path) -> None:
    first = run("run").result
    assert EX.run("train_mce_irl", config_updates={"resume": "run"}).result == first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("environment.gym_id=CartPole-v1", "has no known dynamics"),
        ("environment.gym_id=seals/Cliff-v0", "seals/Cliff"),
        ("environment.path=nowhere.npz", "'nowhere.npz' does not exist"),
        ("environment.horizon=0", "environment.horizon must be a positive integer"),
        ("demonstrations.source=hub", "demonstrations.source must be"),
        ("demonstrations.source=local", "needs demonstrations.path"),
        ("demonstrations.n_expert_demos=0", "must be a positive integer"),
        ("reward.hid_sizes=[0]", "reward.hid_sizes must be positive integers"),
        ("mce_irl.discount=2.0", "mce_irl.discount must be a number in [0, 1]"),
        ("mce_irl.log_interval=0", "mce_irl.log_interval must be"),
        ("mce_irl.optimizer_kwargs.speed=1", "mce_irl.optimizer_cls with"),
        ("mce_irl.objective=x", "mce_irl.objective must be"),
        ("max_iter=-1", "max_iter must be"),
    ],
)
def test_mistakes_are_one_line(
    words: str, message: str, workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console.run(["train_mce_irl", "with", *FAST, words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert message in line


def test_too_few_demonstrations(workdir: pathlib.Path) -> None:
    episode = types.Trajectory(np.zeros(2, int), np.zeros(1, int), None, terminal=True)
    serialize.save("demos", [episode])
    with pytest.raises(ValueError, match="only 1 are available via local"):
        run("run", demonstrations__source="local", demonstrations__path="demos")


def test_the_reward_trains_other_policies(workdir: pathlib.Path) -> None:
    """It loads as any saved reward does."""
    run("run")
    venv = make_vec_env("seals/CliffWorld7x4XY-v0", rng=np.random.default_rng(0))
    path = "run/checkpoints/final/reward_net.pt"
    reward = load_reward("RewardNet_unnormalized", path, venv)
    obs = np.array([[0.0, 0.0], [1.0, 0.0]], dtype=np.float32)
    found = reward(obs, np.zeros(2, int), obs, np.zeros(2, bool))
    table = load_tables("run/checkpoints/final").reward
    np.testing.assert_allclose(found, table[[0, 6]], rtol=1e-5)
