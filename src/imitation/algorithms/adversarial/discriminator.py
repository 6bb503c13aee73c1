"""A discriminator's side of adversarial training: its batches and its updates.

`expert_batches` turns demonstrations into batches of the expert's transitions,
`make_batch` joins one with as many of the generator's, and `Objective.update` takes one
optimizer step on it, in as many minibatches as memory demands.
"""

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import torch as th

from imitation.algorithms import base
from imitation.algorithms.adversarial import losses
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.data import loader, tree, types
from imitation.errors import ConfigError, DataError
from imitation.rewards.reward_nets import RewardEnsemble, RewardNetWrapper
from imitation.rewards.reward_nets.base import RewardNet, TensorObs
from imitation.training.trainer import State
from imitation.util import networks, seeding
from imitation.util.spaces import Space

# The parts of a transition that a discriminator sees.
FIELDS = ("obs", "acts", "next_obs", "dones")

# Transitions as the environment gives them: arrays or tensors by name of field.
Samples: TypeAlias = Mapping[str, tree.Tree]


@dataclasses.dataclass(frozen=True)
class DiscriminatorBatch:
    """Preprocessed transitions, n of the expert first, then n of the generator."""

    state: TensorObs
    """``(2n, ...)``, or a dictionary of such tensors."""
    action: th.Tensor
    """``(2n, ...)``; discrete ones one-hot."""
    next_state: TensorObs
    """Like `state`."""
    done: th.Tensor
    """``(2n,)``, 1 where an episode ended."""
    labels: th.Tensor
    """``(2n,)``, 1 for the expert."""
    log_policy_act_prob: th.Tensor | None
    """log π(a|s) of the generator, ``(2n,)``; only for AIRL."""

    def __len__(self) -> int:
        """The number of rows, 2n."""
        return len(self.labels)

    def minibatches(self, size: int) -> Iterator["DiscriminatorBatch"]:
        """Cuts the batch into parts of `size` expert and `size` generator rows."""
        half = len(self) // 2
        if size == half:
            yield self  # without a copy
            return

        def cut(part: th.Tensor, low: int) -> th.Tensor:
            high = half + low
            return th.cat([part[low : low + size], part[high : high + size]])

        for low in range(0, half, size):
            yield self.map(functools.partial(cut, low=low))

    def map(self, function: Callable[[th.Tensor], th.Tensor]) -> "DiscriminatorBatch":
        """Applies a function to each tensor."""
        log_probs = self.log_policy_act_prob
        return DiscriminatorBatch(
            state=tree.map(function, self.state),
            action=function(self.action),
            next_state=tree.map(function, self.next_state),
            done=function(self.done),
            labels=function(self.labels),
            log_policy_act_prob=None if log_probs is None else function(log_probs),
        )

    def with_noise(self, scale: float) -> "DiscriminatorBatch":
        """Adds noise of `scale` standard deviations of each feature to all inputs."""

        def noisy(part: th.Tensor) -> th.Tensor:
            return part + scale * part.std(dim=0, keepdim=True) * th.randn_like(part)

        return dataclasses.replace(
            self,
            state=tree.map(noisy, self.state),
            action=noisy(self.action),
            next_state=tree.map(noisy, self.next_state),
        )

    def float_inputs(self) -> list[th.Tensor]:
        """Returns the tensors that a penalty may differentiate by."""
        inputs = (self.state, self.action, self.next_state)
        parts = [part for value in inputs for part in tree.leaves(value)]
        return [part for part in parts if part.is_floating_point()]


@dataclasses.dataclass(frozen=True)
class Update:
    """Logits and losses of an update, or of a part of it, detached."""

    logits: th.Tensor
    """``(2n,)``."""
    labels: th.Tensor
    """``(2n,)``, 1 for the expert."""
    loss: th.Tensor
    """`AdversarialTrainer.disc_loss`, ``()``."""
    grad_penalty: th.Tensor | None
    """Unweighted gradient penalty, ``()``."""

    @classmethod
    def joined(cls, parts: Sequence["Update"]) -> "Update":
        """Joins parts of equal size: rows one after the other, losses averaged."""
        if len(parts) == 1:
            return parts[0]
        penalties = [p.grad_penalty for p in parts if p.grad_penalty is not None]
        return cls(
            logits=th.cat([part.logits for part in parts]),
            labels=th.cat([part.labels for part in parts]),
            loss=th.stack([part.loss for part in parts]).mean(),
            grad_penalty=th.stack(penalties).mean() if penalties else None,
        )


class EndlessBatches:
    """Batches of one epoch after the other, with a position that can be saved."""

    def __init__(self, batches: loader.BatchLoader | base.CheckedBatches) -> None:
        self._batches = batches
        self._iterator: Iterator[types.TransitionMapping] = iter(())

    def __next__(self) -> Samples:
        batch = next(self._iterator, None)
        if batch is None:
            self._iterator = iter(self._batches)
            batch = next(self._iterator, None)
        if batch is None:
            raise DataError(
                "the batches of demonstrations came to an end and cannot be started "
                "again; pass a list or a DataLoader, not an iterator"
            )
        return cast(Samples, batch)

    def state_dict(self) -> dict[str, object]:
        """Returns the position, where the batches are our own; else nothing."""
        if isinstance(self._batches, loader.BatchLoader):
            return self._batches.state_dict()
        return {}

    def load_state_dict(self, state: State) -> None:
        """Continues where `state_dict` was taken."""
        if isinstance(self._batches, loader.BatchLoader):
            self._batches.load_state_dict(state)
            self._iterator = iter(self._batches)


