from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings

from imitation.data import types
from imitation.testing import hypothesis_strategies as strategies

quick = hypothesis_settings(max_examples=20, deadline=None, derandomize=True)


@quick
@given(strategies.trajectory)
def test_a_trajectory(traj: Any) -> None:
    assert isinstance(traj, types.Trajectory)
    assert 1 <= len(traj) <= 10
    assert traj.infos is not None
    assert len(traj.obs) == len(traj.infos) + 1 == len(traj.acts) + 1


@quick
@given(strategies.trajectories_list)
def test_lists_share_spaces_and_kind(trajs: Any) -> None:
    assert 1 <= len(trajs) <= 10
    assert len({type(traj) for traj in trajs}) == 1
    for name in ("obs", "acts"):
        assert len({getattr(traj, name).shape[1:] for traj in trajs}) == 1
        assert len({getattr(traj, name).dtype for traj in trajs}) == 1


@quick
@given(
    strategies.trajectories_with_reward_list,
    strategies.trajectories_without_reward_list,
)
def test_lists_with_and_without_reward(with_rew: Any, without: Any) -> None:
    assert {type(traj) for traj in with_rew} == {types.TrajectoryWithRew}
    assert {type(traj) for traj in without} == {types.Trajectory}
