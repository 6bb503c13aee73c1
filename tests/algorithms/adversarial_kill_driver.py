"""Kills adversarial training at random instants, resumes it, and checks the outcome.

    python adversarial_kill_driver.py DIRECTORY GENERATOR N_KILLS SEED

Each attempt is a forked process ended by SIGKILL, so that importing is paid once. The
weights at the end must be those of a run that nobody killed.
"""

import os
import pathlib
import signal
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import safetensors.torch
import torch as th

from imitation.rewards.serialize import load_reward_net
from reference.adversarial_trainers import make_trainer, weights

N_ROUNDS = 24


def script(directory: pathlib.Path, generator: str) -> None:
    """What a user would write: start, or go on if there is something to go on with."""
    act_kind = "box" if generator == "SAC" else "discrete"
    trainer = make_trainer(directory / "log", "GAIL", generator, act_kind=act_kind)
    trainer.train(
        N_ROUNDS * trainer.gen_train_timesteps,
        checkpoint_dir=directory / "checkpoints",
        checkpoint_interval=2,
        resume=True,
    )
    safetensors.torch.save_file(weights(trainer), directory / "weights")


def attempt(directory: pathlib.Path, generator: str, kill_after: float | None) -> bool:
    """Runs the script in a process of its own; returns whether it got to the end."""
    child = os.fork()
    if child == 0:
        try:
            th.set_num_threads(1)
            script(directory, generator)
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


def check_checkpoints(directory: pathlib.Path) -> None:
    """Every checkpoint under its own name is whole."""
    for path in (directory / "checkpoints").glob("[0-9]*[0-9]"):
        load_reward_net(path / "reward_train.pt")
        load_reward_net(path / "reward_test.pt")
        assert (path / "gen_policy" / "model.zip").stat().st_size > 1000


def main(root: pathlib.Path, generator: str, n_kills: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    start = time.monotonic()
    attempt(root / "whole", generator, None)
    duration = time.monotonic() - start
    n_killed = 0
    for _ in range(n_kills):
        delay = float(rng.uniform(0.05, duration))
        if attempt(root / "killed", generator, delay):
            break
        n_killed += 1
        check_checkpoints(root / "killed")
    attempt(root / "killed", generator, None)
    check_checkpoints(root / "killed")
    expected, found = (
        safetensors.torch.load_file(root / name / "weights")
        for name in ("whole", "killed")
    )
    for key, value in expected.items():
        th.testing.assert_close(value, found[key], rtol=0, atol=1e-6, msg=key)
    sys.stdout.write(f"killed {n_killed} times, ok\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