def expert_batches(
    demonstrations: base.AnyTransitions,
    batch_size: int,
    spaces: tuple[Space, Space],
    rng: np.random.Generator,
) -> tuple[EndlessBatches, bool]:
    """Creates endless batches of expert transitions.

    Args:
        demonstrations: trajectories, transitions, or an iterable of batches with the
            keys obs, acts, next_obs and dones. Actions of shape ``(T, 0)`` stand for
            demonstrations that have none.
        batch_size: rows of a batch.
        spaces: of the environment's observations and actions.
        rng: decides the order of the transitions.

    Returns:
        The batches, and whether they have actions.

    Raises:
        DataError: they do not fit the spaces, have no next observations, or are too
            few for a batch.
    """
    flat = base.transitions_of(demonstrations)
    if not isinstance(flat, types.TransitionsMinimal):
        checked = base.CheckedBatches(flat, batch_size, spaces, keys=FIELDS)
        return EndlessBatches(checked), True
    if not isinstance(flat, types.Transitions):
        raise DataError(
            "adversarial imitation compares transitions, but the demonstrations have "
            "no next observations; pass trajectories or Transitions"
        )
    has_actions = flat.acts.shape[1:] != (0,)
    if not has_actions:
        # One valid action for all transitions, which takes no memory.
        action = np.asarray(_samples(spaces[1], 1))[0]
        acts = np.broadcast_to(action, (len(flat), *action.shape))
        flat = dataclasses.replace(flat, acts=acts)
    base.check_demonstrations(flat, *spaces)
    base.check_observations(flat.next_obs, spaces[0])
    # A generator of its own, because resuming sets it back to where the epoch began.
    own = seeding.make_rng(seeding.make_seeds(rng))
    batches = loader.BatchLoader(flat, batch_size, rng=own, keys=FIELDS)
    return EndlessBatches(batches), has_actions


def depends_on_action(net: RewardNet) -> bool:
    """Tries out if a network's output changes with the action."""
    n = 16
    states, actions = (
        _samples(space, 2 * n) for space in (net.observation_space, net.action_space)
    )
    state, next_state = tree.take(states, slice(n)), tree.take(states, slice(n, None))
    done = np.zeros(n, dtype=bool)
    before = net.predict_th(state, actions[:n], next_state, done)
    after = net.predict_th(state, actions[n:], next_state, done)
    return not th.equal(before, after)


def _samples(space: Space, n: int) -> Any:
    """Draws elements of a space, without touching the space's own generator."""
    space = copy.deepcopy(space)
    space.seed(0)
    return tree.stack([space.sample() for _ in range(n)])


