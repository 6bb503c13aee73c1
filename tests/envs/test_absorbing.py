from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.data import rollout, types
from imitation.data.wrappers import RolloutInfoWrapper
from imitation.envs.absorbing import (
    AbsorbingStateWrapper,
    absorb_trajectories,
    absorbing_space,
)
from imitation.envs.absorbing_rewards import AbsorbingActionMask
from imitation.errors import ConfigError, DataError
from imitation.policies.base import RandomPolicy
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.rewards.serialize import load_reward_net, save_reward_net
from imitation.util.util import make_vec_env

HORIZON = 9


class Ending(gym.Env[Any, Any]):
    """Episodes of given lengths, each terminating or truncated; observations count."""

    def __init__(self, kind: str, plan: list[tuple[int, bool]]) -> None:
        box: Any = gym.spaces.Box(1, 500, (2,), np.float64)
        image = gym.spaces.Box(0, 255, (4, 5, 3), np.uint8)
        self.observation_space = {
            "box": box,
            "image": image,
            "dict": gym.spaces.Dict({"box": box, "image": image}),
            "discrete": gym.spaces.Discrete(500),
            "multi discrete": gym.spaces.MultiDiscrete([500, 500]),
            "multi binary": gym.spaces.MultiBinary(2),
        }[kind]
        self.action_space = gym.spaces.Discrete(3)
        self.kind, self.plan = kind, plan
        self.episode, self.t = -1, 0

    def observe(self) -> Any:
        n = 20 * (self.episode % 20) + self.t + 1
        box, image = np.array([n, n + 1.0]), np.full((4, 5, 3), n % 256, np.uint8)
        return {
            "box": box,
            "image": image,
            "dict": {"box": box, "image": image},
            "discrete": n,
            "multi discrete": np.array([n, n + 1]),
            "multi binary": np.array([n % 2, 1], np.int8),
        }[self.kind]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.episode, self.t = self.episode + 1, 0
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        length, terminates = self.plan[self.episode % len(self.plan)]
        ends = self.t == length
        info = {"t": self.t}
        return self.observe(), 0.25, ends and terminates, ends and not terminates, info


KINDS = ["box", "image", "dict", "discrete", "multi discrete", "multi binary"]
# Terminated early, cut by the limit, terminated at the limit, terminated at once.
PLAN = [(4, True), (HORIZON, False), (HORIZON, True), (1, True), (8, True)]


def n_of(obs: Any) -> Any:
    """What the policy looks at: no absorbing state, whose indicator is not in it."""
    if isinstance(obs, dict) and "obs" in obs:
        obs = obs["obs"]
    if isinstance(obs, dict):
        obs = obs["box"]
    return np.asarray(obs).reshape(len(obs), -1)[:, 0].astype(int)


def as_batch(obs: Any, n: int) -> dict[str, Any]:
    """An observation repeated, by key."""
    parts = obs if isinstance(obs, dict) else {"obs": obs}
    return {key: np.stack([part] * n) for key, part in parts.items()}


def act(obs: Any, state: Any, episode_start: Any) -> Any:
    del state, episode_start
    return n_of(obs) % 3, None  # 0 where all is 0


def episodes(make: Callable[[], gym.Env[Any, Any]], n: int) -> Any:
    venv = DummyVecEnv([make])
    until = rollout.make_min_episodes(n)
    return rollout.generate_trajectories(act, venv, until, rng=np.random.default_rng(0))


@pytest.mark.parametrize("kind", KINDS)
def test_padded_demonstrations_are_rollouts_of_the_wrapped_environment(
    kind: str,
) -> None:
    plain = episodes(lambda: Ending(kind, PLAN), 10)
    wrapped = episodes(
        lambda: AbsorbingStateWrapper(Ending(kind, PLAN), horizon=HORIZON), 10
    )
    padded = absorb_trajectories(plain, HORIZON)
    assert len(padded) == len(wrapped) == 10
    assert {len(t) for t in plain} == {1, 4, 8, 9}
    for ours, theirs in zip(padded, wrapped, strict=True):
        assert isinstance(ours, types.TrajectoryWithRew)
        assert len(ours) == HORIZON
        for name in ("obs", "acts", "rews"):
            one, other = getattr(ours, name), getattr(theirs, name)
            assert one.dtype == other.dtype
            one, other = map(types.maybe_unwrap_dictobs, (one, other))
            np.testing.assert_equal(one, other, err_msg=name)
        assert ours.terminal and theirs.terminal


