"""Finite-horizon decision processes given as arrays, checked and ready for planning."""

import dataclasses
from typing import Any, Protocol

import numpy as np

from imitation.envs.tabular.dynamics import Dynamics
from imitation.envs.tabular.layouts import Array, Matrix, real
from imitation.errors import ConfigError, DataError


class TabularArrays(Protocol):
    """An environment with S states and A actions whose dynamics are known.

    `TabularEnv` is one, and so are the environments of seals that derive from its
    ``BaseTabularModelPOMDP``, such as ``CliffWorldEnv``.
    """

    transition_matrix: Matrix
    """p(s'|s, a), usually an array of shape ``(S, A, S)``; see `layouts.as_rows`."""

    reward_matrix: Matrix
    """Rewards of shape ``(S,)``, ``(S, A)``, or as ``transition_matrix``."""

    @property
    def horizon(self) -> int | None:
        """Steps of an episode."""

    initial_state_dist: Matrix
    """Probability of each first state, shape ``(S,)``."""


@dataclasses.dataclass(frozen=True)
class TabularModel:
    """An environment as planning needs it."""

    dynamics: Dynamics
    """The transition probabilities."""

    horizon: int
    """Number T of decisions in an episode, positive."""

    initial: Array
    """Probability of each first state, float64 of shape ``(S,)``."""

    def reward(self, reward_matrix: Matrix, name: str = "reward_matrix") -> Array:
        """Brings rewards into one layout.

        Args:
            reward_matrix: r(s) of shape ``(S,)``, r(s, a) of shape ``(S, A)``, or
                r(s, a, s') in any layout of `layouts.as_rows`. Of the last, planning
                needs the mean over next states only.
            name: its name in errors.

        Returns:
            float64 that broadcasts to ``(A, S)``.

        Raises:
            DataError: it has another shape, or a NaN or infinite value.
        """
        n_states, n_actions = self.dynamics.n_states, self.dynamics.n_actions
        rewards: Matrix = reward_matrix
        if getattr(rewards, "ndim", 3) < 3 and not hasattr(rewards, "tocoo"):
            rewards = real(np.asarray(rewards), name).astype(np.float64, copy=False)
            if rewards.shape not in ((n_states,), (n_states, n_actions)):
                raise DataError(
                    f"{name} has shape {rewards.shape}, expected ({n_states},), "
                    f"({n_states}, {n_actions}) or that of transition_matrix"
                )
            # (S,) to (1, S), and (S, A) to (A, S).
            rewards = rewards.T.reshape(-1, n_states)
        else:
            rewards = self.dynamics.expected_reward(rewards)
        if not np.isfinite(rewards).all():
            state = int(np.flatnonzero(~np.isfinite(rewards).all(axis=0))[0])
            raise DataError(
                f"{name} has a NaN or infinite reward in state {state}; every reward "
                "must be finite"
            )
        checked: Array = rewards
        return checked


def read_model(env: TabularArrays) -> TabularModel:
    """Reads and checks the arrays of an environment, wrapped or not, except its reward.

    Raises:
        ConfigError: the horizon is not a finite positive integer.
        DataError: an array has a wrong shape or value.
        TypeError: `env` has no known dynamics.
    """
    arrays: Any = getattr(env, "unwrapped", env)
    for name in ("transition_matrix", "horizon", "initial_state_dist"):
        if not hasattr(arrays, name):
            raise TypeError(
                f"expected an environment with known dynamics, {type(arrays).__name__} "
                f"has no {name}; make one with imitation.envs.tabular.TabularEnv"
            )
    horizon = check_horizon(arrays.horizon)
    dynamics = Dynamics(arrays.transition_matrix)
    return TabularModel(
        dynamics, horizon, check_initial(arrays.initial_state_dist, dynamics.n_states)
    )


def check_horizon(horizon: object) -> int:
    """Returns the horizon, or raises a ConfigError unless it is a positive integer."""
    kinds = (int, np.integer)
    if not isinstance(horizon, kinds) or isinstance(horizon, bool) or horizon <= 0:
        raise ConfigError(
            "Only finite-horizon environments are supported. Expected a positive "
            f"integer as env.horizon, got {horizon!r}"
        )
    return int(horizon)


def check_initial(distribution: Matrix, n_states: int) -> Array:
    """Checks a distribution of first states; None stands for state 0.

    Returns:
        float64 of shape ``(n_states,)``.

    Raises:
        DataError: it has another shape, or is not a distribution.
    """
    if distribution is None:
        initial: Array = np.eye(1, n_states)[0]
        return initial
    initial = real(np.asarray(distribution), "initial_state_dist")
    initial = initial.astype(np.float64, copy=False)
    if initial.shape != (n_states,):
        raise DataError(
            f"initial_state_dist has shape {initial.shape}, expected ({n_states},), a "
            "probability per state"
        )
    if not (np.all(initial >= 0) and abs(initial.sum() - 1) <= 1e-5):
        raise DataError(
            f"initial_state_dist has values from {initial.min():.6g} that sum to "
            f"{initial.sum():.6g}, expected probabilities that sum to 1"
        )
    return initial
