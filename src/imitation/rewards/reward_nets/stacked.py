"""The members of an ensemble, evaluated at once where they are alike.

An ensemble of small networks that rates a few transitions spends its time on starting
operations, not on carrying them out. Here one operation on stacked tensors does the
work of all networks. Products of stacked matrices are several times quicker for this
than `torch.func.vmap`, which for networks as small as these is slower than a loop.
"""

import copy
from collections.abc import Callable, Sequence
from typing import TypeGuard, TypeVar, cast

import torch as th
from torch import Tensor, nn

from imitation.rewards.reward_nets.base import RewardNet
from imitation.rewards.reward_nets.inputs import TensorObs
from imitation.rewards.reward_nets.mlp import BasicPotentialMLP, BasicRewardNet
from imitation.rewards.reward_nets.shaped import BasicShapedRewardNet, ShapedRewardNet
from imitation.rewards.reward_nets.wrappers import NormalizedRewardNet
from imitation.util import networks
from imitation.util.norm_layers import BaseNorm, EMANorm, RunningNorm

NORMS = (RunningNorm, EMANorm)
ELEMENTWISE = (
    nn.Identity,
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Tanh,
)
# Layers that change nothing in evaluation, or only the shape.
SKIPPED = (nn.Dropout, networks.SqueezeLayer)

# Rows from which on the networks are evaluated one after the other on a CPU.
MANY_ROWS = 512

T = TypeVar("T", bound=nn.Module)
Parts = tuple[TensorObs, Tensor, TensorObs, Tensor]
Rewards = Callable[[Parts], Tensor]
Layer = Callable[[Tensor], Tensor]


