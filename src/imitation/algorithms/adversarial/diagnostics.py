"""Statistics of a discriminator, and warnings when it has nothing to teach."""

import collections
import math
import warnings
from collections.abc import Mapping, Sequence

import torch as th
from torch.utils.tensorboard.writer import SummaryWriter

from imitation.algorithms.adversarial import losses
from imitation.algorithms.adversarial.discriminator import DiscriminatorBatch, Update
from imitation.util import logger as imit_logger
from imitation.util import networks, seeding
from imitation.util.paths import AnyPath, parse_path

# Rounds in a row before a warning.
PATIENCE = 10

SATURATED_ACCURACY, SATURATED_ENTROPY = 0.99, 0.02
COLLAPSED_SHARE = 0.01

_SATURATED = (
    "The discriminator has told expert and generator apart almost perfectly for "
    f"{PATIENCE} rounds (accuracy {{disc_acc:.3f}}, entropy {{disc_entropy:.3f}}), so "
    "its rewards say little about how to improve. Remedies: a lower learning rate in "
    "disc_opt_kwargs, fewer n_disc_updates_per_round, "
    "disc_options=DiscriminatorOptions(gradient_penalty='r1'), or more demonstrations."
)
_COLLAPSED = (
    "The discriminator has called nearly everything {what} for "
    f"{PATIENCE} rounds (share called expert {{disc_proportion_expert_pred:.3f}}), so "
    "its rewards carry no information. Remedies: normalize its inputs "
    "(normalize_input_layer=RunningNorm), a lower learning rate in disc_opt_kwargs, or "
    "a larger network."
)
NORMALIZED_OBSERVATIONS = (  # their space is that of the raw ones, so no check fails
    "venv normalizes observations by VecNormalize, so the discriminator compares "
    "normalized ones with the demonstrations'; unless these were normalized alike, "
    "pass norm_obs=False and normalize in the networks "
    "(normalize_input_layer=RunningNorm, NormalizeFeaturesExtractor)"
)


def compute_train_stats(
    disc_logits_expert_is_high: th.Tensor,
    labels_expert_is_one: th.Tensor,
    disc_loss: th.Tensor,
) -> dict[str, float]:
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
    with th.no_grad():
        expert = labels_expert_is_one.bool()
        predicted = disc_logits_expert_is_high > 0
        correct = predicted == expert
        # One transfer from the device: each would wait for the kernels before it.
        values = th.stack(
            [
                disc_loss.detach().to(th.float64),
                correct.sum(),
                (correct & expert).sum(),
                losses.bernoulli_entropy(disc_logits_expert_is_high).to(th.float64),
                expert.sum(),
                predicted.sum(),
            ]
        ).tolist()
    loss, n_correct, n_correct_expert, entropy, n_expert, n_predicted = values
    n_labels = float(len(labels_expert_is_one))
    n_generated = n_labels - n_expert
    n_correct_gen = n_correct - n_correct_expert
    return collections.OrderedDict(
        disc_loss=loss,
        disc_acc=n_correct / n_labels if n_labels else math.nan,
        disc_acc_expert=n_correct_expert / n_expert if n_expert else math.nan,
        disc_acc_gen=n_correct_gen / n_generated if n_generated else 0.0,
        disc_entropy=entropy,
        disc_proportion_expert_true=n_expert / n_labels if n_labels else math.nan,
        disc_proportion_expert_pred=n_predicted / n_labels if n_labels else math.nan,
        n_expert=n_expert,
        n_generated=n_generated,
    )


class Diagnostics:
    """Logs how the discriminator does, and warns once if it is saturated or collapsed.

    Args:
        log_dir: TensorBoard summaries go to its subdirectory ``summary``; None writes
            none.
        with_graph: write the network's graph there, too.
    """

    def __init__(
        self, log_dir: AnyPath | None = None, with_graph: bool = False
    ) -> None:
        self._rounds = {"saturated": 0, "collapsed": 0}
        self._writer: SummaryWriter | None = None
        if log_dir is not None:
            self._writer = SummaryWriter(str(parse_path(log_dir) / "summary"))
        self.needs_graph = self._writer is not None and with_graph
        """Whether `write_graph` is still to be called."""

    def log(
        self,
        updates: Sequence[Update],
        logger: imit_logger.HierarchicalLogger,
        step: int,
        dump: bool = False,
    ) -> dict[str, float]:
        """Logs statistics over some updates.

        Args:
            updates: at least one, all of the same size.
            logger: where to, under ``disc``.
            step: updates so far.
            dump: write what the logger has of this discriminator now.

        Returns:
            Those of `compute_train_stats`; numbers of samples are those of one update.
            With a gradient penalty also ``disc_grad_penalty``, its unweighted mean.
        """
        joined = Update.joined(updates)  # all rows of a round, not its last minibatch
        stats = compute_train_stats(joined.logits, joined.labels, joined.loss)
        for key in ("n_expert", "n_generated"):
            stats[key] /= len(updates)
        if joined.grad_penalty is not None:
            stats["disc_grad_penalty"] = joined.grad_penalty.item()
        with logger.accumulate_means("disc"):
            for key, value in stats.items():
                logger.record(key, value)
            if dump:
                logger.dump(step)
        if self._writer is not None:
            for key, value in stats.items():
                self._writer.add_scalar(key, value, step)
        return stats

    def after_round(self, stats: Mapping[str, float]) -> list[str]:
        """Returns the warnings that are due.

        Args:
            stats: of the round, from `log`.
        """
        share = stats["disc_proportion_expert_pred"]
        what = "expert" if share > 0.5 else "generated"
        saturated = (
            stats["disc_acc"] > SATURATED_ACCURACY
            and stats["disc_entropy"] < SATURATED_ENTROPY
        )
        collapsed = not COLLAPSED_SHARE <= share <= 1 - COLLAPSED_SHARE
        found = []
        for name, present, warning in (
            ("saturated", saturated, _SATURATED),
            ("collapsed", collapsed, _COLLAPSED),
        ):
            if self._rounds[name] == PATIENCE:
                continue  # it has been given
            self._rounds[name] = self._rounds[name] + 1 if present else 0
            if self._rounds[name] == PATIENCE:
                found.append(warning.format(what=what, **stats))
        return found

    def write_graph(self, net: th.nn.Module, batch: DiscriminatorBatch) -> None:
        """Writes the graph of a network.

        Args:
            net: the discriminator's network.
            batch: an example of its inputs.
        """
        assert self._writer is not None
        self.needs_graph = False
        inputs = (batch.state, batch.action, batch.next_state, batch.done)
        with (
            networks.evaluating(net),
            seeding.forked_torch_rng(),
            warnings.catch_warnings(),
        ):
            # Of torch.jit.trace: that it is deprecated, and that it fixes the shapes.
            warnings.simplefilter("ignore")
            self._writer.add_graph(net, inputs)
        self._writer.flush()
