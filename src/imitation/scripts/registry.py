"""The registry of commands: what exists, what it runs, how it is resumed and repeated.

The console, the entry points of ``pyproject.toml``, `imitation.scripts.parallel`,
`imitation.scripts.tuning` and the tables of the documentation read it. To add a
command, write its settings (``config/NAME.py``) and its script (``NAME.py``), and add
one row here. Nothing is imported until a command runs, so the list appears at once.
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from imitation.errors import ConfigError

if TYPE_CHECKING:
    from imitation.scripts.command import CommandSettings
    from imitation.scripts.sacred_adapter import SacredExperiment

_SCRIPTS = "imitation.scripts"


@dataclasses.dataclass(frozen=True)
class Resume:
    """The effect of ``resume=RUN_DIR``, in words for the documentation."""

    continues_from: str
    result: str = "bit-identical to an uninterrupted run"


@dataclasses.dataclass(frozen=True)
class Command:
    """One command of ``imitation``."""

    name: str
    """What follows ``imitation`` on the command line."""

    summary: str
    """What it does, on one line."""

    script: str = ""
    """The module in `imitation.scripts` that defines it; "" is the command's name."""

    experiment: str | None = ""
    """The Sacred experiment in the module; "" is ``<script>_ex``. None is a function
    ``main`` of the argument list instead, which returns an exit status or None."""

    subcommand: str | None = None
    """The command of the experiment that the name stands for; None for its default."""

    resume: Resume | None = None
    """How an interrupted run is continued; None if it starts again."""

    metric: str | None = None
    """Where a run's result has the mean return, levels joined by "/"; None for what
    `parallel` and `tuning` cannot run."""

    entry_point: bool = False
    """Whether release 1.0 installed it as ``imitation-<name>``, too."""

    @property
    def module(self) -> str:
        """The full name of the script's module."""
        return f"{_SCRIPTS}.{self.script or self.name}"

    @property
    def settings_cls(self) -> "type[CommandSettings]":
        """The class of its settings, whose `named_configs` are its presets."""
        return self.load_experiment().script.settings_cls

    def load_experiment(self) -> "SacredExperiment[Any]":
        """Imports the Sacred experiment."""
        assert self.experiment is not None, f"{self.name} is a plain function"
        name = self.experiment or f"{self.script or self.name}_ex"
        found = getattr(importlib.import_module(self.module), name)
        return cast("SacredExperiment[Any]", found)

    def load_main(self) -> Callable[[list[str]], int | None]:
        """Imports the function that runs a command without Sacred."""
        main = importlib.import_module(self.module).main
        return cast(Callable[[list[str]], int | None], main)


_STATES = "the last state in `checkpoints/latest`, "
_ADVERSARIAL = Resume(f"{_STATES}`state_interval` rounds apart (20 by default)")
_ONLINE = "`sqil.checkpoint_interval` or `iq_learn.checkpoint_interval` steps apart"
_EXPERT_REPLAY = Resume(f"{_STATES}{_ONLINE}")
_TRIALS = Resume("the finished trials, and the last checkpoints of the others")

