"""Makes a report of a run, or of several: ``imitation report RUN_DIR...``.

Reads what a command has written to its run directory (settings, metrics, episodes,
result; of runs that are going on or were killed, as much as there is) and writes one
HTML file, which compares the runs if there are several.
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from imitation.errors import ConfigError
from imitation.scripts.command_line import OneLineParser, main_of


@main_of
def main(arguments: Sequence[str]) -> None:
    """Makes a report of a run, or of several."""
    parsed = _parser().parse_args(arguments)
    if parsed.out is None and len(parsed.run_dirs) > 1:
        raise ConfigError("a report of several runs needs --out FILE")
    out = parsed.out or parsed.run_dirs[0] / "report.html"
    if out.is_dir():
        raise ConfigError(f"--out {out} must be a file, it is a directory")
    if out.exists() and out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(
            f"--out {out} exists and is not an HTML file; name another file"
        )
    from imitation.reports import compare_page, run_page, runs

    found = [runs.read_run(path) for path in parsed.run_dirs]
    page = compare_page.build(found) if len(found) > 1 else run_page.build(found[0])
    page.write(out)
    print(f"Report: {out.absolute()}")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="imitation report", description="Makes a report of a run, or of several."
    )
    parser.add_argument(
        "run_dirs",
        type=pathlib.Path,
        metavar="RUN_DIR",
        nargs="+",
        help="the directory that a command has printed; several are compared",
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        metavar="FILE",
        help="the HTML file (default for one run: RUN_DIR/report.html)",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
