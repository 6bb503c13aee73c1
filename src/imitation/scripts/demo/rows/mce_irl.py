"""Maximum causal entropy inverse reinforcement learning in the demo."""

import contextlib
from collections.abc import Mapping

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.mce_irl import TabularPolicy
from imitation.algorithms.mce_irl.tables import load_tables
from imitation.reports import mce_irl as maps
from imitation.scripts.demo.rows import (
    Chart,
    DemoRow,
    Task,
    Trained,
    read_progress,
    resolve,
    series,
)
from imitation.scripts.ingredients.mdp import MdpSettings, make_state_venv


def train(task: Task) -> Trained:
    """Runs ``train_mce_irl`` and reads what it has written."""
    task.run()
    settings = resolve(task.command, task.words)[2]
    demonstrations = settings.demonstrations.n_expert_demos or 10
    chart = Chart(
        title="MCE IRL: difference to the demonstrations",
        x_label="iterations",
        y_label="visits of a state per episode",
        curves=(
            series(
                read_progress(task.directory),
                "largest difference",
                _iteration,
                ("linf_delta",),
                task.colour,
            ),
        ),
        note="Of the state in which the learned policy differs most from the "
        "demonstrations, in expected visits.",
    )
    final = task.directory / "checkpoints" / "final"
    tables = load_tables(final)
    return Trained(
        policy=TabularPolicy.load(final / "policy", rng=settings.rng("policy")),
        learnt_from=f"{demonstrations} demonstrations and the model of the environment",
        charts=(chart,),
        figures=(*maps.reward_maps(tables), *maps.visit_maps(tables)[:2]),
    )


def _iteration(row: Mapping[str, float]) -> float | None:
    """The iterations before a row was logged."""
    return row.get("iteration")


def _make_venv(
    settings: MdpSettings, rng: np.random.Generator
) -> contextlib.AbstractContextManager[VecEnv]:
    """Builds what the command evaluates in, where policies see states."""
    return contextlib.closing(make_state_venv(settings, rng))


ROW = DemoRow(
    label="MCE IRL",
    summary="Maximum causal entropy inverse reinforcement learning (MCE IRL) knows how "
    "the environment works, and finds the reward for which planning visits each state "
    "as often as the demonstrations do.",
    command="train_mce_irl",
    settings={"seals/CliffWorld7x4XY-v0": ("max_iter=300", "mce_irl.log_interval=5")},
    fast=("max_iter=3", "mce_irl.log_interval=1"),
    train=train,
    make_venv=_make_venv,
    position=8,
    asks_expert=False,
)
