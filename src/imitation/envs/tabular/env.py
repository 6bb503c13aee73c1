"""Gymnasium environments made from arrays."""

from typing import Any, SupportsInt

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from typing_extensions import override

from imitation.envs.tabular.dynamics import Dynamics
from imitation.envs.tabular.layouts import Array, Matrix, real
from imitation.envs.tabular.model import TabularModel, check_horizon, check_initial
from imitation.errors import ConfigError, DataError
from imitation.util.spaces import Env, Info


class TabularEnv(gym.Env[Any, np.int64]):
    """A finite-horizon decision process with S states and A actions, from arrays.

    It can be stepped, for rollouts, and planned in, for its arrays are attributes.
    Every episode ends (``terminated``) after exactly `horizon` steps.

    Args:
        transition_matrix: p(s'|s, a): an array of shape ``(S, A, S)``, a sparse matrix
            of scipy or torch of shape ``(S * A, S)`` with row ``s * A + a``, or a list
            of one matrix ``(S, S)`` per action.
        reward_matrix: r(s) of shape ``(S,)``, r(s, a) of shape ``(S, A)``, or
            r(s, a, s') in any layout of `transition_matrix`.
        horizon: steps of an episode, positive.
        observation_matrix: the observation of each state, shape ``(S, n_features)``;
            None for the number of the state.
        initial_state_dist: probability of each first state, shape ``(S,)``; None starts
            in state 0.

    Raises:
        ConfigError: the horizon is not a finite positive integer.
        DataError: an array has a wrong shape, a row of `transition_matrix` is negative
            or does not sum to 1, or a reward or an observation is NaN or infinite.
    """

    def __init__(
        self,
        *,
        transition_matrix: Matrix,
        reward_matrix: Matrix,
        horizon: int,
        observation_matrix: Array | None = None,
        initial_state_dist: Array | None = None,
    ) -> None:
        self.horizon = check_horizon(horizon)
        dynamics = Dynamics(transition_matrix)
        self.initial_state_dist = check_initial(initial_state_dist, dynamics.n_states)
        self.dynamics = dynamics
        """The transition probabilities, ready for planning."""
        model = TabularModel(dynamics, self.horizon, self.initial_state_dist)
        model.reward(reward_matrix)
        self.transition_matrix = transition_matrix
        self.reward_matrix = reward_matrix
        self.observation_matrix = observation_matrix
        self.state_space = spaces.Discrete(dynamics.n_states)
        self.action_space = spaces.Discrete(dynamics.n_actions)
        self.observation_space = self.state_space
        if observation_matrix is not None:
            matrix = real(np.asarray(observation_matrix), "observation_matrix")
            if matrix.ndim != 2 or len(matrix) != dynamics.n_states:
                raise DataError(
                    f"observation_matrix has shape {matrix.shape}, expected "
                    f"({dynamics.n_states}, n_features)"
                )
            if not np.isfinite(matrix).all():
                raise DataError("observation_matrix has a NaN or infinite value")
            self.observation_matrix = matrix
            self.observation_space = _box(self.observation_matrix)
        self._state: int | None = None
        self._n_steps = 0

    @property
    def state(self) -> np.int64:
        """The current state.

        Raises:
            ConfigError: `reset` was not called.
        """
        if self._state is None:
            raise ConfigError("there is no state before reset() is called")
        return np.int64(self._state)

    @override
    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Any, Info]:
        if options:
            raise ConfigError(f"a tabular environment has no options, got {options}")
        super().reset(seed=seed)
        self._state = _draw(self.np_random, self.initial_state_dist)
        self._n_steps = 0
        return self._observation(), {}

    @override
    def step(self, action: SupportsInt) -> tuple[Any, float, bool, bool, Info]:
        """Takes an action; infos are ``old_state`` and ``new_state``.

        Raises:
            ConfigError: `reset` was not called, or the action is not in the space.
        """
        before, act = int(self.state), int(action)
        if not 0 <= act < self.dynamics.n_actions:
            raise ConfigError(f"action {action!r} is not in {self.action_space}")
        states, probabilities = self.dynamics.successors(before, act)
        after = int(states[_draw(self.np_random, probabilities)])
        self._state, self._n_steps = after, self._n_steps + 1
        infos = {"old_state": np.int64(before), "new_state": np.int64(after)}
        reward = self._reward(before, act, after)
        return self._observation(), reward, self._n_steps >= self.horizon, False, infos

    def _observation(self) -> Any:
        if self.observation_matrix is None:
            return self.state
        return self.observation_matrix[self._state].copy()

    def _reward(self, state: int, action: int, next_state: int) -> float:
        rewards: Matrix = self.reward_matrix
        if isinstance(rewards, list | tuple):
            return float(rewards[action][state, next_state])
        if rewards.ndim == 2 and rewards.shape[0] != self.dynamics.n_states:
            at = state * self.dynamics.n_actions + action  # sparse rows
            return float(rewards[at, next_state])
        # R(s), R(s, a) or R(s, a, s'): as many indices as the array has axes.
        return float(rewards[(state, action, next_state)[: rewards.ndim]])


class ExposeState(gym.Wrapper[np.int64, Any, Any, Any]):
    """Shows the state of a tabular environment instead of its observation.

    Policies found by planning act on states. Works around `TabularEnv` and the
    tabular environments of seals.

    Args:
        env: the environment, which may be wrapped.
    """

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        inner: Any = env.unwrapped
        if not hasattr(inner, "state_space"):
            raise TypeError(
                f"expected a tabular environment, {type(inner).__name__} has no states"
            )
        self.observation_space = inner.state_space
        self._inner = inner

    @override
    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[np.int64, Info]:
        _, infos = self.env.reset(seed=seed, options=options)
        return np.int64(self._inner.state), infos

    @override
    def step(self, action: object) -> tuple[np.int64, Any, bool, bool, Info]:
        _, reward, terminated, truncated, infos = self.env.step(action)
        return np.int64(self._inner.state), reward, terminated, truncated, infos


def _box(observations: Array) -> spaces.Box:
    shape, dtype = observations.shape[1:], observations.dtype
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return spaces.Box(limits.min, limits.max, shape, dtype.type)
    return spaces.Box(-np.inf, np.inf, shape, dtype.type)


def _draw(rng: np.random.Generator, probabilities: Array) -> int:
    # Scaled by the last edge, as probabilities need not sum to 1 to the last bit.
    edges = np.cumsum(probabilities)
    at = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
    return min(at, len(edges) - 1)
