"""What do random actions score? The zero of normalized scores.

    python benchmarks/returns/random_scores.py

Plays 100 episodes with random actions in each environment that has a preset and writes
the mean returns to `src/imitation/reports/benchmarks/random_scores.json`, which comes
with the package.
"""

from __future__ import annotations

import importlib.metadata
import pathlib
import time

import gymnasium as gym
import numpy as np
import seals  # noqa: F401 - registers its environments

from imitation.scripts.config.environments import ENVIRONMENTS
from imitation.util import artifacts

N_EPISODES = 100
OUTPUT = (
    pathlib.Path(__file__).resolve().parents[2]
    / "src/imitation/reports/benchmarks/random_scores.json"
)
LIBRARIES = ["gymnasium", "seals", "mujoco", "numpy"]


def play(env_name: str) -> np.ndarray:
    """Returns of episodes with actions drawn uniformly from the action space."""
    returns = []
    with gym.make(env_name) as env:
        env.action_space.seed(0)
        for episode in range(N_EPISODES):
            env.reset(seed=episode)
            total, over = 0.0, False
            while not over:
                _, reward, terminated, truncated, _ = env.step(
                    env.action_space.sample()
                )
                total += float(reward)
                over = terminated or truncated
            returns.append(total)
    return np.array(returns)


def main() -> None:
    """Measures all environments and writes the file."""
    rows = []
    for env_name in sorted(ENVIRONMENTS.values()):
        returns = play(env_name)
        error = returns.std(ddof=1) / np.sqrt(len(returns))
        rows.append(
            {
                "env_name": env_name,
                "return_mean": round(float(returns.mean()), 3),
                "standard_error": round(float(error), 3),
            }
        )
        print(rows[-1], flush=True)
    document = {
        "command": "python benchmarks/returns/random_scores.py",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "n_episodes": N_EPISODES,
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "rows": rows,
    }
    artifacts.write_json(OUTPUT, document)


if __name__ == "__main__":
    main()
