from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.data import rollout, types
from imitation.data.wrappers import BufferingWrapper, RolloutInfoWrapper
from reference.scripted_env import ScriptedEnv, scripted_policy

N_ENVS: Any = 3


def make(kind: Any = "array", wrap: Any = lambda env: env) -> DummyVecEnv:
    return DummyVecEnv(
        [lambda i=i: wrap(ScriptedEnv(i, 0, kind)) for i in range(N_ENVS)]  # type: ignore[misc]  # a default, not an argument
    )


def drive(venv: BufferingWrapper, obs: Any, n_steps: int) -> tuple[Any, list[Any]]:
    """Steps; returns the last observations and what each step returned."""
    steps = []
    for _ in range(n_steps):
        acts = scripted_policy(obs)
        obs, rews, dones, infos = venv.step(acts)
        steps.append((acts, obs, rews, dones, infos))
    return obs, steps


def origin(info: Any) -> tuple[int, int, int]:
    return info["who"], info["episode_number"], info["t"]


@pytest.mark.parametrize("kind", ["array", "dict"])
@pytest.mark.parametrize("pop_every", [1, 4, 50])
def test_every_transition_is_popped_once(kind: str, pop_every: int) -> None:
    venv = BufferingWrapper(make(kind))
    assert venv.n_transitions is None
    obs = venv.reset()
    popped, driven = [], []
    for _ in range(0, 100, pop_every):
        obs, steps = drive(venv, obs, pop_every)
        driven += steps
        assert venv.n_transitions == pop_every * N_ENVS
        popped.append(venv.pop_transitions())
        assert venv.n_transitions == 0
    infos = [info for batch in popped for info in batch.infos]
    assert sorted(map(origin, infos)) == sorted(
        origin(info) for step in driven for info in step[4]
    )
    for batch in popped:
        for n, info in enumerate(batch.infos):
            who, episode, t = origin(info)
            env = ScriptedEnv(who, 0, kind)
            for seen, time in ((batch.obs, t - 1), (batch.next_obs, t)):
                expected = env.observe(episode, time)
                actual: Any = seen[n]
                if kind == "dict":
                    assert actual == types.DictObs(expected)
                else:
                    assert np.array_equal(actual, expected)
            assert batch.acts[n] == (3 * episode + t - 1) % 5
            assert batch.dones[n] == (t == env.lengths[episode])
            exact = who + episode / 10 + t / 100 + batch.acts[n] / 1000
            assert batch.rews[n] == pytest.approx(exact, abs=1e-5)


def test_unfinished_episodes_continue_after_popping() -> None:
    venv = BufferingWrapper(make())
    obs = venv.reset()
    fragments: dict[tuple[int, int], list[Any]] = {}
    ended: list[Any] = []
    for _ in range(40):
        obs, steps = drive(venv, obs, 3)
        trajs, ep_lens = venv.pop_trajectories()
        assert sum(traj.terminal for traj in trajs) == len(ep_lens)
        assert sum(map(len, trajs)) == 3 * N_ENVS
        ended += ep_lens
        assert len(ep_lens) == sum(int(step[3].sum()) for step in steps)
        for traj in trajs:
            fragments.setdefault(tuple(traj.obs[0, :2]), []).append(traj)
    assert any(len(parts) > 1 for parts in fragments.values())
    lengths = []
    for (who, episode), parts in fragments.items():
        assert [p.terminal for p in parts[:-1]] == [False] * (len(parts) - 1)
        if parts[-1].terminal:
            times = np.concatenate([p.obs[:-1, 2] for p in parts])
            length = ScriptedEnv(who, 0).lengths[episode]
            assert times.tolist() == list(range(length))
            lengths.append(int(length))
    assert sorted(lengths) == sorted(ended)


def test_popping_finished_trajectories_leaves_the_others() -> None:
    venv = BufferingWrapper(make())
    obs, steps = drive(venv, venv.reset(), 20)
    trajs, ep_lens = venv.pop_finished_trajectories()
    assert [len(traj) for traj in trajs] == ep_lens
    assert all(traj.terminal for traj in trajs)
    assert len(trajs) == sum(int(step[3].sum()) for step in steps)
    rest = 20 * N_ENVS - sum(ep_lens)
    assert venv.n_transitions == rest > 0
    assert venv.pop_finished_trajectories() == ([], [])
    fragments, none = venv.pop_trajectories()
    assert sum(map(len, fragments)) == rest and none == []
    assert not any(traj.terminal for traj in fragments)
    drive(venv, obs, 20)
    trajs, ep_lens = venv.pop_finished_trajectories()
    assert ep_lens[0] > len(trajs[0]) or ep_lens != [len(traj) for traj in trajs]


