import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings

from imitation.data import rollout, types
from imitation.data.flatten import flatten_pairs
from imitation.errors import DataError
from imitation.testing import hypothesis_strategies
from reference import episodes as slow

quick = hypothesis_settings(max_examples=30, deadline=None, derandomize=True)


def traj(n: int = 3, **changes: Any) -> types.TrajectoryWithRew:
    fields: dict[str, Any] = {
        "obs": np.arange(2.0 * n + 2).reshape(n + 1, 2),
        "acts": np.arange(n),
        "infos": None,
        "terminal": True,
        "rews": np.ones(n, np.float32),
    }
    return types.TrajectoryWithRew(**{**fields, **changes})


def assert_same(batch: Any, expected: dict[str, list[Any]], like: Any) -> None:
    for name in ("obs", "next_obs", "acts", "dones"):
        value = getattr(batch, name)
        if isinstance(value, types.DictObs):
            assert value == types.DictObs.stack(expected[name])
            assert value.dtype == like.obs.dtype
            continue
        assert np.array_equal(value, np.stack(expected[name]))
        if name != "dones":
            assert value.dtype == getattr(like, name.removeprefix("next_")).dtype
    assert batch.infos.tolist() == expected["infos"]


@quick
@given(hypothesis_strategies.trajectories_list)
def test_equals_the_slow_version(trajs: Any) -> None:
    batch = rollout.flatten_trajectories(trajs)
    assert type(batch) is types.Transitions
    assert_same(batch, slow.flatten_slowly(trajs, with_rews=False), trajs[0])


@quick
@given(hypothesis_strategies.trajectories_with_reward_list)
def test_equals_the_slow_version_with_rewards(trajs: Any) -> None:
    batch = rollout.flatten_trajectories_with_rew(iter(trajs))
    assert type(batch) is types.TransitionsWithRew
    expected = slow.flatten_slowly(trajs, with_rews=True)
    assert_same(batch, expected, trajs[0])
    assert batch.rews.tolist() == expected["rews"]


def test_dict_observations() -> None:
    image = np.random.default_rng(0).integers(256, size=(4, 2, 2), dtype=np.uint8)
    obs = types.DictObs({"image": image, "speed": np.arange(4, dtype=np.float32)})
    trajs = [traj(obs=obs), traj(obs=obs, terminal=False)]
    batch = rollout.flatten_trajectories(trajs)
    assert_same(batch, slow.flatten_slowly(trajs, with_rews=False), trajs[0])


def test_missing_infos_become_one_empty_dict_that_refuses_changes() -> None:
    infos = [{"a": 1}, {"b": 2}, {}]
    batch = rollout.flatten_trajectories([traj(), traj(infos=infos)])
    assert batch.infos.tolist() == [{}, {}, {}, *infos]
    assert all(isinstance(info, dict) for info in batch.infos)
    empty = batch.infos[0]
    assert batch.infos[1] is empty
    for change in (
        lambda: empty.update(a=1),
        lambda: empty.__setitem__("a", 1),
        lambda: empty.setdefault("a", 1),
        empty.clear,
    ):
        with pytest.raises(TypeError, match="replace it by a new dict"):
            change()
    assert copy.deepcopy(empty) is empty
    assert pickle.loads(pickle.dumps(batch)).infos[0] is empty
    assert {**empty, "a": 1} == {"a": 1}


def test_nothing_is_shared_with_the_trajectories() -> None:
    original = traj()
    batch = rollout.flatten_trajectories_with_rew([original])
    for name in ("obs", "next_obs"):
        assert not np.shares_memory(getattr(batch, name), original.obs)
    assert not np.shares_memory(batch.acts, original.acts)
    assert not np.shares_memory(batch.rews, original.rews)


IMAGES = np.zeros((4, 2, 2), np.uint8)
MALFORMED = {
    "none": ([], "at least one trajectory"),
    "other observation shape": (
        [traj(), traj(obs=np.zeros((4, 5)))],
        r"trajectory 1 has obs of shape \(5,\), the first \(2,\)",
    ),
    "other action shape": (
        [traj(), traj(), traj(acts=np.zeros((3, 1)))],
        "trajectory 2 has acts of shape",
    ),
    "dict after array": (
        [traj(), traj(obs={"a": IMAGES})],
        r"trajectory 1 has observation keys \['a'\], the first None",
    ),
    "other keys": (
        [traj(obs={"a": IMAGES}), traj(obs={"a": IMAGES, "b": IMAGES})],
        "trajectory 1 has observation keys",
    ),
    "other shape of a key": (
        [traj(obs={"a": IMAGES}), traj(obs={"a": IMAGES[:, 0]})],
        r"trajectory 1 has obs\['a'\] of shape",
    ),
}


@pytest.mark.parametrize(("trajs", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(trajs: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        rollout.flatten_trajectories(trajs)
    with pytest.raises(DataError, match=message):
        rollout.flatten_trajectories_with_rew(trajs)


def test_missing_rewards() -> None:
    plain = types.Trajectory(np.zeros((3, 1)), np.zeros(2), None, True)
    with pytest.raises(DataError, match="trajectory 1 has no rewards"):
        rollout.flatten_trajectories_with_rew([traj(), plain])  # type: ignore[list-item]  # wrong on purpose


@quick
@given(hypothesis_strategies.trajectories_list)
def test_pairs_are_the_transitions_without_what_follows(trajs: Any) -> None:
    pairs, whole = flatten_pairs(trajs), rollout.flatten_trajectories(trajs)
    assert type(pairs) is types.TransitionsMinimal
    expected = types.TransitionsMinimal(whole.obs, whole.acts, whole.infos)
    assert pairs == expected and pairs.acts.dtype == whole.acts.dtype
