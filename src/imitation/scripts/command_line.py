"""From an argument list to an exit status, with one-line errors.

0: done. 1: an error of ours or of a dependency. 2: an error the user can mend.
130: interrupted.
"""

import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from imitation.errors import ImitationError

if TYPE_CHECKING:
    from imitation.scripts.sacred_adapter import SacredExperiment

__all__ = ["guarded", "main_console", "run_script"]

SACRED_ROOT = pathlib.Path("output", "sacred")
"""Where the documented commands store their Sacred runs, from the current directory."""


def main_console(experiment: "SacredExperiment[Any]") -> None:
    """Runs a script with the arguments of this process and exits."""
    name = experiment.script.name
    program = f"python -m imitation.scripts.{name}"
    sys.exit(run_script(experiment, sys.argv[1:], program))


def run_script(
    experiment: "SacredExperiment[Any]",
    arguments: Sequence[str],
    program: str,
    shown: str | None = None,
) -> int:
    """Runs a script's command line.

    Args:
        experiment: the script.
        arguments: the command line without the program's name.
        program: the program's name for help texts.
        shown: the command whose settings print_config shows; None for the default.

    Returns:
        The exit status.
    """
    debug = bool({"-d", "--debug", "-D", "--pdb"} & set(arguments))

    def work() -> None:
        invocation = experiment.parse(arguments, program)
        if invocation.help_text is not None:
            print(invocation.help_text)
            return
        experiment.run_invocation(invocation, SACRED_ROOT, shown)

    return guarded(work, debug=debug)


def guarded(work: Callable[[], None], *, debug: bool = False) -> int:
    """Runs `work` and turns what it raises into one line and an exit status.

    Args:
        work: what to do.
        debug: let exceptions through with their tracebacks.

    Returns:
        The exit status.
    """
    try:
        work()
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except Exception as error:
        if debug:
            raise
        if _users_error(error):
            return _fail(_one_line(error), 2)
        kind = type(error).__name__
        return _fail(
            f"unexpected {kind}: {_one_line(error)} (add --debug for a traceback)", 1
        )
    return 0


def _users_error(error: Exception) -> bool:
    """Whether the user can mend it: bad settings or files, a missing environment."""
    if isinstance(error, ImitationError | FileNotFoundError | FileExistsError):
        return True
    if isinstance(error, PermissionError | IsADirectoryError | NotADirectoryError):
        return True
    gymnasium_error = getattr(sys.modules.get("gymnasium.error"), "Error", None)
    return gymnasium_error is not None and isinstance(error, gymnasium_error)


def _one_line(error: Exception) -> str:
    """The text of an error on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def _fail(message: str, status: int) -> int:
    """Prints one line on standard error."""
    print(f"imitation: {message}", file=sys.stderr)
    return status
