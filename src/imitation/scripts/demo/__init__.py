"""The demo: imitates bundled experts and writes one HTML report.

``imitation demo`` runs every row of `imitation.scripts.demo.rows` in every environment
of `imitation.scripts.demo.study`, each beside the expert and random actions, in
processes of their own (`imitation.scripts.demo.runner`), and rewrites ``report.html``
and ``results.json`` (the return of every episode) after each. ``runs/`` holds what each
command has written.
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

    Returns:
        The exit status: 0, 1 if a row has failed, or 2 if the arguments are wrong.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    found: list[int] = []
    status = command_line.guarded(
        lambda: found.append(_demo(arguments)), debug="--debug" in arguments
    )
    return status or found[0]


def _demo(arguments: Sequence[str]) -> int:
    parsed = _parser().parse_args(arguments)
    if not 0 <= parsed.seed < 2**32:
        raise ConfigError(f"--seed must be in [0, 2^32), got {parsed.seed}")
    # Torch and the rest load after the arguments are known to be right.
    from imitation.scripts.demo import command

    return command.run(parsed.seed, parsed.out, fast=parsed.fast)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="imitation demo",
        description="Imitates the bundled experts and writes one HTML report.",
        epilog="Takes about three minutes on two cores and needs no network.",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="decides everything (default: 0)"
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="DIR",
        help="a new or empty directory, or that of an earlier demo, to run only the "
        "rows that it lacks (default: output/demo/<time>)",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="a few seconds; the numbers mean nothing then",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser
