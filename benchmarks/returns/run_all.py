"""How well do all algorithms do, in several environments, with several seeds?

    python benchmarks/returns/run_all.py --out runs --jobs 2
    python benchmarks/returns/run_all.py --out runs --algorithms bc gail --n-seeds 10
    python benchmarks/returns/run_all.py --out runs --ray auto

A cell is one run of a command: an algorithm in an environment with a seed, with the
settings of the environment's preset. Cells run in processes of their own, here or on
Ray. The same command again continues whatever was killed or failed: finished cells are
kept, interrupted ones go on from their last checkpoint. At the end there are summaries
of all finished cells in the folder, as Markdown, HTML and CSV, and the failed ones are
named; the exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from imitation.reports.benchmarks import collect, formats, references
from imitation.reports.benchmarks.summary import summarize
from imitation.scripts import command_line
from imitation.scripts.registry import load_experiment
from imitation.scripts.studies.journal import Journal, TrialRecord, write_error
from imitation.scripts.studies.trial import finish_trial

ALGORITHMS = {
    "bc": "train_imitation",
    "dagger": "train_imitation",
    "gail": "train_adversarial",
    "airl": "train_adversarial",
    "sqil": "train_imitation",
    "iq_learn": "train_imitation",
    "preferences": "train_preference_comparisons",
}
"""The script of each algorithm; its command is called as the algorithm is."""

COMMANDS = {"preferences": "train_preference_comparisons"}
"""The commands that are called otherwise."""

ENVIRONMENTS = ("seals_cartpole", "pendulum")
"""Presets that every script has."""

DEMONSTRATIONS = 20
"""Expert episodes for the algorithms that learn from demonstrations."""

FAST = {
    "train_imitation": ["demonstrations.fast"],
    "train_adversarial": ["demonstrations.fast", "rl.fast"],
    "train_preference_comparisons": ["rl.fast"],
}
"""Presets beside the common ones that make a cell a matter of seconds."""

_FILES = ("summary.md", "summary.html", "summary.csv")


def cells(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yields what every cell is, for `Journal.add`."""
    product = itertools.product(
        options.algorithms, options.environments, range(options.n_seeds)
    )
    for algorithm, environment, seed in product:
        script = ALGORITHMS[algorithm]
        named = [environment]
        updates: dict[str, Any] = {"seed": seed, "environment": {"parallel": False}}
        if script != "train_preference_comparisons":
            updates["demonstrations"] = {"n_expert_demos": DEMONSTRATIONS}
        if options.fast:
            named += ["fast", "environment.fast", "policy_evaluation.fast"]
            named += FAST[script]
            updates.pop("demonstrations", None)
        yield {
            "sacred_ex_name": script,
            "sampled": {"algorithm": algorithm, "env": environment, "seed": seed},
            "run": {
                "command_name": COMMANDS.get(algorithm, algorithm),
                "named_configs": named,
                "config_updates": updates,
            },
        }


def prepare(options: argparse.Namespace) -> list[TrialRecord]:
    """Checks the settings of all cells and writes the new ones down."""
    spec = {"benchmark": "run_all", "fast": options.fast, "cwd": os.getcwd()}
    journal = Journal(options.out, spec)
    known = {tuple(trial.sampled.values()): trial for trial in journal.trials()}
    records = []
    for cell in cells(options):
        key = tuple(cell["sampled"].values())
        if key not in known:
            run = cell["run"]
            load_experiment(cell["sacred_ex_name"]).script.make_settings(
                run["command_name"], run["config_updates"], run["named_configs"]
            )
            index = len(known)
            where = {"run_name": "run_all", "cwd": journal.spec["cwd"]}
            known[key] = journal.add(
                index=index, group=index, repeat=0, **where, **cell
            )
        records.append(known[key])
    return records


def run_cell(directory: pathlib.Path) -> None:
    """Runs a cell in a process of its own; why it failed is kept in its directory."""
    command = [sys.executable, __file__, "--cell", str(directory)]
    with open(directory / "output.txt", "ab") as output:
        status = subprocess.run(
            command, stdout=output, stderr=output, check=False
        ).returncode
    if status != 0 and not (directory / "error.txt").exists():
        write_error(directory, f"its process ended with status {status}")


