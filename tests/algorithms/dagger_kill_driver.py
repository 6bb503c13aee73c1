"""Kills a DAgger run at random instants, resumes it each time, and checks the outcome.

    python dagger_kill_driver.py DIRECTORY N_KILLS SEED

Each attempt is a forked process ended by SIGKILL, so that importing is paid once.
"""

import os
import pathlib
import signal
import sys
import time
import traceback
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms import bc, dagger
from imitation.data import types
from imitation.data.storage import episode_files
from imitation.util import logger as imit_logger

TOTAL_TIMESTEPS = 256
LENGTH = 8
N_INITIAL = 3


class SignEnv(gym.Env):
    """Rewards naming the sign of a random number; episodes of 8 steps."""

    observation_space = gym.spaces.Box(-1, 1, shape=(2,), dtype=np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t = 0
        return self._obs(), {}

    def step(self, action: Any) -> Any:
        reward = float(action == (self.number[0] > 0))
        self.t += 1
        return self._obs(), reward, False, self.t == LENGTH, {}

    def _obs(self) -> Any:
        self.number = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return self.number


def expert(obs: Any) -> Any:
    return (obs[:, 0] > 0).astype(int)


def initial_trajectories() -> Any:
    rng = np.random.default_rng(7)
    return [
        types.TrajectoryWithRew(
            rng.uniform(-1, 1, (5, 2)).astype(np.float32), np.zeros(4, int), None, True,
            np.zeros(4),
        )
        for _ in range(N_INITIAL)
    ]  # fmt: skip


def script(directory: Any) -> Any:
    """What a user would write: start, or go on if there is something to go on with."""
    venv = DummyVecEnv([SignEnv, SignEnv])
    venv.seed(0)
    scratch = directory / "scratch"
    logger = imit_logger.configure(directory / "log", ["csv"])
    common: dict[str, Any] = {
        "venv": venv,
        "expert_policy": expert,
        "custom_logger": logger,
    }
    if (scratch / "checkpoint-latest.pt").exists():
        trainer = dagger.SimpleDAggerTrainer.load(scratch, **common)
    else:
        trainer = dagger.SimpleDAggerTrainer(
            scratch_dir=scratch,
            rng=np.random.default_rng(0),
            expert_trajs=initial_trajectories(),
            bc_trainer=bc.BC(
                observation_space=venv.observation_space,
                action_space=venv.action_space,
                rng=np.random.default_rng(1),
                batch_size=8,
                device="cpu",
                custom_logger=logger,
            ),
            **common,
        )
    trainer.train(
        TOTAL_TIMESTEPS,
        rollout_round_min_timesteps=32,
        bc_train_kwargs={"log_rollouts_n_episodes": 0},
        resume=True,
        progress_bar=False,
    )
    return trainer


def attempt(directory: Any, kill_after: Any) -> bool:
    """Runs the script in a process of its own; returns whether it got to the end."""
    child = os.fork()
    if child == 0:
        try:
            script(directory)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    assert status == 0, f"the script failed with status {status}"
    return True


def finished_files(directory: Any) -> Any:
    return {p: p.read_bytes() for p in directory.glob("scratch/demos/*/*.npz")}


def main(directory: Any, n_kills: Any, seed: Any) -> None:
    th.set_num_threads(1)
    rng = np.random.default_rng(seed)
    start = time.perf_counter()
    assert attempt(directory / "whole", None)
    duration = time.perf_counter() - start
    killed_dir = directory / "killed"
    kept: dict[Any, Any]
    n_killed, kept = 0, {}
    while n_killed < n_kills:
        if attempt(killed_dir, float(rng.uniform(0, duration / 2))):
            break  # it got to the end before the planned number of kills
        n_killed += 1
        found = finished_files(killed_dir)
        assert kept.items() <= found.items(), "a finished episode was lost or changed"
        kept = found
    trainer = script(killed_dir)
    check(trainer, killed_dir, kept)
    sys.stdout.write(f"killed {n_killed} times, {trainer.round_num} rounds, ok\n")


def check(trainer: Any, directory: Any, kept: Any) -> None:
    files = finished_files(directory)
    assert kept.items() <= files.items(), "a finished episode was lost or changed"
    episodes: Any = {path: episode_files.read_episode(path) for path in files}
    assert len({e.obs.tobytes() for e in episodes.values()}) == len(episodes), "doubled"
    collected = [e for p, e in episodes.items() if p.name.startswith("dagger-demo-")]
    assert len(episodes) == len(collected) + N_INITIAL
    n_timesteps = sum(map(len, collected))
    assert trainer.total_timesteps == n_timesteps >= TOTAL_TIMESTEPS
    assert trainer.round_num == TOTAL_TIMESTEPS // 32
    assert not list(directory.rglob("*.tmp")), "a temporary file was left behind"
    for value in trainer.policy.state_dict().values():
        assert value.isfinite().all()
    obs = np.random.default_rng(1).uniform(-1, 1, (500, 2)).astype(np.float32)
    acts, _ = trainer.policy.predict(obs, deterministic=True)
    assert np.mean(acts == expert(obs)) > 0.8


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
