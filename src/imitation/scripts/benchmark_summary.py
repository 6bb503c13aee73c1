"""Summarizes the runs of a folder: ``imitation benchmark_summary RUNS_DIR...``.

Scores per environment, normalized by one expert and one random policy; interquartile
means and means with stratified bootstrap intervals; probabilities of improvement;
performance profiles; what became of every run. As Markdown, LaTeX, HTML, or CSV (one
row per run).
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imitation.errors import ConfigError
from imitation.scripts.command_line import OneLineParser, main_of

if TYPE_CHECKING:
    from imitation.reports.benchmarks.collect import Run


@main_of
def main(arguments: Sequence[str]) -> None:
    """Summarizes the runs of folders, printed or written to files."""
    parsed = _parser().parse_args(arguments)
    if parsed.bootstrap_reps < 1:
        raise ConfigError(
            f"--bootstrap-reps must be positive, got {parsed.bootstrap_reps}"
        )
    from imitation.reports.benchmarks import collect, formats, references
    from imitation.reports.benchmarks.summary import summarize

    for path in parsed.output:
        formats.check_suffix(path)
    given = references.read_references(parsed.references) if parsed.references else {}
    runs = collect.read_runs(*parsed.runs_dirs)
    name_damaged(runs)
    scale = references.find_references(runs, given)
    summary = summarize(runs, scale, n_resamples=parsed.bootstrap_reps)
    if not parsed.output:
        print(formats.FORMATS[f".{parsed.format}"](summary), end="")
    for path in parsed.output:
        formats.write(summary, path)
        print(f"Summary: {path.absolute()}")


def name_damaged(runs: "Sequence[Run]") -> None:
    """Says which runs cannot be read, one line each."""
    from imitation.reports.benchmarks.collect import DAMAGED

    for run in runs:
        if run.status == DAMAGED:
            print(f"imitation: left out: {run.error}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="imitation benchmark_summary",
        description="Summarizes the runs of a folder.",
    )
    parser.add_argument(
        "runs_dirs",
        type=pathlib.Path,
        metavar="RUNS_DIR",
        nargs="+",
        help="a folder with Sacred runs at any depth, such as output/sacred",
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        metavar="FILE",
        action="append",
        default=[],
        help="a .md, .tex, .html or .csv file; give it again for further formats "
        "(default: print)",
    )
    parser.add_argument(
        "--format",
        choices=["md", "tex", "html", "csv"],
        default="md",
        help="what to print without --output (default: md)",
    )
    parser.add_argument(
        "--references",
        type=pathlib.Path,
        metavar="FILE",
        help='JSON with scores to normalize by: {"ENV": {"random": 0, "expert": 1}}',
    )
    parser.add_argument(
        "--bootstrap-reps",
        type=int,
        metavar="N",
        default=10_000,
        help="resamples of every interval (default: 10000)",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
