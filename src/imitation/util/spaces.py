"""Observation and action spaces as plain JSON, exact in bounds and dtypes."""

from collections.abc import Mapping
from typing import Any, SupportsFloat, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from imitation.errors import ArtifactError
from imitation.util.artifacts import JSON

# An observation or action space, whatever its elements are.
Space: TypeAlias = spaces.Space[Any]

# An environment, whatever its observations and actions are.
Env: TypeAlias = gym.Env[Any, Any]

# A wrapper of such an environment.
Wrapper: TypeAlias = gym.Wrapper[Any, Any, Any, Any]

# Info of a step.
Info: TypeAlias = dict[str, Any]

# Observation, reward, terminated, truncated and info.
StepResult: TypeAlias = tuple[Any, SupportsFloat, bool, bool, Info]


def space_to_json(space: Space) -> dict[str, JSON]:
    """Describes a space.

    Args:
        space: a Box, Discrete, MultiDiscrete, MultiBinary, or a Dict or Tuple of them.

    Returns:
        JSON values from which `space_from_json` rebuilds an equal space.

    Raises:
        ArtifactError: the space is of another kind.
    """
    match space:
        case spaces.Box():
            return {
                "type": "Box",
                "shape": list(space.shape),
                "dtype": space.dtype.str,
                "low": _bounds(space.low),
                "high": _bounds(space.high),
            }
        case spaces.Discrete():
            return {
                "type": "Discrete",
                "n": int(space.n),
                "start": int(space.start),
                "dtype": space.dtype.str,
            }
        case spaces.MultiDiscrete():
            return {
                "type": "MultiDiscrete",
                "nvec": space.nvec.tolist(),
                "start": space.start.tolist(),
                "dtype": space.dtype.str,
            }
        case spaces.MultiBinary():
            return {"type": "MultiBinary", "shape": list(space.shape)}
        case spaces.Dict():
            parts = {key: space_to_json(part) for key, part in space.spaces.items()}
            return {"type": "Dict", "spaces": parts}
        case spaces.Tuple():
            return {"type": "Tuple", "spaces": [space_to_json(s) for s in space.spaces]}
    raise ArtifactError(
        f"spaces of type {type(space).__name__} cannot be saved; use Box, Discrete, "
        "MultiDiscrete, MultiBinary, Dict or Tuple"
    )


def space_from_json(description: Mapping[str, JSON]) -> Space:
    """Rebuilds a space described by `space_to_json`.

    Raises:
        ArtifactError: the description is not one.
    """
    try:
        return _build(description)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise ArtifactError(f"not the description of a space: {description}") from error


def _build(description: Mapping[str, JSON]) -> Space:
    kind = description["type"]
    if kind == "Box":
        dtype, shape = np.dtype(description["dtype"]), tuple(description["shape"])
        # Bounds are stored once where all are equal, so broadcast them.
        low, high = (
            np.broadcast_to(np.asarray(description[key], dtype=dtype), shape)
            for key in ("low", "high")
        )
        return spaces.Box(low, high, shape, dtype.type)
    if kind == "Discrete":
        n, start = description["n"], description["start"]
        dtype = np.dtype(description.get("dtype", np.int64))
        if dtype == np.int64:  # all there was before Gymnasium 1.2
            return spaces.Discrete(n, start=start)
        return spaces.Discrete(n, start=start, dtype=dtype.type)
    if kind == "MultiDiscrete":
        dtype = np.dtype(description["dtype"])
        start = description["start"]
        return spaces.MultiDiscrete(description["nvec"], dtype=dtype.type, start=start)
    if kind == "MultiBinary":
        shape = description["shape"]
        return spaces.MultiBinary(shape if len(shape) > 1 else shape[0])
    if kind == "Dict":
        # Pairs, because a dictionary would be sorted, and networks rely on the order.
        return spaces.Dict([(k, _build(v)) for k, v in description["spaces"].items()])
    if kind == "Tuple":
        return spaces.Tuple([_build(part) for part in description["spaces"]])
    raise ValueError(kind)


def _bounds(values: np.ndarray) -> JSON:
    """Bounds as one number where they are all the same, else nested lists."""
    if values.size and (values == values.flat[0]).all():
        return values.flat[0].item()
    return values.tolist()
