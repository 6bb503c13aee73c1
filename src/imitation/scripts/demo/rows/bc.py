"""Behavioural cloning in the demo."""

from collections.abc import Mapping

from imitation.scripts.demo.rows import (
    Chart,
    DemoRow,
    Task,
    Trained,
    load_policy,
    read_progress,
    resolve,
    series,
)

_RETURN = tuple(f"rollout/return_{name}" for name in ("mean", "min", "max"))


def train(task: Task) -> Trained:
    """Runs ``bc`` and reads its log."""
    task.run()
    rows = read_progress(task.directory)
    charts = [
        Chart(
            title="BC: return while it learns",
            x_label="optimiser steps",
            y_label="return",
            curves=(series(rows, "return", _steps, _RETURN, task.colour),),
            is_return=True,
            note="Mean of 5 episodes; the band is their range.",
        ),
        Chart(
            title="BC: loss",
            x_label="optimiser steps",
            y_label="−log π(expert's action)",
            curves=(
                series(rows, "training batch", _steps, ("bc/neglogp",), "muted"),
                series(rows, "held-out data", _steps, ("bc/val_neglogp",), task.colour),
            ),
            note="Held out is a tenth of the demonstrations, measured after each pass.",
        ),
    ]
    settings = resolve(task.command, task.words)[2]
    demonstrations = settings.demonstrations.n_expert_demos
    return Trained(
        policy=load_policy(task.directory / "final.th", "cpu"),
        learnt_from=f"{demonstrations} demonstrations",
        charts=tuple(charts),
    )


def _steps(row: Mapping[str, float]) -> float | None:
    """The optimiser steps made when a row was logged; the last row has no batch."""
    return row["bc/batch"] + 1 if "bc/batch" in row else None


_COMMON = (
    "demonstrations.n_expert_demos=50",
    "bc.val_fraction=0.1",
    "bc.train_kwargs.log_rollouts_n_episodes=5",
)

ROW = DemoRow(
    label="BC",
    summary="Behavioural cloning (BC) fits a policy to the pairs of observation and "
    "action in 50 episodes of the expert.",
    command="bc",
    settings={
        "seals/CartPole-v0": (
            *_COMMON,
            "bc.train_kwargs.n_epochs=5",
            "bc.train_kwargs.log_interval=350",
        ),
        "Pendulum-v1": (
            *_COMMON,
            "bc.optimizer_kwargs.lr=0.001",
            "bc.train_kwargs.n_epochs=20",
            "bc.train_kwargs.log_interval=280",
        ),
    },
    fast=("bc.train_kwargs.n_epochs=2", "bc.train_kwargs.log_interval=1"),
    train=train,
    position=0,
)
