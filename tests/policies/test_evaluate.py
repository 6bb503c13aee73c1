"""Measuring policies: against a slow loop, Stable-Baselines3, and on odd inputs."""

import functools
import random
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor

import imitation.policies
from imitation.policies.base import RandomPolicy
from imitation.policies.evaluate import Episodes, Evaluation, evaluate
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.util.statistics import mean_interval

BOX = gym.spaces.Box(-1, 1, (3,), np.float32)
IMAGE = gym.spaces.Box(0, 255, (36, 40, 3), np.uint8)


class Counting(gym.Env[Any, np.int64]):
    """Pays the action; episodes last as long as `lengths` says, in turn."""

    def __init__(
        self,
        lengths: list[int],
        space: gym.Space[Any] = BOX,
        info: dict[str, object] | None = None,
    ) -> None:
        self.observation_space = space
        self.action_space = gym.spaces.Discrete(4)
        self.lengths, self.info = lengths, info or {}
        self.episode, self.steps = -1, 0

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        super().reset(**kwargs)
        self.episode, self.steps = self.episode + 1, 0
        return self.observation_space.sample(), {}

    def step(self, action: np.int64) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        ended = self.steps == self.lengths[self.episode % len(self.lengths)]
        info = self.info if ended else {}
        return self.observation_space.sample(), float(action), ended, False, info


def counting(*lengths: list[int], **kwargs: Any) -> DummyVecEnv:
    return DummyVecEnv(
        [functools.partial(Counting, each, **kwargs) for each in lengths]
    )


def ones(obs: np.ndarray) -> np.ndarray:
    return np.ones(len(obs), dtype=np.int64)


def cart_poles(n_envs: int = 3) -> DummyVecEnv:
    return DummyVecEnv([lambda: Monitor(gym.make("CartPole-v1"))] * n_envs)


def ppo(venv: VecEnv, kind: str = "MlpPolicy") -> PPO:
    return PPO(kind, venv, n_steps=16, batch_size=16)


