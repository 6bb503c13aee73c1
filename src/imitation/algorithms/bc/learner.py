"""One optimizer step of behavioural cloning, with accumulated gradients."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy

from imitation.algorithms.bc.losses import (
    BCTrainingMetrics,
    BehaviorCloningLossCalculator,
    policy_inputs,
)
from imitation.data import types
from imitation.util.plain_policies import PlainNetwork, plain_network

__all__ = ["Learner"]


@dataclasses.dataclass(frozen=True)
class Learner:
    """What an optimizer step needs."""

    policy: ActorCriticPolicy
    """The policy, in training mode."""

    optimizer: th.optim.Optimizer
    """Optimises the policy's parameters."""

    loss_calculator: BehaviorCloningLossCalculator
    """The objective."""

    max_grad_norm: float | None = None
    """Clip the gradient to this Euclidean norm; None does not clip."""

    @functools.cached_property
    def _parameters(self) -> tuple[th.nn.Parameter, ...]:
        return tuple(self.policy.parameters())

    @functools.cached_property
    def _network(self) -> PlainNetwork | None:
        return plain_network(self.policy)

    def step(
        self, minibatches: Sequence[types.TransitionMapping], *, measure: bool
    ) -> BCTrainingMetrics | None:
        """Makes one step on the mean loss of all samples in some minibatches.

        Args:
            minibatches: their gradients are accumulated.
            measure: whether to compute the parts of the loss for the log.

        Returns:
            The parts of the loss, averaged over the samples, or None.
        """
        n_samples = sum(len(minibatch["acts"]) for minibatch in minibatches)
        for parameter in self._parameters:
            parameter.grad = None
        measured: list[tuple[float, BCTrainingMetrics]] = []
        for minibatch in minibatches:
            obs, acts = policy_inputs(self.policy, minibatch["obs"], minibatch["acts"])
            weight = len(acts) / n_samples
            if measure:
                metrics = self.loss_calculator(self.policy, obs, acts)
                measured.append((weight, metrics))
                loss = metrics.loss
            else:
                loss = self.loss_calculator.loss(self.policy, obs, acts, self._network)
            th.autograd.backward(loss if weight == 1 else loss * weight)
        if self.max_grad_norm is not None:
            th.nn.utils.clip_grad_norm_(self._parameters, self.max_grad_norm)
        self.optimizer.step()
        return _average(measured) if measured else None


def _average(measured: Sequence[tuple[float, BCTrainingMetrics]]) -> BCTrainingMetrics:
    """Averages the parts of the loss over minibatches, weighted by their samples."""
    averages: dict[str, Any] = {}
    for field in dataclasses.fields(BCTrainingMetrics):
        values = [getattr(metrics, field.name) for _, metrics in measured]
        averages[field.name] = (
            None
            if values[0] is None
            else th.stack(
                [w * v.detach() for (w, _), v in zip(measured, values, strict=True)]
            ).sum()
        )
    return BCTrainingMetrics(**averages)
