"""The algorithms of the demo, one module each: **to add a row, add one file here**.

A module of this package defines `ROW`, a `DemoRow`: the console command that trains it
(an entry of `imitation.scripts.registry.COMMANDS`), the words that follow ``with`` in
each environment, and where the command saves the policy::

    from imitation.scripts.demo.rows import DemoRow

    ROW = DemoRow(
        label="BC",
        summary="Behavioral cloning fits the policy to the expert's actions.",
        command="bc",
        settings={"seals/CartPole-v0": ("bc.train_kwargs.n_epochs=4",)},
        fast=("bc.train_kwargs.n_epochs=1",),
        policy="final.th",
        learned_from="50 demonstrations",
    )

The demo adds the environment's preset, the bundled expert and the seed, evaluates the
policy in the way and with the random numbers of the command, and prints the complete
command beside the result: who runs it gets the same number. The report shows what
``imitation report`` shows of such a run.
"""

import contextlib
import dataclasses
import importlib
import pathlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from imitation.data.rollout import AnyPolicy
from imitation.scripts.command import Script
from imitation.scripts.ingredients.environment import make_venv
from imitation.scripts.registry import COMMANDS
from imitation.util.policy_io import load_policy

__all__ = ["DemoRow", "all_rows", "load", "resolve"]


def load(path: pathlib.Path, settings: object) -> AnyPolicy:
    """Loads a policy, or that of an agent trained with PPO (``model.zip``)."""
    del settings
    if path.suffix == ".zip":
        return PPO.load(path, device="cpu").policy
    return load_policy(path, "cpu")


@dataclasses.dataclass(frozen=True)
class DemoRow:
    """One algorithm of the demo."""

    label: str
    """A short name."""

    summary: str
    """The algorithm in a sentence."""

    command: str
    """The console command that trains it."""

    settings: Mapping[str, tuple[str, ...]]
    """By environment, the words after ``with``; only in these environments it runs."""

    fast: tuple[str, ...]
    """Words that make it take a second, for tests; they win over `settings`."""

    policy: str
    """The saved policy, below the run directory."""

    learned_from: str
    """The data of the learner, such as "50 demonstrations", formatted with the settings
    ``s`` and the last logged value of each metric, ``m``."""

    load: Callable[[pathlib.Path, Any], AnyPolicy] = load
    """Loads the policy from its path; also takes the settings of the command."""

    seconds: float = 10.0
    """Its time on one core, about; decides when it runs."""

    animate: bool = True
    """True to show the policy in motion."""

    position: int = 100
    """Rows with lower numbers come first; equal ones by the names of their modules."""

    make_venv: Callable[
        [Any, np.random.Generator], contextlib.AbstractContextManager[VecEnv]
    ] = make_venv
    """Makes the environments that the command evaluates in, from its settings."""

    asks_expert: bool = True
    """True if the command has settings for the expert that it learns from."""

    statistic: str = "return_mean"
    """The command's name of the mean return of the environment's own reward."""


def all_rows() -> list[DemoRow]:
    """Imports every module of this package and returns their rows, in order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    rows = [importlib.import_module(f"{__name__}.{name}").ROW for name in names]
    return sorted(rows, key=lambda row: row.position)


def resolve(command: str, words: Sequence[str]) -> tuple[Script[Any], str, Any]:
    """Reads a command line as ``imitation COMMAND with WORDS...`` does.

    Returns:
        The script, the name of its command, and the resolved settings.
    """
    entry = COMMANDS[command]
    experiment = entry.load_experiment()
    name = entry.subcommand or experiment.script.default_command
    assert name is not None, f"the console command {command} has no settings"
    parsed = experiment.parse([name, "with", *words], f"imitation {command}")
    settings = experiment.script.make_settings(
        name, parsed.config_updates, parsed.named_configs
    )
    return experiment.script, name, settings
