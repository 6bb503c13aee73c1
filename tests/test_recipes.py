"""The recipes of the architecture page work as they are written, with no other code."""

import importlib
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import time
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.data import types
from imitation.scripts import console, registry
from imitation.training.checkpoints import Checkpoints
from imitation.util import policy_io
from reference import states

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
COMMAND = [sys.executable, str(EXAMPLES / "new_command.py")]
SETTINGS = ("with", "environment.gym_id=CartPole-v1", "expert.policy_type=random")
FEW = ("environment.num_vec=1", "policy_evaluation.n_episodes_eval=1", "seed=3")


def new_algorithm(seed: int = 0) -> Any:  # a class that only the example knows
    mimic = runpy.run_path(str(EXAMPLES / "new_algorithm.py"))["Mimic"]
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(200, 4)).astype(np.float32)
    data = types.TransitionsMinimal(
        obs, (obs[:, 0] > 0).astype(np.int64), np.array([{}] * 200)
    )
    venv = DummyVecEnv([lambda: gym.make("CartPole-v1")])
    return mimic(data, venv, np.random.default_rng(seed))


def test_the_algorithm_is_about_sixty_lines() -> None:
    lines = (EXAMPLES / "new_algorithm.py").read_text().split("class Mimic")[1]
    assert len(lines.splitlines()) <= 62


def test_the_algorithm_learns() -> None:
    trainer = new_algorithm()
    trainer.train(200, Checkpoints(trainer, None))
    predicted, _ = trainer.policy.predict(trainer.obs.numpy(), deterministic=True)
    assert (predicted == trainer.acts.numpy()).mean() > 0.95


@pytest.mark.parametrize("at", [1, 4, 7])
def test_the_algorithm_resumes_and_exports(tmp_path: pathlib.Path, at: int) -> None:
    whole, part, resumed = (new_algorithm(seed) for seed in (0, 0, 5))
    whole.train(8, Checkpoints(whole, None))
    part.train(at, Checkpoints(part, tmp_path, export_every=2, state_every=1))
    saver = Checkpoints(resumed, tmp_path, export_every=2)
    assert saver.resume() == at
    resumed.train(8, saver)
    states.assert_same(whole.policy.state_dict(), resumed.policy.state_dict())
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"00002", "00004", "00006", "00008", "final", "latest"}
    loaded = policy_io.load_policy(tmp_path / "final" / "policy", device="cpu")
    states.assert_same(loaded.state_dict(), whole.policy.state_dict())


def run(directory: pathlib.Path, *arguments: str) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=directory, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def weights(run_dir: pathlib.Path) -> dict[str, th.Tensor]:
    policy = run_dir / "checkpoints" / "final" / "policy"
    return dict(policy_io.load_policy(policy, device="cpu").state_dict())


def test_the_command_survives_a_kill(tmp_path: pathlib.Path) -> None:
    """Killed as soon as there is a state, and again; resumed to the same weights."""
    long = ("n_steps=3000", "state_interval=50", *FEW)
    run(tmp_path, *SETTINGS, *long, "logging.log_dir=whole")
    arguments: Any = (*SETTINGS, *long, "logging.log_dir=killed")
    for _ in range(2):
        with subprocess.Popen(
            [*COMMAND, *arguments], cwd=tmp_path, stderr=subprocess.DEVNULL
        ) as process:
            latest = tmp_path / "killed" / "checkpoints" / "latest" / "state.json"
            before = latest.stat().st_ino if latest.exists() else None
            while not latest.exists() or latest.stat().st_ino == before:
                assert process.poll() is None, "it ended before it was killed"
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
        progress = json.loads(latest.read_text())["state"]["progress"]
        assert 0 < progress < 3000
        arguments = ("with", "resume=killed")
    run(tmp_path, *arguments)
    states.assert_same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


def test_the_command_speaks_like_the_others(tmp_path: pathlib.Path) -> None:
    assert "n_steps = 1000" in run(tmp_path, "print_config")
    done = subprocess.run(
        [*COMMAND, "with", "n_steps=0"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "n_steps must be a positive integer, got 0"
    )
    assert os.listdir(tmp_path) == []


def test_one_row_makes_it_a_command(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the row that the recipe adds, the console runs it by its name."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)
    # As if the file lay in `imitation/scripts`, where the recipe puts it.
    module = importlib.import_module("new_command")
    monkeypatch.setitem(sys.modules, "imitation.scripts.mimic", module)
    row = registry.Command("mimic", "imitate an expert")
    monkeypatch.setattr(registry, "COMMANDS", {**registry.COMMANDS, "mimic": row})
    monkeypatch.setattr(console, "COMMANDS", registry.COMMANDS)
    assert console.run(["mimic", *SETTINGS, "fast", *FEW]) == 0
