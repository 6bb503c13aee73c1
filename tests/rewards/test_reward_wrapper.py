import collections
import functools
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.errors import ConfigError, DataError
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.rewards.reward_wrapper import (
    RewardVecEnvWrapper,
    WrappedRewardCallback,
)
from reference.scripted_env import ScriptedEnv, scripted_policy

N_ENVS = 3


class CountingResets(DummyVecEnv):
    n_resets = 0

    def reset(self) -> Any:
        self.n_resets += 1
        return super().reset()


def make(kind: Any = "array") -> CountingResets:
    return CountingResets([lambda i=i: ScriptedEnv(i, 0, kind) for i in range(N_ENVS)])  # type: ignore[misc]  # a default, not an argument


def where(obs: Any) -> Any:
    return obs["where"] if isinstance(obs, dict) else obs


def rate(state: Any, action: Any, next_state: Any, done: Any) -> Any:
    """A reward that tells every part of a transition from every other."""
    before, after = where(state), where(next_state)
    weights = np.array([1e4, 1e2, 1.0])
    return before @ weights + after @ weights / 7 + action / 11 + done * 1e6


@pytest.mark.parametrize("kind", ["array", "dict"])
def test_rates_the_transitions_that_happened(kind: Any) -> None:
    venv, plain = RewardVecEnvWrapper(make(kind), rate), make(kind)
    obs, plain_obs = venv.reset(), plain.reset()
    expected_history: list[float] = []
    running = np.zeros(N_ENVS)
    for _ in range(40):
        acts = scripted_policy(obs)
        next_obs, rews, dones, infos = venv.step(acts)
        plain_next: Any
        plain_next, plain_rews, plain_dones, plain_infos = plain.step(acts)
        np.testing.assert_equal(next_obs, plain_next)
        np.testing.assert_array_equal(dones, plain_dones)
        for i in range(N_ENVS):  # the slow version: one transition at a time
            one = {k: v[i] for k, v in plain_next.items()} if kind == "dict" else None
            after = one if one is not None else plain_next[i]
            if plain_dones[i]:
                after = plain_infos[i]["terminal_observation"]
            reward = rate(where(plain_obs)[i], acts[i], where(after), plain_dones[i])
            assert rews[i] == pytest.approx(reward, rel=1e-12)
            assert infos[i].pop("original_env_rew") == plain_rews[i]
            np.testing.assert_equal(infos[i], plain_infos[i])
            running[i] += rews[i]
            if dones[i]:
                expected_history.append(running[i])
                running[i] = 0
        obs, plain_obs = next_obs, plain_next
    assert len(expected_history) > 10
    assert list(venv.episode_rewards) == expected_history


def test_constructor_resets_nothing() -> None:
    inner = make()
    venv = RewardVecEnvWrapper(inner, rate)
    assert inner.n_resets == 0
    with pytest.raises(RuntimeError, match=r"before reset\(\)"):
        venv.step(np.zeros(N_ENVS, dtype=int))
    venv.reset()
    assert inner.n_resets == 1


def test_survives_environments_that_reuse_their_arrays() -> None:
    class Reusing(DummyVecEnv):
        def _obs_from_buf(self) -> Any:
            return cast("Any", self.buf_obs)[None]

    makers: Any = [lambda i=i: ScriptedEnv(i, 0) for i in range(N_ENVS)]
    rewards: list[Any] = []
    for cls in (DummyVecEnv, Reusing):
        venv = RewardVecEnvWrapper(cls(makers), rate)
        venv.reset()
        acts = np.arange(N_ENVS)
        rewards.append([])
        for _ in range(20):
            _, rews, _, _ = venv.step(acts)
            acts[:] = (acts + 1) % 5  # a caller may reuse its array, too
            rewards[-1].append(rews)
    np.testing.assert_array_equal(rewards[0], rewards[1])


