from typing import Any

import numpy as np
import pytest

from imitation.data import types
from imitation.errors import DataError

POS = np.arange(8.0).reshape(4, 2)
PIXELS = np.arange(4, dtype=np.uint8)[:, None] * np.ones((4, 3), np.uint8)


def make() -> types.DictObs:
    return types.DictObs({"pos": POS, "pixels": PIXELS})


def test_behaves_like_the_dictionary_and_like_an_array() -> None:
    obs = make()
    assert len(obs) == 4 and obs.dict_len == 2
    assert list(obs.keys()) == ["pos", "pixels"]
    assert obs.get("pos") is POS and next(iter(obs.values())) is POS
    assert dict(obs.items())["pixels"] is PIXELS
    assert obs.shape == {"pos": (4, 2), "pixels": (4, 3)}
    assert obs.dtype == {"pos": np.float64, "pixels": np.uint8}
    assert obs.unwrap() is not obs.unwrap() and obs.unwrap()["pos"] is POS
    with pytest.raises(KeyError):
        obs.get("velocity")


@pytest.mark.parametrize("index", [1, slice(1, 3), np.array([0, 3]), PIXELS[:, 0] > 1])
def test_indexing_acts_on_the_first_axis(index: Any) -> None:
    part = make()[index]
    assert np.array_equal(part.get("pos"), POS[index])
    assert np.array_equal(part.get("pixels"), PIXELS[index])
    assert part.get("pixels").dtype == np.uint8


def test_iterating_stacking_and_concatenating_are_inverse() -> None:
    obs = make()
    assert types.DictObs.stack(list(obs)) == obs
    assert types.stack_maybe_dictobs(list(obs)) == obs
    assert types.DictObs.concatenate([obs[:1], obs[1:]]) == obs
    assert types.concatenate_maybe_dictobs([obs[:3], obs[3:]]) == obs
    assert types.DictObs.from_obs_list([o.unwrap() for o in obs]) == obs
    both = types.DictObs.stack([obs, obs], axis=1)
    assert both.shape["pos"] == (4, 2, 2)
    wide = types.DictObs.concatenate([obs, obs], axis=1)
    assert wide.shape["pixels"] == (4, 6)


def test_scalar_observations_survive() -> None:
    obs = types.DictObs.from_obs_list([{"n": np.int64(3)}, {"n": np.int64(4)}])
    assert obs.get("n").tolist() == [3, 4] and obs[0].get("n").shape == ()


def test_errors() -> None:
    with pytest.raises(TypeError, match="Values must be NumPy arrays"):
        types.DictObs({"a": [1, 2]})  # type: ignore[dict-item]  # wrong on purpose
    with pytest.raises(TypeError, match=r"use \.get\('pos'\)"):
        make()["pos"]
    for broken in ({}, {"a": POS, "b": POS[:1]}, {"a": np.array(1.0)}):
        with pytest.raises(RuntimeError, match="Length is not defined"):
            len(types.DictObs(broken))
    for join in (types.DictObs.stack, types.DictObs.concatenate):
        with pytest.raises(DataError, match="Empty list of DictObs"):
            join([])
        with pytest.raises(DataError, match="Inconsistent keys"):
            join([make(), types.DictObs({"pos": POS})])


def test_maybe_helpers() -> None:
    obs: Any = make()
    assert types.maybe_wrap_in_dictobs({"pos": POS, "pixels": PIXELS}) == obs
    assert types.maybe_wrap_in_dictobs(obs) is obs
    assert types.maybe_wrap_in_dictobs(POS) is POS
    assert types.maybe_unwrap_dictobs(obs)["pos"] is POS
    assert types.maybe_unwrap_dictobs(POS) is POS
    assert types.map_maybe_dict(len, {"a": [1], "b": [1, 2]}) == {"a": 1, "b": 2}
    assert types.map_maybe_dict(len, [1, 2, 3]) == 3
    assert types.assert_not_dictobs(POS) is POS
    with pytest.raises(DataError, match="Dictionary observations are not supported"):
        types.assert_not_dictobs(obs)
    for join in (types.stack_maybe_dictobs, types.concatenate_maybe_dictobs):
        assert len(join([POS, POS])) in (2, 8)
        with pytest.raises(DataError, match="Empty list"):
            join([])
        with pytest.raises(DataError, match="mixture"):
            join([POS, obs])
