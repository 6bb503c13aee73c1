"""Records the numbers that small runs of every algorithm give, and compares them.

``numbers.json`` holds what each of `snapshots.runs` gave when it was last recorded: the
first rows of its logs that hold a loss, and SHA-256 sums of its final weights. The
tests beside this file compare. A change that should leave the mathematics alone, such
as a refactoring or a speed-up, must leave these numbers alone too. From ``tests/``::

    python -m snapshots.record                 # compares; names what differs
    python -m snapshots.record bc gail-ppo     # these runs only

A change that means to alter numbers (a corrected formula, another order of drawing)
records them anew and says so; both texts are kept in ``numbers.json`` under "changes"::

    python -m snapshots.record --write \
        --what "AIRL discounts its shaping" --why "Equation 4 has a gamma there"

Only the differing runs are replaced, so record one change at a time, with nothing else
in the tree. A new run is added to `snapshots.runs` and recorded the same way. After an
update of torch, Stable-Baselines3, Gymnasium or NumPy compare first: numbers that move
then are theirs, and the reason is the update.

Rows are compared on every machine, with a tolerance that another processor's order of
adding keeps to; sums of weights only where `fingerprint` is the recorded one.
"""

import argparse
import json
import math
import pathlib
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import TypedDict

import gymnasium as gym
import numpy as np
import stable_baselines3 as sb3
import torch as th

from snapshots.runs import RUNS, Record

NUMBERS = pathlib.Path(__file__).with_name("numbers.json")

# Measured by running with and without vector instructions. The second counts where
# nearly equal numbers cancel, as in policy gradients and explained variances.
RTOL, ATOL = 1e-6, 1e-6

# Comparisons do not determine a constant added to a reward: its gradient is a rounding
# error, and Adam takes a whole step along it. The agent sees that constant.
ONLY_ON_THE_SAME_MACHINE = {
    "preferences": re.compile("agent/"),
    "preferences-ensemble": re.compile("agent/"),
}


class Change(TypedDict):
    """Why numbers were recorded anew."""

    what: str
    why: str


class Document(TypedDict):
    """The file of recorded numbers."""

    fingerprint: dict[str, str]
    changes: list[Change]
    runs: dict[str, Record]


def fingerprint() -> dict[str, str]:
    """Names what must be the same for the same bits."""
    info = pathlib.Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    models = re.findall(r"model name\s*:\s*(.+)", text)
    return {
        "torch": th.__version__,
        "numpy": np.__version__,
        "stable_baselines3": sb3.__version__,
        "gymnasium": gym.__version__,
        "processor": models[0] if models else platform.processor(),
        "capability": th.backends.cpu.get_cpu_capability(),
    }


def perform(name: str) -> Record:
    """Runs one of `RUNS` on one thread."""
    np.random.seed(0)  # Stable-Baselines3's replay buffers draw from it
    th.manual_seed(0)
    threads = th.get_num_threads()
    th.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as directory:
            return RUNS[name](pathlib.Path(directory))
    finally:
        th.set_num_threads(threads)


def load() -> Document:
    """Reads the recorded numbers."""
    if not NUMBERS.exists():
        return {"fingerprint": {}, "changes": [], "runs": {}}
    document: Document = json.loads(NUMBERS.read_text("utf-8"))
    return document


def same(one: float, other: float) -> bool:
    """Compares numbers with the tolerance; NaN equals itself."""
    close = math.isclose(one, other, rel_tol=RTOL, abs_tol=ATOL)
    return close or (math.isnan(one) and math.isnan(other))


def differences(
    name: str, recorded: Record, found: Record, *, same_machine: bool
) -> Iterator[str]:
    """Yields what differs from the recorded numbers of a run.

    Logs, keys and sums that were not recorded do no harm.

    Args:
        name: of the run.
        recorded: from the file.
        found: from this machine.
        same_machine: compare the sums of weights too, and every key of the rows.
    """
    skipped = None if same_machine else ONLY_ON_THE_SAME_MACHINE.get(name)
    for log, rows in recorded["rows"].items():
        theirs = found["rows"].get(log, [])
        if len(theirs) < len(rows):
            yield f"{log}: {len(theirs)} rows instead of {len(rows)}"
        for i, (row, its) in enumerate(zip(rows, theirs, strict=False)):
            for key, value in row.items():
                if skipped and skipped.search(key):
                    continue
                if key not in its:
                    yield f"{log}, row {i}: {key} is missing"
                elif not same(value, its[key]):
                    yield f"{log}, row {i}: {key} is {its[key]!r} instead of {value!r}"
    if same_machine:
        for part, digest in recorded["sums"].items():
            if found["sums"].get(part) != digest:
                yield f"{part}: other bits"


def main() -> int:
    """Compares all runs, or those named; with --write records what differs."""
    parser = argparse.ArgumentParser(description="Compares or records numbers.")
    parser.add_argument("runs", nargs="*", metavar="RUN", help="default: all")
    parser.add_argument("--write", action="store_true", help="record what differs")
    parser.add_argument("--what", help="with --write: what was changed")
    parser.add_argument("--why", help="with --write: the reason")
    arguments = parser.parse_args()
    names = arguments.runs or list(RUNS)
    if unknown := set(names) - set(RUNS):
        parser.error(f"no such runs: {sorted(unknown)}; there are {', '.join(RUNS)}")
    if arguments.write and not (arguments.what and arguments.why):
        parser.error("--write needs --what and --why")

    document = load()
    same_machine = document["fingerprint"] == fingerprint()
    if arguments.write and not same_machine:
        names = list(RUNS)  # sums of two machines in one file could not be compared
    how = "weights to the bit" if same_machine else "logs only, on another machine"
    print(f"Comparing {how}.")
    changed = False
    for name in names:
        found = perform(name)
        lines = ["not recorded yet"]
        if name in document["runs"]:
            recorded = document["runs"][name]
            lines = [*differences(name, recorded, found, same_machine=same_machine)]
        for line in lines:
            print(f"{name}: {line}")
        changed |= bool(lines)
        if lines or not same_machine:
            document["runs"][name] = found
    if not arguments.write:
        print("Something differs." if changed else "All are as recorded.")
        return int(changed)
    document["fingerprint"] = fingerprint()
    document["changes"].append({"what": arguments.what, "why": arguments.why})
    text = json.dumps(document, indent=1, sort_keys=True)
    NUMBERS.write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
