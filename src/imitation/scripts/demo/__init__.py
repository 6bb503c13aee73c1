"""The demo: imitates bundled experts and writes one HTML report.

``imitation demo`` collects demonstrations of the bundled experts, trains every row of
`imitation.scripts.demo.rows` in every environment of `imitation.scripts.demo.study`,
evaluates expert, learners and random actions, and writes ``report.html``,
``results.json`` (the return of every episode) and ``runs/`` (what each command has
written) to one directory.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from imitation.errors import ConfigError
from imitation.scripts import command_line
from imitation.scripts.command_line import OneLineParser

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: the arguments without the program's name; None takes the process's.

    Returns:
        The exit status: 0, or 2 where the arguments are wrong.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    return command_line.guarded(lambda: _demo(arguments), debug="--debug" in arguments)


def _demo(arguments: Sequence[str]) -> None:
    parsed = _parser().parse_args(arguments)
    if not 0 <= parsed.seed < 2**32:
        raise ConfigError(f"--seed must be in [0, 2^32), got {parsed.seed}")
    # Torch and the rest load after the arguments are known to be right.
    from imitation.scripts.demo import command

    command.run(parsed.seed, parsed.out, fast=parsed.fast)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="imitation demo",
        description="Imitates the bundled experts and writes one HTML report.",
        epilog="Takes about five minutes on two cores and needs no network.",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="decides everything (default: 0)"
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="DIR",
        help="a new or empty directory (default: output/demo/<time>)",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="a few seconds; the numbers mean nothing then",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser
