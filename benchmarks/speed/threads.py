"""Is training slower with default threads when a core is busy with something else?

Behavior cloning with batch 32 while another process spins on one core: torch's
default number of threads against one thread. We promise not to be slower; the
release is slower by the time its threads wait for the core they do not get. What
counts here is the wall clock.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import bc
from harness import Case, Ratio, main

N_BATCHES = 400


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Keep one core busy with a process that does nothing useful."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    setup = partial(bc.imitation_setup, "discrete", 32, N_BATCHES)
    is_worker = "--worker" in sys.argv
    with contextlib.nullcontext() if is_worker else busy_core():
        main(
            "Is training slower with default threads when a core is busy?",
            [
                Case(
                    name="one busy core",
                    setups={
                        f"{who} {threads}": setup
                        for who in ("ours", "release")
                        for threads in ("default threads", "one thread")
                    },
                    units=N_BATCHES,
                    unit="batch",
                    default_threads=["ours default threads", "release default threads"],
                    ratios=[
                        Ratio(
                            f"{who}, default ÷ one thread",
                            f"{who} default threads",
                            f"{who} one thread",
                        )
                        for who in ("ours", "release")
                    ],
                )
            ],
        )
