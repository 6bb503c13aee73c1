"""Runs the stages of the gate: one line each with its time, the whole log on failure.

``make test`` runs them all; ``make lint`` and so on run one. A failing stage does not
stop the others, so that one run shows everything there is to mend.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "gate"
PYTHON = sys.executable

STAGES: dict[str, list[list[str]]] = {
    "lint": [
        [PYTHON, "-m", "ruff", "check", "."],
        [PYTHON, "-m", "ruff", "format", "--check", "."],
    ],
    "types": [[PYTHON, "-m", "mypy"]],
    "tests": [
        [
            PYTHON,
            *("-m", "pytest", "-q", "-n", "2", "--durations=10"),
            *os.environ.get("PYTEST_ARGS", "").split(),
        ]
    ],
    "docs": [
        [
            PYTHON,
            *("-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-E"),
            *("-b", "html", "docs", "docs/_build/html"),
        ]
    ],
    "wheel": [
        [PYTHON, "-m", "pip", "check"],
        [PYTHON, "tools/smoke_wheel.py"],
    ],
}

ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "MUJOCO_GL": "egl",
    "SDL_VIDEODRIVER": "dummy",
    "HF_HUB_OFFLINE": "1",
}


def run_stage(name: str) -> bool:
    """Runs one stage.

    Args:
        name: a key of ``STAGES``.

    Returns:
        Whether every command of the stage succeeded.
    """
    print(f"{name:<6} ", end="", flush=True)
    log = LOGS / f"{name}.log"
    start = time.monotonic()
    with log.open("w") as out:
        ok = all(
            subprocess.run(
                command, cwd=ROOT, env=ENVIRONMENT, stdout=out, stderr=out, check=False
            ).returncode
            == 0
            for command in STAGES[name]
        )
    lines = log.read_text().rstrip().splitlines() or [""]
    summary = lines[-1].strip("= ") if name in ("tests", "types") else ""
    print(f"{'ok' if ok else 'FAILED':<6} {time.monotonic() - start:6.1f} s  {summary}")
    if not ok:
        print("\n".join(lines))
        print(f"run it alone: make {name}", flush=True)
    return ok


def main(names: list[str]) -> int:
    """Runs the named stages, all of them even when one fails.

    Args:
        names: keys of ``STAGES``.

    Returns:
        The exit status: 0 if every stage succeeded.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    failed = [name for name in names if not run_stage(name)]
    if len(names) > 1:
        verdict = f"FAILED: {', '.join(failed)}" if failed else "all ok"
        print(f"{verdict} in {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
