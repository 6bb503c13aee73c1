"""Learning a reward from preferences in the demo."""

import numpy as np
from stable_baselines3 import PPO

from imitation.algorithms.preference_comparisons import schedules
from imitation.algorithms.preference_comparisons.held_out import load_held_out
from imitation.reports.plots import Series
from imitation.scripts.demo.rows import (
    Chart,
    DemoRow,
    Task,
    Trained,
    read_progress,
    resolve,
    series,
)
from imitation.scripts.ingredients.held_out import HELD_OUT_DIR

_COLOUR = "c4"


def train(task: Task) -> Trained:
    """Runs ``train_preference_comparisons`` and reads what it has written."""
    task.run()
    settings = resolve(task.command, task.words)[2]
    n_rounds = settings.num_iterations + 1
    ends = np.cumsum(schedules.even_parts(settings.total_timesteps, n_rounds))
    returns = Chart(
        title=f"{ROW.label}: return while it learns",
        x_label="environment steps",
        y_label="return",
        curves=(_held_out_returns(task, ends),),
        is_return=True,
        note="Mean and range of episodes played apart from the training.",
    )
    rows = list(enumerate(read_progress(task.directory)))
    by_end = [{**row, "end": float(ends[i])} for i, row in rows]
    accuracy = Chart(
        title=f"{ROW.label}: accuracy of the reward",
        x_label="environment steps",
        y_label="share of preferences met",
        curves=(
            series(
                by_end,
                "preferences",
                lambda row: row["end"],
                ("reward/final/train/accuracy",),
                _COLOUR,
            ),
        ),
        is_share=True,
        note="Of all comparisons so far, ties left out.",
    )
    saved = task.directory / "checkpoints" / "final" / "policy" / "model.zip"
    agent = PPO.load(saved, device="cpu")
    return Trained(
        policy=agent.policy,
        learnt_from=f"{settings.total_comparisons} comparisons and "
        f"{agent.num_timesteps:,} steps of its own",
        charts=(returns, accuracy),
    )


def _held_out_returns(task: Task, ends: np.ndarray) -> Series:
    """The true returns of held-out episodes, by the agent's steps before."""
    episodes = load_held_out(task.directory / HELD_OUT_DIR)
    found = np.array([float(t.rews.sum()) for t in episodes.trajectories])
    rounds = np.unique(episodes.rounds)
    groups = [found[episodes.rounds == number] for number in rounds]
    return Series(
        "return",
        [float(ends[number - 1]) for number in rounds],
        [float(group.mean()) for group in groups],
        _COLOUR,
        [float(group.min()) for group in groups],
        [float(group.max()) for group in groups],
    )


ROW = DemoRow(
    label="Preferences",
    summary="Preference comparisons know no expert: somebody says which of two short "
    "clips is better (here the environment's own reward), a "
    "reward is learned from the answers, and the policy from the reward.",
    command="train_preference_comparisons",
    settings={
        "seals/CartPole-v0": (
            "noiseless",
            "environment.num_vec=8",  # of which the preset's rollouts are a multiple
        ),
    },
    fast=(
        "fragment_length=5",
        "held_out_episodes=2",
        "initial_epoch_multiplier=1.0",
        "num_iterations=2",
        "rl.ppo_batch_size=320",
        "total_comparisons=20",
        "total_timesteps=640",
    ),
    train=train,
    position=4,
    asks_expert=False,
    statistic="monitor_return_mean",
)