def test_popping_nothing() -> None:
    venv = BufferingWrapper(make())
    for _ in range(2):
        assert venv.pop_trajectories() == ([], [])
        assert venv.pop_finished_trajectories() == ([], [])
        with pytest.raises(
            RuntimeError, match="Called pop_transitions on an empty BufferingWrapper"
        ):
            venv.pop_transitions()
        venv.reset()


def test_premature_reset() -> None:
    venv = BufferingWrapper(make())
    venv.reset()
    venv.reset()
    drive(venv, venv.reset(), 2)
    with pytest.raises(
        RuntimeError, match=r"BufferingWrapper reset\(\) before samples were accessed"
    ):
        venv.reset()
    assert len(venv.pop_transitions()) == 2 * N_ENVS
    venv.reset()


def test_premature_reset_allowed_discards() -> None:
    venv = BufferingWrapper(make(), error_on_premature_reset=False)
    drive(venv, venv.reset(), 20)
    obs = venv.reset()
    assert venv.n_transitions == 0 and venv.pop_trajectories() == ([], [])
    drive(venv, obs, 15)
    trajs, ep_lens = venv.pop_trajectories()
    assert sum(map(len, trajs)) == 15 * N_ENVS
    assert ep_lens == [len(traj) for traj in trajs if traj.terminal]


def test_stepping_out_of_turn() -> None:
    venv = BufferingWrapper(make())
    acts = np.zeros(N_ENVS, int)
    with pytest.raises(RuntimeError, match="call reset"):
        venv.step(acts)
    venv.reset()
    with pytest.raises(RuntimeError, match="call step_async"):
        venv.step_wait()
    venv.step_async(acts)
    with pytest.raises(RuntimeError, match="call step_wait"):
        venv.step_async(acts)


def test_records_a_learner() -> None:
    venv = BufferingWrapper(make("dict"))
    model = PPO("MultiInputPolicy", venv, n_steps=16, batch_size=48, device="cpu")
    model.learn(48)
    batch = venv.pop_transitions()
    assert len(batch) == 48 and isinstance(batch.obs, types.DictObs)


@pytest.mark.parametrize("kind", ["array", "image", "dict"])
def test_rollout_info_holds_the_whole_episode(kind: str) -> None:
    env = RolloutInfoWrapper(ScriptedEnv(1, 0, kind))
    for _ in range(5):
        seen: Any
        seen, rewards = [env.reset()[0]], []
        ended = False
        while not ended:
            obs, rew, terminated, truncated, info = env.step(2)
            seen.append(obs)
            rewards.append(rew)
            ended = terminated or truncated
            assert ("rollout" in info) == ended
        recorded = info["rollout"]
        if kind == "dict":
            assert recorded["obs"] == types.DictObs.from_obs_list(seen)
        else:
            assert np.array_equal(recorded["obs"], np.stack(seen))
            assert recorded["obs"].dtype == seen[0].dtype
        assert recorded["rews"].tolist() == rewards
        assert recorded["rews"].dtype == np.float64


class Careless(ScriptedEnv):
    """Returns the same observation array every time, and integer rewards."""

    def observe(self, episode: int, time: int) -> Any:
        if not hasattr(self, "shared"):
            self.shared = np.zeros(3, np.int32)
        self.shared[:] = super().observe(episode, time)
        return self.shared

    def step(self, action: Any) -> Any:
        obs, rew, terminated, truncated, info = super().step(action)
        return obs, int(rew), terminated, truncated, info


def test_rollout_info_copies_reused_arrays_and_makes_rewards_floats() -> None:
    venv = DummyVecEnv([lambda: RolloutInfoWrapper(Careless(2, 0))])
    until = rollout.make_min_episodes(3)
    for traj in rollout.rollout(scripted_policy, venv, until):
        assert np.asarray(traj.obs)[:, 2].tolist() == list(range(len(traj) + 1))
        assert traj.rews.dtype == np.float64 and set(traj.rews) == {2.0}
