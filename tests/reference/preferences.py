"""Preference comparisons from Christiano et al. (2017), arXiv 1706.03741, in a loop.

And small trajectories to compare.
"""

import math
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from imitation.data import types

OBS_SPACE = gym.spaces.Box(-np.inf, np.inf, (3,), np.float32)
ACT_SPACE = gym.spaces.Discrete(2)
IMAGE_SPACE = gym.spaces.Box(0, 255, (9, 9, 1), np.uint8)
DICT_SPACE = gym.spaces.Dict({"a": OBS_SPACE, "b": gym.spaces.Discrete(3)})
SPACES = {"vectors": OBS_SPACE, "images": IMAGE_SPACE, "dictionaries": DICT_SPACE}


def trajectory(
    rng: np.random.Generator,
    length: int = 6,
    space: gym.Space[Any] = OBS_SPACE,
    *,
    rewards: bool = True,
    terminal: bool = False,
) -> Any:
    """A trajectory of random numbers."""
    fields: dict[str, Any] = {
        "obs": _observations(rng, length + 1, space),
        "acts": rng.integers(2, size=length),
        "infos": None,
        "terminal": terminal,
    }
    if not rewards:
        return types.Trajectory(**fields)
    return types.TrajectoryWithRew(**fields, rews=rng.normal(size=length))


def pairs(rng: np.random.Generator, n: int, length: int = 6, **kwargs: Any) -> Any:
    """Pairs of such trajectories."""
    return [
        (trajectory(rng, length, **kwargs), trajectory(rng, length, **kwargs))
        for _ in range(n)
    ]


def _observations(rng: np.random.Generator, n: int, space: gym.Space[Any]) -> Any:
    if isinstance(space, gym.spaces.Dict):
        parts = space.spaces.items()
        return types.DictObs({k: _observations(rng, n, part) for k, part in parts})
    if isinstance(space, gym.spaces.Discrete):
        return rng.integers(space.n, size=n)
    if space.dtype == np.uint8:
        return rng.integers(256, size=(n, *(space.shape or ())), dtype=np.uint8)
    return rng.normal(size=(n, *(space.shape or ()))).astype(np.float32)


def discounted_return(rewards: Sequence[float], discount: float) -> float:
    """The sum of rewards, each step weighing `discount` times the one before."""
    total = 0.0
    for step, reward in enumerate(rewards):
        total += discount**step * reward
    return total


def preference_probability(
    first: Sequence[float],
    second: Sequence[float],
    *,
    noise: float = 0.0,
    discount: float = 1.0,
    threshold: float = 50.0,
) -> float:
    """Eq. 1, and section 2.2.3 on labellers who answer at random with probability ε."""
    returns = [discounted_return(rewards, discount) for rewards in (first, second)]
    difference = max(-threshold, min(threshold, returns[1] - returns[0]))
    softmax = 1 / (1 + math.exp(difference))
    return noise / 2 + (1 - noise) * softmax


def cross_entropy(
    probabilities: Sequence[float], preferences: Sequence[float]
) -> float:
    """The loss of section 2.2.3, as a mean over pairs."""
    total = 0.0
    for p, mu in zip(probabilities, preferences, strict=True):
        total -= mu * math.log(p) + (1 - mu) * math.log(1 - p)
    return total / len(probabilities)


def accuracy(probabilities: Sequence[float], preferences: Sequence[float]) -> float:
    """The share of the pairs without a tie that the model gets right."""
    right = []
    for p, mu in zip(probabilities, preferences, strict=True):
        if mu == 0.5:
            continue
        right.append(0.5 if p == 0.5 else float((p > 0.5) == (mu > 0.5)))
    return sum(right) / len(right)


def bernoulli_entropy(p: float) -> float:
    """In nats."""
    return -sum(q * math.log(q) for q in (p, 1 - p) if q > 0)
