"""The algorithms of the demo, one module each: **to add a row, add one file here**.

A module of this package defines `ROW`, a `DemoRow`; the demo runs the rows in the order
of their positions. A row names the console command that trains it (an entry of
`imitation.scripts.registry.COMMANDS`), the words that follow ``with`` in each
environment, and a function that runs the command and collects what the report shows::

    from imitation.scripts.demo.rows import DemoRow, Task, Trained, load_policy

    def train(task: Task) -> Trained:
        task.run()  # the command itself, writing to task.directory
        return Trained(
            policy=load_policy(task.directory / "final.th"),
            learnt_from="50 demonstrations",
        )

    ROW = DemoRow(
        label="BC",
        summary="Behavioural cloning fits the policy to the expert's actions.",
        command="bc",
        settings={"seals/CartPole-v0": ("bc.train_kwargs.n_epochs=4",)},
        fast=("bc.train_kwargs.n_epochs=1",),
        train=train,
    )

The demo adds the environment's preset, the bundled expert and the seed, evaluates the
policy in the way and with the random numbers of the command, and prints the complete
command beside the result: who runs it gets the same number.
"""

import contextlib
import dataclasses
import importlib
import math
import pathlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from imitation.data.rollout import AnyPolicy
from imitation.reports import runs
from imitation.reports.blocks import Html
from imitation.reports.plots import Series
from imitation.scripts.command import Script, stored_run
from imitation.scripts.ingredients.environment import make_venv
from imitation.scripts.ingredients.logging import SETTINGS_FILE
from imitation.scripts.registry import COMMANDS
from imitation.util import artifacts
from imitation.util.policy_io import load_policy

__all__ = [
    "Chart",
    "DemoRow",
    "Task",
    "Trained",
    "all_rows",
    "load_policy",
    "read_progress",
    "resolve",
    "series",
]


@dataclasses.dataclass(frozen=True)
class Task:
    """What a row is to do: run a command in one environment."""

    command: str
    """The console command, such as "bc"."""

    words: tuple[str, ...]
    """Everything after ``with``."""

    directory: pathlib.Path
    """The run directory, which does not exist yet."""

    colour: str
    """The class of the row's colour in plots."""

    def run(self) -> Any:
        """Runs the command, logging metrics to ``log/progress.csv``.

        Leaves a directory that ``imitation report`` can read.

        Returns:
            What the command returns, such as its ``imit_stats``.
        """
        own = (f"logging.log_dir={self.directory}", "logging.log_format_strs=['csv']")
        script, name, settings = resolve(self.command, (*self.words, *own))
        settings.check(name)
        self.directory.mkdir(parents=True, exist_ok=True)
        stored = stored_run(script.name, name, settings)
        artifacts.write_json(self.directory / SETTINGS_FILE, stored)
        result = script.commands[name](settings, _Run())
        (self.directory / "sacred").mkdir()
        artifacts.write_json(
            self.directory / "sacred" / "run.json",
            {"status": "COMPLETED", "result": result},
        )
        return result


@dataclasses.dataclass(frozen=True)
class Chart:
    """A learning curve of a row."""

    title: str
    """What it shows."""

    x_label: str
    """The horizontal axis, with its unit."""

    y_label: str
    """The vertical axis."""

    curves: tuple[Series, ...]
    """The curves."""

    is_return: bool = False
    """Whether these are returns, to be compared with the expert and random actions."""

    is_share: bool = False
    """Whether these lie in [0, 1], all of which is shown then."""

    final_x: float | None = None
    """Where the final policy lies, whose evaluation then ends the first curve."""

    note: str = ""
    """What one needs to know to read it."""


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a row hands to the report."""

    policy: AnyPolicy
    """The final policy, in any form that `rollout` takes."""

    learnt_from: str
    """What the expert had to give, such as "50 demonstrations (25,000 steps)"."""

    charts: tuple[Chart, ...] = ()
    """Learning curves."""

    figures: tuple[Html, ...] = ()
    """What else the report shows, after the charts."""


@dataclasses.dataclass(frozen=True)
class DemoRow:
    """One algorithm of the demo."""

    label: str
    """A short name."""

    summary: str
    """What the algorithm does, in a sentence."""

    command: str
    """The console command that trains it."""

    settings: Mapping[str, tuple[str, ...]]
    """By environment, the words after ``with``; only in these environments it runs."""

    fast: tuple[str, ...]
    """Words that make it take a second, for tests; they win over `settings`."""

    train: Callable[[Task], Trained]
    """Runs a task."""

    animate: bool = True
    """Whether the report shows the policy in motion."""

    position: int = 100
    """Rows with lower numbers come first; equal ones by the names of their modules."""

    make_venv: Callable[
        [Any, np.random.Generator], contextlib.AbstractContextManager[VecEnv]
    ] = make_venv
    """Makes what the command evaluates in, from its settings of the environment."""

    asks_expert: bool = True
    """Whether the command has settings for the expert that it learns from."""

    statistic: str = "return_mean"
    """What the command calls the mean return of the environment's own reward."""


class _Run:
    """A run without observers: the demo keeps its own record."""

    def __init__(self) -> None:
        self.observers: Sequence[Any] = ()
        self.info: dict[str, Any] = {}

    def log_scalar(self, name: str, value: float, step: int | None = None) -> None:
        """Ignores a measurement."""
        del name, value, step


def all_rows() -> list[DemoRow]:
    """Imports every module of this package and returns their rows, in order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    rows = [importlib.import_module(f"{__name__}.{name}").ROW for name in names]
    return sorted(rows, key=lambda row: row.position)


def resolve(command: str, words: Sequence[str]) -> tuple[Script[Any], str, Any]:
    """Reads a command line as ``imitation COMMAND with WORDS...`` does.

    Args:
        command: a console command that has settings.
        words: names of presets, and ``key=value``.

    Returns:
        The script, the name of its command, and the resolved settings.

    Raises:
        ConfigError: a name is unknown or a value does not fit.
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


def read_progress(directory: pathlib.Path) -> list[dict[str, float]]:
    """Reads the metrics of a run.

    Args:
        directory: the run directory.

    Returns:
        One mapping per logged row; what a row does not have is left out.
    """
    return runs.read_metrics(directory / "log")


def series(
    rows: Sequence[Mapping[str, float]],
    label: str,
    x: Callable[[Mapping[str, float]], float | None],
    keys: tuple[str, ...],
    colour: str,
) -> Series:
    """Makes a curve of logged metrics.

    Args:
        rows: see `read_progress`.
        label: the curve's name.
        x: computes the position of a row, None to leave it out.
        keys: the metric, and for a band also its lower and upper edge; rows without
            the metric are left out.
        colour: see `Series`.
    """
    used = [
        (at, row)
        for row in rows
        if math.isfinite(row.get(keys[0], math.nan)) and (at := x(row)) is not None
    ]
    columns = [[row[key] for _, row in used] for key in keys]
    return Series(label, [at for at, _ in used], columns[0], colour, *columns[1:])
