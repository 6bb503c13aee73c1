"""The members of an ensemble, evaluated at once where they are alike."""

from collections.abc import Callable, Sequence
from typing import TypeGuard, TypeVar

import torch as th
from torch import nn

from imitation.rewards.reward_nets.base import RewardNet
from imitation.rewards.reward_nets.basic import BasicRewardNet
from imitation.rewards.reward_nets.inputs import TensorObs
from imitation.rewards.reward_nets.normalized import NormalizedRewardNet
from imitation.rewards.reward_nets.potentials import BasicPotentialMLP
from imitation.rewards.reward_nets.shaped import BasicShapedRewardNet, ShapedRewardNet
from imitation.rewards.reward_nets.stacked_layers import (
    SharedTensors,
    StackedMlp,
    can_stack_norms,
    stacked_norm,
)
from imitation.util import networks

__all__ = ["StackedMembers"]

T = TypeVar("T")
Parts = tuple[TensorObs, th.Tensor, TensorObs, th.Tensor]
Rewards = Callable[[Parts], th.Tensor]


class StackedMembers:
    """Reward networks, evaluated at once if they are alike.

    Known are `BasicRewardNet`, a `ShapedRewardNet` of one and a `BasicPotentialMLP`,
    and a `NormalizedRewardNet` around either, without images or hooks and with the same
    sizes and settings for all. For others `possible` is False.

    The networks' tensors become slices of common ones, so that training them needs no
    notice; it has to be built anew where `is_current` is False.

    Args:
        members: the networks.

    Attributes:
        possible: whether the networks can be evaluated at once.
    """

    def __init__(self, members: Sequence[RewardNet]) -> None:
        self._shared = SharedTensors()
        self._modules = _all_modules(members)
        self._norm: nn.Module | None = None
        self._rewards: Rewards | None = None
        if not _hooked(self._modules):
            self._build(members)
        self.possible = self._rewards is not None
        self._was_hooked = _hooked(self._modules)

    def is_current(self, members: Sequence[RewardNet]) -> bool:
        """Whether the networks are made of the same layers and tensors as before."""
        modules = _all_modules(members)
        return (
            len(modules) == len(self._modules)
            and all(a is b for a, b in zip(modules, self._modules, strict=True))
            and _hooked(modules) == self._was_hooked
            and self._shared.in_place()
        )

    def processed(self, parts: Parts, update_stats: bool) -> th.Tensor:
        """Computes what ``predict_processed`` of each network does.

        Args:
            parts: a batch, preprocessed.
            update_stats: whether the networks that normalise shall take it in.

        Returns:
            Rewards, shape ``(B, len(members))``, without gradients.
        """
        rewards = self.unprocessed(parts)
        if self._norm is not None:
            with th.no_grad():
                self._norm.training = update_stats
                rewards = self._norm(rewards)
        return rewards

    def unprocessed(self, parts: Parts) -> th.Tensor:
        """Computes what ``predict_th`` of each network does.

        Args:
            parts: a batch, preprocessed.

        Returns:
            Rewards, shape ``(B, len(members))``, without gradients.
        """
        assert self._rewards is not None, "check `possible` first"
        with th.no_grad():
            return self._rewards(parts).t()

    def _build(self, members: Sequence[RewardNet]) -> None:
        bases = members
        norms: list[nn.Module] = []
        if _all_are(members, NormalizedRewardNet):
            bases = [member.base for member in members]
            norms = [member.normalize_output_layer for member in members]
            if not can_stack_norms(norms):
                return
        self._rewards = _stacked(bases, self._shared)
        if self._rewards is not None and norms:
            self._norm = stacked_norm(norms, self._shared)


def _stacked(nets: Sequence[RewardNet], shared: SharedTensors) -> Rewards | None:
    """Returns the function from a batch to rewards ``(n_nets, B)``, if there is one."""
    if _all_are(nets, BasicShapedRewardNet):
        return _stacked_shaped(nets, shared)
    if _all_are(nets, ShapedRewardNet):
        return _stacked_shaped(nets, shared)
    if not _can_stack_basic(nets):
        return None
    mlp = StackedMlp([net.mlp for net in nets], shared)
    join = nets[0].joined
    return lambda parts: mlp(join(*parts))


def _stacked_shaped(
    nets: Sequence[ShapedRewardNet], shared: SharedTensors
) -> Rewards | None:
    bases = [net.base for net in nets]
    potentials = [net.potential for net in nets]
    if not (
        _can_stack_basic(bases)
        and _all_are(potentials, BasicPotentialMLP)
        and not any(len(potential.features.images) for potential in potentials)
        and StackedMlp.can_stack([potential.mlp for potential in potentials])
    ):
        return None
    base = _stacked(bases, shared)
    assert base is not None
    potential = StackedMlp([potential.mlp for potential in potentials], shared)
    flatten = potentials[0].features

    def rewards(parts: Parts) -> th.Tensor:
        state, _, next_state, done = parts
        discounts = done.new_tensor([net.discount_factor for net in nets])
        both = potential(th.cat([flatten(state), flatten(next_state)]))  # (n, 2B)
        now, later = both.chunk(2, dim=1)
        return base(parts) + discounts.unsqueeze(1) * (1 - done) * later - now

    return rewards


def _can_stack_basic(nets: Sequence[RewardNet]) -> TypeGuard[Sequence[BasicRewardNet]]:
    if not _all_are(nets, BasicRewardNet):
        return False
    first = nets[0]
    return StackedMlp.can_stack([net.mlp for net in nets]) and all(
        not len(net.obs_features.images)
        and net.uses == first.uses
        and net.normalize_images == first.normalize_images
        and net.observation_space == first.observation_space
        and net.action_space == first.action_space
        for net in nets
    )


def _all_are(values: Sequence[object], cls: type[T]) -> TypeGuard[Sequence[T]]:
    """Whether all are of exactly this class, as nobody knows what a subclass does."""
    return all(type(value) is cls for value in values)


def _all_modules(members: Sequence[RewardNet]) -> list[nn.Module]:
    return [module for member in members for module in networks.submodules(member)]


def _hooked(modules: Sequence[nn.Module]) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in modules)
