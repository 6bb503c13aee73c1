"""The interface of all rewards, and checks of reward functions and their results."""

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch as th

from imitation.errors import ConfigError, DataError
from imitation.rewards.reward_nets.base import RewardNet
from imitation.util import tensors
from imitation.util.spaces import Space


class RewardFn(Protocol):
    """A reward of transitions, as a function of arrays."""

    def __call__(
        self,
        state: np.ndarray,
        action: np.ndarray,
        next_state: np.ndarray,
        done: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.floating[Any]]:
        """Rates a batch of ``B`` transitions.

        Args:
            state: observations acted on, shape ``(B, *observation_shape)``.
            action: actions, shape ``(B, *action_shape)``.
            next_state: observations after the actions, shaped like `state`.
            done: whether the episode ended there, shape ``(B,)``.

        Returns:
            Rewards, shape ``(B,)``.
        """


def checked_rewards(rewards: Any, n_transitions: int) -> np.ndarray:
    """Checks the shape and dtype of what a reward function returned.

    Args:
        rewards: an array, or a tensor on any device.
        n_transitions: number of transitions rated.

    Returns:
        The rewards as an array of a float dtype, shape ``(n_transitions,)``.

    Raises:
        DataError: the shape is another, or the rewards are not real numbers.
    """
    if isinstance(rewards, th.Tensor):
        rewards = tensors.safe_to_numpy(rewards)
    array = np.asarray(rewards)
    check_shape(array.shape, n_transitions)
    if array.dtype.kind not in "biuf":
        raise DataError(f"reward_fn must return real numbers, got {array.dtype}")
    # Integers and bools become floats; float32 stays, as SB3 stores it.
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def check_shape(shape: Sequence[int], n_transitions: int) -> None:
    """Checks that a reward function returned one reward for each transition.

    Raises:
        DataError: the shape is not ``(n_transitions,)``.
    """
    if tuple(shape) != (n_transitions,):
        raise DataError(
            f"reward_fn must return rewards of shape ({n_transitions},), one for each "
            f"transition, got shape {tuple(shape)}"
        )


def check_finite(rewards: np.ndarray, first_step: int) -> None:
    """Checks that rewards are finite.

    Args:
        rewards: of ``T`` steps of all environments, shape ``(T, n_envs)``.
        first_step: the number of the first of the steps, to name the step in the error.

    Raises:
        DataError: a reward is NaN or infinite.
    """
    finite = np.isfinite(rewards)
    if not finite.all():
        step, env = np.argwhere(~finite)[0].tolist()
        raise DataError(
            f"the reward is {rewards[step, env]} for environment {env} at step "
            f"{first_step + step} after reset(); reward_fn must return finite rewards"
        )


def check_spaces(
    reward_fn: RewardFn,
    observation_space: Space,
    action_space: Space,
) -> None:
    """Checks that a reward network was made for spaces like those of an environment.

    Only shapes are compared: bounds and dtypes may differ. Reward functions that are
    not a method of a `RewardNet` say nothing about their spaces and pass.

    Raises:
        ConfigError: a space of the network has another shape.
    """
    net = network_of(reward_fn)
    if net is None:
        return
    for name, ours, theirs in (
        ("observation", net.observation_space, observation_space),
        ("action", net.action_space, action_space),
    ):
        if _layout(ours) != _layout(theirs):
            raise ConfigError(
                f"the reward network was made for the {name} space {ours}, the "
                f"environment has {theirs}; make the network with the environment's"
            )


def network_of(reward_fn: RewardFn) -> RewardNet | None:
    """Returns the reward network of which a function is a method, or partly called."""
    # `load_reward` binds keyword arguments by partial; a bound method keeps its network
    # in __self__.
    while isinstance(reward_fn, functools.partial):
        reward_fn = reward_fn.func
    net = getattr(reward_fn, "__self__", None)
    return net if isinstance(net, RewardNet) else None


def _layout(space: Space) -> Any:
    """Returns what spaces share if a network for one takes the other's batches."""
    if isinstance(space, gym.spaces.Dict):
        return {key: _layout(part) for key, part in space.spaces.items()}
    if isinstance(space, gym.spaces.Discrete):
        return int(space.n)
    if isinstance(space, gym.spaces.MultiDiscrete):
        return space.nvec.tolist()
    return space.shape