def run_here(
    directories: Sequence[pathlib.Path], jobs: int, tell: Callable[[pathlib.Path], None]
) -> None:
    """Runs cells in processes on this machine."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(run_cell, d): d for d in directories}
        for future in concurrent.futures.as_completed(futures):
            future.result()
            tell(futures[future])


def run_on_ray(
    directories: Sequence[pathlib.Path],
    address: str,
    tell: Callable[[pathlib.Path], None],
) -> None:
    """Runs cells on Ray, one CPU each; its machines must share the folder."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(None if address == "local" else address, include_dashboard=False)
    task = ray.remote(num_cpus=1, max_retries=0)(run_cell)
    left = {task.remote(directory): directory for directory in directories}
    while left:
        (ready,), _ = ray.wait(list(left), num_returns=1)
        directory = left.pop(ready)
        try:
            ray.get(ready)
        except ray.exceptions.RayError as error:
            write_error(directory, str(error).strip().splitlines()[-1])
        tell(directory)
    ray.shutdown()


def summarize_cells(out: pathlib.Path) -> list[str]:
    """Writes the summaries; returns a line per failed cell."""
    runs = collect.read_runs(out / "trials")
    summary = summarize(runs, references.find_references(runs))
    for name in _FILES:
        formats.write(summary, out / name)
    trials = Journal(out, _stored_spec(out)).trials()
    return [f"{t.directory.name}: {t.error}" for t in trials if t.status == "failed"]


def _stored_spec(out: pathlib.Path) -> dict[str, Any]:
    from imitation.util import artifacts

    spec: dict[str, Any] = artifacts.read_json(out / "study.json")
    return spec


def watch_parent() -> None:
    """Ends this process when the one that started it is killed."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, help="the folder of all cells")
    parser.add_argument(
        "--algorithms", nargs="+", choices=ALGORITHMS, default=list(ALGORITHMS)
    )
    parser.add_argument(
        "--environments",
        nargs="+",
        metavar="PRESET",
        default=list(ENVIRONMENTS),
        help="presets of the scripts, such as seals_hopper",
    )
    parser.add_argument("--n-seeds", type=int, default=3, help="seeds 0, 1, ...")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="run on Ray: local, auto or an address"
    )
    parser.add_argument("--fast", action="store_true", help="try it out in seconds")
    parser.add_argument("--cell", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.out is None and options.cell is None:
        parser.error("name a folder with --out")
    return options


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit status."""
    options = parse(arguments)
    if options.cell is not None:
        watch_parent()
        finish_trial(options.cell)
        return 0
    records = prepare(options)
    open_cells = [r.directory for r in records if r.status != "finished"]
    done = len(records) - len(open_cells)
    print(f"{len(records)} cells in {options.out}, {done} of them finished", flush=True)
    started = time.monotonic()
    n_told = 0

    def tell(directory: pathlib.Path) -> None:
        nonlocal n_told
        n_told += 1
        finished = (directory / "result.json").exists()
        minutes = (time.monotonic() - started) / n_told / 60
        left = minutes * (len(open_cells) - n_told)
        print(
            f"{done + n_told}/{len(records)} {directory.name} "
            f"{'finished' if finished else 'failed'}, about {left:.1f} min left",
            flush=True,
        )

    if options.ray is not None and open_cells:
        run_on_ray(open_cells, options.ray, tell)
    else:
        run_here(open_cells, options.jobs, tell)
    failures = summarize_cells(options.out)
    for line in failures:
        print(f"failed: {line}", file=sys.stderr)
    print(f"Summary: {options.out / _FILES[0]}, {options.out / _FILES[1]}")
    return 1 if failures else 0


if __name__ == "__main__":
    status = [1]
    ended = command_line.guarded(lambda: status.append(main(sys.argv[1:])))
    sys.exit(ended or status[-1])
