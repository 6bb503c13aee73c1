"""What the rows of GAIL and AIRL share: their training, their charts, their settings.

`SETTINGS` and the words in the two rows are the only places to tune them.
"""

from collections.abc import Mapping

from stable_baselines3 import PPO

from imitation.reports.adversarial_history import DISC, EVALUATION
from imitation.scripts.demo.rows import (
    Chart,
    Task,
    Trained,
    read_progress,
    resolve,
    series,
)

__all__ = ["FAST", "RESULT", "SETTINGS", "train"]

SETTINGS = (
    "reward.normalize_output_disable",
    "discriminator.gradient_penalty=r1",
    "algorithm_kwargs.demo_batch_size=512",
    "algorithm_kwargs.n_disc_updates_per_round=8",
    "rl.batch_size=1920",
    "rl.rl_kwargs.learning_rate=lin_4e-4",
    "total_timesteps=204800",
    "eval_interval=8",
    "n_eval_episodes=5",
    # Saving the state would abandon the episodes in flight.
    "state_interval=0",
)
"""Words of both for CartPole; its preset has the hyperparameters of PPO."""

FAST = (
    "total_timesteps=640",
    "rl.batch_size=320",
    "algorithm_kwargs.demo_batch_size=64",
    "algorithm_kwargs.n_disc_updates_per_round=1",
    "eval_interval=1",
    "n_eval_episodes=1",
)
"""Words that make either take a second."""

RESULT = "monitor_return_mean"
"""The statistic of the command that is the true return; return_mean is the learned."""

_BAND = ("low", "high")


def train(task: Task, label: str) -> Trained:
    """Runs the command and reads its log.

    Args:
        task: what to run.
        label: of the row.
    """
    task.run()
    settings = resolve(task.command, task.words)[2]
    rows = [_with_band(row) for row in read_progress(task.directory)]
    returns = Chart(
        title=f"{label}: return while it learns",
        x_label="environment steps",
        y_label="return",
        curves=(series(rows, "return", _steps, (EVALUATION[0], *_BAND), task.colour),),
        is_return=True,
        note=f"Mean of {settings.n_eval_episodes} episodes, without sampling; the band "
        "is one standard deviation to each side.",
    )
    accuracy = Chart(
        title=f"{label}: accuracy of the discriminator",
        x_label="environment steps",
        y_label="share recognised",
        curves=(
            series(rows, "expert", _steps, (f"{DISC}disc_acc_expert",), "muted"),
            series(rows, "policy", _steps, (f"{DISC}disc_acc_gen",), task.colour),
        ),
        is_share=True,
        note="Its mean falls towards one half, that of guesses, while the policy "
        "approaches the expert.",
    )
    saved = task.directory / "checkpoints" / "final" / "gen_policy" / "model.zip"
    generator = PPO.load(saved, device="cpu")
    demonstrations = settings.demonstrations.n_expert_demos
    return Trained(
        policy=generator.policy,
        learnt_from=f"{demonstrations} demonstrations and "
        f"{generator.num_timesteps:,} steps of its own",
        charts=(returns, accuracy),
    )


def _steps(row: Mapping[str, float]) -> float:
    """The environment steps before a row was logged."""
    return row["mean/gen/time/total_timesteps"]


def _with_band(row: Mapping[str, float]) -> dict[str, float]:
    """A row with the edges of a standard deviation around an evaluation's mean."""
    mean, deviation, _ = (row.get(key, float("nan")) for key in EVALUATION)
    return {**row, "low": mean - deviation, "high": mean + deviation}
