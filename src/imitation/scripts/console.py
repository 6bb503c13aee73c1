"""The console command ``imitation``: lists the registered commands and runs them."""

import difflib
import sys
from collections.abc import Sequence

from imitation import __version__
from imitation.scripts import command_line
from imitation.scripts.registry import COMMANDS

__all__ = ["COMMANDS", "main", "run"]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the console command and exits."""
    sys.exit(run(sys.argv[1:] if argv is None else list(argv)))


def run(arguments: Sequence[str]) -> int:
    """Runs the console command."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_table())
        return 0
    name, rest = arguments[0], list(arguments[1:])
    if name == "--version":
        print(__version__)
        return 0
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else ""
        hint = hint or "imitation --help lists them"
        print(f"imitation: unknown command {name!r}; {hint}", file=sys.stderr)
        return 2
    status = 0

    def work() -> None:
        nonlocal status
        command, words = COMMANDS[name], rest
        if command.experiment is None:
            # None is success, too.
            status = command.load_main()(words) or 0
            return
        # "imitation bc print_config with ..." prints the settings of bc.
        shows = words and words[0].startswith(("print_", "save_", "help"))
        if command.subcommand is not None and not shows:
            words = [command.subcommand, *words]
        experiment = command.load_experiment()
        status = experiment.run_line(words, f"imitation {name}", command.subcommand)

    debug = "--debug" in rest or "-d" in rest
    return command_line.guarded(work, debug=debug) or status


def _table() -> str:
    width = max(map(len, COMMANDS))
    rows = [f"  {name:{width}}  {known.summary}" for name, known in COMMANDS.items()]
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


if __name__ == "__main__":
    main()
