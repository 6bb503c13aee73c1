"""Averages of losses and metrics over batches of preferences."""

import numpy as np
import numpy.typing as npt
import torch as th

from imitation.algorithms.preference_comparisons.losses import LossAndMetrics

__all__ = ["Averages"]


class Averages:
    """Averages a loss and its metrics over batches, by the pairs that each has.

    ``accuracy`` is about the pairs that were given a preference other than a tie, so
    only these count for it.
    """

    def __init__(self) -> None:
        self._values: dict[str, list[th.Tensor]] = {}
        self._weights: dict[str, list[int]] = {}

    def add(self, result: LossAndMetrics, given: npt.NDArray[np.float32]) -> None:
        """Adds a batch.

        Args:
            result: its loss and metrics.
            given: its preferences, ``(n,)``.
        """
        for name, value in {"loss": result.loss, **result.metrics}.items():
            counts = name != "accuracy"
            weight = len(given) if counts else int(np.count_nonzero(given != 0.5))
            if weight:
                self._values.setdefault(name, []).append(value.detach())
                self._weights.setdefault(name, []).append(weight)

    def means(self, prefix: str) -> dict[str, float]:
        """The averages, by names with a prefix; a metric of no pairs is left out."""
        # Stacked first: one transfer from a GPU for each metric.
        return {
            f"{prefix}/{name}": float(
                np.average(
                    th.stack(values).cpu().numpy().astype(np.float64),
                    weights=self._weights[name],
                )
            )
            for name, values in self._values.items()
        }
