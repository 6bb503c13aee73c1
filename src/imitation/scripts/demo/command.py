"""Runs the demo from options to report."""

import pathlib
import sys
import time
from collections.abc import Sequence

from imitation.errors import ArtifactError, ConfigError
from imitation.scripts.demo import page, rows, runner, study
from imitation.util import artifacts
from imitation.util.paths import make_unique_timestamp
from imitation.util.progress import progress_bar

# Default parent of the output directory, which is then named by its start.
DEFAULT_ROOT = pathlib.Path("output", "demo")

RESULTS_FILE = "results.json"


def run(seed: int, out: pathlib.Path | None, *, fast: bool) -> int:
    """Runs the demo and prints the results.

    `out` is a new or empty directory, or that of an earlier demo, whose rows are kept
    if they have the same settings; None makes one below `DEFAULT_ROOT`.

    Returns:
        The exit status: 0, or 1 if a row has failed.
    """
    if out is None:
        out = DEFAULT_ROOT / make_unique_timestamp()
    measured, states = make_report(study.Options(seed, out, fast))
    _print_table(measured)
    print(f"\nReport: {(out / 'report.html').absolute()}")
    failed = [state for state in states if state.status == "failed"]
    for state in failed:
        log = state.row.directory / runner.OUTPUT
        print(f"imitation: {state.row.name}: {state.error} ({log})", file=sys.stderr)
    return 1 if failed else 0


def make_report(
    options: study.Options,
    environments: Sequence[study.DemoEnvironment] = study.ENVIRONMENTS,
    n_workers: int | None = None,
) -> tuple[list[page.Measured], list[runner.State]]:
    """Runs the demo, rewriting ``report.html`` and ``results.json`` after each row.

    Returns:
        The results by environment, and the states of all rows.
    """
    _check_directory(options.out)
    cells = study.cells(options, environments, rows.all_rows())
    started = time.monotonic()
    results: dict[str, study.Result] = {}
    measured: list[page.Measured] = []
    path = options.out / "report.html"
    with progress_bar(len(cells), "demo", "row") as bar:

        def changed(states: Sequence[runner.State]) -> None:
            for cell, state in zip(cells, states, strict=True):
                if state.status == "done" and cell.name not in results:
                    results[cell.name] = study.Result.read(cell)
            # In place, as the list is also what the function returns.
            measured[:] = [
                page.Measured(
                    environment,
                    tuple(
                        results[cell.name]
                        for cell in cells
                        if cell.environment is environment and cell.name in results
                    ),
                )
                for environment in environments
            ]
            artifacts.write_json(
                options.out / RESULTS_FILE, _as_json(measured, options)
            )
            seconds = time.monotonic() - started
            page.build(measured, states, options, seconds).write(path)
            running = [s.row.name for s in states if s.status == "running"]
            ended = sum(s.status in ("done", "failed") for s in states)
            if ended and not bar.n:
                bar.write(f"First results: {path.absolute()} (reloads itself)")
            bar.set_description(" | ".join(running) or "demo", refresh=False)
            bar.update(ended - bar.n)
            # tqdm does not redraw a bar that was moved by 0.
            bar.refresh()

        states = runner.run_rows(cells, changed, n_workers)
    return measured, states


def _check_directory(path: pathlib.Path) -> None:
    """Creates the directory, or checks that it is empty or of an earlier demo."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"--out {path} must be a directory, it is a file") from error
    if any(path.iterdir()):
        try:
            is_ours = "environments" in artifacts.read_json(path / RESULTS_FILE)
        except (ArtifactError, TypeError):
            is_ours = False
        if not is_ours:
            raise ConfigError(
                f"--out {path} is not empty; name a new directory, or omit --out"
            )


def _as_json(
    measured: Sequence[page.Measured], options: study.Options
) -> dict[str, object]:
    """Returns the numbers of the report."""
    environments: dict[str, list[dict[str, object]]] = {}
    for one in measured:
        listed = environments[one.environment.name] = []
        for result in one.results:
            mean, score = result.mean, one.score(result)
            row: dict[str, object] = {
                "policy": result.cell.label,
                "command": result.cell.command,
                "statistic": result.cell.statistic,
                "return_mean": mean.value,
                "return_ci95": [mean.low, mean.high],
                "returns": result.returns.tolist(),
            }
            if score is not None:
                row["normalized"] = score.value
                row["normalized_ci95"] = [score.low, score.high]
            listed.append(row)
    return {
        "format_version": 2,
        "seed": options.seed,
        "fast": options.fast,
        "environments": environments,
    }


def _print_table(measured: Sequence[page.Measured]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Policy")
    for name in ("Return", "95% interval", "Normalized"):
        table.add_column(name, justify="right")
    for one in measured:
        table.add_row(f"[bold]{one.environment.name}")
        for i, result in enumerate(one.results):
            mean, score = result.mean, one.score(result)
            table.add_row(
                f"  {result.cell.label}",
                f"{mean.value:.1f}",
                f"{mean.low:.1f} to {mean.high:.1f}",
                "" if score is None else f"{score.value:.2f}",
                end_section=i == len(one.results) - 1,
            )
    Console().print(table)