class StackedMembers:
    """Reward networks, evaluated at once if they are alike.

    Known are `BasicRewardNet`, a `ShapedRewardNet` of one and a `BasicPotentialMLP`,
    and a `NormalizedRewardNet` around either, without images or hooks and with the same
    sizes and settings for all.

    The networks' tensors become slices of common ones: a change in place of either,
    whoever makes it, changes the other, so training the networks needs no notice. Where
    `is_current` is False, a tensor has been replaced or moved instead.

    Args:
        members: the networks.

    Attributes:
        possible: whether the networks can be evaluated at once.
    """

    def __init__(self, members: Sequence[RewardNet]) -> None:
        self._modules = _all_modules(members)
        self._was_hooked = _hooked(self._modules)
        self._slices: list[tuple[dict[str, Tensor], str, int]] = []
        self._norm: nn.Module | None = None
        self._rewards: Rewards | None = None
        try:
            _require(not self._was_hooked)
            self._build(members)
        except _NotAlikeError:
            pass
        self.possible = self._rewards is not None

    def is_current(self, members: Sequence[RewardNet]) -> bool:
        """Returns whether the networks have the same layers and tensors as before."""
        modules = _all_modules(members)
        return (
            len(modules) == len(self._modules)
            and all(a is b for a, b in zip(modules, self._modules, strict=True))
            and _hooked(modules) == self._was_hooked
            and all(
                (tensor := store.get(name)) is not None and tensor.data_ptr() == address
                for store, name, address in self._slices
            )
        )

    def rewards(self, parts: Parts, *, update_stats: bool | None) -> Tensor:
        """Computes the rewards of each network.

        Args:
            parts: a batch, preprocessed.
            update_stats: passed to `predict_processed`; None computes what `predict_th`
                does.

        Returns:
            Rewards, shape ``(B, len(members))``, without gradients.
        """
        assert self._rewards is not None, "check `possible` first"
        with th.no_grad():
            # (n, B) to (B, n), which the merged layer normalizes by column.
            rewards = self._rewards(parts).t()
            if self._norm is not None and update_stats is not None:
                self._norm.training = update_stats
                rewards = self._norm(rewards)
        return rewards

    def _build(self, members: Sequence[RewardNet]) -> None:
        if not _all_are(members, NormalizedRewardNet):
            self._rewards = self._stacked(members)
            return
        norms = [member.normalize_output_layer for member in members]
        _require(type(norms[0]) in NORMS and _alike(norms))
        self._rewards = self._stacked([member.base for member in members])
        # One layer that does to column i of (B, n) what norms[i] does to (B, 1).
        merged = copy.deepcopy(norms[0])
        assert isinstance(merged, BaseNorm)
        # A copy of the first has its momentum and eps, which are equal for all.
        merged.num_features = len(norms)
        for name in norms[0]._buffers:
            # Counts become vectors, too: the layers' arithmetic is elementwise.
            merged.register_buffer(name, self._stack(norms, name).flatten())
        self._norm = merged

    def _stacked(self, nets: Sequence[RewardNet]) -> Rewards:
        """Returns the function from a batch to rewards ``(n_nets, B)``."""
        if _all_are(nets, BasicShapedRewardNet) or _all_are(nets, ShapedRewardNet):
            return self._stacked_shaped(nets)
        _require(_all_are(nets, BasicRewardNet))
        basic = cast(Sequence[BasicRewardNet], nets)
        _require(not any(len(net.obs_features.images) for net in basic))
        for name in ("uses", "normalize_images", "observation_space", "action_space"):
            first = getattr(basic[0], name)
            _require(all(getattr(net, name) == first for net in basic))
        mlp = self._stacked_mlp([net.mlp for net in basic])
        join = basic[0].joined
        # All members encode inputs alike, so the first one's join serves them all.
        return lambda parts: mlp(join(*parts))

    def _stacked_shaped(self, nets: Sequence[ShapedRewardNet]) -> Rewards:
        potentials = [cast(nn.Module, net.potential) for net in nets]
        _require(_all_are(potentials, BasicPotentialMLP))
        basic = cast(Sequence[BasicPotentialMLP], potentials)
        _require(not any(len(potential.features.images) for potential in basic))
        potential = self._stacked_mlp([potential.mlp for potential in basic])
        base = self._stacked([net.base for net in nets])
        flatten = basic[0].features

        def rewards(parts: Parts) -> Tensor:
            state, _, next_state, done = parts
            # Read at every call, since the attribute may be changed: (n, 1).
            discounts = done.new_tensor([[net.discount_factor] for net in nets])
            both = potential(th.cat([flatten(state), flatten(next_state)]))  # (n, 2B)
            now, later = both.chunk(2, dim=1)
            return base(parts) + discounts * (1 - done) * later - now

        return rewards

    def _stacked_mlp(self, mlps: Sequence[nn.Module]) -> Layer:
        """Returns the function from one ``(B, in_size)`` for all to ``(n, B)``."""
        _require(_alike(mlps) and _all_are(mlps, nn.Sequential))
        columns = list(zip(*(cast(nn.Sequential, mlp) for mlp in mlps), strict=True))
        known = (nn.Linear, *NORMS, *ELEMENTWISE, *SKIPPED)
        _require(all(type(layer) in known for column in columns for layer in column))
        layers = [self._stacked_layer(c) for c in columns if type(c[0]) not in SKIPPED]

        def evaluate(x: Tensor) -> Tensor:
            if x.device.type == "cpu" and len(x) >= MANY_ROWS:
                # The arithmetic takes the time, and the plain products do it best.
                with networks.evaluating(nn.ModuleList(mlps)):
                    return th.stack([mlp(x) for mlp in mlps])
            x = x.expand(len(mlps), *x.shape)  # (n, B, in_size), without a copy
            for layer in layers:
                x = layer(x)
            return x.squeeze(2)  # (n, B, 1)

        return evaluate

    def _stacked_layer(self, column: Sequence[nn.Module]) -> Layer:
        first = column[0]
        if isinstance(first, nn.Linear):
            weights = self._stack(column, "weight").transpose(1, 2)  # (n, in, out)
            if first._parameters["bias"] is None:
                return lambda x: th.bmm(x, weights)
            biases = self._stack(column, "bias").unsqueeze(1)  # (n, 1, out)
            return lambda x: th.baddbmm(biases, x, weights)
        if isinstance(first, BaseNorm):
            means = self._stack(column, "running_mean").unsqueeze(1)  # (n, 1, features)
            variances = self._stack(column, "running_var").unsqueeze(1)
            eps = first.eps

            def normalize(x: Tensor) -> Tensor:
                scale = (variances + eps).rsqrt_().to(x.dtype)
                return (x - means.to(x.dtype)).mul_(scale)

            return normalize
        return first.forward

    def _stack(self, modules: Sequence[nn.Module], name: str) -> Tensor:
        """Stacks a parameter or buffer, of which each module's becomes a slice.

        Args:
            modules: modules with a tensor of this name, all alike in shape and place.
            name: its name.

        Returns:
            The stack, shape ``(len(modules), ...)``, without gradients.
        """
        stores = [
            cast(
                dict[str, Tensor],
                m._parameters if name in m._parameters else m._buffers,
            )
            for m in modules
        ]
        # Outside inference mode, or the modules could never be trained again.
        with th.inference_mode(False), th.no_grad():
            stacked = th.stack([store[name].detach() for store in stores])
            for store, part in zip(stores, stacked, strict=True):
                store[name].data = part
                self._slices.append((store, name, part.data_ptr()))
        return stacked


class _NotAlikeError(Exception):
    """The networks cannot be evaluated at once."""


def _require(condition: bool) -> None:
    if not condition:
        raise _NotAlikeError


def _all_are(values: Sequence[nn.Module], cls: type[T]) -> TypeGuard[Sequence[T]]:
    """Returns whether all are of exactly this class: a subclass may do anything."""
    return all(type(value) is cls for value in values)


def _alike(modules: Sequence[nn.Module]) -> bool:
    """Returns whether modules have equal settings, and tensors of one type and place.

    What torch's layers and ours print are their settings.
    """

    def kind(module: nn.Module) -> tuple[object, ...]:
        named = (*module.named_parameters(), *module.named_buffers())
        tensors = [(name, t.shape, t.dtype, t.device) for name, t in named]
        return repr(module), tensors

    first = kind(modules[0])
    return all(kind(module) == first for module in modules[1:])


def _all_modules(members: Sequence[RewardNet]) -> list[nn.Module]:
    return [module for member in members for module in networks.submodules(member)]


def _hooked(modules: Sequence[nn.Module]) -> bool:
    return any(m._forward_hooks or m._forward_pre_hooks for m in modules)
