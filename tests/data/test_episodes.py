"""Both ways to assemble episodes, on the same recorded vector steps."""

import itertools
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.data import episodes as episodes_module
from imitation.data import types
from imitation.data.episodes import (
    EMPTY_INFO,
    TrajectoryAccumulator,
    VecEpisodes,
)
from imitation.errors import DataError
from reference.scripted_env import ScriptedEnv, scripted_policy

N_ENVS = 3


def recorded(kind: Any, n_steps: int, seed: Any = 0) -> tuple[Any, list[Any]]:
    """The first observations and the arguments of `add` for each vector step."""
    venv = DummyVecEnv([lambda i=i: ScriptedEnv(i, seed, kind) for i in range(N_ENVS)])  # type: ignore[misc]  # a default, not an argument
    first = obs = venv.reset()
    steps = []
    for _ in range(n_steps):
        acts = scripted_policy(obs)
        obs, rews, dones, infos = venv.step(acts)
        steps.append((acts, obs, rews, dones, infos))
    return first, steps


def accumulated(first: Any, steps: list[Any]) -> tuple[TrajectoryAccumulator, Any]:
    accumulator = TrajectoryAccumulator()
    for i in range(N_ENVS):
        is_dict = isinstance(first, dict)
        obs = {k: v[i] for k, v in first.items()} if is_dict else first[i]
        accumulator.add_step({"obs": obs}, key=i)
    trajs = [t for s in steps for t in accumulator.add_steps_and_auto_finish(*s)]
    return accumulator, trajs


