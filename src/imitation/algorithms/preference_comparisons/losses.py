"""Losses of preferences.

Christiano et al. (2017), https://arxiv.org/abs/1706.03741, section 2.2.3: the cross
entropy between the probabilities of a `PreferenceModel` and the preferences given.

Differences: a preference may be any probability, not only 0, ½ and 1.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch as th
from torch import nn
from torch.nn import functional

from imitation.algorithms.preference_comparisons.model import PreferenceModel
from imitation.data import types

Loss = Callable[[th.Tensor, th.Tensor], th.Tensor]


class LossAndMetrics(NamedTuple):
    """A loss, and what describes the same batch."""

    loss: th.Tensor
    """Shape ``()``, with gradients."""

    metrics: Mapping[str, th.Tensor]
    """Tensors of shape ``()`` without gradients, by name."""


class RewardLoss(nn.Module, abc.ABC):
    """A loss function over preferences."""

    @abc.abstractmethod
    def forward(
        self,
        fragment_pairs: Sequence[types.TrajectoryPair],
        preferences: npt.NDArray[np.float32],
        preference_model: PreferenceModel,
    ) -> LossAndMetrics:
        """Computes the loss of a batch.

        Args:
            fragment_pairs: n pairs.
            preferences: probabilities that the first fragments are preferred, shape
                ``(n,)``; typically 0, 0.5 (a tie) or 1.
            preference_model: predicts these.

        Returns:
            The loss and metrics to log.
        """


class CrossEntropyRewardLoss(RewardLoss):
    """The cross entropy between predicted and given probabilities.

    Its metrics are ``accuracy``, the share of the pairs in which the model prefers the
    same fragment: ties given are left out, as there is nothing to get right, and a tie
    of the model counts half; NaN if there are only ties. And ``gt_reward_loss``, the
    loss that the true rewards would have, where they are known.
    """

    def forward(
        self,
        fragment_pairs: Sequence[types.TrajectoryPair],
        preferences: npt.NDArray[np.float32],
        preference_model: PreferenceModel,
    ) -> LossAndMetrics:
        """Computes the loss of a batch; see `RewardLoss.forward`."""
        if _is_plain(preference_model):
            scores, true_scores = preference_model.logits(fragment_pairs)
            loss_of, undecided = _logit_loss(preference_model.noise_prob), 0.0
        else:
            scores, true_scores = preference_model(fragment_pairs)
            loss_of, undecided = functional.binary_cross_entropy, 0.5
        targets = th.as_tensor(preferences, dtype=scores.dtype, device=scores.device)
        metrics = {"accuracy": _accuracy(scores.detach(), undecided, targets)}
        if true_scores is not None:
            metrics["gt_reward_loss"] = loss_of(true_scores, targets).detach()
        return LossAndMetrics(loss_of(scores, targets), metrics)


def _is_plain(preference_model: PreferenceModel) -> bool:
    """True if its probabilities are those of its logits: no subclass overrides them."""
    kind = type(preference_model)
    return (
        kind.forward is PreferenceModel.forward
        and kind.probability is PreferenceModel.probability
        and preference_model.ensemble_model is None
    )


def _accuracy(scores: th.Tensor, undecided: float, targets: th.Tensor) -> th.Tensor:
    given = (targets - 0.5).sign()
    predicted = (scores - undecided).sign()
    # 1 where they agree, 0 where they do not, and 1/2 where the model is undecided.
    right = (1 + given * predicted) / 2
    is_decided = given != 0
    return (right * is_decided).sum() / is_decided.sum()


def _logit_loss(noise_prob: float) -> Loss:
    """The cross entropy as a function of logits, with gradients however large."""
    if noise_prob == 0:
        return functional.binary_cross_entropy_with_logits

    def loss(logits: th.Tensor, targets: th.Tensor) -> th.Tensor:
        probs = noise_prob / 2 + (1 - noise_prob) * th.sigmoid(logits)
        return functional.binary_cross_entropy(probs, targets)

    return loss
