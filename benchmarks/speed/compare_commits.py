"""Compare the speed of this tree with that of an earlier commit, in one run.

    python benchmarks/speed/compare_commits.py 88fa6cd

Every benchmark of `run_all.py` runs with the earlier commit in the place of the
release: the same workload in both, in interleaved pairs. Writes
`compare_commits.json`; a ratio above 1 means that this tree is faster.
Further arguments, such as ``--repeats 5``, are passed on to each benchmark.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import Any

import harness
from run_all import BENCHMARKS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def interpreter_of(commit: str, directory: Path) -> Path:
    """Makes an interpreter that imports the library as it was at a commit.

    Args:
        commit: any name that git knows.
        directory: where to put the checkout and the environment.

    Returns:
        The interpreter, which shares all other packages with this one.
    """
    checkout = directory / "checkout"
    command = ["git", "worktree", "add", "--detach", "--force", checkout, commit]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    venv.create(directory / "venv", with_pip=False)
    (packages,) = (directory / "venv" / "lib").glob("python*/site-packages")
    (packages / "a_before.pth").write_text(f"{checkout / 'src'}\n")
    (packages / "b_others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return directory / "venv" / "bin" / "python"


def compare(name: str, python: Path, arguments: list[str]) -> list[dict[str, Any]]:
    """Runs one benchmark and returns its cases that both commits have."""
    output = python.parent.parent / f"{name}.json"
    command = [sys.executable, str(HERE / f"{name}.py"), "--release-python", python]
    subprocess.run([*command, "--output", output, *arguments], check=True)
    cases = json.loads(output.read_text())["cases"]
    return [
        {
            "benchmark": name,
            "case": case["case"],
            "rounds": case["rounds"],
            "before ÷ now": case["ratios"]["release ÷ ours"],
        }
        for case in cases
        if "release ÷ ours" in case["ratios"]
    ]


def main(commit: str, arguments: list[str]) -> None:
    """Compares with a commit and writes the result."""
    with tempfile.TemporaryDirectory() as directory:
        python = interpreter_of(commit, Path(directory))
        try:
            rows = [r for n in BENCHMARKS for r in compare(n, python, arguments)]
        finally:
            command = ["git", "worktree", "remove", "--force", f"{directory}/checkout"]
            subprocess.run(command, cwd=ROOT, check=True)
    record = {
        "command": f"python benchmarks/speed/compare_commits.py {commit}",
        "before": commit,
        "now": harness.commit(),
        "machine": harness.machine(),
        "cases": rows,
    }
    path = HERE / "compare_commits.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    for row in sorted(rows, key=lambda row: row["before ÷ now"]["cpu"]["median"]):
        cpu = row["before ÷ now"]["cpu"]
        spread = f"{cpu['median']:.2f} [{cpu['min']:.2f}, {cpu['max']:.2f}]"
        print(f"{spread:20} {row['benchmark']}: {row['case']}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
