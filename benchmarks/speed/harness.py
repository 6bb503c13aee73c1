"""Run one workload in several Python interpreters, in interleaved pairs.

A benchmark script lists its `Case`s and calls `main`. Each case is a workload
written against the documented API, so the same function runs on this library
("ours") and on release 1.0.1 ("release", another interpreter); "bare" is the
hand-written loop that bounds us. Every implementation gets one worker process
that imports once, sets the case up once and then times it whenever it is told
to; only one worker runs at a time. Ratios are taken within a round, where all
implementations ran back to back, so a busy machine slows them all alike.

This file must import with nothing but the standard library: it also runs in the
release's interpreter.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"
VERSIONED = ("imitation", "torch", "stable_baselines3", "gymnasium", "numpy", "seals")

Workload = Callable[[], object]
"""Does the work once; the time of a call is the measurement. If it returns a function,
that is called after the clock stopped, and what it returns (whether the result was
right, say) is written down beside the times."""

Setup = Callable[[], Workload]
"""Prepares the work, untimed, and returns it."""


class Ratio(NamedTuple):
    """A comparison of the times of two implementations, taken within each round."""

    name: str
    over: str
    under: str


@dataclass(frozen=True)
class Case:
    """One workload, in up to three implementations."""

    name: str
    setups: Mapping[str, Setup]
    """By implementation, whose first word is "ours", "release" or "bare" and chooses
    the interpreter; see `same`."""
    units: int
    """Number of units of work in one call."""
    unit: str
    """What one unit is: "batch", "step", "trajectory"."""
    target: float | None = None
    """The speed-up over the release that we promise."""
    repeats: int | None = None
    """Number of rounds, when the workload needs other than the default."""
    default_threads: Sequence[str] = ()
    """Implementations that choose their threads; the others get one thread."""
    ratios: Sequence[Ratio] = (
        Ratio("release ÷ ours", "release", "ours"),
        Ratio("ours ÷ bare", "ours", "bare"),
    )
    """What to compare."""


def same(setup: Setup, bare: Setup | None = None) -> dict[str, Setup]:
    """The setups of a case that is one function of the documented API.

    Args:
        setup: Runs on this library and on the release alike.
        bare: The hand-written loop that bounds both, if there is one.

    Returns:
        The mapping for `Case.setups`.
    """
    setups = {"ours": setup, "release": setup}
    return setups if bare is None else {**setups, "bare": bare}


def main(question: str, cases: Sequence[Case], *, repeats: int = 7) -> None:
    """Measure the cases as the command line says, print and write the result.

    Args:
        question: What the script answers, one sentence.
        cases: What to measure.
        repeats: Number of rounds; each runs every implementation once.
    """
    script = Path(sys.argv[0])
    args = _parse_args(question, repeats)
    if args.worker is not None:
        _work(next(case for case in cases if case.name == args.worker[1]), *args.worker)
        return
    interpreters = {"ours": sys.executable, "bare": sys.executable}
    if args.release_python is not None:
        interpreters["release"] = args.release_python
    chosen = [case for case in cases if args.only is None or args.only in case.name]
    results = [
        _measure(script, case, interpreters, args.repeats or case.repeats or repeats)
        for case in chosen
    ]
    for result in results:
        print(describe(result))
    write_result(script.stem, question, results, interpreters, args.output)


def write_result(
    name: str,
    question: str,
    cases: Sequence[Mapping[str, Any]],
    interpreters: Mapping[str, str],
    output: Path | None = None,
) -> None:
    """Write what was measured, how, where and with which versions.

    Args:
        name: Name of the benchmark, the stem of its script.
        question: What it answers.
        cases: One JSON object a case.
        interpreters: The implementations and the Python that ran each.
        output: Where to write; `results/<name>.json` by default.
    """
    command = f"python benchmarks/speed/{name}.py"
    if "release" in interpreters:
        command += " --release-python RELEASE/bin/python"
    record = {
        "benchmark": name,
        "question": question,
        "command": command,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit(),
        "machine": machine(),
        "versions": {
            key: _versions(python) for key, python in sorted(interpreters.items())
        },
        "cases": list(cases),
    }
    path = output or RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


def describe(result: Mapping[str, Any]) -> str:
    """One line a person can read about one measured case."""
    parts = [
        f"{key} {times['per_unit_us']['cpu']:.4g} µs"
        for key, times in result["times"].items()
    ]
    for name, ratio in result["ratios"].items():
        cpu, wall = ratio["cpu"], ratio["wall"]
        parts.append(
            f"{name} {cpu['median']:.2f} [{cpu['min']:.2f}, {cpu['max']:.2f}] CPU,"
            f" {wall['median']:.2f} [{wall['min']:.2f}, {wall['max']:.2f}] wall"
        )
    if result["target"] is not None:
        parts.append(f"target {result['target']}")
    return f"{result['case']} (per {result['unit']}): " + "; ".join(parts)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, minimum and maximum, rounded to what is worth reading."""
    return {
        "median": _round(statistics.median(values)),
        "min": _round(min(values)),
        "max": _round(max(values)),
    }


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def commit() -> dict[str, Any]:
    """The commit of the library, and whether anything in `src` differs from it."""
    here = Path(__file__).parent

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", *command], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", ":/src")
        return {"id": git("rev-parse", "HEAD"), "src_changed": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return {"id": None, "src_changed": None}


def machine() -> dict[str, Any]:
    """Processor, cores, memory and load of the machine."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(x.split(":")[1].strip() for x in lines if "model name" in x)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "system": platform.system(),
        "load_average": [round(x, 2) for x in os.getloadavg()],
    }


def _parse_args(question: str, repeats: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument(
        "--release-python",
        metavar="PATH",
        help="Python of the environment that setup_release.sh made;"
        " without it only ours and the bare loop are measured",
    )
    parser.add_argument("--only", metavar="TEXT", help="cases whose name has TEXT")
    parser.add_argument("--repeats", type=int, help=f"rounds (default {repeats})")
    parser.add_argument("--output", type=Path, metavar="FILE", help="result file")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(
    script: Path, case: Case, interpreters: Mapping[str, str], repeats: int
) -> dict[str, Any]:
    """Time every implementation of a case once a round."""
    order = [key for key in case.setups if key.split()[0] in interpreters]
    times: dict[str, list[dict[str, float]]] = {key: [] for key in order}
    with contextlib.ExitStack() as stack:
        workers = {
            key: stack.enter_context(
                _Worker(interpreters[key.split()[0]], script, key, case)
            )
            for key in order
        }
        for _ in range(repeats):
            for key in order:
                times[key].append(workers[key].run())
            order.reverse()  # no implementation always runs first
    return _summarize(case, times)


def _summarize(
    case: Case, times: Mapping[str, Sequence[Mapping[str, float]]]
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "case": case.name,
        "unit": case.unit,
        "units": case.units,
        "rounds": len(next(iter(times.values()))),
        "target": case.target,
        "times": {},
        "ratios": {},
    }
    scale = 1e6 / case.units
    for key, samples in sorted(times.items()):
        result["times"][key] = {
            "per_unit_us": {
                clock: _round(statistics.median(s[clock] for s in samples) * scale)
                for clock in ("wall", "cpu")
            },
            "wall_s": [round(s["wall"], 5) for s in samples],
            "cpu_s": [round(s["cpu"], 5) for s in samples],
        }
        if "checked" in samples[0]:
            result["times"][key]["checked"] = [s["checked"] for s in samples]
    for name, over, under in case.ratios:
        if over in times and under in times:
            pairs = list(zip(times[over], times[under], strict=True))
            result["ratios"][name] = {
                clock: spread([a[clock] / b[clock] for a, b in pairs])
                for clock in ("wall", "cpu")
            }
    return result


class _Worker:
    """A process that runs one implementation of one case on demand."""

    def __init__(self, python: str, script: Path, key: str, case: Case) -> None:
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            environment.pop(name, None)
            if key not in case.default_threads:
                environment[name] = "1"
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(script), "--worker", key, case.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> _Worker:
        self.run()  # warm up: imports, caches, allocator
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self) -> dict[str, float]:
        """One timed call, in seconds of wall clock and of processor."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("run\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            command = " ".join(map(str, self._process.args))  # type: ignore[arg-type]  # args is a list here
            raise SystemExit(f"The worker ended early; to see why: {command}")
        sample: dict[str, float] = json.loads(line)
        return sample


def _work(case: Case, key: str, _: str) -> None:
    """The worker's side: time the case once for each line on standard input."""
    with _private_stdout() as answer:
        workload = case.setups[key]()
        for _line in sys.stdin:
            wall, cpu = time.perf_counter(), _cpu_seconds()
            returned = workload()
            sample: dict[str, float] = {
                "wall": time.perf_counter() - wall,
                "cpu": _cpu_seconds() - cpu,
            }
            if callable(returned):
                sample["checked"] = returned()
            answer(json.dumps(sample))


def _cpu_seconds() -> float:
    """Processor time of this process and of the children that ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextlib.contextmanager
def _private_stdout() -> Iterator[Callable[[str], None]]:
    """Keep standard output for answers; what the libraries print goes nowhere."""
    kept = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)

    def answer(line: str) -> None:
        kept.write(line + "\n")
        kept.flush()

    yield answer
    kept.close()


def _versions(python: str) -> dict[str, str | None]:
    """Versions of the packages that matter, as an interpreter sees them."""
    if python == sys.executable:
        return installed_versions()
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import harness;"
        "print(json.dumps(harness.installed_versions()))"
    )
    command = [python, "-c", code, str(Path(__file__).parent)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    versions: dict[str, str | None] = json.loads(found.stdout)
    return versions


def installed_versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that matter, here."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions
