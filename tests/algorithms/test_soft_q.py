"""Soft Q-learning: its formulas, its policy, and that Stable-Baselines3 takes it."""

import pathlib
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.algorithms.soft_q import (
    SoftQ,
    SoftQPolicy,
    log_policy,
    soft_bellman_loss,
    soft_value,
)
from imitation.errors import ConfigError
from imitation.util import policy_io
from reference import soft_q as reference
from reference import tiny_envs

B, N_ACTIONS = 7, 3


@pytest.fixture
def q_values() -> Any:
    return th.randn(B, N_ACTIONS) * 20


@pytest.mark.parametrize("temperature", [0.01, 0.7, 30.0])
def test_soft_value_is_the_slow_one(q_values: Any, temperature: float) -> None:
    expected = [reference.soft_value(q.tolist(), temperature) for q in q_values]
    found = soft_value(q_values, temperature)
    assert found.shape == (B, 1)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5, atol=1e-5)


def test_soft_value_lies_above_the_maximum(q_values: Any) -> None:
    best = q_values.max(dim=1, keepdim=True).values
    excess = soft_value(q_values, 2.0) - best
    assert (excess >= 0).all() and (excess <= 2 * np.log(N_ACTIONS) + 1e-5).all()
    th.testing.assert_close(soft_value(q_values, 1e-4), best, rtol=0, atol=1e-3)


def test_soft_value_shifts_and_scales_with_q(q_values: Any) -> None:
    value = soft_value(q_values, 2.0)
    th.testing.assert_close(soft_value(q_values + 5, 2.0), value + 5)
    th.testing.assert_close(soft_value(3 * q_values, 6.0), 3 * value)


def test_log_policy_is_q_less_v_over_temperature(q_values: Any) -> None:
    expected = (q_values - soft_value(q_values, 1.5)) / 1.5
    found = log_policy(q_values, 1.5)
    th.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    th.testing.assert_close(found.exp().sum(dim=1), th.ones(B))


def make_algo(obs_kind: str = "box", n_envs: int = 2, **kwargs: Any) -> SoftQ:
    venv = tiny_envs.make_venv(obs_kind, n_envs=n_envs)
    policy = {"box": "MlpPolicy", "dict": "MultiInputPolicy", "image": "CnnPolicy"}
    settings = {"learning_starts": 4, "buffer_size": 200, "batch_size": 8}
    return SoftQ(policy[obs_kind], venv, seed=0, device="cpu", **{**settings, **kwargs})


def make_batch(n: Any = B) -> ReplayBufferSamples:
    return ReplayBufferSamples(
        observations=th.rand(n, 3),
        actions=th.randint(2, (n, 1)),
        next_observations=th.rand(n, 3),
        dones=(th.arange(n) % 3 == 0).float().reshape(-1, 1),
        rewards=th.rand(n, 1),
    )


def test_loss_is_the_slow_one() -> None:
    algo, batch = make_algo(temperature=0.3, gamma=0.9), make_batch()
    for parameter in algo.q_net_target.parameters():
        parameter.data.mul_(3)  # another network than the one that is trained
    q_values = algo.q_net(batch.observations).tolist()
    next_q = algo.q_net_target(batch.next_observations).tolist()
    columns = (batch.actions, batch.rewards, batch.dones)
    actions, rewards, dones = (c[:, 0].tolist() for c in columns)
    rows = list(zip(q_values, actions, rewards, dones, next_q, strict=True))
    expected = reference.soft_bellman_error(rows, 0.3, 0.9)
    assert algo.loss(batch).item() == pytest.approx(expected, rel=1e-5)


def test_an_end_leaves_only_the_reward() -> None:
    q_taken, rewards = th.zeros(4, 1), th.full((4, 1), 2.0)
    huge = th.full((4, 1), 1e6)
    loss = soft_bellman_loss(q_taken, rewards, th.ones(4, 1), huge, 0.99)
    assert loss.item() == pytest.approx(2.0)  # half of 2²


def test_gradients_reach_the_network_and_not_the_target() -> None:
    algo = make_algo()
    algo.loss(make_batch(64)).backward()
    for name, parameter in algo.q_net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert all(p.grad is None for p in algo.q_net_target.parameters())


