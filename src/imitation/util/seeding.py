"""Randomness from explicit generators: nothing here reads or sets global state.

A `numpy.random.Generator` decides the order of everything. Torch has no per-call
generator for weight initialization and dropout, so `torch_seeded` forks its global
state, seeds the fork from our generator, and puts the caller's state back.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import overload

import numpy as np
import torch as th

from imitation.errors import ArtifactError
from imitation.util.artifacts import JSON, State


def make_rng(rng: np.random.Generator | int | None = None) -> np.random.Generator:
    """Returns `rng` itself, or a new generator seeded by an int or by the system.

    Args:
        rng: a generator, a seed, or None for fresh entropy.

    Returns:
        A NumPy generator.

    Raises:
        TypeError: `rng` is of another kind, such as a legacy `RandomState`.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None or isinstance(rng, int | np.integer):
        return np.random.default_rng(rng)
    raise TypeError(
        f"rng must be a numpy.random.Generator, an int seed or None, "
        f"got {type(rng).__name__}; use numpy.random.default_rng(seed)"
    )


@overload
def make_seeds(rng: np.random.Generator) -> int: ...


@overload
def make_seeds(rng: np.random.Generator, n: int) -> list[int]: ...


def make_seeds(rng: np.random.Generator, n: int | None = None) -> int | list[int]:
    """Draws seeds from a generator.

    Args:
        rng: where the seeds come from; it advances.
        n: how many; None draws a single one.

    Returns:
        One seed in [0, 2^31), or a list of `n` of them.
    """
    if n is None:
        return int(rng.integers(0, 2**31))
    return [int(seed) for seed in rng.integers(0, 2**31, size=n)]


def rng_state(rng: np.random.Generator) -> State:
    """Returns the generator's state as plain JSON values."""
    state = dict(rng.bit_generator.state)
    return {key: _plain(value) for key, value in state.items()}


def rng_from_state(state: State) -> np.random.Generator:
    """Makes a generator in a state taken by `rng_state`.

    Raises:
        ArtifactError: the state belongs to a bit generator that NumPy does not have.
    """
    kind = getattr(np.random, str(state.get("bit_generator")), None)
    if not (isinstance(kind, type) and issubclass(kind, np.random.BitGenerator)):
        raise ArtifactError(f"NumPy has no generator {state.get('bit_generator')!r}")
    rng = np.random.Generator(kind())
    restore_rng(rng, state)
    return rng


def restore_rng(rng: np.random.Generator, state: State) -> None:
    """Restores the state of a generator taken by `rng_state`.

    Args:
        rng: the generator to change in place.
        state: a state of the same kind of bit generator.

    Raises:
        ValueError: the state belongs to another kind of bit generator.
    """
    expected = rng.bit_generator.state["bit_generator"]
    if state.get("bit_generator") != expected:
        raise ValueError(
            f"the saved random state is of {state.get('bit_generator')}, this "
            f"generator is {expected}; pass a generator of the saved kind"
        )
    rng.bit_generator.state = state


@contextlib.contextmanager
def forked_torch_rng() -> Iterator[None]:
    """Restores torch's random state, of the CPU and of GPUs in use, after a block.

    GPUs that the process has not touched stay so: asking for their state would allocate
    memory on every one of them.
    """
    is_initialized: Callable[[], bool] = th.cuda.is_initialized
    used = range(th.cuda.device_count()) if is_initialized() else ()
    with th.random.fork_rng(devices=used):
        yield


@contextlib.contextmanager
def torch_seeded(rng: np.random.Generator) -> Iterator[None]:
    """Runs a block with torch seeded from `rng`, then restores torch's state."""
    with forked_torch_rng():
        th.manual_seed(make_seeds(rng))
        yield


@contextlib.contextmanager
def numpy_seeded(rng: np.random.Generator) -> Iterator[None]:
    """Runs a block with NumPy's global generator seeded, then restores it.

    For other people's code that reads it; ours never does.
    """
    # SB3's replay buffers and DQN's exploration read the global generator.
    state = np.random.get_state()
    np.random.seed(make_seeds(rng))
    try:
        yield
    finally:
        np.random.set_state(state)


def torch_rng_state(device: th.device) -> dict[str, th.Tensor]:
    """Returns torch's random state for the CPU and, if it is another, `device`."""
    state = {"cpu": th.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = th.cuda.get_rng_state(device)
    return state


def restore_torch_rng(state: Mapping[str, th.Tensor], device: th.device) -> None:
    """Restores the states taken by `torch_rng_state`."""
    th.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        th.cuda.set_rng_state(state["cuda"], device)


def _plain(value: object) -> JSON:
    """Converts NumPy values nested in a bit generator's state to JSON values."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value
