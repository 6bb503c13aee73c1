from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch as th
from stable_baselines3 import DQN, PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.data.rollout import policy_to_callable
from reference.scripted_env import ScriptedEnv

N_ENVS = 3


def make_venv(env: Any) -> DummyVecEnv:
    factory = env if callable(env) else lambda: gym.make(env)
    return DummyVecEnv([factory] * N_ENVS)


def small(algorithm: Any, venv: Any, policy: str = "MlpPolicy", **kwargs: Any) -> Any:
    return algorithm(policy, venv, seed=0, device="cpu", **kwargs)


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize(
    ("algorithm", "env", "options"),
    [
        (PPO, "CartPole-v1", {}),
        (PPO, "CartPole-v1", {"policy_kwargs": {"share_features_extractor": False}}),
        (PPO, "Pendulum-v1", {}),
        (PPO, "Pendulum-v1", {"use_sde": True}),
        (SAC, "Pendulum-v1", {"buffer_size": 10}),
        (DQN, "CartPole-v1", {"buffer_size": 10}),
    ],
)
def test_acts_as_predict_does(
    algorithm: Any, env: str, options: Any, deterministic: bool
) -> None:
    """Every policy is asked as if through ``predict``, number for number."""
    venv: Any = make_venv(env)
    model = small(algorithm, venv, **options)
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(50, *venv.observation_space.shape)).astype(np.float32)
    for policy in (model, model.policy):
        act = policy_to_callable(policy, venv, deterministic)
        th.manual_seed(1)
        np.random.seed(1)
        acts, _ = act(obs, None, np.ones(50, bool))
        th.manual_seed(1)
        np.random.seed(1)
        expected, _ = policy.predict(obs, deterministic=deterministic)
        assert np.array_equal(acts, expected)
        assert acts.dtype == expected.dtype and acts.shape == expected.shape


def test_dict_and_image_observations() -> None:
    for kind, name in (("dict", "MultiInputPolicy"), ("array", "MlpPolicy")):
        venv = make_venv(lambda kind=kind: ScriptedEnv(0, 0, kind))
        model = small(PPO, venv, name)
        obs: Any = venv.reset()
        acts, _ = policy_to_callable(model, venv, True)(obs, None, None)
        assert np.array_equal(acts, model.predict(obs, deterministic=True)[0])


