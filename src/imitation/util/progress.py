"""The one way to show the progress of long work: a bar with a rate and an ETA."""

import sys
from typing import Any

from tqdm.auto import tqdm

# Seconds between two states of the bar where they pile up, as in a log file.
LOG_FILE_INTERVAL = 10.0


def progress_bar(
    total: int | None = None,
    desc: str = "",
    unit: str = "it",
    *,
    initial: int = 0,
    disable: bool = False,
) -> "tqdm[Any]":
    """Makes a progress bar on standard error.

    Args:
        total: how many units make the whole; None shows a counter and a rate.
        desc: what is being done, in a word or two.
        unit: what is counted, such as "batch" or "step".
        initial: units already done, for resumed work.
        disable: show nothing.

    Returns:
        A context manager with `update(n)` and `set_postfix(**values)`.
    """
    return tqdm(
        total=total,
        desc=desc,
        unit=f" {unit}",
        initial=initial,
        disable=disable,
        dynamic_ncols=True,
        leave=False,
        mininterval=0.1 if sys.stderr.isatty() else LOG_FILE_INTERVAL,
    )
