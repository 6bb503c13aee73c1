"""Trains the experts that come with the package, measures them and writes their cards.

    python benchmarks/returns/train_experts.py                       # all, from scratch
    python benchmarks/returns/train_experts.py Pendulum-v1           # one
    python benchmarks/returns/train_experts.py --measure-only        # only the numbers

Each is trained by the project's own `train_rl`; its card holds that command. Writes
`src/imitation/policies/experts/weights/`, `benchmarks/returns/experts.json` and the
table in `docs/guide/experts.md`. Sampled actions are what experts demonstrate with, and
what the documented evaluation of `imitation` 1.0 uses; deterministic ones are the mode.
"""

import argparse
import importlib.metadata
import json
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import numpy as np
import scipy.stats
import torch as th

from imitation.data import rollout
from imitation.policies import experts
from imitation.policies.serialize import load_policy
from imitation.util import artifacts, policy_io, seeding, util

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = ROOT / "benchmarks" / "returns" / "experts.json"
DOCS = ROOT / "docs" / "guide" / "experts.md"
BEGIN, END = "<!-- experts: begin -->", "<!-- experts: end -->"
LIBRARIES = ["torch", "stable-baselines3", "gymnasium", "numpy", "seals"]

RECIPES = {
    "CartPole-v1": """
        seed=0 total_timesteps=150000
        rl.rl_kwargs.gamma=0.98""",
    "seals/CartPole-v0": """
        seed=0 total_timesteps=200000
        rl.rl_kwargs.gamma=0.98""",
    "seals/MountainCar-v0": """
        policy.normalize_running seed=1 total_timesteps=2000000
        environment.num_vec=16 rl.batch_size=8192 rl.rl_kwargs.batch_size=1024
        rl.rl_kwargs.n_epochs=20 rl.rl_kwargs.learning_rate=0.001
        rl.rl_kwargs.gamma=0.99 rl.rl_kwargs.gae_lambda=0.98""",
    "MountainCar-v0": """
        policy.normalize_running seed=1 total_timesteps=1000000
        environment.num_vec=16 rl.batch_size=8192 rl.rl_kwargs.batch_size=1024
        rl.rl_kwargs.n_epochs=20 rl.rl_kwargs.learning_rate=0.001
        rl.rl_kwargs.gamma=0.99 rl.rl_kwargs.gae_lambda=0.98""",
    "Pendulum-v1": """
        seed=0 total_timesteps=500000
        environment.num_vec=16 rl.batch_size=4096 rl.rl_kwargs.batch_size=256
        rl.rl_kwargs.learning_rate=0.001
        rl.rl_kwargs.gamma=0.95 rl.rl_kwargs.gae_lambda=0.9""",
    "Acrobot-v1": """
        seed=0 total_timesteps=300000
        rl.rl_kwargs.gamma=0.99 rl.rl_kwargs.gae_lambda=0.94""",
}
"""The settings of `train_rl` by environment, where they differ from its defaults."""


def command(env_name: str) -> list[str]:
    """Returns the command that trains an expert, without where it writes."""
    return [
        *("python", "-m", "imitation.scripts.train_rl", "with"),
        f"environment.gym_id={env_name}",
        "environment.parallel=False",
        *RECIPES[env_name].split(),
    ]


def train(env_name: str) -> dict[str, object]:
    """Trains an expert, puts its weights into the package, and returns its card."""
    with tempfile.TemporaryDirectory() as directory:
        log_dir = pathlib.Path(directory) / "run"
        extra = [
            f"logging.log_dir={log_dir}",
            "logging.log_format_strs=['csv']",
            "policy_save_interval=0",
            "rollout_save_final=False",
        ]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, *command(env_name)[1:], *extra],
            check=True,
            cwd=directory,
        )
        wall_time = time.perf_counter() - start
        venv = util.make_vec_env(env_name, rng=np.random.default_rng(0), n_envs=1)
        policy = load_policy("ppo", venv, path=log_dir / "policies" / "final")
    directory_name = experts.directory_name(env_name)
    policy_io.save_policy(policy, experts.WEIGHTS / directory_name)
    words = dict(word.split("=") for word in command(env_name) if "=" in word)
    return {
        "env_name": env_name,
        "algorithm": "PPO",
        "command": " ".join(command(env_name)),
        "seed": int(words["seed"]),
        "steps": int(words["total_timesteps"]),
        "wall_time_s": round(wall_time, 1),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in LIBRARIES},
        },
    }


def measure(env_name: str, deterministic: bool, n_episodes: int) -> dict[str, object]:
    """Plays episodes and returns the mean return with a 95% bootstrap interval."""
    rng = np.random.default_rng([deterministic, n_episodes])
    venv = util.make_vec_env(env_name, rng=rng, n_envs=10)
    policy = experts.load_expert(env_name, venv)
    with seeding.torch_seeded(rng):
        trajectories = rollout.generate_trajectories(
            policy,
            venv,
            rollout.make_min_episodes(n_episodes),
            rng,
            deterministic_policy=deterministic,
        )
    returns = np.array([sum(t.rews) for t in trajectories])
    low, high = scipy.stats.bootstrap(
        (returns,), np.mean, method="percentile", rng=rng
    ).confidence_interval
    return {
        "n_episodes": len(returns),
        "return_mean": round(float(returns.mean()), 2),
        "return_std": round(float(returns.std(ddof=1)), 2),
        "return_ci95": [round(float(low), 2), round(float(high), 2)],
    }


def markdown_table(cards: list[dict]) -> str:
    """Renders the table of the documentation."""
    lines = [
        "| environment | sampled actions | deterministic | steps | seed | trained in |",
        "|---|---|---|---|---|---|",
    ]
    for card in cards:
        scores = (
            f"{s['return_mean']:.1f} [{s['return_ci95'][0]:.1f}, "
            f"{s['return_ci95'][1]:.1f}]"
            for s in (card["sampled"], card["deterministic"])
        )
        lines.append(
            f"| `{card['env_name']}` | {' | '.join(scores)} | {card['steps']:,} "
            f"| {card['seed']} | {card['wall_time_s']:.0f} s |"
        )
    return "\n".join(lines)


def write_tables() -> None:
    """Writes the cards of all experts as one file, and the documentation's table."""
    cards = [experts.expert_card(name) for name in experts.available()]
    artifacts.write_json(TABLE, cards)
    if DOCS.exists():
        text = DOCS.read_text()
        head, rest = text.split(BEGIN)
        _, tail = rest.split(END)
        table = markdown_table(cards)
        DOCS.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}")


def main() -> None:
    """Trains and measures the experts named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("env_names", nargs="*", metavar="ENV", help="default: all")
    parser.add_argument("--measure-only", action="store_true")
    parser.add_argument("--episodes", type=int, default=100)
    arguments = parser.parse_args()
    th.set_num_threads(1)
    for env_name in arguments.env_names or RECIPES:
        path = experts.WEIGHTS / experts.directory_name(env_name) / "card.json"
        card = (
            json.loads(path.read_text()) if arguments.measure_only else train(env_name)
        )
        artifacts.write_json(path, card)  # so that the expert is found
        for name, deterministic in (("sampled", False), ("deterministic", True)):
            card[name] = measure(env_name, deterministic, arguments.episodes)
        artifacts.write_json(path, card)
        print(json.dumps(card, indent=2))
    write_tables()


if __name__ == "__main__":
    main()
