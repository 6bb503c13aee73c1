"""Several reward networks whose disagreement measures uncertainty."""

from collections.abc import Iterable
from typing import Any, NoReturn, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch as th
from torch import Tensor, nn
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.rewards.reward_nets.base import (
    Obs,
    RewardNet,
    RewardNetWithVariance,
    Rows,
)
from imitation.rewards.reward_nets.inputs import check_lengths
from imitation.rewards.reward_nets.stacked import StackedMembers
from imitation.util import tensors
from imitation.util.spaces import Space


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

    members: nn.ModuleList

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        members: Iterable[RewardNet],
    ) -> None:
        super().__init__(observation_space, action_space)
        members = list(members)
        if len(members) < 2:
            raise ConfigError(
                f"Must be at least 2 member in the ensemble. Got {len(members)}."
            )
        self.members = nn.ModuleList(members)

    @property
    def num_members(self) -> int:
        """The number of members."""
        return len(self.members)

    def predict_processed_all(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows, **kwargs: Any
    ) -> np.ndarray:
        """Computes `predict_processed` of every member, shape ``(B, num_members)``.

        Keyword arguments go to the members.
        """
        update_stats = bool(kwargs.get("update_stats", True))
        rewards = self._at_once(state, action, next_state, done, update_stats)
        if rewards is not None:
            return rewards.cpu().numpy()
        each = [
            member.predict_processed(state, action, next_state, done, **kwargs)
            for member in self._members()
        ]
        return np.stack(each, axis=-1)

    def predict_th_all(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows
    ) -> Tensor:
        """Computes `predict_th` of every member, shape ``(B, num_members)``."""
        rewards = self._at_once(state, action, next_state, done, None)
        if rewards is not None:
            return rewards
        members = self._members()
        each = [m.predict_th(state, action, next_state, done) for m in members]
        return th.stack(each, dim=-1)

    def _at_once(
        self,
        state: Obs,
        action: Rows,
        next_state: Obs,
        done: Rows,
        update_stats: bool | None,
    ) -> Tensor | None:
        """Evaluates all members at once; None where that is not possible."""
        members = self._members()
        stack = _STACKS.get(self)
        if stack is None or not stack.is_current(members):
            stack = _STACKS[self] = StackedMembers(members)
        if not stack.possible:
            return None
        parts = members[0].preprocess(state, action, next_state, done)
        check_lengths(*parts)
        return stack.rewards(parts, update_stats=update_stats)

    def _members(self) -> list[RewardNet]:
        return cast(list[RewardNet], list(self.members))

    @override
    def predict_reward_moments(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows, **kwargs: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Computes mean and unbiased variance over the members, each ``(B,)``."""
        rewards = self.predict_processed_all(state, action, next_state, done, **kwargs)
        variance, mean = th.var_mean(tensors.safe_to_tensor(rewards), dim=1)
        return mean.numpy(), variance.numpy()

    @override
    def forward(self, *args: object) -> NoReturn:
        """Raises an error: train the members, not their mean.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("train the members of an ensemble one by one")

    @override
    def predict(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows, **kwargs: Any
    ) -> np.ndarray:
        """Computes the mean over the members, whose statistics it does not update."""
        # Predicting twice must give the same, so statistics only change when asked.
        kwargs = {"update_stats": False} | kwargs
        return self.predict_processed(state, action, next_state, done, **kwargs)

    @override
    def predict_processed(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows, **kwargs: Any
    ) -> np.ndarray:
        """Computes the mean of `predict_processed_all`, shape ``(B,)``."""
        rewards = self.predict_processed_all(state, action, next_state, done, **kwargs)
        return tensors.safe_to_tensor(rewards).mean(dim=1).numpy()

    @override
    def predict_th(
        self, state: Obs, action: Rows, next_state: Obs, done: Rows
    ) -> Tensor:
        # Not differentiable either way, so the arrays of `predict` will do.
        mean = self.predict(state, action, next_state, done)
        return tensors.safe_to_tensor(mean).to(self.device)


# Not an attribute: it is no part of the ensemble when that is copied or saved.
_STACKS: WeakKeyDictionary[RewardEnsemble, StackedMembers] = WeakKeyDictionary()
