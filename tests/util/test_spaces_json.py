import inspect
import json
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from imitation.errors import ArtifactError
from imitation.util.spaces import space_from_json, space_to_json

SPACES = [
    spaces.Box(-1.0, 1.0, (2,), np.float32),
    spaces.Box(np.array([-1.0, -np.inf]), np.array([0.5, np.inf]), dtype=np.float64),
    spaces.Box(0, 255, (3, 4, 1), np.uint8),
    spaces.Box(-np.inf, np.inf, (), np.float32),
    spaces.Discrete(3),
    spaces.Discrete(3, start=-1),
    spaces.MultiDiscrete([3, 4]),
    spaces.MultiDiscrete(np.array([[3, 4], [2, 2]])),
    spaces.MultiBinary(4),
    spaces.MultiBinary([2, 3]),
    spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Box(0, 1, (1,), np.float32)}),
    # Pairs keep their order, which networks over dictionaries rely on.
    spaces.Dict([("z", spaces.Discrete(2)), ("a", spaces.Discrete(2))]),
    spaces.Tuple([spaces.Discrete(2), spaces.MultiBinary(2)]),
]
if "dtype" in inspect.signature(spaces.Discrete).parameters:
    SPACES.append(spaces.Discrete(3, dtype=np.int32))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_spaces_round_trip_through_json(space: Any) -> None:
    again: Any = space_from_json(json.loads(json.dumps(space_to_json(space))))
    assert again == space
    assert again.dtype == space.dtype
    if isinstance(space, spaces.Dict):
        assert list(again.spaces) == list(space.spaces)


def test_other_spaces_are_refused() -> None:
    with pytest.raises(ArtifactError, match="Text cannot be saved"):
        space_to_json(spaces.Text(3))


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"type": "Sphere"},
        {"type": "Box", "shape": [2]},
        {"type": "Box", "shape": [2], "dtype": "<f4", "low": [1, 2, 3], "high": 1},
        {"type": "Discrete", "n": -1, "start": 0},
        {"type": "Dict", "spaces": {"a": {}}},
    ],
)
def test_nonsense_is_refused(description: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match="not the description of a space"):
        space_from_json(description)


def test_discrete_spaces_saved_without_a_dtype_are_read() -> None:
    description = {"type": "Discrete", "n": 3, "start": 1}
    assert space_from_json(description) == spaces.Discrete(3, start=1)