@pytest.mark.parametrize("n_steps", [1, 2, 7, 64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_deferred_history_is_that_of_single_steps(n_steps: int, dtype: Any) -> None:
    rng = np.random.default_rng(n_steps)
    table = rng.normal(size=(200, N_ENVS)).astype(dtype)
    rows = iter(table)
    direct = RewardVecEnvWrapper(make(), lambda *_: next(rows))
    deferred: Any = RewardVecEnvWrapper(make(), rate, ep_history=100)
    obs = direct.reset()
    deferred.reset()
    done_rows: list[Any] = []
    calls: list[Any] = []
    deferred.reward_fn = lambda *args: calls.append(args)
    for t in range(192):
        acts = scripted_policy(obs)
        obs, _, _, _ = direct.step(acts)
        with deferred.deferring():
            _, rews, same_dones, infos = deferred.step(acts)
        np.testing.assert_array_equal(rews, np.zeros(N_ENVS))
        assert all("original_env_rew" in info for info in infos)
        done_rows.append(same_dones)
        if (t + 1) % n_steps == 0:
            rewards = table[t + 1 - n_steps : t + 1]
            deferred.record_rewards(rewards, np.array(done_rows))
            done_rows = []
            if (t + 1) % 7 == 0:
                assert list(deferred.episode_rewards) == list(direct.episode_rewards)
    assert calls == []
    n_recorded = 192 // n_steps * n_steps
    if n_recorded == 192:
        assert list(deferred.episode_rewards) == list(direct.episode_rewards)


def test_recording_no_steps_changes_nothing() -> None:
    venv = RewardVecEnvWrapper(make(), rate)
    venv.record_rewards(np.zeros((0, N_ENVS)), np.zeros((0, N_ENVS), dtype=bool))
    assert not venv.episode_rewards


def test_deferring_ends_with_its_context_and_nests() -> None:
    venv = RewardVecEnvWrapper(make(), rate)
    venv.reset()
    acts = np.zeros(N_ENVS, dtype=int)
    with venv.deferring():
        with venv.deferring():
            pass
        assert not venv.step(acts)[1].any()
    # The observations of the deferred step are the states of the next.
    assert venv.step(acts)[1][1] == pytest.approx(10001 + 10002 / 7)


def test_reset_forgets_episodes_in_flight_and_keeps_the_history() -> None:
    venv = RewardVecEnvWrapper(make(), lambda *_: np.ones(N_ENVS))
    venv.reset()
    acts = np.zeros(N_ENVS, dtype=int)
    lengths = []
    while not venv.episode_rewards:
        lengths.append(venv.step(acts)[2])
    before = list(venv.episode_rewards)
    venv.reset()
    for _ in range(9):
        venv.step(acts)
    assert list(venv.episode_rewards)[: len(before)] == before
    assert max(venv.episode_rewards) <= 8  # no episode is longer


def test_keeps_as_many_episodes_as_asked_for() -> None:
    venv = RewardVecEnvWrapper(make(), lambda *_: np.ones(N_ENVS), ep_history=4)
    venv.reset()
    for _ in range(50):
        venv.step(np.zeros(N_ENVS, dtype=int))
    assert len(venv.episode_rewards) == 4


def test_refuses_nesting() -> None:
    venv = RewardVecEnvWrapper(make(), rate)
    with pytest.raises(AssertionError, match="replaced already"):
        RewardVecEnvWrapper(venv, rate)


def constant(value: Any) -> Any:
    return lambda *_: value


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (np.zeros(N_ENVS + 1), r"of shape \(3,\).*got shape \(4,\)"),
        (np.zeros((N_ENVS, 1)), r"got shape \(3, 1\)"),
        (np.float64(1), r"got shape \(\)"),
        (None, r"got shape \(\)"),
        (np.array(["a", "b", "c"]), "real numbers"),
        (np.zeros(N_ENVS, dtype=complex), "real numbers, got complex128"),
        (np.array([0, np.nan, 0]), "nan for environment 1 at step 1 after"),
        (np.array([0, 0, -np.inf]), "-inf for environment 2 at step 1 after"),
    ],
)
def test_refuses_malformed_rewards(reward: Any, message: str) -> None:
    venv = RewardVecEnvWrapper(make(), constant(reward))
    venv.reset()
    with pytest.raises(DataError, match=message) as caught:
        venv.step(np.zeros(N_ENVS, dtype=int))
    assert "\n" not in str(caught.value)


def test_refuses_malformed_recorded_rewards() -> None:
    venv = RewardVecEnvWrapper(make(), rate)
    venv.reset()
    falses = np.zeros((2, N_ENVS), dtype=bool)
    for rewards, dones in (
        (np.zeros(N_ENVS), falses),
        (np.zeros((2, N_ENVS + 1)), falses),
        (np.zeros((3, N_ENVS)), falses),
    ):
        with pytest.raises(DataError, match=r"of shape \(T, 3\)"):
            venv.record_rewards(rewards, dones)
    with venv.deferring():
        for _ in range(6):
            venv.step(np.zeros(N_ENVS, dtype=int))
    rewards = np.zeros((2, N_ENVS))
    rewards[1, 2] = np.nan
    with pytest.raises(DataError, match="nan for environment 2 at step 6 after"):
        venv.record_rewards(rewards, falses)


