"""Compares two folders of runs: ``imitation probability_of_improvement RUNS BASELINE``.

Prints how likely a run of the first folder scores more than one of the second, with a
95% stratified bootstrap interval (Agarwal et al., 2021, arXiv:2108.13264).
"""

import argparse
import pathlib
import sys
from collections.abc import Sequence

from imitation.errors import ConfigError
from imitation.scripts.benchmark_summary import name_damaged
from imitation.scripts.command_line import OneLineParser, main_of


@main_of
def main(arguments: Sequence[str]) -> None:
    """Compares the runs of two folders."""
    parsed = _parser().parse_args(arguments)
    if parsed.bootstrap_reps < 1:
        raise ConfigError(
            f"--bootstrap-reps must be positive, got {parsed.bootstrap_reps}"
        )
    from imitation.reports.benchmarks import collect
    from imitation.reports.benchmarks.compare import choose_algorithm, compare

    sides = []
    for folder, algorithm, option in (
        (parsed.runs_dir, parsed.algo, "--algo"),
        (parsed.baseline_runs_dir, parsed.baseline_algo, "--baseline-algo"),
    ):
        runs = collect.read_runs(folder)
        name_damaged(runs)
        try:
            name = choose_algorithm(runs, algorithm, option)
        except ValueError as error:
            raise ConfigError(f"{folder}: {error}") from error
        sides.append((name, [run for run in runs if run.algorithm == name]))
    (name, runs), (baseline, baseline_runs) = sides
    found = compare(runs, baseline_runs, n_resamples=parsed.bootstrap_reps)
    if found.left_out:
        print(
            f"imitation: only one of the two ran in {', '.join(found.left_out)}: "
            "left out",
            file=sys.stderr,
        )
    value = found.probability
    print(
        f"Probability that {name} improves on {baseline}: {value.value:.3f}, "
        f"95% interval [{value.low:.3f}, {value.high:.3f}]"
    )
    counts = zip(
        found.envs, found.samples_per_env, found.baseline_samples_per_env, strict=True
    )
    for env, n_runs, n_baseline in counts:
        print(f"  {env}: {n_runs} runs against {n_baseline}")


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="imitation probability_of_improvement",
        description="Compares the runs of two folders.",
    )
    parser.add_argument("runs_dir", type=pathlib.Path, help="runs of an algorithm")
    parser.add_argument(
        "baseline_runs_dir", type=pathlib.Path, help="runs to compare them with"
    )
    parser.add_argument(
        "--algo", help="the algorithm, if the first folder holds several"
    )
    parser.add_argument(
        "--baseline-algo", help="the algorithm, if the second folder holds several"
    )
    parser.add_argument(
        "--bootstrap-reps",
        type=int,
        metavar="N",
        default=10_000,
        help="resamples of the interval (default: 10000)",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