def test_actions_are_drawn_with_the_policys_probabilities() -> None:
    algo = make_algo(temperature=0.2)
    obs = np.array([[0.5, -0.2, 0.1]], np.float32)
    logits = algo.q_net(th.as_tensor(obs)).detach()
    expected = log_policy(logits, 0.2).exp()[0]
    many = np.repeat(obs, 4000, axis=0)
    drawn, _ = algo.policy.predict(many, deterministic=False)
    share = (drawn == 1).mean()
    assert share == pytest.approx(float(expected[1]), abs=0.03)
    greedy, _ = algo.policy.predict(many, deterministic=True)
    assert set(greedy.tolist()) == {int(logits.argmax())}


@pytest.mark.parametrize("obs_kind", ["box", "dict", "image"])
def test_trains_and_its_policy_is_saved(tmp_path: pathlib.Path, obs_kind: str) -> None:
    algo: Any = make_algo(obs_kind)
    algo.learn(16)
    assert algo._n_updates == (16 - 4) // 2
    policy_io.save_policy(algo.policy, tmp_path / "policy")
    loaded = policy_io.load_policy(tmp_path / "policy", "cpu")
    assert isinstance(loaded, SoftQPolicy)
    assert loaded.temperature == algo.temperature
    obs: Any = algo.env.reset()
    for how in (True, False):
        th.manual_seed(1)
        one, _ = algo.policy.predict(obs, deterministic=how)
        th.manual_seed(1)
        other, _ = loaded.predict(obs, deterministic=how)
        np.testing.assert_array_equal(one, other)


def test_saved_and_loaded_by_stable_baselines(tmp_path: pathlib.Path) -> None:
    algo = make_algo(temperature=0.25)
    algo.learn(8)
    algo.save(tmp_path / "model.zip")
    loaded = SoftQ.load(tmp_path / "model.zip", device="cpu")
    assert loaded.temperature == 0.25
    obs = th.rand(5, 3)
    assert th.equal(loaded.q_net(obs), algo.q_net(obs))


def test_many_environments_raise_no_warning_about_the_target() -> None:
    algo = make_algo(n_envs=5, gradient_steps=3, tau=1.0)
    algo.learn(15)
    for one, other in zip(
        algo.q_net.parameters(), algo.q_net_target.parameters(), strict=True
    ):
        assert th.equal(one, other)  # tau=1 copies after every update


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_temperature_must_be_positive(temperature: Any) -> None:
    with pytest.raises(ConfigError, match="temperature must be positive, got"):
        make_algo(temperature=temperature)


class Corridor(gym.Env):
    """Two states; staying pays 1, leaving ends the episode, moving on pays nothing."""

    observation_space = gym.spaces.Box(0, 1, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)
    rewards = ((1.0, 0.0), (0.0, 2.0))
    successors = ((0, 1), (0, None))

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.state, self.time = int(self.np_random.integers(2)), 0
        return np.eye(2, dtype=np.float32)[self.state], {}

    def step(self, action: Any) -> Any:
        reward = self.rewards[self.state][action]
        after = self.successors[self.state][action]
        self.time += 1
        self.state = self.state if after is None else after
        obs = np.eye(2, dtype=np.float32)[self.state]
        return obs, reward, after is None, self.time == 10, {}


def test_learns_the_soft_values_of_a_small_task() -> None:
    """Time limits after 10 steps must not show: the task goes on for ever."""
    algo = SoftQ(
        "MlpPolicy",
        DummyVecEnv([Corridor] * 4),
        gamma=0.8,
        temperature=0.5,
        learning_rate=lambda left: 1e-2 * left,
        tau=0.05,
        policy_kwargs={"net_arch": [32]},
        seed=0,
        device="cpu",
    )
    algo.learn(4000)
    expected = reference.solve_soft_mdp(Corridor.rewards, Corridor.successors, 0.8, 0.5)
    found = algo.q_net(th.eye(2)).detach()
    np.testing.assert_allclose(found, expected, atol=0.15)
