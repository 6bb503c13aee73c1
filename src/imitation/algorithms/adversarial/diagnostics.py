"""Noticing that a discriminator gives the generator nothing to learn from."""

import warnings
from collections.abc import Mapping

import torch as th
from torch.utils.tensorboard.writer import SummaryWriter

from imitation.algorithms.adversarial.batches import DiscriminatorBatch
from imitation.util import logger as imit_logger
from imitation.util import networks, seeding
from imitation.util.paths import AnyPath, parse_path

__all__ = ["Diagnostics", "Summary"]

PATIENCE = 10
"""Rounds in a row before a warning."""

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
    "its rewards carry no information. Remedies: normalise its inputs "
    "(normalize_input_layer=RunningNorm), a lower learning rate in disc_opt_kwargs, or "
    "a larger network."
)


class Diagnostics:
    """Warns once when a discriminator is saturated, and once when it has collapsed.

    Args:
        logger: where the warning goes.
    """

    def __init__(self, logger: imit_logger.HierarchicalLogger) -> None:
        self._logger = logger
        self._rounds = {"saturated": 0, "collapsed": 0}

    def after_round(self, stats: Mapping[str, float]) -> None:
        """Looks at the statistics of a round; see `common.compute_train_stats`."""
        saturated = (
            stats["disc_acc"] > SATURATED_ACCURACY
            and stats["disc_entropy"] < SATURATED_ENTROPY
        )
        share = stats["disc_proportion_expert_pred"]
        collapsed = not COLLAPSED_SHARE <= share <= 1 - COLLAPSED_SHARE
        what = "expert" if share > 0.5 else "generated"
        self._count("saturated", saturated, _SATURATED.format(**stats))
        self._count("collapsed", collapsed, _COLLAPSED.format(what=what, **stats))

    def _count(self, name: str, present: bool, warning: str) -> None:
        if self._rounds[name] == PATIENCE:
            return
        self._rounds[name] = self._rounds[name] + 1 if present else 0
        if self._rounds[name] == PATIENCE:
            self._logger.warn(warning)


class Summary:
    """TensorBoard summaries of a discriminator.

    Args:
        log_dir: they go to its subdirectory ``summary``.
    """

    def __init__(self, log_dir: AnyPath) -> None:
        self._writer = SummaryWriter(str(parse_path(log_dir) / "summary"))

    def write(self, stats: Mapping[str, float], step: int) -> None:
        """Writes statistics, each under its name."""
        for name, value in stats.items():
            self._writer.add_scalar(name, value, step)

    def write_graph(self, net: th.nn.Module, batch: DiscriminatorBatch) -> None:
        """Writes the graph of a network.

        Args:
            net: the discriminator's network.
            batch: an example of its inputs.
        """
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
