"""Several reward networks whose disagreement measures uncertainty."""

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import gymnasium as gym
import numpy as np
import torch as th

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.base import (
    Array,
    ArrayObs,
    RewardNet,
    RewardNetWithVariance,
)
from imitation.rewards.reward_nets.stacked import StackedMembers
from imitation.util import tensors

__all__ = ["RewardEnsemble"]


class RewardEnsemble(RewardNetWithVariance):
    """The mean of several reward networks.

    What counts as the output of a member is its `predict_processed`. Members that are
    alike and made of fully connected layers are evaluated all at once, see
    `StackedMembers`; others one after the other, with the same results to rounding.

    Args:
        observation_space: the observation space of the environment.
        action_space: the action space of the environment.
        members: at least two networks.

    Raises:
        ConfigError: there are fewer than two members.
    """

    members: th.nn.ModuleList

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        members: Iterable[RewardNet],
    ) -> None:
        super().__init__(observation_space, action_space)
        members = list(members)
        if len(members) < 2:
            raise ConfigError(
                f"Must be at least 2 member in the ensemble. Got {len(members)}."
            )
        self.members = th.nn.ModuleList(members)

    @property
    def num_members(self) -> int:
        """The number of members."""
        return len(self.members)

    def predict_processed_all(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        **kwargs: Any,
    ) -> Array:
        """Computes the processed rewards of every member.

        Args:
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.
            **kwargs: passed to the members.

        Returns:
            Rewards, shape ``(B, num_members)``.
        """
        members = self._members()
        stack = self._stack(members)
        if stack.possible:
            parts = members[0].preprocess(state, action, next_state, done)
            update_stats = bool(kwargs.get("update_stats", True))
            return stack.processed(parts, update_stats).cpu().numpy()
        each = [
            member.predict_processed(state, action, next_state, done, **kwargs)
            for member in members
        ]
        return np.stack(each, axis=-1)

    def predict_th_all(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
    ) -> th.Tensor:
        """Computes what `predict_th` of every member does, without their processing.

        Args:
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.

        Returns:
            Rewards, shape ``(B, num_members)``, without gradients.
        """
        members = self._members()
        stack = self._stack(members)
        if stack.possible:
            parts = members[0].preprocess(state, action, next_state, done)
            return stack.unprocessed(parts)
        each = [m.predict_th(state, action, next_state, done) for m in members]
        return th.stack(each, dim=-1)

    def predict_reward_moments(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        **kwargs: Any,
    ) -> tuple[Array, Array]:
        """Computes mean and unbiased variance over the members, each ``(B,)``."""
        rewards = self.predict_processed_all(state, action, next_state, done, **kwargs)
        variance, mean = th.var_mean(tensors.safe_to_tensor(rewards), dim=1)
        return mean.numpy(), variance.numpy()

    def forward(self, *args: Any) -> th.Tensor:
        """Refused: train the members, not their mean.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("train the members of an ensemble one by one")

    def predict(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        **kwargs: Any,
    ) -> Array:
        """Computes the mean over the members, leaving their statistics alone.

        Args:
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.
            **kwargs: passed to the members, after ``update_stats=False``.

        Returns:
            Mean rewards, shape ``(B,)``.
        """
        kwargs = {"update_stats": False} | kwargs
        return self.predict_processed(state, action, next_state, done, **kwargs)

    def predict_processed(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
        **kwargs: Any,
    ) -> Array:
        """Computes the mean over the members; see `predict_processed_all`.

        Args:
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.
            **kwargs: passed to the members.

        Returns:
            Mean rewards, shape ``(B,)``.
        """
        rewards = self.predict_processed_all(state, action, next_state, done, **kwargs)
        return tensors.safe_to_tensor(rewards).mean(dim=1).numpy()

    def predict_th(
        self,
        state: ArrayObs,
        action: Array | th.Tensor,
        next_state: ArrayObs,
        done: Array | th.Tensor,
    ) -> th.Tensor:
        """Returns the mean over the members, shape ``(B,)``, on their device."""
        mean = self.predict(state, action, next_state, done)
        return tensors.safe_to_tensor(mean).to(self.device)

    def _members(self) -> list[RewardNet]:
        return [m for m in self.members if isinstance(m, RewardNet)]

    def _stack(self, members: list[RewardNet]) -> StackedMembers:
        stack = _STACKS.get(self)
        if stack is None or not stack.is_current(members):
            stack = _STACKS[self] = StackedMembers(members)
        return stack


_STACKS: WeakKeyDictionary[RewardEnsemble, StackedMembers] = WeakKeyDictionary()
"""Not an attribute: it is no part of the ensemble when that is copied or saved."""