def test_refuses_a_history_of_nothing() -> None:
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        RewardVecEnvWrapper(make(), rate, ep_history=0)


@pytest.mark.parametrize("reward", [[1, 2, 3], th.ones(3, requires_grad=True)])
def test_takes_integers_and_tensors(reward: Any) -> None:
    venv = RewardVecEnvWrapper(make(), constant(reward))
    venv.reset()
    rews = venv.step(np.zeros(N_ENVS, dtype=int))[1]
    assert isinstance(rews, np.ndarray) and rews.dtype.kind == "f"


@pytest.mark.parametrize("partial", [False, True])
def test_refuses_a_network_for_other_spaces(partial: bool) -> None:
    venv = make("image")
    transposed = gym.spaces.Box(0, 250, shape=(3, 4, 5), dtype=np.uint8)
    net = BasicRewardNet(transposed, venv.action_space)
    reward_fn = net.predict_processed
    fn: Any = functools.partial(reward_fn, update_stats=False) if partial else reward_fn
    with pytest.raises(ConfigError, match="observation space"):
        RewardVecEnvWrapper(venv, fn)
    net = BasicRewardNet(venv.observation_space, gym.spaces.Discrete(6))
    with pytest.raises(ConfigError, match="action space"):
        RewardVecEnvWrapper(venv, net.predict_processed)


@pytest.mark.parametrize("kind", ["array", "image", "dict"])
def test_takes_the_rewards_of_a_network(kind: str) -> None:
    inner = make(kind)
    net = BasicRewardNet(inner.observation_space, inner.action_space)
    venv = RewardVecEnvWrapper(inner, net.predict_processed)
    obs: Any = venv.reset()
    acts = np.zeros(N_ENVS, dtype=int)
    next_obs: Any
    next_obs, rews, dones, _ = venv.step(acts)
    if not dones.any():
        np.testing.assert_array_equal(rews, net.predict(obs, acts, next_obs, dones))


def test_says_where_the_environments_are() -> None:
    inner = make()
    venv = RewardVecEnvWrapper(inner, rate)
    assert venv.envs is inner.envs
    assert venv.get_attr("env_id") == [0, 1, 2]


def test_has_no_environments_where_they_live_elsewhere() -> None:
    class Elsewhere(CountingResets):
        def __init__(self) -> None:
            super().__init__([lambda: ScriptedEnv(0, 0)])
            del self.envs

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            return [None]

    venv = RewardVecEnvWrapper(Elsewhere(), lambda *_: np.ones(1))
    assert not hasattr(venv, "envs")


@pytest.mark.parametrize("algorithm", ["ppo", "sac"])
def test_logs_the_mean_of_the_wrapped_rewards(algorithm: str) -> None:
    inner = DummyVecEnv([lambda: gym.make("Pendulum-v1", max_episode_steps=5)] * 2)
    venv = RewardVecEnvWrapper(inner, lambda *_: np.full(2, 3.0))
    if algorithm == "ppo":
        model: Any = PPO("MlpPolicy", venv, n_steps=8, batch_size=16, n_epochs=1)
    else:
        model = SAC("MlpPolicy", venv, learning_starts=100, buffer_size=50)
    model.set_logger(configure(format_strings=[]))
    model.learn(16, callback=venv.make_log_callback(), log_interval=1000)
    assert model.logger.name_to_value["rollout/ep_rew_wrapped_mean"] == 15


def test_callback_is_silent_before_the_first_episode() -> None:
    rewards: collections.deque[float] = collections.deque()
    callback = WrappedRewardCallback(rewards, verbose=0)
    callback.init_callback(
        PPO("MlpPolicy", RewardVecEnvWrapper(make(), rate), n_steps=2, batch_size=6)
    )
    callback.model.set_logger(configure(format_strings=[]))
    callback.on_rollout_end()
    assert "rollout/ep_rew_wrapped_mean" not in callback.logger.name_to_value
    rewards.extend([1.0, 2.0])
    callback.on_rollout_end()
    assert callback.logger.name_to_value["rollout/ep_rew_wrapped_mean"] == 1.5
