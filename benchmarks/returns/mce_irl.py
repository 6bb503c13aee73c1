"""How well does MCE IRL explain a demonstrator in CliffWorld, as in its tutorial?

    python benchmarks/returns/mce_irl.py
    python benchmarks/returns/mce_irl.py --release-python RELEASE/bin/python

The documented experiment: CliffWorld of 7 x 4 cells with a horizon of 40, a reward
network with one hidden layer of 256 units of the coordinates, Adam with a learning rate
of 0.01, 1,000 iterations, taught by 10 episodes of the soft-optimal policy or by its
exact occupancy measure. Release 1.0.1 learns from the same episodes. Policies are
judged by their exact expected return (they sample actions), and by 128 episodes, which
the documentation has. Writes `benchmarks/returns/mce_irl.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

KINDS = ("10 episodes", "exact occupancy")
N_EPISODES, N_SAMPLED, HALF = 10, 128, 500
CLIFF = {"height": 4, "horizon": 40, "width": 7, "use_xy_obs": True}


def fit(kind: str, seed: int, states: np.ndarray, acts: np.ndarray) -> dict[str, Any]:
    """Learns with the documented interface of either library."""
    import torch as th
    from seals.diagnostics.cliff_world import CliffWorldEnv

    from imitation.algorithms.mce_irl import MCEIRL, mce_occupancy_measures
    from imitation.data.types import Trajectory
    from imitation.rewards.reward_nets import BasicRewardNet
    from imitation.util import logger

    th.set_num_threads(1)
    th.manual_seed(seed)
    env = CliffWorldEnv(**CLIFF)
    _, true_om = mce_occupancy_measures(env)
    demonstrations = true_om
    if kind == KINDS[0]:
        demonstrations = [
            Trajectory(obs=s, acts=a, infos=None, terminal=True)
            for s, a in zip(states, acts, strict=True)
        ]
    net = BasicRewardNet(
        env.observation_space,
        env.action_space,
        hid_sizes=[256],
        use_action=False,
        use_done=False,
        use_next_state=False,
    )
    trainer = MCEIRL(
        demonstrations,
        env,
        net,
        log_interval=None,
        optimizer_kwargs={"lr": 0.01},
        rng=np.random.default_rng(seed),
        custom_logger=logger.configure(tempfile.mkdtemp(), []),
    )
    start = time.perf_counter()
    linf = []
    for _ in range(2):
        om = trainer.train(HALF)
        linf.append(float(np.abs(om - trainer.demo_state_om).max()))
    seconds = time.perf_counter() - start
    visits, om = mce_occupancy_measures(env, pi=trainer.policy.pi)
    return {
        "expected_return": float(visits[:-1].sum(axis=0) @ env.reward_matrix),
        "linf_at_500": linf[0],
        "linf": linf[1],
        "linf_to_expert": float(np.abs(om - true_om).max()),
        "training_s": round(seconds, 2),
        "pi": np.asarray(trainer.policy.pi).tolist(),
    }


def demonstrate(seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """States and actions of the demonstrator's episodes, and their mean return."""
    states, acts, returns = play(None, seed, N_EPISODES)
    return states, acts, float(returns.mean())


def play(pi: Any, seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Plays episodes of a policy; of the soft-optimal one if it is None."""
    from seals.diagnostics.cliff_world import CliffWorldEnv
    from stable_baselines3.common.vec_env import DummyVecEnv

    from imitation.algorithms.mce_irl import TabularPolicy, mce_partition_fh
    from imitation.data import rollout
    from imitation.envs.tabular import ExposeState

    rng = np.random.default_rng([seed, n])
    env = CliffWorldEnv(**CLIFF)
    pi = mce_partition_fh(env)[2] if pi is None else np.asarray(pi)
    policy = TabularPolicy(env.state_space, env.action_space, pi, rng)
    venv = DummyVecEnv([lambda: ExposeState(CliffWorldEnv(**CLIFF))] * 4)
    venv.seed(seed)
    until = rollout.make_min_episodes(n)
    found = rollout.generate_trajectories(policy, venv, until, rng)[:n]
    states, acts, rews = (
        np.stack([getattr(t, name) for t in found]) for name in ("obs", "acts", "rews")
    )
    return states, acts, rews.sum(axis=1)


def in_interpreter(python: str, arguments: list[str]) -> dict[str, Any]:
    """Runs `fit` in an interpreter of its own."""
    words = [python, "-W", "ignore", __file__, "--worker", *arguments]
    result: dict[str, Any] = json.loads(subprocess.check_output(words))
    return result


def measure(kind: str, seeds: list[int], release_python: str | None) -> dict[str, Any]:
    """Learns with every seed; returns a row of results."""
    pythons = {"ours": sys.executable}
    if release_python is not None:
        pythons["release"] = release_python
    row: dict[str, Any] = {
        "algorithm": "mce_irl",
        "env_name": "CliffWorld 7x4, horizon 40",
        "demonstrations": kind,
        "seeds": seeds,
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    demo_returns = []
    for seed in seeds:
        states, acts, mean = demonstrate(seed)
        demo_returns.append(round(mean, 2))
        with tempfile.NamedTemporaryFile(suffix=".npz") as file:
            np.savez(file, states=states, acts=acts)
            file.flush()
            for name, python in pythons.items():
                result = in_interpreter(python, [kind, str(seed), file.name])
                _, _, returns = play(result.pop("pi"), seed, N_SAMPLED)
                result["sampled_return_mean"] = float(returns.mean())
                result["sampled_return_std"] = float(returns.std())
                found[name].append(result)
                print(kind, seed, name, result, flush=True)
    if kind == KINDS[0]:
        row["demonstrated_return_by_seed"] = demo_returns
    for name, results in found.items():
        row[name] = {
            f"{key}_by_seed": [round(float(r[key]), 5) for r in results]
            for key in results[0]
        }
    return row


def main() -> None:
    """Measures as the command line says."""
    import common

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--release-python", metavar="PYTHON")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments, rest = parser.parse_known_args()
    sys.argv[1:] = rest

    def row(kind: Kind, seeds: list[int]) -> dict[str, Any]:
        return measure(kind.env_name, seeds, arguments.release_python)

    common.main(__file__, __doc__ or "", [Kind(kind) for kind in KINDS], row)


class Kind:
    """What to measure; `common.main` chooses by the attribute."""

    def __init__(self, name: str) -> None:
        self.env_name = name


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _, _, kind, seed, path = sys.argv
        with np.load(path) as arrays:
            json.dump(
                fit(kind, int(seed), arrays["states"], arrays["acts"]), sys.stdout
            )
    else:
        main()
