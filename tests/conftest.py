"""Settings of the whole test suite: no network, no display, one thread, fixed seeds."""

import os

# Read by the libraries when they are imported, so they come before every other import.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "agg"
os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ.setdefault("MUJOCO_GL", "egl")

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--runslow", action="store_true", help="also run the tests marked slow"
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    skip = {}
    if not config.getoption("--runslow"):
        skip["slow"] = pytest.mark.skip(reason="slow: run with --runslow")
    if not torch.cuda.is_available():
        skip["gpu"] = pytest.mark.skip(reason="needs CUDA")
    for item in items:
        for name, mark in skip.items():
            if name in item.keywords:
                item.add_marker(mark)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Gives every test the same global random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == threads, "the test left another thread count"
