"""The expert's side of the discriminator's batches, with or without actions."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th

from imitation.algorithms import base
from imitation.data import loader, types
from imitation.errors import ConfigError, DataError
from imitation.rewards.reward_nets.base import RewardNet
from imitation.util import seeding

__all__ = ["EndlessBatches", "depends_on_action", "expert_batches"]


class EndlessBatches:
    """Batches of one epoch after the other, with a position that can be saved.

    Args:
        batches: an iterable that can be started again and again.
    """

    def __init__(self, batches: Iterable[types.TransitionMapping]) -> None:
        self._batches = batches
        self._iterator: Iterator[types.TransitionMapping] = iter(())

    def __next__(self) -> types.TransitionMapping:
        batch = next(self._iterator, None)
        if batch is None:
            self._iterator = iter(self._batches)
            batch = next(self._iterator, None)
        if batch is None:
            raise DataError(
                "the batches of demonstrations came to an end and cannot be started "
                "again; pass a list or a DataLoader, not an iterator"
            )
        return batch

    def state_dict(self) -> dict[str, Any]:
        """The position, where the batches are our own; else nothing."""
        if isinstance(self._batches, loader.BatchLoader):
            return self._batches.state_dict()
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues where `state_dict` was taken."""
        if isinstance(self._batches, loader.BatchLoader) and state:
            self._batches.load_state_dict(state)
            self._iterator = iter(self._batches)


def expert_batches(
    demonstrations: base.AnyTransitions,
    batch_size: int,
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    rng: np.random.Generator,
) -> tuple[EndlessBatches, bool]:
    """Makes endless batches of expert transitions.

    Args:
        demonstrations: trajectories, transitions, or an iterable of batches with the
            keys obs, acts, next_obs and dones. Actions of shape ``(T, 0)`` stand for
            demonstrations that have none.
        batch_size: rows of a batch.
        observation_space: of the environment.
        action_space: of the environment.
        rng: order of the transitions.

    Returns:
        The batches, and whether they have actions.

    Raises:
        DataError: they do not fit the spaces, have no next observations, or are too
            few for a batch.
    """
    flat = base.transitions_of(demonstrations)
    if not isinstance(flat, types.TransitionsMinimal):
        checked = base.CheckedBatches(
            flat, batch_size, (observation_space, action_space)
        )
        return EndlessBatches(checked), True
    if not isinstance(flat, types.Transitions):
        raise DataError(
            "adversarial imitation compares transitions, but the demonstrations have "
            "no next observations; pass trajectories or Transitions"
        )
    has_actions = flat.acts.shape[1:] != (0,)
    if not has_actions:
        flat = dataclasses.replace(flat, acts=_no_actions(action_space, len(flat)))
    for obs in (flat.obs, flat.next_obs):
        base.check_demonstrations(
            dataclasses.replace(flat, obs=obs), observation_space, action_space
        )
    keys = ("obs", "acts", "next_obs", "dones")
    # A generator of its own, because resuming puts it back where the epoch began.
    own = seeding.make_rng(seeding.make_seeds(rng))
    batches = loader.BatchLoader(flat, batch_size, rng=own, keys=keys)
    return EndlessBatches(batches), has_actions


def depends_on_action(net: RewardNet) -> bool:
    """Tries whether a network's output changes with the action."""
    n_tries = 16
    rng = np.random.default_rng(0)
    state, next_state = (_samples(net.observation_space, n_tries, rng) for _ in "12")
    one, other = (_samples(net.action_space, n_tries, rng) for _ in "12")
    done = np.zeros(n_tries, dtype=bool)
    before = net.predict_th(state, one, next_state, done)
    after = net.predict_th(state, other, next_state, done)
    return not th.equal(before, after)


def check_state_only(net: RewardNet) -> None:
    """Checks that a network can learn from demonstrations without actions.

    Raises:
        ConfigError: its output depends on the action.
    """
    if depends_on_action(net):
        raise ConfigError(
            "the demonstrations have no actions, but the reward network looks at them: "
            "build it with use_action=False, use_next_state=True"
        )


def _no_actions(action_space: gym.Space[Any], n_steps: int) -> np.ndarray:
    """Stand-ins for missing actions: one valid action, without using memory."""
    assert action_space.dtype is not None
    action = np.asarray(_first(action_space), dtype=action_space.dtype)
    return np.broadcast_to(action, (n_steps, *action.shape))


def _first(space: gym.Space[Any]) -> Any:
    if isinstance(space, gym.spaces.Box):
        return np.clip(np.zeros(space.shape), space.low, space.high)
    if isinstance(space, gym.spaces.Discrete | gym.spaces.MultiDiscrete):
        return space.start
    return np.zeros(space.shape or ())


def _samples(space: gym.Space[Any], n: int, rng: np.random.Generator) -> Any:
    """Random elements of a space, without touching the space's own generator."""
    if isinstance(space, gym.spaces.Dict):
        return {key: _samples(part, n, rng) for key, part in space.spaces.items()}
    shape = (n, *(space.shape or ()))
    if isinstance(space, gym.spaces.Discrete):
        return space.start + rng.integers(space.n, size=shape)
    if isinstance(space, gym.spaces.MultiDiscrete):
        return space.start + rng.integers(space.nvec, size=shape)
    return rng.integers(0, 2, size=shape).astype(space.dtype)
