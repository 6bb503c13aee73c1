import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest
import torch as th
from torch.utils.data import DataLoader

from imitation.data import types
from imitation.errors import DataError

OBS = np.arange(8, dtype=np.float32).reshape(4, 2)
ACTS = np.array([0, 1, 2])
REWS = np.array([0.5, 1.0, -1.0])
INFOS: Any = [{"step": 0}, {"step": 1}, {"array": np.zeros(2)}]


def trajectory(**changes: Any) -> types.TrajectoryWithRew:
    fields = {"obs": OBS, "acts": ACTS, "infos": INFOS, "terminal": True, "rews": REWS}
    return types.TrajectoryWithRew(**{**fields, **changes})


def transitions(**changes: Any) -> types.TransitionsWithRew:
    fields = {
        "obs": OBS[:-1],
        "acts": ACTS,
        "infos": np.array([{"a": 1}, {}, {}]),
        "next_obs": OBS[1:],
        "dones": np.array([False, False, True]),
        "rews": REWS,
    }
    return types.TransitionsWithRew(**{**fields, **changes})


def dict_obs(n: int = 4) -> types.DictObs:
    pos = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    return types.DictObs({"pos": pos, "pixels": np.full((n, 3, 3), 7, np.uint8)})


MALFORMED_TRAJECTORIES = {
    "no last observation": ({"obs": OBS[:-1]}, "expected one more observations than"),
    "dict of other length": ({"obs": dict_obs(3)}, "expected one more observations"),
    "too few infos": ({"infos": INFOS[:2]}, "infos when present must be present for"),
    "no action": (
        {"obs": OBS[:1], "acts": ACTS[:0], "infos": None, "rews": REWS[:0]},
        "Degenerate trajectory: must have at least one action.",
    ),
    "two rewards": ({"rews": REWS[:2]}, "rewards must be 1D array, one entry for each"),
    "column of rewards": ({"rews": REWS[:, None]}, "rewards must be 1D array"),
    "integer rewards": ({"rews": ACTS}, "rewards dtype int64 not a float"),
    "ragged observations": ({"obs": [[1], [1, 2], [1], [1]]}, "obs must be one array"),
    "object observations": ({"obs": OBS.astype(object)}, "obs must be an array of num"),
    "text actions": ({"acts": np.array(["a", "b", "c"])}, "acts must be an array of"),
    "mixed actions": ({"acts": [0, None, 1]}, "acts must be an array of numbers"),
    "no time axis": ({"obs": np.float32(1)}, "obs must have one entry per timestep"),
    "empty dict": ({"obs": {}}, "obs must have one entry per timestep"),
    "unequal dict": (
        {"obs": {"a": OBS, "b": OBS[:2]}},
        "obs must have one entry per timestep",
    ),
    "dict of objects": (
        {"obs": {"a": OBS.astype(object)}},
        re.escape("obs['a'] must be an array of numbers"),
    ),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    MALFORMED_TRAJECTORIES.values(),
    ids=MALFORMED_TRAJECTORIES.keys(),
)
def test_malformed_trajectory(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        trajectory(**changes)


MALFORMED_TRANSITIONS = {
    "more observations": ({"obs": OBS}, "obs and acts must have same number of"),
    "fewer infos": ({"infos": [{}]}, "obs and infos must have same number of"),
    "no infos": ({"infos": None}, "infos must be a sequence of dicts"),
    "other shape": ({"next_obs": OBS[1:, :1]}, "obs and next_obs must have same shape"),
    "other dtype": (
        {"next_obs": OBS[1:].astype(np.float64)},
        "obs and next_obs must have the same dtype",
    ),
    "two dones": ({"dones": np.zeros(2, bool)}, "dones must be 1D array, one entry"),
    "column dones": ({"dones": np.zeros((3, 1), bool)}, "dones must be 1D array"),
    "integer dones": ({"dones": np.zeros(3, int)}, "dones must be boolean"),
    "object actions": ({"acts": ACTS.astype(object)}, "acts must be an array of num"),
    "two rewards": ({"rews": REWS[:2]}, "rewards must be 1D array"),
    "integer rewards": ({"rews": ACTS}, "rewards dtype int64 not a float"),
    "dict after array": ({"next_obs": dict_obs(3)}, "must have same shape"),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    MALFORMED_TRANSITIONS.values(),
    ids=MALFORMED_TRANSITIONS.keys(),
)
def test_malformed_transitions(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        transitions(**changes)


def test_trajectory_keeps_arrays_and_counts_actions() -> None:
    traj = trajectory()
    assert traj.obs is OBS and traj.acts is ACTS and traj.rews is REWS
    assert len(traj) == 3
    assert OBS.flags.writeable


def test_trajectory_converts_lists_and_wraps_dicts() -> None:
    traj = trajectory(obs={"a": OBS.tolist()}, acts=[0, 1, 2], rews=[0.0, 1.0, 2.0])
    assert isinstance(traj.obs, types.DictObs)
    assert traj.obs.get("a").shape == (4, 2)
    assert traj.acts.dtype == np.int64 and traj.rews.dtype == np.float64


def test_repr_prints_shapes() -> None:
    assert repr(trajectory(infos=None)) == (
        "TrajectoryWithRew(obs=float32[4, 2], acts=int64[3], infos=None, "
        "terminal=True, truncated=False, rews=float64[3])"
    )
    assert "obs=DictObs({'pos': float32[4, 2], 'pixels': uint8[4, 3, 3]})" in repr(
        trajectory(obs=dict_obs())
    )


@pytest.mark.parametrize("make", [trajectory, transitions])
def test_equality_is_by_value(make: Any) -> None:
    record = make()
    for twin in (make(), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert twin == record and type(twin) is type(record)
    for name in ("obs", "acts", "rews"):
        value = getattr(record, name).copy()
        value.flat[0] += 1
        assert make(**{name: value}) != record
    assert record != "something else"


def test_equality_looks_into_infos_and_compares_types() -> None:
    assert trajectory(infos=np.array(INFOS)) == trajectory(infos=list(INFOS))
    assert trajectory(infos=None) != trajectory()
    assert trajectory(infos=[*INFOS[:2], {"array": np.ones(2)}]) != trajectory()
    assert trajectory(terminal=False) != trajectory()
    plain = types.Trajectory(obs=OBS, acts=ACTS, infos=INFOS, terminal=True)
    assert plain != trajectory()
    assert trajectory(obs=dict_obs()) == trajectory(obs=dict_obs())
    assert trajectory(obs=dict_obs()) != trajectory()


def test_unpickling_a_trajectory_without_terminal_warns() -> None:
    old = trajectory()
    del old.__dict__["terminal"]
    with pytest.warns(UserWarning, match="assuming True"):
        loaded = pickle.loads(pickle.dumps(old))
    assert loaded == trajectory(terminal=True)


def test_s23_transitions_leave_the_callers_arrays_writable() -> None:
    obs, next_obs, acts = OBS[:-1].copy(), OBS[1:].copy(), ACTS.copy()
    pixels = np.zeros((3, 2), np.uint8)
    batch = transitions(obs=obs, next_obs=next_obs, acts=acts)
    wrapped: Any = transitions(obs={"p": pixels}, next_obs={"p": pixels})
    assert obs.flags.writeable and acts.flags.writeable and pixels.flags.writeable
    assert np.shares_memory(batch.obs, obs)
    read_only: Any
    for read_only in (batch.obs, batch.acts, batch.dones, batch.rews, batch.infos):
        with pytest.raises(ValueError, match="read-only"):
            read_only[0] = read_only[1]
    with pytest.raises(ValueError, match="read-only"):
        wrapped.obs.get("p")[0] = 1
    again = pickle.loads(pickle.dumps(batch))
    assert again == batch and not again.obs.flags.writeable


def test_s23_dict_observations_compare_by_value() -> None:
    assert dict_obs() == dict_obs()
    assert dict_obs(3) != dict_obs(4)
    other_key = types.DictObs({"pos": dict_obs().get("pos")})
    assert dict_obs() != other_key
    changed = dict_obs().map_arrays(lambda array: array + 1)
    assert dict_obs() != changed
    assert dict_obs() != {"pos": 1}


@pytest.mark.parametrize("obs", [OBS[:-1], dict_obs(3)], ids=["array", "dict"])
def test_indexing_transitions(obs: types.Observation) -> None:
    batch: Any = transitions(obs=obs, next_obs=obs)
    item = batch[1]
    assert item["acts"] == 1 and item["infos"] == {} and item["rews"] == 1.0
    assert np.array_equal(np.asarray(batch.dones[1]), item["dones"])
    assert set(item) == {
        *("obs", "acts", "infos", "next_obs", "dones", "truncated", "rews")
    }
    mask = np.array([True, False, True])
    for key, expected in [
        (slice(0, 2), [0, 1]),
        (slice(5, 9), []),
        (np.array([2, 0, 2]), [2, 0, 2]),
        (mask, [0, 2]),
        ([1], [1]),
        ([], []),
    ]:
        part = batch[key]
        assert type(part) is types.TransitionsWithRew
        assert part.acts.tolist() == expected
        assert part.obs.dtype == batch.obs.dtype
    assert [item["acts"] for item in batch] == [0, 1, 2]
    with pytest.raises(IndexError):
        batch[3]


def test_collating_matches_indexing() -> None:
    batch = transitions()
    (collated,) = DataLoader(
        batch, batch_size=3, collate_fn=types.transitions_collate_fn
    )
    for name in ("obs", "acts", "next_obs", "dones", "rews"):
        assert isinstance(collated[name], th.Tensor)
        assert np.array_equal(collated[name].numpy(), getattr(batch, name))
        assert collated[name].numpy().dtype == getattr(batch, name).dtype
    assert collated["infos"] == [{"a": 1}, {}, {}]


def test_collating_keeps_dict_observations() -> None:
    batch = transitions(obs=dict_obs(3), next_obs=dict_obs(3))
    collated = types.transitions_collate_fn([batch[i] for i in range(3)])
    assert collated["obs"] == dict_obs(3)


def test_collating_scalars_of_other_types() -> None:
    collated = types.transitions_collate_fn([{"acts": 1}, {"acts": 2}])
    assert collated["acts"].tolist() == [1, 2]


def test_quick_asdict_does_not_copy() -> None:
    fields = types.dataclass_quick_asdict(trajectory(obs=(wrapped := dict_obs())))
    assert fields["obs"] is wrapped and fields["acts"] is ACTS
    assert list(fields) == ["obs", "acts", "infos", "terminal", "truncated", "rews"]
