import logging
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from imitation.data import rollout, types
from imitation.data.wrappers import RolloutInfoWrapper
from imitation.errors import ConfigError, DataError
from reference import episodes as slow
from reference.scripted_env import ScriptedEnv, scripted_policy

N_ENVS = 4


def scripted(
    seed: Any = 0,
    kind: Any = "array",
    wrap: Any = lambda env: env,
    n_envs: Any = N_ENVS,
) -> DummyVecEnv:
    return DummyVecEnv(
        [lambda i=i: wrap(ScriptedEnv(i, seed, kind)) for i in range(n_envs)]  # type: ignore[misc]  # a default, not an argument
    )


def act_on_anything(obs: Any) -> Any:
    """The scripted policy, or action 0 where only images are seen."""
    if not isinstance(obs, dict) and obs.ndim > 2:
        return np.zeros(len(obs), dtype=np.int64)
    return scripted_policy(obs)


class Endless(ScriptedEnv):
    """Never ends an episode."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.lengths[:] = -1


@pytest.fixture(scope="module")
def ppo() -> PPO:
    venv = DummyVecEnv([lambda: gym.make("CartPole-v1")] * N_ENVS)
    return PPO("MlpPolicy", venv, seed=0, device="cpu")


def cartpole(seed: int = 0) -> DummyVecEnv:
    venv = DummyVecEnv([lambda: gym.make("CartPole-v1")] * N_ENVS)
    venv.seed(seed)
    return venv


def ordered(trajectories: Any) -> list[types.TrajectoryWithRew]:
    def origin(traj: Any) -> tuple[int, int]:
        return traj.infos[0]["who"], traj.infos[0]["episode_number"]

    return sorted(trajectories, key=origin)


# ---- generate_trajectories


@pytest.mark.parametrize("kind", ["array", "dict"])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("episodes", "steps"), [(1, None), (7, None), (3, 100)])
def test_equals_environments_played_alone(
    kind: str, seed: int, episodes: int, steps: int | None
) -> None:
    """Unbiased by length, nothing lost, nothing twice, dtypes kept."""
    until = rollout.make_sample_until(steps, episodes)
    trajs = ordered(
        rollout.generate_trajectories(scripted_policy, scripted(seed, kind), until)
    )
    envs = [ScriptedEnv(i, seed, kind) for i in range(N_ENVS)]
    expected = slow.unbiased_episodes(envs, episodes, steps or 0)
    expected.sort(key=lambda e: (e["infos"][0]["who"], e["start"]))
    assert len(trajs) == len(expected)
    for traj, episode in zip(trajs, expected, strict=True):
        if kind == "dict":
            assert traj.obs == types.DictObs.from_obs_list(episode["obs"])
            assert traj.obs.dtype == {"image": np.uint8, "where": np.int32}
        else:
            assert isinstance(traj.obs, np.ndarray)
            assert np.array_equal(traj.obs, np.stack(episode["obs"]))
            assert traj.obs.dtype == np.int32
        assert traj.acts.tolist() == episode["acts"]
        assert traj.acts.dtype == np.int32  # what the policy returned
        assert np.allclose(traj.rews, episode["rews"], atol=1e-6)
        assert traj.rews.dtype == np.float32
        assert traj.infos is not None
        assert [info["t"] for info in traj.infos] == [i["t"] for i in episode["infos"]]
        assert traj.terminal is True


def test_truncation_is_recorded_in_the_last_info() -> None:
    until = rollout.make_min_episodes(20)
    trajs = rollout.generate_trajectories(scripted_policy, scripted(), until)
    for traj in trajs:
        assert traj.infos is not None
        last = traj.infos[-1]
        assert last["TimeLimit.truncated"] == bool(last["episode_number"] % 2)


@pytest.mark.parametrize("kind", ["array", "image", "dict"])
def test_s21_random_policy_gives_one_action_per_environment(kind: str) -> None:
    until = rollout.make_min_episodes(10)
    trajs = rollout.generate_trajectories(None, scripted(kind=kind, n_envs=3), until)
    acts = np.concatenate([traj.acts for traj in trajs])
    assert acts.ndim == 1 and set(acts) == set(range(5))


@pytest.mark.parametrize("policy", ["random", "ppo"])
def test_the_same_seed_gives_the_same_trajectories(policy: str, ppo: PPO) -> None:
    def sample(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        until = rollout.make_min_episodes(5)
        who = None if policy == "random" else ppo
        return rollout.generate_trajectories(who, cartpole(), until, rng)

    global_state = th.get_rng_state()
    assert sample(1) == sample(1)
    assert sample(1) != sample(2)
    assert th.equal(th.get_rng_state(), global_state)


def test_epsilon_greedy_actions_come_from_the_seed_too() -> None:
    dqn = DQN("MlpPolicy", cartpole(), exploration_initial_eps=1.0, seed=0)

    def sample(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        until = rollout.make_min_episodes(5)
        dqn.action_space.seed(0)
        return rollout.generate_trajectories(dqn, cartpole(), until, rng)

    global_state = np.random.get_state(legacy=False)["state"]["key"].copy()
    assert sample(1) == sample(1)
    assert np.array_equal(
        np.random.get_state(legacy=False)["state"]["key"], global_state
    )


def test_the_result_is_shuffled() -> None:
    until = rollout.make_min_episodes(30)
    trajs: Any = rollout.generate_trajectories(
        scripted_policy, scripted(), until, np.random.default_rng(0)
    )
    assert list(trajs) != ordered(trajs)
    order = [traj.infos[0]["episode_number"] for traj in trajs]
    assert order != sorted(order)


def test_a_condition_of_ones_own_is_asked_when_an_episode_ends() -> None:
    seen = []

    def until(trajectories: Any) -> bool:
        seen.append(len(trajectories))
        return len(trajectories) > 5

    trajs = rollout.generate_trajectories(scripted_policy, scripted(), until)
    assert seen[0] > 0 and seen == sorted(set(seen)) and seen[-2] <= 5 < seen[-1]
    assert len(trajs) >= seen[-1]


def test_the_policys_training_mode_is_restored(ppo: PPO) -> None:
    ppo.policy.set_training_mode(True)
    ppo.policy.action_net.eval()
    before = [part.training for part in ppo.policy.modules()]
    rollout.generate_trajectories(ppo, cartpole(), rollout.make_min_episodes(1))
    assert [part.training for part in ppo.policy.modules()] == before
    assert len(set(before)) == 2


def test_s22_an_environment_that_never_ends_is_an_error() -> None:
    venv = DummyVecEnv([Endless, Endless])
    with pytest.raises(ConfigError, match=r"no episode ended in 50 steps .*TimeLimit"):
        rollout.generate_trajectories(
            None, venv, rollout.make_min_episodes(1), max_steps_without_episode=50
        )


def test_s22_one_endless_environment_among_others_is_an_error() -> None:
    venv = DummyVecEnv([lambda: ScriptedEnv(0, 0), Endless])
    with pytest.raises(ConfigError, match="no episode ended"):
        rollout.rollout(
            None,
            venv,
            rollout.make_min_episodes(3),
            unwrap=False,
            max_steps_without_episode=50,
        )


def test_s22_patience_covers_long_episodes() -> None:
    class Long(ScriptedEnv):
        def __init__(self) -> None:
            super().__init__(0, 0)
            self.lengths[:] = 300

    trajs = rollout.generate_trajectories(
        None,
        DummyVecEnv([Long]),
        rollout.make_min_episodes(2),
        max_steps_without_episode=300,
    )
    assert [len(traj) for traj in trajs] == [300, 300]


def test_actions_of_the_wrong_shape_are_an_error() -> None:
    with pytest.raises(DataError, match=r"actions of shape \(4,\).* returned \(4, 1\)"):
        rollout.generate_trajectories(
            lambda obs: np.zeros((len(obs), 1)),
            scripted(),
            rollout.make_min_episodes(1),
        )


def test_recurrent_functions_get_their_state_and_episode_starts() -> None:
    starts = []

    def policy(obs: Any, state: Any, episode_start: Any) -> Any:
        count = np.zeros(len(obs)) if state is None else state[0]
        count = np.where(episode_start, 0, count)
        assert np.array_equal(count, obs[:, 2])  # the step within the episode
        starts.append(episode_start)
        return scripted_policy(obs), (count + 1,)

    rollout.generate_trajectories(policy, scripted(), rollout.make_min_episodes(9))
    assert starts[0].all()


# ---- conditions


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "At least one of min_timesteps and min_episodes"),
        ({"min_episodes": 0}, "min_episodes=0 if provided must be positive"),
        ({"min_timesteps": -3}, "min_timesteps=-3 if provided must be positive"),
        ({"min_timesteps": 0, "min_episodes": 1}, "min_timesteps=0 if provided"),
    ],
)
def test_conditions_refuse(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rollout.make_sample_until(**arguments)


def test_conditions_count_episodes_and_steps() -> None:
    trajs = [
        types.TrajectoryWithRew(
            np.zeros((n + 1, 1)), np.zeros(n), None, True, np.zeros(n)
        )
        for n in (3, 4)
    ]
    assert rollout.make_min_episodes(2)(trajs)
    assert not rollout.make_min_episodes(3)(trajs)
    assert rollout.make_min_timesteps(7)(trajs)
    assert not rollout.make_min_timesteps(8)(trajs)
    assert not rollout.make_sample_until(7, 3)(trajs)
    assert not rollout.make_sample_until(8, 2)(trajs)
    assert not rollout.make_min_episodes(1)([])


# ---- rollout, unwrap_traj, statistics


class Halved(gym.Wrapper[Any, Any, Any, Any]):
    """Halves observations and rewards, for `unwrap` to undo."""

    def reset(self, **kwargs: Any) -> Any:
        obs, info = self.env.reset(**kwargs)
        return obs // 2, info

    def step(self, action: Any) -> Any:
        rew: Any
        obs, rew, terminated, truncated, info = self.env.step(action)
        return obs // 2, rew / 2, terminated, truncated, info


def recording_and_halved() -> VecEnv:
    return scripted(wrap=lambda env: Halved(RolloutInfoWrapper(env)))


@pytest.mark.parametrize("exclude_infos", [True, False])
def test_rollout_unwraps(exclude_infos: bool) -> None:
    until = rollout.make_min_episodes(5)
    wrapped, raw = (
        rollout.rollout(
            lambda obs: np.zeros(len(obs), dtype=np.int64),
            recording_and_halved(),
            until,
            np.random.default_rng(0),
            unwrap=unwrap,
            exclude_infos=exclude_infos,
        )
        for unwrap in (False, True)
    )
    for halved, traj in zip(wrapped, raw, strict=True):
        assert isinstance(halved.obs, np.ndarray) and isinstance(traj.obs, np.ndarray)
        assert np.array_equal(halved.obs, traj.obs // 2)
        assert np.allclose(halved.rews, traj.rews / 2)
        assert (traj.infos is None) == exclude_infos


def test_unwrap_needs_the_wrapper_and_infos() -> None:
    until = rollout.make_min_episodes(1)
    with pytest.raises(DataError, match="RolloutInfoWrapper"):
        rollout.rollout(None, scripted(), until)
    (traj, *_) = rollout.rollout(None, scripted(), until, unwrap=False)
    with pytest.raises(DataError, match="Trajectory must have infos to unwrap"):
        rollout.unwrap_traj(traj)


def test_unwrap_of_dict_observations() -> None:
    venv = scripted(kind="dict", wrap=RolloutInfoWrapper)
    until = rollout.make_min_episodes(3)
    trajs = rollout.rollout(scripted_policy, venv, until, exclude_infos=False)
    for traj in trajs:
        assert isinstance(traj.obs, types.DictObs)
        assert traj.rews.dtype == np.float64
        assert traj.infos is not None
        assert traj.obs == traj.infos[-1]["rollout"]["obs"]


def test_verbose_logs_the_statistics(caplog: pytest.LogCaptureFixture) -> None:
    until = rollout.make_min_episodes(1)
    with caplog.at_level(logging.INFO, logger="imitation"):
        rollout.rollout(None, scripted(), until, unwrap=False, verbose=False)
        assert not caplog.records
        rollout.rollout(None, scripted(wrap=Monitor), until, unwrap=False)
    assert "return_mean" in caplog.text and "monitor_return_mean" in caplog.text


def test_rollout_stats_against_a_hand_calculation() -> None:
    lengths, returns = [2, 4], [1.0, 3.0]
    trajs = [
        types.TrajectoryWithRew(
            obs=np.zeros((n + 1, 1)),
            acts=np.zeros(n),
            infos=[{}] * (n - 1) + [{"episode": {"r": 10 * total}}],
            terminal=True,
            rews=np.full(n, total / n, dtype=np.float32),
        )
        for n, total in zip(lengths, returns, strict=True)
    ]
    stats = rollout.rollout_stats(trajs)
    assert stats == {
        "n_traj": 2,
        **{"return_min": 1, "return_mean": 2, "return_std": 1, "return_max": 3},
        **{"len_min": 2, "len_mean": 3, "len_std": 1, "len_max": 4},
        "monitor_return_len": 2,
        **{"monitor_return_min": 10, "monitor_return_mean": 20},
        **{"monitor_return_std": 10, "monitor_return_max": 30},
    }
    assert {type(v) for k, v in stats.items() if not k.startswith("n_")} <= {int, float}
    assert isinstance(stats["n_traj"], int)
    with pytest.raises(AssertionError):
        rollout.rollout_stats([])


def test_rollout_stats_agree_with_monitor() -> None:
    until = rollout.make_min_episodes(10)
    trajs = rollout.generate_trajectories(None, scripted(wrap=Monitor), until)
    stats = rollout.rollout_stats(trajs)
    for name in ("min", "mean", "std", "max"):
        # Monitor rounds to six digits
        assert stats[f"return_{name}"] == pytest.approx(
            stats[f"monitor_return_{name}"], abs=1e-5
        )


# ---- transitions, discounting


@pytest.mark.parametrize("truncate", [True, False])
def test_generate_transitions(truncate: bool) -> None:
    batch = rollout.generate_transitions(
        scripted_policy, scripted(), 50, truncate=truncate
    )
    assert isinstance(batch, types.TransitionsWithRew)
    assert len(batch) == 50 if truncate else len(batch) > 50
    assert isinstance(batch.obs, np.ndarray)
    assert isinstance(batch.next_obs, np.ndarray)
    same_episode = batch.obs[:, :2] == batch.next_obs[:, :2]
    assert same_episode.all() and (batch.next_obs[:, 2] == batch.obs[:, 2] + 1).all()
    if not truncate:
        assert batch.dones[-1]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("shape", [(1,), (50,), (50, 3), (1, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_s22_discounted_sum_is_over_the_first_axis(
    gamma: float, shape: tuple[int, ...], dtype: Any
) -> None:
    arr = (10 * np.random.default_rng(0).normal(size=shape)).astype(dtype)
    total = rollout.discounted_sum(arr, gamma)
    assert np.allclose(total, slow.discounted_slowly(arr, gamma), rtol=1e-4)
    assert np.shape(total) == shape[1:]


def test_discounted_sum_wants_one_or_two_axes() -> None:
    for shape in ((), (2, 3, 4)):
        with pytest.raises(AssertionError):
            rollout.discounted_sum(np.zeros(shape), 0.9)