def test_a_policy_in_training_mode_is_asked_in_evaluation_mode() -> None:
    venv = make_venv("CartPole-v1")
    model = small(PPO, venv)
    act = policy_to_callable(model, venv, True)
    model.policy.mlp_extractor.policy_net.append(th.nn.Dropout(0.9))
    model.policy.set_training_mode(True)
    obs = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    first, again = (act(obs, None, None)[0] for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(first, model.predict(obs, deterministic=True)[0])


def test_an_overridden_predict_is_used() -> None:
    venv: Any = make_venv("CartPole-v1")

    class Stubborn(PPO):
        def predict(self, observation: Any, *args: Any, **kwargs: Any) -> Any:
            return np.full(len(observation), 7), kwargs["state"]

    state: Any
    acts, state = policy_to_callable(small(Stubborn, venv), venv)(
        venv.reset(), (np.ones(3),), None
    )
    assert acts.tolist() == [7] * N_ENVS and state[0].tolist() == [1] * 3


def test_an_overridden_distribution_is_used() -> None:
    venv = make_venv("CartPole-v1")
    model = small(PPO, venv)

    class Left(type(model.policy)):  # type: ignore[misc]  # a base found at run time
        def get_distribution(self, obs: Any) -> Any:
            logits = th.tensor([[50.0, -50.0]]).expand(len(obs), 2)
            return self.action_dist.proba_distribution(logits)

    model.policy.__class__ = Left
    acts, _ = policy_to_callable(model, venv)(np.zeros((40, 4), np.float32), None, None)
    assert not acts.any()


@pytest.mark.parametrize("returns_state", [True, False])
def test_functions_may_take_and_return_less(returns_state: bool) -> None:
    venv = make_venv("CartPole-v1")

    def wrapped(acts: Any, state: Any) -> Any:
        return (acts, state) if returns_state else acts

    def full(obs: Any, state: Any, episode_start: Any) -> Any:
        return wrapped([int(episode_start.sum())] * len(obs), "state")

    def short(obs: Any) -> Any:
        return wrapped(np.ones(len(obs), int), "state")

    def optional(obs: Any, state: Any = None, episode_start: Any = None) -> Any:
        return full(obs, state, episode_start)

    start = np.array([True, False, True])
    expected_state = "state" if returns_state else None
    for function, action in ((full, 2), (short, 1), (optional, 2)):
        state: Any
        acts, state = policy_to_callable(function, venv)(np.zeros((3, 4)), None, start)
        assert acts.tolist() == [action] * 3 and state == expected_state


@pytest.mark.parametrize("space", ["CartPole-v1", "Pendulum-v1"])
def test_random_actions(space: str) -> None:
    venv: Any = make_venv(space)

    def sample(**kwargs: Any) -> Any:
        act = policy_to_callable(None, venv, **kwargs)
        return np.stack([act(np.zeros((5, 4)), None, None)[0] for _ in range(4)])

    first = sample(rng=np.random.default_rng(0))
    assert first.shape == (4, 5, *venv.action_space.shape)
    assert first.dtype == venv.action_space.dtype
    assert np.array_equal(first, sample(rng=np.random.default_rng(0)))
    assert not np.array_equal(first, sample(rng=np.random.default_rng(1)))
    venv.action_space.seed(3)
    spaces_own = sample()
    assert not np.array_equal(spaces_own, sample())
    venv.action_space.seed(3)
    assert np.array_equal(spaces_own, sample())


def test_wrong_kinds() -> None:
    venv = make_venv("CartPole-v1")
    with pytest.raises(TypeError, match=r"Policy must be .* got <class 'str'> instead"):
        policy_to_callable("strings are not policies", venv)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(
        ValueError, match="Cannot set deterministic_policy=True when policy is a call"
    ):
        policy_to_callable(lambda obs: obs, venv, deterministic_policy=True)


def test_functions_must_return_one_action_per_environment() -> None:
    act = policy_to_callable(lambda obs: [0], make_venv("CartPole-v1"))
    with pytest.raises(ValueError, match="one action for each of 3 environments"):
        act(np.zeros((3, 4)), None, None)


def test_spaces_must_match() -> None:
    cartpole, pendulum = make_venv("CartPole-v1"), make_venv("Pendulum-v1")
    model = small(PPO, cartpole)
    for policy in (model, model.policy):
        with pytest.raises(ValueError, match="Observation spaces do not match"):
            policy_to_callable(policy, pendulum)
    acrobot_like = make_venv("CartPole-v1")
    acrobot_like.action_space = gym.spaces.Discrete(5)
    for policy in (model, model.policy):
        with pytest.raises(ValueError, match="Action spaces do not match"):
            policy_to_callable(policy, acrobot_like)


class Pixels(ScriptedEnv):
    """Images large enough for the smallest convolution."""

    def __init__(self) -> None:
        super().__init__(0, 0, "image")
        self.observation_space = gym.spaces.Box(0, 255, (36, 37, 3), np.uint8)

    def observe(self, episode: int, time: int) -> Any:
        return np.zeros((36, 37, 3), np.uint8)


def test_transposed_images_are_explained() -> None:
    """Channel order: the algorithm wraps its environment, the user's is not."""
    venv = make_venv(Pixels)
    model = small(PPO, venv, "CnnPolicy", policy_kwargs={"normalize_images": True})
    for policy in (model, model.policy):
        with pytest.raises(ValueError, match=r"expert\.get_env\(\)"):
            policy_to_callable(policy, venv)
    wrapped = model.get_env()
    acts, _ = policy_to_callable(model, wrapped)(wrapped.reset(), None, None)
    assert acts.shape == (N_ENVS,)
