"""What both learners of IQ-Learn check and log."""

import math

import numpy as np
from stable_baselines3.common.logger import Logger

from imitation.algorithms.iq_learn.losses import IQTerms
from imitation.errors import ConfigError

__all__ = ["TermsLog", "check_chi2_alpha"]


def check_chi2_alpha(chi2_alpha: float) -> float:
    """Returns α of the χ² regularisation.

    Raises:
        ConfigError: it is not a positive number.
    """
    if not (math.isfinite(chi2_alpha) and chi2_alpha > 0):
        raise ConfigError(f"chi2_alpha must be a positive number, got {chi2_alpha}")
    return chi2_alpha


class TermsLog:
    """Collects the terms of some updates and logs their means."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []

    def add(self, terms: IQTerms) -> None:
        """Remembers the terms of one update."""
        values = (terms.loss, terms.expert_reward, terms.initial_value, terms.penalty)
        self._rows.append(tuple(value.item() for value in values))

    def record(self, logger: Logger) -> None:
        """Logs the means under ``train/`` and forgets them."""
        names = ("loss", "expert_reward", "initial_value", "chi2_penalty")
        if self._rows:
            for name, mean in zip(names, np.mean(self._rows, axis=0), strict=True):
                logger.record(f"train/{name}", float(mean))
        self._rows.clear()