def make_batch(
    net: RewardNet,
    expert: Samples,
    generated: Samples,
    log_probs_of: Callable[[TensorObs, th.Tensor], th.Tensor | None],
) -> DiscriminatorBatch:
    """Joins and preprocesses samples.

    Args:
        net: preprocesses them, to its device.
        expert: n transitions, with the keys `FIELDS`.
        generated: as many of the generator.
        log_probs_of: computes log π(a|s) of observations and actions as the environment
            has them, or returns None.
    """
    # Joined first, so that policy and network are called once for both halves.
    obs, acts, next_obs, dones = (_join(expert[k], generated[k]) for k in FIELDS)
    assert isinstance(acts, th.Tensor) and isinstance(dones, th.Tensor)
    log_probs = log_probs_of(obs, acts)
    state, action, next_state, done = net.preprocess(obs, acts, next_obs, dones)
    labels = th.zeros_like(done)
    labels[: len(done) // 2] = 1  # the expert's rows come first
    if log_probs is not None:
        log_probs = log_probs.to(done.device)
    return DiscriminatorBatch(state, action, next_state, done, labels, log_probs)


def _join(expert: tree.Tree, generated: tree.Tree) -> TensorObs:
    one, other = tree.to_tensors(expert), tree.to_tensors(generated)
    device = tree.leaves(other)[0].device  # a caller's may be on different ones
    return tree.concatenate([tree.map(lambda part: part.to(device), one), other])


def check_samples(expert: Samples, generated: Samples, batch_size: int) -> None:
    """Checks samples that a user has passed.

    Raises:
        DataError: a field is missing, or has not `batch_size` rows.
    """
    n_rows = []
    for name, samples in (("expert_samples", expert), ("gen_samples", generated)):
        missing = [key for key in FIELDS if key not in samples]
        if missing:
            raise DataError(f"{name} lack {missing}: expected arrays of {FIELDS}")
        lengths = {key: tree.length(samples[key]) for key in FIELDS}
        if len(set(lengths.values())) > 1:
            raise DataError(f"{name} have parts of different lengths: {lengths}")
        n_rows.append(lengths["obs"])
    if n_rows != [batch_size, batch_size]:
        raise DataError(
            "Need to have exactly self.demo_batch_size samples of each kind, got "
            f"n_gen={n_rows[1]} n_expert={n_rows[0]} demo_batch_size={batch_size}"
        )


def check_network(net: RewardNet) -> None:
    """Raises a ConfigError for an ensemble, wrapped or not: it has no one output."""
    while isinstance(net, RewardNetWrapper):
        net = net.base
    if isinstance(net, RewardEnsemble):
        raise ConfigError(
            "GAIL and AIRL learn one discriminator, which a RewardEnsemble is not; "
            "pass one of its members, or another reward network"
        )


@dataclasses.dataclass(frozen=True)
class Objective:
    """The function of a network's weights that the discriminator minimizes."""

    net: th.nn.Module
    logits_of: Callable[..., th.Tensor]
    """`AdversarialTrainer.logits_expert_is_high`, of `net`."""
    loss_of: Callable[[th.Tensor, th.Tensor], th.Tensor]
    """`AdversarialTrainer.disc_loss`, of logits and labels."""
    options: DiscriminatorOptions

    def update(
        self,
        optimizer: th.optim.Optimizer,
        batch: DiscriminatorBatch,
        minibatch_size: int,
    ) -> Update:
        """Takes one optimizer step on the whole batch.

        Args:
            optimizer: of the network's parameters.
            batch: expert and generator samples.
            minibatch_size: rows of each kind to hold a graph for at a time.
        """
        optimizer.zero_grad()
        parts: list[Update] = []
        # So weighted, means over minibatches add up to the mean over the batch.
        weight = 2 * minibatch_size / len(batch)
        # Of the whole batch: those of a minibatch would change what is penalized.
        inputs = batch.float_inputs() if self.options.gradient_penalty else []
        scales = [part.detach().std(dim=0) for part in inputs]
        with self._frozen_statistics(batch, minibatch_size):
            for minibatch in batch.minibatches(minibatch_size):
                part, total = self._losses(minibatch, scales)
                th.autograd.backward(total * weight)
                parts.append(part)
        optimizer.step()
        return Update.joined(parts)

    @contextlib.contextmanager
    def _frozen_statistics(
        self, batch: DiscriminatorBatch, size: int
    ) -> Iterator[None]:
        """Makes minibatches normalize their inputs as the whole batch would.

        A layer of running statistics would see the first minibatch alone before it
        normalizes it. So the batch passes as a whole first, without a graph, and then
        the statistics stay fixed.
        """
        norms: list[networks.BaseNorm] = []
        if 2 * size < len(batch):
            found = (m for m in self.net.modules() if isinstance(m, networks.BaseNorm))
            norms = [norm for norm in found if norm.training]
        if norms:
            with th.no_grad():
                self._logits(batch)
        for norm in norms:
            norm.training = False
        try:
            yield
        finally:
            for norm in norms:
                norm.training = True

    def _losses(
        self, batch: DiscriminatorBatch, scales: Sequence[th.Tensor]
    ) -> tuple[Update, th.Tensor]:
        """Computes the parts to report, and the loss to minimize."""
        penalty, name = None, self.options.gradient_penalty
        if self.options.instance_noise:
            batch = batch.with_noise(self.options.instance_noise)
        if name == "r1":
            for part in batch.float_inputs():
                part.requires_grad_()
        logits = self._logits(batch)
        total = loss = self.loss_of(logits, batch.labels)
        if name == "r1":
            expert = logits[: len(logits) // 2]
            # Twice the mean over 2n rows: the generator's n rows do not influence the
            # expert's logits, so their gradients are 0.
            penalty = 2 * losses.r1_penalty(expert, batch.float_inputs(), scales)
        elif name == "wgan-gp":
            penalty = self._wgan_gp(batch, scales)
        if penalty is not None:
            total = loss + self.options.gradient_penalty_coef * penalty
            penalty = penalty.detach()
        return Update(logits.detach(), batch.labels, loss.detach(), penalty), total

    def _wgan_gp(
        self, batch: DiscriminatorBatch, scales: Sequence[th.Tensor]
    ) -> th.Tensor:
        """Computes the penalty at random points between expert and generator."""
        half = len(batch) // 2
        u = th.rand(half, device=batch.labels.device)

        def between(part: th.Tensor) -> th.Tensor:
            weight = u.reshape(-1, *[1] * (part.ndim - 1)).to(part.dtype)  # (n, 1, ...)
            return weight * part[:half] + (1 - weight) * part[half:]

        points = batch.map(between)  # n rows
        for part in points.float_inputs():
            part.requires_grad_()
        # Evaluating: points that nobody visited must not enter running statistics.
        with networks.evaluating(self.net):
            logits = self._logits(points)
        return losses.wgan_gp_penalty(logits, points.float_inputs(), scales)

    def _logits(self, batch: DiscriminatorBatch) -> th.Tensor:
        inputs = batch.state, batch.action, batch.next_state, batch.done
        return self.logits_of(*inputs, batch.log_policy_act_prob)
