"""Maximum causal entropy IRL from chapter 9 of Ziebart's thesis (2010), in loops.

And small environments to plan in.
"""

import itertools
import math
from typing import Any

import numpy as np

from imitation.envs.tabular import TabularEnv


def small_env(
    seed: int = 0,
    n_states: int = 4,
    n_actions: int = 3,
    horizon: int = 3,
    reward_dims: int = 1,
    observed: bool = False,
) -> TabularEnv:
    """An environment of random arrays."""
    rng = np.random.default_rng(seed)
    shape = (n_states, n_actions, n_states)
    return TabularEnv(
        transition_matrix=rng.dirichlet(np.ones(n_states), size=shape[:2]),
        reward_matrix=rng.normal(size=shape[:reward_dims]),
        horizon=horizon,
        observation_matrix=rng.normal(size=(n_states, 2)).astype(np.float32)
        if observed
        else None,
        initial_state_dist=rng.dirichlet(np.ones(n_states)),
    )


def reward(env: Any, s: int, a: int) -> float:
    """The mean reward of an action in a state."""
    rewards = env.reward_matrix
    if rewards.ndim < 3:
        return float(rewards[(s, a)[: rewards.ndim]])
    return float(
        sum(
            p * r
            for p, r in zip(env.transition_matrix[s, a], rewards[s, a], strict=True)
        )
    )


def backup(env: Any, discount: float) -> tuple[Any, Any, Any]:
    """Equations (9.1) to (9.3): the soft Bellman backup."""
    n_states, n_actions, _ = env.transition_matrix.shape
    v = np.zeros((env.horizon + 1, n_states))
    q = np.zeros((env.horizon, n_states, n_actions))
    pi = np.zeros_like(q)
    for t in reversed(range(env.horizon)):
        for s in range(n_states):
            for a in range(n_actions):
                later = sum(
                    env.transition_matrix[s, a, n] * v[t + 1, n]
                    for n in range(n_states)
                )
                q[t, s, a] = reward(env, s, a) + discount * later
            v[t, s] = math.log(sum(math.exp(x) for x in q[t, s]))
            for a in range(n_actions):
                pi[t, s, a] = math.exp(q[t, s, a] - v[t, s])
    return v[:-1], q, pi


def visits(env: Any, pi: Any, discount: float) -> tuple[Any, Any]:
    """Algorithm 9.3, by enumerating every path."""
    n_states, n_actions, _ = env.transition_matrix.shape
    d = np.zeros((env.horizon + 1, n_states))
    acts = list(itertools.product(range(n_actions), repeat=env.horizon))
    for path in itertools.product(range(n_states), repeat=env.horizon + 1):
        for chosen in acts:
            p = env.initial_state_dist[path[0]]
            for t, a in enumerate(chosen):
                p *= pi[t, path[t], a] * env.transition_matrix[path[t], a, path[t + 1]]
            for t, s in enumerate(path):
                d[t, s] += p
    total = sum(discount**t * d[t] for t in range(env.horizon + 1))
    return d, total


def log_likelihood(pi: Any, states: Any, acts: Any, discount: float) -> float:
    """The discounted causal log-likelihood of the actions of one episode."""
    return sum(
        discount**t * math.log(pi[t, s, a])
        for t, (s, a) in enumerate(zip(states, acts, strict=False))
    )