@pytest.mark.parametrize("kind", KINDS)
def test_horizon_is_constant_and_observations_fit_their_space(kind: str) -> None:
    env = AbsorbingStateWrapper(Ending(kind, PLAN), horizon=HORIZON)
    assert env.observation_space == absorbing_space(
        Ending(kind, PLAN).observation_space
    )
    for length, terminates in PLAN * 2:
        obs, _ = env.reset()
        assert env.observation_space.contains(obs)
        for t in range(1, HORIZON + 1):
            obs, reward, terminated, truncated, info = env.step(0)
            assert env.observation_space.contains(obs)
            assert not terminated and truncated == (t == HORIZON)
            absorbed = terminates and t >= length
            flag = obs["absorbing"] if isinstance(obs, dict) else obs[-1]
            assert flag == absorbed
            assert reward == (0.25 if t <= length else 0)
            assert (info.get("t") == t) == (t <= length)
            if absorbed:
                parts = {**obs, "absorbing": 0} if isinstance(obs, dict) else obs[:-1]
                assert not any(np.any(part) for part in as_batch(parts, 1).values())


def test_what_the_environment_truncates_ends_as_before() -> None:
    env = AbsorbingStateWrapper(Ending("box", [(3, False)]), horizon=HORIZON)
    env.reset()
    steps = [env.step(0) for _ in range(3)]
    assert [step[3] for step in steps] == [False, False, True]
    assert steps[-1][0].tolist() == [4, 5, 0]