@pytest.mark.parametrize("kind", ["array", "dict"])
@pytest.mark.parametrize("capacity", [2, 7, 128])
def test_both_ways_agree(
    kind: str, capacity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the arrays grow and episodes are moved to their front."""
    monkeypatch.setattr(episodes_module, "INITIAL_CAPACITY", capacity)
    first, steps = recorded(kind, 100)
    accumulator, slow = accumulated(first, steps)
    episodes = VecEpisodes(first)
    fast = [traj for step in steps for traj in episodes.add(*step)]
    assert len(fast) == len(slow) > 20
    for a, b in zip(fast, slow, strict=True):
        assert a == b
        assert a.obs.dtype == b.obs.dtype and a.acts.dtype == b.acts.dtype
        assert a.rews.dtype == b.rews.dtype == np.float32
    in_flight = episodes.steps_in_flight()
    fragments: Any = episodes.pop_fragments()
    for i in range(N_ENVS):
        if in_flight[i]:
            assert fragments[i] == accumulator.finish_trajectory(i, terminal=False)
            assert len(fragments[i]) == in_flight[i]
        else:
            assert fragments[i] is None
    assert not episodes.steps_in_flight().any()
    assert episodes.pop_fragments() == [None] * N_ENVS


def test_fragments_continue_where_they_were_cut() -> None:
    first, steps = recorded("array", 60)
    whole, cut = VecEpisodes(first), VecEpisodes(first)
    expected = [t for step in steps for t in whole.add(*step)]
    parts: list[list[Any]] = [[] for _ in range(N_ENVS)]
    rejoined = []
    for n, step in enumerate(steps):
        for traj in cut.add(*step):
            env = int(np.asarray(traj.obs)[0, 0])
            parts[env].append(traj)
            rejoined.append(parts[env])
            parts[env] = []
        if n % 2:
            for env, fragment in enumerate(cut.pop_fragments()):
                if fragment is not None:
                    assert not fragment.terminal
                    parts[env].append(fragment)
    assert max(map(len, rejoined)) > 1
    for traj, fragments in zip(expected, rejoined, strict=True):
        acts = np.concatenate([f.acts for f in fragments])
        obs = np.concatenate([f.obs[:-1] for f in fragments] + [fragments[-1].obs[-1:]])
        assert np.array_equal(acts, traj.acts) and np.array_equal(
            obs, np.asarray(traj.obs)
        )
        for before, after in itertools.pairwise(fragments):
            assert np.array_equal(before.obs[-1], after.obs[0])
        assert fragments[-1].terminal


def test_reused_buffers_of_an_environment_are_copied() -> None:
    first, steps = recorded("array", 30)
    expected = accumulated(first, steps)[1]
    shared = [np.empty_like(a) for a in (first, *steps[0][:4])]
    obs, acts, _, rews, dones = shared
    obs[:] = first
    episodes = VecEpisodes(obs)
    accumulator, _ = accumulated(obs.copy(), [])
    fast, slow = [], []
    for new_acts, new_obs, new_rews, new_dones, infos in steps:
        acts[:], obs[:], rews[:], dones[:] = new_acts, new_obs, new_rews, new_dones
        fast += episodes.add(acts, obs, rews, dones, infos)
        slow += accumulator.add_steps_and_auto_finish(acts, obs, rews, dones, infos)
    assert fast == expected and slow == expected


def test_without_infos_only_the_last_is_kept() -> None:
    first, steps = recorded("array", 30)
    full, light = VecEpisodes(first), VecEpisodes(first, keep_infos=False)
    for step in steps:
        for a, b in zip(full.add(*step), light.add(*step), strict=True):
            assert a.infos is not None and b.infos is not None
            assert b.infos[-1] is a.infos[-1] or b.infos[-1] == a.infos[-1]
            assert all(info is EMPTY_INFO for info in b.infos[:-1])


def test_actions_of_growing_dtype_are_not_cut_short() -> None:
    obs = np.zeros((1, 2))
    episodes = VecEpisodes(obs)
    done, going = np.array([True]), np.array([False])
    rews = np.zeros(1)
    episodes.add(np.array([1], np.int32), obs, rews, going, [{}])
    (traj,) = episodes.add(
        np.array([0.5]), obs, rews, done, [{"terminal_observation": obs[0]}]
    )
    assert traj.acts.tolist() == [1.0, 0.5] and traj.acts.dtype == np.float64


def test_the_last_observation_does_not_change_the_dtype() -> None:
    obs = np.zeros((1, 2), dtype=np.float32)
    step = (np.zeros(1, int), obs, np.zeros(1), np.array([True]))
    info = {"terminal_observation": np.ones(2, dtype=np.float64)}
    (fast,) = VecEpisodes(obs).add(*step, [info])
    accumulator = TrajectoryAccumulator()
    accumulator.add_step({"obs": obs[0]}, 0)
    (slow,) = accumulator.add_steps_and_auto_finish(*step, [info])
    for traj in (fast, slow):
        assert traj.obs.dtype == np.float32 and traj.obs[-1].tolist() == [1, 1]


def test_a_missing_terminal_observation_is_an_error() -> None:
    obs = np.zeros((1, 2))
    step = (np.zeros(1), obs, np.zeros(1), np.array([True]), [{"who": 1}])
    accumulator = TrajectoryAccumulator()
    accumulator.add_step({"obs": obs[0]}, 0)
    for add in (VecEpisodes(obs).add, accumulator.add_steps_and_auto_finish):
        with pytest.raises(DataError, match=r"no 'terminal_observation', only \['who'"):
            add(*step)


def test_accumulator_with_one_unnamed_trajectory() -> None:
    accumulator = TrajectoryAccumulator()
    accumulator.add_step({"obs": {"a": np.zeros(2)}})
    accumulator.add_step({"obs": {"a": np.ones(2)}, "acts": 3, "rews": 0.5})
    traj = accumulator.finish_trajectory(None, terminal=False)
    assert traj.obs == types.DictObs({"a": np.array([[0.0, 0.0], [1.0, 1.0]])})
    assert traj.acts.tolist() == [3] and traj.infos is None and not traj.terminal
    assert not accumulator.partial_trajectories
    with pytest.raises(KeyError):
        accumulator.finish_trajectory(None, terminal=True)


def test_accumulator_says_what_is_missing() -> None:
    accumulator = TrajectoryAccumulator()
    with pytest.raises(DataError, match="environment 0 was not started"):
        accumulator.add_steps_and_auto_finish(
            np.zeros(1), np.zeros((1, 2)), np.zeros(1), np.zeros(1, bool), [{}]
        )
    accumulator.add_step({"obs": np.zeros(2)}, "key")
    with pytest.raises(DataError, match=r"has no \['acts', 'rews'\]"):
        accumulator.finish_trajectory("key", terminal=True)
