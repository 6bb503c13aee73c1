"""Maximum causal entropy inverse reinforcement learning in the demo."""

import contextlib
import pathlib
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.mce_irl import TabularPolicy
from imitation.scripts.demo.rows import DemoRow
from imitation.scripts.ingredients.mdp import MdpSettings, make_state_venv


def _load(path: pathlib.Path, settings: Any) -> TabularPolicy:
    # Its own generator samples the actions, so it has to be that of the command.
    return TabularPolicy.load(path, rng=settings.rng("policy"))


def _make_venv(
    settings: MdpSettings, rng: np.random.Generator
) -> contextlib.AbstractContextManager[VecEnv]:
    """Makes environments in which policies see states."""
    return contextlib.closing(make_state_venv(settings, rng))


ROW = DemoRow(
    label="MCE IRL",
    summary="Maximum causal entropy inverse reinforcement learning (MCE IRL) knows how "
    "the environment works, and finds the reward for which planning visits each state "
    "as often as the demonstrations do.",
    command="train_mce_irl",
    settings={"seals/CliffWorld7x4XY-v0": ("max_iter=300", "mce_irl.log_interval=5")},
    fast=("max_iter=3", "mce_irl.log_interval=1"),
    policy="checkpoints/final/policy",
    learned_from="demonstrations and the model of the environment",
    load=_load,
    seconds=2,
    make_venv=_make_venv,
    position=8,
    asks_expert=False,
)
