import operator
from collections.abc import Callable, Mapping

import gymnasium as gym
import hypothesis.strategies as st
import numpy as np
import pytest
import torch as th
from hypothesis import given
from hypothesis.extra import numpy as hnp

from imitation.data import tree
from imitation.data.types import DictObs
from imitation.errors import DataError

DTYPES = st.sampled_from([np.float32, np.float64, np.uint8, np.int64, np.bool_])


@st.composite
def arrays(draw: st.DrawFn, n: int) -> np.ndarray:
    shape = (n, *draw(hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)))
    return draw(hnp.arrays(draw(DTYPES), shape, elements=st.integers(0, 1)))


@st.composite
def trees(draw: st.DrawFn) -> tree.Tree:
    """A tree of any kind, with keys that may hold a slash."""
    n = draw(st.integers(1, 5))
    if draw(st.booleans()):
        array = draw(arrays(n))
        return array if draw(st.booleans()) else th.from_numpy(array)
    keys = draw(st.lists(st.text("ab/", min_size=1), min_size=1, unique=True))
    parts = {key: draw(arrays(n)) for key in keys}
    kind = draw(st.sampled_from(["dict", "DictObs", "tensors"]))
    if kind == "tensors":
        return {key: th.from_numpy(part) for key, part in parts.items()}
    return DictObs(parts) if kind == "DictObs" else parts


def same(one: tree.Tree, other: tree.Tree) -> bool:
    """The same kind, keys, dtypes and values."""
    if type(one) is not type(other):
        return False
    return all(
        type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b)
        for a, b in tree.zip_leaves(one, other)
    )


@given(trees(), st.integers(0, 5))
def test_concatenate_inverts_slices(value: tree.Tree, at: int) -> None:
    parts = [tree.take(value, slice(at)), tree.take(value, slice(at, None))]
    assert same(tree.concatenate(parts), value)
    assert tree.length(parts[0]) + tree.length(parts[1]) == tree.length(value)


@given(trees())
def test_stack_inverts_rows_and_gathers_as_an_index_does(value: tree.Tree) -> None:
    n = tree.length(value)
    rows = np.arange(n)[::-1].copy()
    gathered = tree.take(value, rows)
    slices = [tree.take(value, slice(i, i + 1)) for i in rows.tolist()]
    assert same(tree.concatenate(slices), gathered)
    stacked = tree.stack([value, gathered])
    assert same(tree.take(stacked, 1), gathered)
    assert tree.length(stacked) == 2


@given(trees())
def test_flatten_and_unflatten_are_inverse(value: tree.Tree) -> None:
    named = {"obs": value, "acts": np.zeros(3)}
    back = tree.unflatten(tree.flatten(named))
    assert back.keys() == named.keys()
    assert same(back["obs"], tree.unwrap(value))
    assert back["acts"] is named["acts"]


@given(trees())
def test_conversions_keep_values(value: tree.Tree) -> None:
    observation = tree.as_observation(value)
    is_dict = isinstance(value, Mapping | DictObs)
    assert isinstance(observation, DictObs) == is_dict
    as_tensors = tree.to_tensors(value)
    assert isinstance(as_tensors, dict) == is_dict
    assert same(tree.as_observation(as_tensors), observation)
    assert same(tree.unwrap(observation), tree.map(np.asarray, tree.unwrap(value)))


def make(kind: str, n: int = 4) -> tree.Tree:
    array = np.arange(2 * n).reshape(n, 2)
    match kind:
        case "array":
            return array
        case "tensor":
            return th.from_numpy(array)
        case "dict":
            return {"a": array, "b": array[:, 0].astype(np.float32)}
    return DictObs({"a": array, "b": array[:, 0].astype(np.float32)})


KINDS = ("array", "tensor", "dict", "DictObs")


@pytest.mark.parametrize("kind", KINDS)
def test_map_and_assign_reach_every_leaf(kind: str) -> None:
    value = make(kind)
    doubled = tree.map(lambda leaf: leaf * 2, value)
    assert type(doubled) is type(value)
    for leaf, twice in zip(tree.leaves(value), tree.leaves(doubled), strict=True):
        assert np.array_equal(leaf * 2, twice)
    changed = tree.map(lambda leaf: leaf * 1, value)
    tree.assign(changed, [0, 2], tree.take(doubled, [0, 2]))
    for row, expected in enumerate((doubled, value, doubled, value)):
        assert same(
            tree.take(changed, slice(row, row + 1)),
            tree.take(expected, slice(row, row + 1)),
        )


def test_slices_share_memory_and_conversions_do_not_copy() -> None:
    value = DictObs({"a": np.zeros((3, 2))})
    assert np.shares_memory(tree.take(value, slice(2)).get("a"), value.get("a"))
    assert tree.as_observation(value).get("a") is value.get("a")  # type: ignore[union-attr]  # a DictObs stays one
    assert tree.unwrap(value)["a"] is value.get("a")
    assert tree.wrap(value) is value


def test_map_of_a_dictobs_needs_arrays() -> None:
    value = DictObs({"a": np.zeros((3, 2))})
    with pytest.raises(TypeError, match="Values must be NumPy arrays"):
        tree.map(th.as_tensor, value)  # type: ignore[arg-type]  # wrong on purpose
    assert tree.map(operator.attrgetter("shape"), tree.unwrap(value)) == {"a": (3, 2)}


@pytest.mark.parametrize("join", [tree.concatenate, tree.stack, tree.check_alike])
def test_joining_needs_one_structure(join: Callable[[object], object]) -> None:
    with pytest.raises(DataError, match="at least one"):
        join([])
    with pytest.raises(DataError, match="mixture"):
        join([make("array"), make("dict")])
    with pytest.raises(DataError, match="Inconsistent keys: "):
        join([make("DictObs"), DictObs({"a": np.zeros(4)})])


@pytest.mark.parametrize(
    "value",
    [{}, {"a": np.zeros(3), "b": np.zeros(2)}, np.array(1.0), {"a": np.array(1.0)}],
)
def test_length_needs_one_first_axis(value: tree.Tree) -> None:
    with pytest.raises(DataError, match="same first axis"):
        tree.length(value)


def test_with_spaces_pairs_leaves_with_their_spaces() -> None:
    box, discrete = gym.spaces.Box(0, 1, (2,)), gym.spaces.Discrete(3)
    value = {"n": np.zeros(4), "x": np.zeros((4, 2)), "other": np.zeros(4)}
    space = gym.spaces.Dict({"x": box, "n": discrete})
    expected = [("obs['n']", discrete), ("obs['x']", box)]
    for obs in (value, DictObs(value)):
        found = tree.with_spaces("obs", obs, space)
        assert [(name, part) for name, _, part in found] == expected
        assert found[0][1] is value["n"] and found[1][1] is value["x"]
    assert tree.with_spaces("acts", value["n"], discrete) == [
        ("acts", value["n"], discrete)
    ]
    with pytest.raises(DataError, match=r"with the keys \['n', 'x'\], got \['x'\]"):
        tree.with_spaces("obs", {"x": value["x"]}, space)
    with pytest.raises(DataError, match="got ndarray"):
        tree.with_spaces("obs", value["x"], space)
    with pytest.raises(DataError, match="one array for the space Discrete"):
        tree.with_spaces("obs", value, discrete)
