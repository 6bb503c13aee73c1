"""How long does it take to import the library?

Each time in a new Python process. The bare version imports Stable-Baselines3, which
brings torch: training a policy cannot do without.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from harness import Case, Workload, main, same


def import_setup(module: str) -> Workload:
    """Import one module in a new process."""
    command = [sys.executable, "-W", "ignore", "-c", f"import {module}"]
    return lambda: subprocess.run(command, check=True) and None


if __name__ == "__main__":
    main(
        "How long does it take to import the library?",
        [
            Case(
                name=module,
                setups=same(
                    partial(import_setup, module),
                    partial(import_setup, "stable_baselines3"),
                ),
                units=1,
                unit="import",
            )
            for module in (
                "imitation.data.types",
                "imitation.data.rollout",
                "imitation.algorithms.bc",
                "imitation.algorithms.dagger",
            )
        ],
    )
