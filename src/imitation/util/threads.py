"""A count of intra-op threads that fits the networks of a training loop.

A layer of a few thousand weights is done before a second thread has woken up, and on a
busy machine waiting for that thread costs ten to a hundred times the work. So training
loops ask `training_threads` for a count that fits their networks; the caller's setting
is restored afterwards, and the environment variable ``IMITATION_NUM_THREADS`` wins.
"""

import contextlib
import os
from collections.abc import Iterator

import torch as th

from imitation.errors import ConfigError

# Up to this many trainable parameters, one thread is at least as fast as several.
SMALL_NETWORK_PARAMETERS = 1_000_000


@contextlib.contextmanager
def training_threads(*modules: th.nn.Module) -> Iterator[int]:
    """Sets torch's intra-op thread count for training `modules`, then restores it.

    Networks with convolutions keep the caller's count whatever their size: their work
    grows with the image, not with the number of weights.

    Args:
        *modules: the networks the block trains or evaluates.

    Yields:
        The number of threads in force.

    Raises:
        ConfigError: ``IMITATION_NUM_THREADS`` is not a positive integer.
    """
    # The count is global to the process: nested blocks restore their caller's.
    before = th.get_num_threads()
    count = before
    text = os.environ.get("IMITATION_NUM_THREADS", "").strip()
    if text:
        if not text.isdigit() or int(text) < 1:
            raise ConfigError(
                f"IMITATION_NUM_THREADS must be a positive integer, got {text!r}; "
                "unset it to let each network choose"
            )
        count = int(text)
    else:
        parts = [part for module in modules for part in module.modules()]
        convolutions = th.nn.Conv1d | th.nn.Conv2d | th.nn.Conv3d
        size = sum(p.numel() for module in modules for p in module.parameters())
        is_small = size <= SMALL_NETWORK_PARAMETERS
        if is_small and not any(isinstance(part, convolutions) for part in parts):
            count = 1
    if count != before:
        th.set_num_threads(count)
    try:
        yield count
    finally:
        if count != before:
            th.set_num_threads(before)