def test_spaces() -> None:
    box = gym.spaces.Box(np.array([1, -3], np.float32), np.array([2, -1], np.float32))
    low, high = np.array([0, -3, 0], np.float32), np.array([2, 0, 1], np.float32)
    assert absorbing_space(box) == gym.spaces.Box(low, high)
    flag = gym.spaces.Box(0, 1, (1,), np.float32)
    image = gym.spaces.Box(0, 255, (4, 5, 3), np.uint8)
    wrapped: Any = absorbing_space(image)
    assert wrapped == gym.spaces.Dict({"obs": image, "absorbing": flag})
    # Parts keep their order, and what contains zeros is the very same.
    assert list(wrapped) == ["obs", "absorbing"]
    both = absorbing_space(gym.spaces.Dict([("z", box), ("b", image)]))
    assert isinstance(both, gym.spaces.Dict)
    assert list(both) == ["z", "b", "absorbing"]
    assert both["b"] is image and both["z"].contains(np.zeros(2, np.float32))
    counts = gym.spaces.MultiDiscrete([3, 4])
    assert absorbing_space(counts) == gym.spaces.MultiDiscrete([3, 4, 2])


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (gym.spaces.Text(3), "need boxes"),
        (gym.spaces.Tuple([gym.spaces.Discrete(2)]), "need boxes"),
        (gym.spaces.Discrete(3, start=1), "may be zero"),
        (gym.spaces.MultiDiscrete([3, 3], start=[0, 1]), "may be zero"),
        (gym.spaces.Dict({"a": gym.spaces.Text(3)}), "need boxes"),
        (gym.spaces.Dict({"absorbing": gym.spaces.Discrete(2)}), "wrapped before"),
    ],
)
def test_refuses_other_spaces(space: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        absorbing_space(space)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
@pytest.mark.filterwarnings("ignore:.*is -infinity")  # CartPole's velocities
@pytest.mark.filterwarnings("ignore:.*is infinity")
@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCarContinuous-v0"])
def test_passes_gymnasium_s_own_checks(env_id: str) -> None:
    env = AbsorbingStateWrapper(gym.make(env_id))
    check_env(env, skip_render_check=True)
    assert env.spec is not None and env.horizon == env.spec.max_episode_steps


@pytest.mark.parametrize("horizon", [0, -3, None])
def test_refuses_no_horizon(horizon: Any) -> None:
    with pytest.raises(ConfigError, match=f"at least 1 step, got {horizon}"):
        AbsorbingStateWrapper(Ending("box", PLAN), horizon=horizon)


def test_refuses_a_horizon_beyond_the_time_limit() -> None:
    with pytest.raises(ConfigError, match="time limit of 500 steps"):
        AbsorbingStateWrapper(gym.make("CartPole-v1"), horizon=501)
    assert AbsorbingStateWrapper(gym.make("CartPole-v1"), horizon=20).horizon == 20


def test_in_vector_environments() -> None:
    venv = make_vec_env(
        "CartPole-v1",
        rng=np.random.default_rng(0),
        n_envs=2,
        max_episode_steps=150,
        post_wrappers=[
            lambda env, _: AbsorbingStateWrapper(env),
            lambda env, _: RolloutInfoWrapper(env),
        ],
    )
    policy = RandomPolicy(venv.observation_space, venv.action_space)
    trajectories = rollout.rollout(
        policy,
        venv,
        rollout.make_min_episodes(4),
        rng=np.random.default_rng(1),
        exclude_infos=False,
    )
    assert {len(t) for t in trajectories} == {150}
    for trajectory in trajectories:
        assert isinstance(trajectory.obs, np.ndarray)
        absorbed = trajectory.obs[1:, -1] == 1
        length = int(np.argmax(absorbed)) + 1
        assert absorbed[length - 1 :].all() and 5 < length < 150
        assert trajectory.rews.tolist() == [1.0] * length + [0.0] * (150 - length)
    # Monitor's word of the episode comes with its last step.
    stats = rollout.rollout_stats(trajectories)
    assert stats["monitor_return_mean"] == stats["return_mean"] < stats["len_mean"]
    returns, lengths = evaluate_policy(
        PPO("MlpPolicy", venv, n_steps=2, batch_size=4),
        venv,
        n_eval_episodes=2,
        return_episode_rewards=True,
    )
    assert returns == lengths


def some(n: int, **changes: Any) -> types.TrajectoryWithRew:
    fields: Any = {
        "obs": np.ones((n + 1, 2)),
        "acts": np.ones((n, 1), np.float32),
        "infos": None,
        "terminal": True,
        "rews": np.ones(n, np.float32),
    }
    return types.TrajectoryWithRew(**(fields | changes))


def info_of(n: int, **last: Any) -> Any:
    return [{"t": t} for t in range(n - 1)] + [last]


@pytest.mark.parametrize(
    ("trajectory", "terminated", "absorbs"),
    [
        (some(3), None, True),
        (some(5), None, False),
        (some(3, terminal=False), None, False),
        (some(3), [False], False),
        (some(5), [True], True),
        (some(3, infos=info_of(3, **{"TimeLimit.truncated": True})), None, False),
        (some(5, infos=info_of(5, **{"TimeLimit.truncated": False})), None, True),
        (some(5, infos=info_of(5, **{"TimeLimit.truncated": True})), None, False),
        (some(3, infos=info_of(3, **{"TimeLimit.truncated": True})), [True], True),
        (some(3, infos=info_of(3)), None, True),
        (some(3, truncated=True), None, False),
        (some(5, truncated=True), [True], True),
    ],
)
def test_tells_termination_from_truncation(
    trajectory: Any, terminated: Any, absorbs: bool
) -> None:
    (absorbed,) = absorb_trajectories([trajectory], 5, terminated=terminated)
    assert isinstance(absorbed.obs, np.ndarray)
    assert bool(absorbed.obs[-1, -1]) == absorbs
    n = len(trajectory)
    assert len(absorbed) == (5 if absorbs else n)
    expected = np.ones((len(absorbed) + 1, 3))
    expected[:, 2] = 0
    if absorbs:
        expected[n:] = [0, 0, 1]
    np.testing.assert_array_equal(absorbed.obs, expected)
    np.testing.assert_array_equal(absorbed.acts[:n], trajectory.acts)
    assert not absorbed.acts[n:].any() and not absorbed.rews[n:].any()
    assert absorbed.rews.dtype == np.float32
    assert absorbed.terminal == absorbed.truncated == trajectory.terminal
    if trajectory.infos is not None:
        assert list(absorbed.infos[:n]) == list(trajectory.infos)
        assert list(absorbed.infos[n:]) == [{}] * (len(absorbed) - n)


def test_monitor_s_word_moves_to_the_end() -> None:
    infos = info_of(2, episode={"r": 2.0, "l": 2}, good=True)
    absorbed: Any
    (absorbed,) = absorb_trajectories([some(2, infos=infos)], 4)
    assert list(absorbed.infos) == [
        {"t": 0},
        {"good": True},
        {},
        {"episode": {"r": 2.0, "l": 2}},
    ]
    assert infos[1] == {"episode": {"r": 2.0, "l": 2}, "good": True}


def test_takes_plain_trajectories_and_another_action() -> None:
    plain = types.Trajectory(
        obs=np.array([3, 4]), acts=np.array([1]), infos=None, terminal=True
    )
    (absorbed,) = absorb_trajectories(iter([plain]), 3, action=2)
    assert type(absorbed) is types.Trajectory
    assert absorbed.acts.tolist() == [1, 2, 2]
    obs = types.maybe_unwrap_dictobs(absorbed.obs)
    assert obs["obs"].tolist() == [3, 0, 0, 0]
    assert obs["absorbing"].tolist() == [[0], [1], [1], [1]]
    assert absorb_trajectories([], 3) == []


@pytest.mark.parametrize(
    ("trajectories", "options", "message"),
    [
        ([some(3)], {"horizon": 0}, "at least 1 step, got 0"),
        ([some(3), some(6)], {}, "trajectory 1 has 6 steps, more than the horizon 5"),
        ([some(3)], {"terminated": [True, False]}, "each of 1 trajectories, got 2"),
        ([some(3, terminal=False)], {"terminated": [True]}, "0 is a fragment"),
        ([some(3)], {"action": [0.0, 0.0]}, r"shape \(2,\).*have \(1,\)"),
        (
            [some(1, obs=types.DictObs({"absorbing": np.zeros((2, 1))}))],
            {},
            "added before",
        ),
    ],
)
def test_refuses_malformed_demonstrations(
    trajectories: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        absorb_trajectories(trajectories, **({"horizon": 5} | options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("continuous", [False, True])
def test_rewards_cannot_depend_on_actions_in_the_absorbing_state(
    kind: str, continuous: bool, tmp_path: Any
) -> None:
    env = AbsorbingStateWrapper(Ending(kind, [(1, True)]), horizon=3)
    acts: gym.Space[Any] = gym.spaces.Discrete(3)
    if continuous:
        acts = gym.spaces.Box(-1, 1, (2, 2))
    net = BasicRewardNet(env.observation_space, acts)
    masked = AbsorbingActionMask(net)
    first, _ = env.reset()
    absorbed = env.step(0)[0]
    acts.seed(0)
    two = np.stack([acts.sample() for _ in range(8)])
    for obs, ignores in ((first, False), (absorbed, True)):
        batch = as_batch(obs, 8)
        batch = batch if isinstance(obs, dict) else batch["obs"]
        dones = np.zeros(8, bool)
        rewards = masked.predict(batch, two, batch, dones)
        assert (len(np.unique(rewards)) == 1) == ignores
        plain = net.predict(batch, two, batch, dones)
        assert len(np.unique(plain)) > 1
        if not ignores:
            np.testing.assert_array_equal(rewards, plain)
    masked.zero_grad()
    masked(*masked.preprocess(batch, two, batch, dones)).sum().backward()
    assert all(p.grad is not None for p in masked.parameters())
    save_reward_net(masked, tmp_path / "net")
    loaded = load_reward_net(tmp_path / "net")
    assert isinstance(loaded, AbsorbingActionMask)
    th.testing.assert_close(
        loaded.predict_th(batch, two, batch, dones),
        masked.predict_th(batch, two, batch, dones),
    )
