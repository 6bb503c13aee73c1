"""Makes a report of one run: ``imitation report RUN_DIR``.

Reads what a command has written to its run directory (settings, metrics, episodes,
result; of runs that are going on or were killed, as much as there is) and writes one
HTML file.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from imitation.errors import ConfigError
from imitation.scripts import command_line
from imitation.scripts.argument_parser import OneLineParser

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: the arguments without the program's name; None takes the process's.

    Returns:
        The exit status: 0, or 2 where the arguments or the directory are wrong.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    return command_line.guarded(
        lambda: _report(arguments), debug="--debug" in arguments
    )


def _report(arguments: Sequence[str]) -> None:
    parsed = _parser().parse_args(arguments)
    out = parsed.out or parsed.run_dir / "report.html"
    if out.is_dir():
        raise ConfigError(f"--out {out} must be a file, it is a directory")
    if out.exists() and out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {out} exists and is no HTML file; name another file")
    from imitation.reports import run_page, runs

    run_page.build(runs.read_run(parsed.run_dir)).write(out)
    print(f"Report: {out.absolute()}")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="imitation report", description="Makes a report of one run."
    )
    parser.add_argument(
        "run_dir",
        type=pathlib.Path,
        metavar="RUN_DIR",
        help="the directory that a command has printed",
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="FILE",
        help="the HTML file (default: RUN_DIR/report.html)",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
