"""How well a discriminator tells expert from generator, in numbers."""

import collections
from collections.abc import Mapping, Sequence

import torch as th

from imitation.algorithms.adversarial import losses
from imitation.algorithms.adversarial.discriminator import Update

__all__ = ["compute_train_stats", "describe"]


def compute_train_stats(
    disc_logits_expert_is_high: th.Tensor,
    labels_expert_is_one: th.Tensor,
    disc_loss: th.Tensor,
) -> Mapping[str, float]:
    """Describes how well a discriminator tells expert from generator.

    Args:
        disc_logits_expert_is_high: logits, high for the expert, shape ``(B,)``.
        labels_expert_is_one: 1 for expert and 0 for generator samples, shape ``(B,)``.
        disc_loss: the final loss, shape ``()``.

    Returns:
        An ordered dictionary: ``disc_loss``; the accuracies ``disc_acc``,
        ``disc_acc_expert`` (NaN without expert samples) and ``disc_acc_gen`` (0 without
        generator samples); ``disc_entropy``, the mean entropy of the decisions in nats;
        ``disc_proportion_expert_true`` and ``…_pred``, the share of expert samples and
        of those called so; ``n_expert`` and ``n_generated``. All are floats.
    """
    stats = losses.statistics(
        disc_logits_expert_is_high, labels_expert_is_one, disc_loss
    )
    return collections.OrderedDict(stats)


def describe(updates: Sequence[Update], has_penalty: bool) -> dict[str, float]:
    """Computes statistics over some updates, in one transfer from the device.

    Args:
        updates: at least one, all of the same size.
        has_penalty: whether there was a gradient penalty.

    Returns:
        See `compute_train_stats`; numbers of samples are those of one update. With a
        gradient penalty also ``disc_grad_penalty``, its mean before it is weighed.
    """
    stats = dict(
        compute_train_stats(
            th.cat([update.logits for update in updates]),
            th.cat([update.labels for update in updates]),
            th.stack([update.loss for update in updates]).mean(),
        )
    )
    for key in ("n_expert", "n_generated"):
        stats[key] /= len(updates)
    if has_penalty:
        penalties = th.stack([update.grad_penalty for update in updates])
        stats["disc_grad_penalty"] = penalties.mean().item()
    return stats
