"""What the measurements of returns share: episodes, intervals, the file of results."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.policies import BasePolicy

from imitation.data import rollout
from imitation.util import artifacts, util

N_EPISODES = 50
"""Episodes each policy is measured in; those of variable length may be a few more."""

N_RESAMPLES = 10_000
LIBRARIES = ["torch", "stable-baselines3", "gymnasium", "numpy", "seals"]

Returns = np.ndarray
"""Of the episodes of one seed, shape (n_episodes,)."""


def play(
    policy: BasePolicy, env_name: str, seed: int, *, deterministic: bool = True
) -> Returns:
    """Plays episodes; equal seeds have equal initial states."""
    rng = np.random.default_rng([seed, N_EPISODES])
    trajectories = rollout.generate_trajectories(
        policy,
        util.make_vec_env(env_name, rng=rng, n_envs=10),
        rollout.make_min_episodes(N_EPISODES),
        rng,
        deterministic_policy=deterministic,
    )
    return np.array([traj.rews.sum() for traj in trajectories])


def summary(by_seed: Sequence[Returns]) -> dict[str, Any]:
    """Mean over the seeds, with a 95% interval from resampled seeds and episodes."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(N_RESAMPLES):
        seeds = rng.integers(len(by_seed), size=len(by_seed))
        resampled = [rng.choice(by_seed[s], len(by_seed[s])).mean() for s in seeds]
        means.append(np.mean(resampled))
    low, high = np.percentile(means, [2.5, 97.5])
    mean_by_seed = [float(returns.mean()) for returns in by_seed]
    return {
        "return_mean": round(float(np.mean(mean_by_seed)), 2),
        "return_ci95": [round(float(low), 2), round(float(high), 2)],
        "return_mean_by_seed": [round(mean, 2) for mean in mean_by_seed],
    }


def main(
    script: str,
    description: str,
    settings: Sequence[Any],
    measure: Callable[[Any, list[int]], dict[str, Any]],
) -> None:
    """Measures every setting and writes the results beside the script.

    Args:
        script: its `__file__`.
        description: what it answers, for `--help`.
        settings: what to measure; each has an `env_name`.
        measure: makes one row of results from a setting and the seeds.
    """
    path = pathlib.Path(script)
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--only", metavar="ENV", help="measure one environment")
    parser.add_argument(
        "--output", type=pathlib.Path, default=path.with_suffix(".json")
    )
    arguments = parser.parse_args()
    th.set_num_threads(1)
    rows = [
        measure(setting, arguments.seeds)
        for setting in settings
        if arguments.only in (None, setting.env_name)
    ]
    document = {
        "benchmark": path.stem,
        "command": f"python benchmarks/returns/{path.name}",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _commit(path.parent),
        "machine": {"system": platform.system(), "cores": os.cpu_count()},
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in LIBRARIES},
        },
        "rows": rows,
    }
    artifacts.write_json(arguments.output, document)


def _commit(directory: pathlib.Path) -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
