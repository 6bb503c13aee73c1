"""Turns of random actions in an otherwise unchanged policy."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common import vec_env

from imitation.policies import base, exploration_wrapper

OBS = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
ACTS = gym.spaces.Box(0.5, 2.0, (2,), np.float32)  # without zero: it marks the policy
POLICY_ACTION = 0.0


class _Env(gym.Env):
    def __init__(self, observation_space: Any = OBS) -> None:
        self.observation_space = observation_space
        self.action_space = ACTS

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return self.observation_space.sample(), {}


def _venv(n: int = 4, observation_space: Any = OBS) -> vec_env.DummyVecEnv:
    return vec_env.DummyVecEnv([lambda: _Env(observation_space)] * n)


def _constant(obs: Any, state: Any, episode_start: Any) -> Any:
    first = next(iter(obs.values())) if isinstance(obs, dict) else obs
    return np.full((len(first), 2), POLICY_ACTION, np.float32), None


def _turns(wrapper: Any, n_steps: Any, obs: Any = None) -> np.ndarray:
    """Returns which steps were random, bool `[n_steps]`."""
    obs = np.zeros((4, 3), np.float32) if obs is None else obs
    is_random = []
    for _ in range(n_steps):
        acts, state = wrapper(obs, None, None)
        assert state is None
        assert acts.shape == (4, 2)
        assert np.all(acts == POLICY_ACTION) or all(ACTS.contains(a) for a in acts)
        is_random.append(bool(np.all(acts != POLICY_ACTION)))
    return np.array(is_random)


def _wrapper(
    random_prob: Any,
    switch_prob: Any,
    seed: int = 0,
    venv: Any = None,
    policy: Any = _constant,
) -> exploration_wrapper.ExplorationWrapper:
    return exploration_wrapper.ExplorationWrapper(
        policy,
        venv or _venv(),
        random_prob,
        switch_prob,
        np.random.default_rng(seed),
    )


@pytest.mark.parametrize(("random_prob", "share"), [(0.0, 0.0), (1.0, 1.0)])
@pytest.mark.parametrize("switch_prob", [0.0, 0.5, 1.0])
def test_extreme_probabilities(
    random_prob: float, switch_prob: float, share: float
) -> None:
    assert _turns(_wrapper(random_prob, switch_prob), 50).mean() == share


@pytest.mark.parametrize(("random_prob", "switch_prob"), [(0.5, 1.0), (0.2, 0.5)])
def test_share_of_random_steps(random_prob: float, switch_prob: float) -> None:
    n = 2000
    share = _turns(_wrapper(random_prob, switch_prob), n).mean()
    # Runs make neighbouring steps alike, which widens the interval.
    correlation = (2 - switch_prob) / switch_prob
    deviation = np.sqrt(random_prob * (1 - random_prob) * correlation / n)
    assert abs(share - random_prob) < 4 * deviation


def test_length_of_runs() -> None:
    random_prob, switch_prob, n = 0.5, 0.1, 4000
    turns = _turns(_wrapper(random_prob, switch_prob), n)
    changes = np.count_nonzero(np.diff(turns))
    p = switch_prob * random_prob  # a new draw that chooses the other one
    assert abs(changes - n * p) < 4 * np.sqrt(n * p * (1 - p))


def test_without_switching_the_first_draw_stays() -> None:
    firsts = {bool(_turns(_wrapper(0.5, 0.0, seed), 5)[0]) for seed in range(20)}
    assert firsts == {True, False}
    assert len(set(_turns(_wrapper(0.5, 0.0), 50))) == 1


def test_same_seed_same_actions_and_the_space_is_left_alone() -> None:
    venv = _venv()
    venv.action_space.seed(3)
    before = venv.action_space.sample()
    venv.action_space.seed(3)
    obs = np.zeros((4, 3), np.float32)
    runs: Any = []
    for _ in range(2):
        wrapper = _wrapper(0.5, 0.5, seed=1, venv=venv)
        runs.append([wrapper(obs, None, None)[0] for _ in range(30)])
    np.testing.assert_array_equal(*runs)
    np.testing.assert_array_equal(venv.action_space.sample(), before)


@pytest.mark.parametrize("random_prob", [0.0, 1.0])
def test_dictionary_observations_give_one_action_per_environment(
    random_prob: float,
) -> None:
    space = gym.spaces.Dict({"a": OBS, "b": gym.spaces.Discrete(3)})
    wrapper: Any = _wrapper(random_prob, 0.5, venv=_venv(observation_space=space))
    obs = {"a": np.zeros((4, 3), np.float32), "b": np.zeros(4, np.int64)}
    acts, _ = wrapper(obs, None, None)
    assert len(acts) == 4
    _turns(wrapper, 5, obs)  # asserts the same in the turns that follow


def test_wraps_policies_of_stable_baselines3() -> None:
    space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
    venv = _venv()
    venv.action_space = space
    wrapper = exploration_wrapper.ExplorationWrapper(
        base.ZeroPolicy(OBS, space),
        venv,
        0.0,
        0.5,
        np.random.default_rng(0),
        deterministic_policy=True,
    )
    acts, _ = wrapper(np.zeros((4, 3), np.float32), None, None)
    np.testing.assert_array_equal(acts, np.zeros((4, 2)))


def _stateful(obs: Any, state: Any, episode_start: Any) -> Any:
    return np.zeros((len(obs), 2), np.float32), (np.zeros(4),)


@pytest.mark.parametrize(
    ("policy", "state"), [(_stateful, None), (_constant, (np.zeros(4),))]
)
def test_stateful_policies_are_refused(policy: Any, state: Any) -> None:
    wrapper = _wrapper(0.0, 0.5, policy=policy)
    with pytest.raises(ValueError, match="does not support stateful policies"):
        wrapper(np.zeros((4, 3), np.float32), state, None)


@pytest.mark.parametrize(
    ("probabilities", "name"),
    [((-0.1, 0.5), "random_prob"), ((0.5, 1.5), "switch_prob")],
)
def test_probabilities_are_checked(
    probabilities: tuple[float, float], name: str
) -> None:
    with pytest.raises(ValueError, match=rf"{name} is a probability in \[0, 1\]"):
        _wrapper(*probabilities)
