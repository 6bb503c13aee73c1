"""Info dictionaries as JSON, and the text that release 1.0 wrote."""

import json
import types
import warnings
from collections.abc import Iterator
from typing import Any

import jsonpickle
import jsonpickle.ext.numpy as jsonpickle_numpy
import numpy as np
import pytest

from imitation.data import rollout
from imitation.data.storage import infos
from imitation.data.types import DictObs, TrajectoryWithRew
from imitation.errors import DataError


def _jsonpickled(value: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return str(jsonpickle.encode(value))


@pytest.fixture(params=["from a program", "from the command line"])
def _written(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both forms of NumPy data: Sacred registers handlers when it is imported."""
    registered = jsonpickle.handlers.get(np.ndarray) is not None
    change = {True: jsonpickle_numpy.register_handlers}
    change[False] = jsonpickle_numpy.unregister_handlers
    change[request.param == "from the command line"]()
    yield
    change[registered]()


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, np.ndarray):
        # The handlers forget the byte order of small arrays.
        native = [array.dtype.newbyteorder("=") for array in (one, other)]
        return native[0] == native[1] and np.array_equal(one, other)
    return type(one) is type(other) and one == other


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, {}),
        ({"a": None, "b": True, "c": "ü", "d": -1, "e": 0.5}, None),
        ({"big": 2**70, "small": 1e-300}, None),
        ({"n": {"m": [1, [2, {"o": 3}]]}}, None),
        (
            {"i": np.int8(3), "f": np.float32(0.1)},
            {"i": 3, "f": float(np.float32(0.1))},
        ),
        ({"b": np.bool_(True), "f8": np.float64(2.0)}, {"b": True, "f8": 2.0}),
        ({"a": np.arange(4).reshape(2, 2)}, {"a": [[0, 1], [2, 3]]}),
        ({"a": np.zeros((0, 3)), "t": (1, (2,))}, {"a": [], "t": [1, [2]]}),
        ({"o": np.array(["x", None, 1], object)}, {"o": ["x", None, 1]}),
        ({"t": ({"x": np.int64(1)},)}, {"t": [{"x": 1}]}),
    ],
)
def test_encode_then_decode(
    value: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    text = infos.encode(value, "here")
    assert infos.decode(text, "here") == (value if expected is None else expected)
    # Strict JSON: no NaN, no Infinity.
    json.loads(text, parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{}],
        [{}, {"r": np.float32(1.5), "a": [np.arange(2), {"k": (1, "x")}], "n": None}],
        [{"a": "\x1e"}, {"b": ["\x1e", "}, {"]}],
        # Looks like the separator that the fast path puts between steps.
        [{"a": [{}, "\x1e", {}]}, {"b": 1}],
        [{"o": np.array(["x", None], object)}, {"p": types.MappingProxyType({"q": 1})}],
    ],
)
def test_an_episode_is_encoded_like_its_steps(
    steps: list[Any] | list[dict[str, Any]],
) -> None:
    expected = [infos.encode(info, "here") for info in steps]
    assert infos.encode_episode(steps, "here") == expected
    assert infos.encode_episode(np.array(steps, object), "here") == expected


def test_infos_that_hold_themselves() -> None:
    info: dict[str, object] = {}
    info["me"] = [info]
    with pytest.raises(DataError, match=r"^here, step 1: infos are nested too deeply"):
        infos.encode_episode([{}, info], "here")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": np.array([{1: 2}], object)}, r"infos\['a'\]\[0\] has the key 1"),
        ({"a": np.datetime64("2020-01-01")}, "infos.'a'. is datetime64"),
        ({"a": np.array(["x"])}, "infos.'a'. is ndarray"),
        ([], "expected a dictionary of infos, got list"),
    ],
)
def test_encode_refuses(value: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^here: {message}"):
        infos.encode(value, "here")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": 1, "b": [1.5, "x"]}, None),
        ({"f": np.float32(1.5), "g": np.float32(2.5)}, {"f": 1.5, "g": 2.5}),
        ({"i": np.int64(3), "b": np.bool_(True)}, {"i": 3, "b": True}),
        ({"t": (1, 2), "s": {1}}, {"t": [1, 2], "s": [1]}),
        ({"episode": {"r": 1.0, "l": 5}, "terminal_observation": np.arange(3.0)}, None),
        ({"a": np.zeros((2, 3), ">i2"), "b": np.asfortranarray(np.eye(3)[:2])}, None),
        ({"rollout": {"obs": np.ones((2, 2), "f4"), "rews": np.ones(2, "f4")}}, None),
        ({"big": np.arange(300.0), "rows": np.ones((200, 3), np.uint8)}, None),
        ({"F": np.asfortranarray(np.arange(600).reshape(200, 3)), "b": np.eye(20) > 0},
         None),
        ({"cut": np.arange(400.0)[100:300:2], "0-d": np.array(3.0),
          "none": np.zeros((0, 3))}, None),
        ({"a": [np.zeros(2), np.ones(1), {"x": np.float64(1)}], "b": (np.eye(2),)},
         {"a": [np.zeros(2), np.ones(1), {"x": 1.0}], "b": [np.eye(2)]}),
    ],
)  # fmt: skip
def test_decode_what_release_1_wrote(
    value: dict[str, Any], expected: dict[str, Any] | None, _written: Any
) -> None:
    decoded = infos.decode(_jsonpickled(value), "here")
    assert _same(decoded, value if expected is None else expected)


def test_decode_shared_objects(_written: Any) -> None:
    shared, array = {"x": [1]}, np.arange(3, dtype=np.float32)
    value = {"a": shared, "b": shared, "c": [array, array], "d": np.float32(1)}
    expected = value | {"d": 1.0}
    assert _same(infos.decode(_jsonpickled(value), "here"), expected)


class Custom:
    def __init__(self) -> None:
        self.x = 1


@pytest.mark.parametrize(
    "text",
    [
        _jsonpickled({"a": Custom()}),
        _jsonpickled({"a": Custom}),
        _jsonpickled({"a": {"b": [len]}}),
        '{"py/object": "os._Environ"}',
        '{"a": {"py/object": "numpy.ndarray", "dtype": "object", "values": [1]}}',
        '{"a": {"py/object": "numpy.memmap", "dtype": "O8", "values": [1]}}',
        '{"a": {"py/object": "numpy.str_", "dtype": "<U1", "value": "a"}}',
        '{"a": {"py/repr": "os/os.getcwd()"}}',
        '{"a": {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["ls"]}]}}',
        '{"a": {"py/reduce": [{"py/type": "numpy.dtype"}, {"py/tuple": ["O8"]}, []]}}',
    ],
)
def test_decode_builds_no_object(text: Any) -> None:
    with pytest.raises(DataError, match=r"^here: the infos describe a Python object"):
        infos.decode(text, "here")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"py/id": 7}}',
        '{"a": {"py/id": "x"}}',
        '{"a": {"py/tuple": 1}}',
        '{"a": {"py/b64": 3}}',
        '{"a": {"py/reduce": 3}}',
        '{"a": {"py/reduce": [3]}}',
        '{"a": {"py/reduce": [{"py/function": "numpy.core.multiarray.scalar"}]}}',
    ],
)
def test_decode_malformed_descriptions(text: str) -> None:
    with pytest.raises(DataError, match=r"^here: cannot read infos written by release"):
        infos.decode(text, "here")


def test_the_episode_that_a_wrapper_recorded_survives() -> None:
    """Also with dictionary observations, which `RolloutInfoWrapper` stacks."""
    recorded = {
        "obs": DictObs({"a": np.arange(3.0), "b": np.ones((3, 2), np.uint8)}),
        "rews": np.array([0.5, 1.5]),
    }
    texts = infos.encode_episode([{}, {"rollout": recorded}], "episode 0")
    again = [infos.decode(text, "episode 0") for text in texts]
    wrapped = TrajectoryWithRew(
        DictObs({"a": np.zeros(3)}), np.zeros(2), again, True, np.zeros(2)
    )
    original = rollout.unwrap_traj(wrapped)
    assert original.obs == recorded["obs"]
    np.testing.assert_array_equal(original.rews, recorded["rews"])
