"""Runs the demo from options to report."""

import contextlib
import logging
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from imitation.errors import ConfigError
from imitation.reports import animation
from imitation.reports.statistics import Interval
from imitation.scripts.demo import frames, page, rows, study
from imitation.util import artifacts
from imitation.util.paths import make_unique_timestamp
from imitation.util.progress import progress_bar

__all__ = ["make_report", "run"]

DEFAULT_ROOT = pathlib.Path("output", "demo")
"""Where the demo writes unless told otherwise, in a directory named by its start."""


def run(seed: int, out: pathlib.Path | None, *, fast: bool) -> None:
    """Runs the demo and prints what came out.

    Args:
        seed: decides everything, in [0, 2^32).
        out: a new or empty directory; None makes one below `DEFAULT_ROOT`.
        fast: seconds instead of minutes; the numbers mean nothing then.

    Raises:
        ConfigError: the directory holds something.
    """
    if out is None:
        out = DEFAULT_ROOT / make_unique_timestamp()
    results = make_report(study.Options(seed, out, fast))
    _print_table(results)
    print(f"\nReport: {(out / 'report.html').absolute()}")


def make_report(
    options: study.Options,
    environments: Sequence[study.DemoEnvironment] = study.ENVIRONMENTS,
) -> list[study.EnvironmentResult]:
    """Runs the demo and writes ``report.html`` and ``results.json``.

    Args:
        options: the user's; the directory must be new or empty.
        environments: where to run it.

    Returns:
        What the report shows.

    Raises:
        ConfigError: the directory holds something.
    """
    started = time.monotonic()
    _make_directory(options.out)
    frames.prepare_headless()
    learners = rows.all_rows()
    n_stages = sum(
        3 + sum(e.name in row.settings for row in learners) for e in environments
    )
    results, films = [], {}
    with _quiet(), _stages(n_stages) as stage:
        for result in study.run(options, environments, learners, stage):
            stage(f"{result.environment.name}: animations")
            films[result.environment.name] = _films(result, options.seed)
            results.append(result)
    artifacts.write_json(options.out / "results.json", _as_json(results, options))
    report = page.build(results, films, options, time.monotonic() - started)
    report.write(options.out / "report.html")
    return results


def _make_directory(path: pathlib.Path) -> None:
    """Makes the directory, or finds it empty."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"--out {path} must be a directory, it is a file") from error
    if any(path.iterdir()):
        raise ConfigError(
            f"--out {path} is not empty; name a new directory, or leave --out away"
        )


@contextlib.contextmanager
def _stages(total: int) -> Iterator[Callable[[str], None]]:
    """A bar over the stages; what runs within one has bars of its own below it."""
    with progress_bar(total, "demo", "stage") as bar:
        started = False

        def stage(name: str) -> None:
            nonlocal started
            bar.update(int(started))
            started = True
            bar.set_description(name)

        yield stage


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps messages that the report makes redundant away from the bars."""
    logger = logging.getLogger("imitation")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _films(result: study.EnvironmentResult, seed: int) -> page.Films:
    """Animations of all policies that are to be shown, starting in the same state."""
    films: dict[str, animation.Film] = {}
    shown = [policy for policy in result.everyone if policy.animate]
    with progress_bar(len(shown), "drawing", "animation") as bar:
        for policy in shown:
            films[policy.label] = result.environment.film(
                policy.policy, result.settings, seed
            )
            bar.update()
    return films


def _as_json(
    results: Sequence[study.EnvironmentResult], options: study.Options
) -> dict[str, Any]:
    """The numbers of the report."""
    return {
        "format_version": 1,
        "seed": options.seed,
        "fast": options.fast,
        "environments": {
            result.environment.name: [
                _row_as_json(policy, result.normalised(policy))
                for policy in result.everyone
            ]
            for result in results
        },
    }


def _row_as_json(
    policy: study.Result, normalised: Interval | None
) -> Mapping[str, Any]:
    mean = policy.mean
    row = {
        "policy": policy.label,
        "command": policy.command,
        "statistic": policy.statistic,
        "return_mean": mean.value,
        "return_ci95": [mean.low, mean.high],
        "returns": policy.returns.tolist(),
    }
    if normalised is not None:
        row["normalised"] = normalised.value
        row["normalised_ci95"] = [normalised.low, normalised.high]
    return row


def _print_table(results: Sequence[study.EnvironmentResult]) -> None:
    """Prints the scores."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Policy")
    for name in ("Return", "95% interval", "Normalised"):
        table.add_column(name, justify="right")
    for result in results:
        table.add_row(f"[bold]{result.environment.name}")
        for i, policy in enumerate(result.everyone):
            mean, normalised = policy.mean, result.normalised(policy)
            table.add_row(
                f"  {policy.label}",
                f"{mean.value:.1f}",
                f"{mean.low:.1f} to {mean.high:.1f}",
                "" if normalised is None else f"{normalised.value:.2f}",
                end_section=i == len(result.everyone) - 1,
            )
    Console().print(table)
