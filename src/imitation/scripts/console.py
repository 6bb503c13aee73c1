"""The console command ``imitation``: lists every command and runs them.

A command is one entry of `COMMANDS`. Its module is imported only when it runs, so that
the list appears at once.
"""

import dataclasses
import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from imitation import __version__
from imitation.scripts import command_line

__all__ = ["COMMANDS", "Entry", "main"]


@dataclasses.dataclass(frozen=True)
class Entry:
    """How to run a command."""

    target: str
    """``module:attribute``: a Sacred experiment, or a function of the argument list
    that returns an exit status or None."""

    summary: str
    """What it does, on one line."""

    command: str | None = None
    """The command of the Sacred experiment that this name stands for."""


_SCRIPTS = "imitation.scripts"

COMMANDS: dict[str, Entry] = {
    "demo": Entry(f"{_SCRIPTS}.demo:main", "imitate experts and write a report"),
    "train_rl": Entry(
        f"{_SCRIPTS}.train_rl:train_rl_ex", "train an expert with RL, save its rollouts"
    ),
    "bc": Entry(
        f"{_SCRIPTS}.train_imitation:train_imitation_ex",
        "imitate an expert by behavioural cloning",
        command="bc",
    ),
    "dagger": Entry(
        f"{_SCRIPTS}.train_imitation:train_imitation_ex",
        "imitate an expert that labels what the learner sees (DAgger)",
        command="dagger",
    ),
    "sqil": Entry(
        f"{_SCRIPTS}.train_imitation:train_imitation_ex",
        "imitate an expert by soft Q-learning that rewards what it did (SQIL)",
        command="sqil",
    ),
    "iq_learn": Entry(
        f"{_SCRIPTS}.train_imitation:train_imitation_ex",
        "learn an expert's Q-function, a policy and a reward in one (IQ-Learn)",
        command="iq_learn",
    ),
    "train_imitation": Entry(
        f"{_SCRIPTS}.train_imitation:train_imitation_ex",
        "the same: bc, dagger, sqil or iq_learn",
    ),
    "gail": Entry(
        f"{_SCRIPTS}.train_adversarial:train_adversarial_ex",
        "imitate an expert by what a discriminator cannot tell apart (GAIL)",
        command="gail",
    ),
    "airl": Entry(
        f"{_SCRIPTS}.train_adversarial:train_adversarial_ex",
        "imitate an expert and learn a reward that explains it (AIRL)",
        command="airl",
    ),
    "train_adversarial": Entry(
        f"{_SCRIPTS}.train_adversarial:train_adversarial_ex", "the same: gail or airl"
    ),
    "train_density": Entry(
        f"{_SCRIPTS}.train_density:train_density_ex",
        "imitate an expert by the density of its steps",
    ),
    "train_mce_irl": Entry(
        f"{_SCRIPTS}.train_mce_irl:train_mce_irl_ex",
        "learn the reward of a tabular environment (MCE IRL)",
    ),
    "train_preference_comparisons": Entry(
        f"{_SCRIPTS}.train_preference_comparisons:train_preference_comparisons_ex",
        "learn a reward and a policy from comparisons of clips",
    ),
    "eval_policy": Entry(
        f"{_SCRIPTS}.eval_policy:eval_policy_ex",
        "measure a policy, record videos of it or watch it",
    ),
    "label": Entry(
        f"{_SCRIPTS}.label:main", "compare clips for a run, in a browser or here"
    ),
    "report": Entry(f"{_SCRIPTS}.report:main", "make an HTML report of one run"),
    "parallel": Entry(
        f"{_SCRIPTS}.parallel:parallel_ex", "run a command many times on Ray Tune"
    ),
    "tuning": Entry(
        f"{_SCRIPTS}.tuning:tuning_ex", "tune hyperparameters with Optuna on Ray"
    ),
    "analyze": Entry(
        f"{_SCRIPTS}.analyze:analysis_ex", "tables and TensorBoard logs of many runs"
    ),
    "benchmark_summary": Entry(
        f"{_SCRIPTS}.benchmark_summary:main", "summarise the runs of a folder"
    ),
    "probability_of_improvement": Entry(
        f"{_SCRIPTS}.probability_of_improvement:main", "compare two folders of runs"
    ),
    "convert": Entry(
        f"{_SCRIPTS}.convert:main", "convert demonstrations from and to other formats"
    ),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the console command and exits.

    Args:
        argv: the arguments; None takes those of this process.
    """
    sys.exit(run(sys.argv[1:] if argv is None else list(argv)))


def run(arguments: Sequence[str]) -> int:
    """Runs the console command.

    Args:
        arguments: the name of a command and its arguments.

    Returns:
        The exit status.
    """
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_table())
        return 0
    name, rest = arguments[0], list(arguments[1:])
    if name == "--version":
        print(__version__)
        return 0
    if name not in COMMANDS:
        print(_unknown(name), file=sys.stderr)
        return 2
    entry = COMMANDS[name]
    debug = "--debug" in rest or "-d" in rest
    status = 0

    def work() -> None:
        nonlocal status
        status = _run_entry(name, entry, rest)

    return command_line.guarded(work, debug=debug) or status


def _run_entry(name: str, entry: Entry, arguments: list[str]) -> int:
    """Imports and runs one command."""
    module, _, attribute = entry.target.partition(":")
    target: Any = getattr(importlib.import_module(module), attribute)
    program = f"imitation {name}"
    if not hasattr(target, "script"):
        status = target(arguments)
        return 0 if status is None else int(status)
    # "imitation bc print_config with ..." prints the settings of bc.
    shows = arguments and arguments[0].startswith(("print_", "save_", "help"))
    if entry.command is not None and not shows:
        arguments = [entry.command, *arguments]
    return command_line.run_script(target, arguments, program, entry.command)


def _table() -> str:
    """The commands with their summaries."""
    width = max(map(len, COMMANDS))
    rows = [f"  {name:{width}}  {entry.summary}" for name, entry in COMMANDS.items()]
    return "\n".join(
        [
            f"imitation {__version__}: learn from demonstrations.",
            "",
            *rows,
            "",
            "imitation COMMAND with NAMED_CONFIG... KEY=VALUE...   runs a command,",
            "for example: imitation bc with seals_cartpole",
            "imitation COMMAND print_config                        shows its settings",
            "imitation COMMAND print_named_configs                 lists the presets",
            "imitation COMMAND with resume=RUN_DIR                 continues a run",
            "imitation COMMAND --help                              lists the options",
        ]
    )


def _unknown(name: str) -> str:
    """The message about a command that does not exist."""
    close = difflib.get_close_matches(name, COMMANDS, n=3)
    hint = (
        f"did you mean {' or '.join(close)}?"
        if close
        else "imitation --help lists them"
    )
    return f"imitation: unknown command {name!r}; {hint}"


if __name__ == "__main__":
    main()
