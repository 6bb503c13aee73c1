"""Run every speed benchmark, one after the other, and write `results/*.json`.

    python benchmarks/speed/run_all.py --release-python RELEASE/bin/python

Arguments are passed on to each benchmark.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "imports",
    "flatten",
    "store",
    "rollout",
    "bc",
    "threads",
    "dagger",
    "rewards",
    "adversarial",
    "density",
    "mce_irl",
    "preferences",
)

if __name__ == "__main__":
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        script = Path(__file__).with_name(f"{name}.py")
        subprocess.run([sys.executable, str(script), *sys.argv[1:]], check=True)