_ROWS = (
    Command("demo", "imitate experts and write a report", experiment=None),
    Command(
        "train_rl",
        "train an expert with RL, save its rollouts",
        resume=Resume(f"{_STATES}`state_interval` steps apart (20 in the training)"),
        metric="monitor_return_mean",
        entry_point=True,
    ),
    Command(
        "bc",
        "imitate an expert by behavioral cloning",
        script="train_imitation",
        subcommand="bc",
        resume=Resume(f"{_STATES}`bc.checkpoint_interval` batches apart"),
    ),
    Command(
        "dagger",
        "imitate an expert that labels what the learner sees (DAgger)",
        script="train_imitation",
        subcommand="dagger",
        resume=Resume(
            "the last finished round and every finished episode after it",
            "not identical: the environments are seeded anew",
        ),
    ),
    Command(
        "sqil",
        "imitate an expert by soft Q-learning that rewards what it did (SQIL)",
        script="train_imitation",
        subcommand="sqil",
        resume=_EXPERT_REPLAY,
    ),
    Command(
        "iq_learn",
        "learn an expert's Q-function, a policy and a reward in one (IQ-Learn)",
        script="train_imitation",
        subcommand="iq_learn",
        resume=_EXPERT_REPLAY,
    ),
    Command(
        "train_imitation",
        "the same: bc, dagger, sqil or iq_learn",
        metric="imit_stats/monitor_return_mean",
        entry_point=True,
    ),
    Command(
        "gail",
        "imitate an expert by what a discriminator cannot tell apart (GAIL)",
        script="train_adversarial",
        subcommand="gail",
        resume=_ADVERSARIAL,
    ),
    Command(
        "airl",
        "imitate an expert and learn a reward that explains it (AIRL)",
        script="train_adversarial",
        subcommand="airl",
        resume=_ADVERSARIAL,
    ),
    Command(
        "train_adversarial",
        "the same: gail or airl",
        metric="imit_stats/monitor_return_mean",
        entry_point=True,
    ),
    Command(
        "train_density",
        "imitate an expert by the density of its steps",
        resume=Resume(
            f"{_STATES}`checkpoint_interval` steps apart (10 in the training)"
        ),
        metric="imit_stats/monitor_return_mean",
        entry_point=True,
    ),
    Command(
        "train_mce_irl",
        "learn the reward of a tabular environment (MCE IRL)",
        resume=Resume(f"{_STATES}`checkpoint_interval` iterations apart"),
        metric="imit_stats/return_mean",  # no reward replaces the environment's
        entry_point=True,
    ),
    Command(
        "train_preference_comparisons",
        "learn a reward and a policy from comparisons of clips",
        resume=Resume(f"{_STATES}`state_interval` iterations apart"),
        metric="imit_stats/monitor_return_mean",
        entry_point=True,
    ),
    Command(
        "eval_policy",
        "measure a policy, record videos of it or watch it",
        resume=Resume("the start", "identical"),
        entry_point=True,
    ),
    Command("label", "compare clips for a run, in a browser or here", experiment=None),
    Command("report", "make an HTML report of one run", experiment=None),
    Command(
        "parallel",
        "run a command many times on Ray Tune",
        resume=_TRIALS,
        entry_point=True,
    ),
    Command("tuning", "tune hyperparameters with Optuna on Ray", resume=_TRIALS),
    Command(
        "analyze",
        "tables and TensorBoard logs of many runs",
        experiment="analysis_ex",
    ),
    Command("benchmark_summary", "summarize the runs of a folder", experiment=None),
    Command(
        "probability_of_improvement", "compare two folders of runs", experiment=None
    ),
    Command(
        "convert", "convert demonstrations from and to other formats", experiment=None
    ),
)

# Every command by name, in the order in which they are listed.
COMMANDS: Mapping[str, Command] = {command.name: command for command in _ROWS}


def experiments(*, repeatable: bool = False) -> dict[str, Command]:
    """Returns the commands that are scripts of Sacred, by name."""
    return {
        name: command
        for name, command in COMMANDS.items()
        if command.experiment is not None
        # bc, gail and so on belong to the experiment of another row.
        and command.subcommand is None
        and (command.metric is not None or not repeatable)
    }


def load_experiment(name: str) -> "SacredExperiment[Any]":
    """Imports an experiment that can be run many times."""
    known = experiments(repeatable=True)
    if name not in known:
        raise ConfigError(
            f"sacred_ex_name must be one of {', '.join(known)}, got {name!r}"
        )
    return known[name].load_experiment()


def entry_points() -> dict[str, str]:
    """Returns what ``[project.scripts]`` in pyproject.toml must hold."""
    scripts = {"imitation": f"{_SCRIPTS}.console:main"}
    for command in COMMANDS.values():
        if command.entry_point:
            name = f"imitation-{command.name.replace('_', '-')}"
            scripts[name] = f"{command.module}:main_console"
    return scripts
