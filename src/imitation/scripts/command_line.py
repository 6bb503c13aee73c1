"""From an argument list to an exit status, with one-line errors.

0: done. 1: an error of ours or of a dependency. 2: an error the user can fix.
130: interrupted.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from typing_extensions import override

from imitation.errors import ConfigError, ImitationError

# What the user can fix: settings, files, environments; not a full disk, for example.
_USERS_ERRORS = (
    *(ImitationError, FileNotFoundError, FileExistsError),
    *(PermissionError, IsADirectoryError, NotADirectoryError),
)


class OneLineParser(argparse.ArgumentParser):
    """Raises a `ConfigError` where argparse would print the usage and exit."""

    @override
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; {self.prog} --help lists the options")


def guarded(work: Callable[[], None], *, debug: bool = False) -> int:
    """Runs `work` and turns what it raises into one line and an exit status."""
    try:
        work()
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except Exception as error:
        if debug:
            raise
        line = " ".join(str(error).split()) or type(error).__name__
        # Not imported for this: none of its errors can come before it is.
        gymnasium = sys.modules.get("gymnasium.error")
        theirs = getattr(gymnasium, "Error", ImitationError)
        if isinstance(error, (*_USERS_ERRORS, theirs)):
            return _fail(line, 2)
        kind = type(error).__name__
        return _fail(f"unexpected {kind}: {line} (add --debug for a traceback)", 1)
    return 0


def main_of(work: Callable[[Sequence[str]], None]) -> Callable[..., int]:
    """Makes the function ``main`` of a command without Sacred.

    Returns:
        A function of the arguments without the program's name, by default those of the
        process, that returns the exit status.
    """

    def main(argv: Sequence[str] | None = None) -> int:
        arguments = sys.argv[1:] if argv is None else list(argv)
        return guarded(lambda: work(arguments), debug="--debug" in arguments)

    return main


def _fail(message: str, status: int) -> int:
    print(f"imitation: {message}", file=sys.stderr)
    return status