def slow_returns(policy: Any, venv: DummyVecEnv, n: int) -> list[float]:
    """Plays each environment's share with `predict`, one environment at a time."""
    returns = []
    for i, env in enumerate(venv.envs):
        for _ in range((n + i) // venv.num_envs):
            obs, ended, total = env.reset()[0], False, 0.0
            while not ended:
                action, _ = policy.predict(obs, deterministic=True)
                obs, reward, terminated, truncated, _ = env.step(action)
                total += float(reward)
                ended = terminated or truncated
            returns.append(total)
    return returns


def test_equals_a_slow_loop_over_the_same_episodes() -> None:
    venv = cart_poles()
    policy = ppo(venv).policy
    for i, env in enumerate(venv.envs):
        env.reset(seed=5 + i)
    slow = slow_returns(policy, venv, 7)
    for i, env in enumerate(venv.envs):
        env.reset(seed=5 + i)
    result = evaluate(policy, venv, 7)
    assert sorted(result.episodes.returns) == sorted(slow)
    np.testing.assert_array_equal(result.episodes.lengths, result.episodes.returns)
    assert result.mean == pytest.approx(np.mean(slow))


@pytest.mark.parametrize("deterministic", [True, False])
def test_equals_evaluate_policy(deterministic: bool) -> None:
    venv = cart_poles()
    model = ppo(venv)
    venv.seed(3)
    returns, lengths = evaluate_policy(
        model,
        venv,
        7,
        deterministic=True,
        return_episode_rewards=True,
    )
    venv.seed(3)
    result = evaluate(model, venv, 7)
    np.testing.assert_allclose(result.episodes.returns, returns)
    np.testing.assert_array_equal(result.episodes.lengths, lengths)
    venv.seed(3)
    sampled = evaluate(model, venv, 7, deterministic=deterministic)
    assert deterministic == np.array_equal(sampled.episodes.returns, returns)


def test_interval_is_that_of_the_returns() -> None:
    result = evaluate(ones, counting([1, 5, 9]), 12)
    expected = mean_interval(result.episodes.returns)
    assert result.mean == expected.value == 5.0
    assert result.interval == (expected.low, expected.high)
    assert result.interval[0] < 5 < result.interval[1]


def test_short_episodes_are_not_preferred() -> None:
    result = evaluate(ones, counting([1], [100]), 10)
    assert sorted(result.episodes.lengths) == [1] * 5 + [100] * 5
    assert result.mean == 50.5


def test_there_are_exactly_as_many_episodes_as_asked_for() -> None:
    for n in (1, 2, 5):
        assert len(evaluate(ones, counting([3], [3], [3]), n).episodes) == n


@pytest.mark.parametrize(
    "call",
    [
        imitation.policies.evaluate,
        imitation.policies.evaluate.evaluate,  # type: ignore[attr-defined]  # as module
    ],
)
def test_the_module_can_be_called(call: Callable[..., Evaluation]) -> None:
    assert call(ones, counting([4]), 2).mean == 4.0


def test_reads_as_a_sentence() -> None:
    episodes = Episodes(np.full(50, 500.0), np.full(50, 500))
    text = str(Evaluation(500.0, (498.1, 500.0), episodes, None))
    assert text == "mean 500.0 [498.1, 500.0], 50 episodes"
    one = Episodes(np.ones(1), np.ones(1, dtype=np.int64))
    nan = float("nan")
    assert str(Evaluation(1.0, (nan, nan), one, 1.0)) == (
        "mean 1.0, success 100%, 1 episode"
    )


@pytest.mark.parametrize("monitor", [Monitor, None])
def test_monitor_below_gives_the_true_returns(monitor: Any) -> None:
    def make() -> gym.Env[Any, Any]:
        env = Counting([4])
        return monitor(env) if monitor else env

    venv = RewardVecEnvWrapper(DummyVecEnv([make]), lambda obs, *_: np.zeros(len(obs)))
    assert evaluate(ones, venv, 3).mean == (4.0 if monitor else 0.0)


def test_an_episode_goes_on_where_monitor_says_so() -> None:
    class Lives(gym.Wrapper[Any, Any, Any, Any]):
        """Ends an episode after two steps, which the environment does not notice."""

        def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
            monitor: Any = self.env
            monitor.steps_left = 2
            if monitor.needs_reset:
                return self.env.reset(**kwargs)
            return self.observation_space.sample(), {}

        def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
            monitor: Any = self.env
            obs, reward, terminated, truncated, info = self.env.step(action)
            monitor.steps_left -= 1
            return obs, reward, terminated or not monitor.steps_left, truncated, info

    venv = DummyVecEnv([lambda: Lives(Monitor(Counting([6])))])
    result = evaluate(ones, venv, 2)
    assert result.episodes.lengths.tolist() == [6, 6]
    assert result.mean == 6.0


def test_vec_monitor_is_read_too() -> None:
    assert evaluate(ones, VecMonitor(counting([3])), 2).mean == 3.0


@pytest.mark.parametrize(
    ("infos", "success"),
    [
        ([{}, {}], None),
        ([{"is_success": True}, {"is_success": False}], 0.5),
        ([{"success": np.True_}, {"success": 1.0}], 1.0),
        ([{"success": True}, {}], 0.5),
    ],
)
def test_success_rate(infos: list[dict[str, Any]], success: float | None) -> None:
    venv = DummyVecEnv([functools.partial(Counting, [2], info=info) for info in infos])
    assert evaluate(ones, venv, 4).success == success


class _Predictor:
    """Is not of Stable-Baselines3; its state counts the steps."""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        steps = np.zeros(len(observation)) if state is None else state[0]
        steps = np.where(episode_start, 0, steps + 1)
        return steps.astype(int) % 4 + (0 if deterministic else 100), (steps,)


def test_object_with_predict_gets_its_state_back() -> None:
    result = evaluate(_Predictor(), counting([3], [2]), 4)
    assert sorted(result.episodes.returns) == [1, 1, 3, 3]


def test_random_actions_and_policies() -> None:
    venv = counting([50])
    assert evaluate(None, venv, 2, rng=0).mean == pytest.approx(75, abs=25)
    policy = RandomPolicy(venv.observation_space, venv.action_space)
    assert evaluate(policy, venv, 2).mean == pytest.approx(75, abs=25)


@pytest.mark.parametrize(
    ("space", "kind"),
    [
        (gym.spaces.Dict({"x": BOX, "y": BOX}), "MultiInputPolicy"),
        (IMAGE, "CnnPolicy"),
        (gym.spaces.Dict({"pixels": IMAGE, "x": BOX}), "MultiInputPolicy"),
    ],
)
def test_dict_and_image_observations(space: gym.Space[Any], kind: str) -> None:
    venv = counting([3], [3], space=space)
    model = ppo(venv, kind)
    wrapped = model.get_env()
    assert wrapped is not None
    for policy in (model, model.policy):
        for envs in (venv, wrapped):
            assert evaluate(policy, envs, 2).episodes.lengths.tolist() == [3, 3]


def test_equal_seeds_give_equal_results() -> None:
    venv = cart_poles(2)
    model = ppo(venv)
    first, again, other = (
        evaluate(model, venv, 6, deterministic=False, rng=seed).episodes.returns
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def _numpy_state() -> np.ndarray:
    state: Any = np.random.get_state()
    return np.array(state[1])


def test_leaves_modes_threads_and_random_states_as_they_were() -> None:
    venv = cart_poles(1)
    model = DQN("MlpPolicy", venv, learning_starts=0)
    model.policy.set_training_mode(True)
    before = (th.get_rng_state(), _numpy_state(), random.getstate())
    threads = th.get_num_threads()
    seen = []

    def spy(*_: object) -> None:
        seen.append((model.q_net.training, th.get_num_threads()))

    model.q_net.register_forward_hook(spy)
    th.set_num_threads(2)
    try:
        model.exploration_rate = 0.5
        evaluate(model, venv, 2, deterministic=False)
        assert th.get_num_threads() == 2
    finally:
        th.set_num_threads(threads)
    assert set(seen) == {(False, 1)}
    assert model.q_net.training
    assert th.equal(th.get_rng_state(), before[0])
    np.testing.assert_array_equal(_numpy_state(), before[1])
    assert random.getstate() == before[2]


class _Endless(Counting):
    def __init__(self) -> None:
        super().__init__([-1])


class _Unpaid(Counting):
    def step(self, action: np.int64) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, _, *rest = super().step(action)
        return obs, float("nan"), *rest


@pytest.mark.parametrize(
    ("policy", "env", "options", "error", "message"),
    [
        (ones, Counting([2]), {"n_episodes": 0}, ValueError, "must be positive, got 0"),
        (5, Counting([2]), {}, TypeError, "must be None, a stable-baselines3 policy"),
        (lambda o: np.ones((1, 2)), Counting([2]), {}, ValueError, r"shape \(1,\)"),
        (ones, _Endless(), {}, ValueError, "no episode ended in 1000 steps"),
        (ones, _Unpaid([2]), {}, ValueError, "2 of 2 episodes have a return"),
        (ones, Counting([2]), {"rng": "seed"}, TypeError, "rng must be"),
    ],
)
def test_errors_are_one_line(
    policy: Any,
    env: gym.Env[Any, Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module: Any = imitation.policies.evaluate
    monkeypatch.setattr(module, "MAX_STEPS_WITHOUT_EPISODE", 1000)
    with pytest.raises(error, match=message) as caught:
        evaluate(policy, DummyVecEnv([lambda: env]), **{"n_episodes": 2, **options})
    assert "\n" not in str(caught.value)


def test_single_environment_is_refused_with_a_remedy() -> None:
    with pytest.raises(TypeError, match=r"got Counting; wrap one environment as Dummy"):
        evaluate(ones, Counting([2]), 2)  # type: ignore[arg-type]  # that is the test


def test_policy_of_another_environment_is_refused() -> None:
    model = ppo(cart_poles(1))
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        evaluate(model.policy, counting([2]), 2)
