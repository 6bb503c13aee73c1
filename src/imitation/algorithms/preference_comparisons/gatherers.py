"""Who says which of two fragments is better."""

import abc
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from imitation.algorithms.preference_comparisons.fragments import FragmentArrays
from imitation.algorithms.preference_comparisons.pairs import PairStore
from imitation.algorithms.preference_comparisons.stateful import Stateful
from imitation.data import types
from imitation.errors import ConfigError, DataError
from imitation.util import logger as imit_logger

__all__ = ["PreferenceGatherer", "SyntheticGatherer"]

Preferences = npt.NDArray[np.float32]


class PreferenceGatherer(Stateful, abc.ABC):
    """Base of what gathers preferences.

    Args:
        rng: decides whatever is random; None if nothing is.
        custom_logger: where to log to; None makes a new logger.
    """

    logger: imit_logger.HierarchicalLogger

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        self.rng = rng
        self.logger = custom_logger or imit_logger.configure()

    @abc.abstractmethod
    def __call__(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> Preferences:
        """Gathers the preferences of some pairs.

        Args:
            fragment_pairs: n pairs.

        Returns:
            Probabilities that the first fragments are preferred, shape ``(n,)`` and
            dtype float32, in [0, 1]; 0.5 if both are as good.
        """

    def gather(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> tuple[Sequence[types.TrajectoryPair], Preferences]:
        """Asks about some pairs, and returns what is known by now.

        One that does not wait for answers overrides this.

        Args:
            fragment_pairs: n new pairs; none in a round without questions, where there
                may be late answers all the same.

        Returns:
            Pairs of this call or of earlier ones, and their preferences.
        """
        if not len(fragment_pairs):
            return [], np.zeros(0, dtype=np.float32)
        return fragment_pairs, self(fragment_pairs)


class SyntheticGatherer(PreferenceGatherer):
    """Prefers by the true rewards, with noise.

    With R₁ and R₂ the discounted returns and τ the temperature, the first fragment is
    preferred with probability 1 / (1 + exp((R₂ − R₁) / τ)).

    Args:
        temperature: τ; 0 always prefers the higher return, with 0.5 for equal ones.
        discount_factor: of the returns.
        sample: draw preferences of 0 or 1; False gives the probabilities instead.
        rng: draws; not needed with `sample` False or temperature 0.
        threshold: (R₁ − R₂) / τ is clipped to this size.
        custom_logger: where to log to; None makes a new logger.

    Raises:
        ConfigError: `sample` is true and there is no `rng`, or a number is negative.
    """

    def __init__(
        self,
        temperature: float = 1,
        discount_factor: float = 1,
        sample: bool = True,
        rng: np.random.Generator | None = None,
        threshold: float = 50,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(rng, custom_logger)
        if sample and rng is None:
            raise ConfigError("If `sample` is True, then `rng` must be provided.")
        for name, value in (
            ("temperature", temperature),
            ("discount_factor", discount_factor),
            ("threshold", threshold),
        ):
            if not value >= 0:
                raise ConfigError(f"{name} must not be negative, got {value}")
        self.temperature = temperature
        self.discount_factor = discount_factor
        self.sample = sample
        self.threshold = threshold

    def __call__(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> Preferences:
        """Gathers preferences; see `PreferenceGatherer.__call__`.

        The mean entropy of the probabilities, in nats, is logged as ``entropy``; not
        with temperature 0.

        Raises:
            DataError: a fragment has no rewards, or some that are not finite.
        """
        if not fragment_pairs:
            return np.zeros(0, dtype=np.float32)
        difference = self._return_differences(fragment_pairs)
        if self.temperature == 0:
            return ((np.sign(difference) + 1) / 2).astype(np.float32)
        logits = np.clip(difference / self.temperature, -self.threshold, self.threshold)
        probs = expit(logits)
        # -p ln p - (1-p) ln(1-p), by ln(1 + e^x) so that nothing is rounded to ln 0.
        entropy = probs * np.logaddexp(0, -logits) + expit(-logits) * np.logaddexp(
            0, logits
        )
        self.logger.record("entropy", float(entropy.mean()))
        if self.sample:
            assert self.rng is not None
            return self.rng.binomial(n=1, p=probs).astype(np.float32)
        return probs.astype(np.float32)

    def _return_differences(
        self, fragment_pairs: Sequence[types.TrajectoryWithRewPair]
    ) -> npt.NDArray[np.float64]:
        arrays = FragmentArrays.of([f for pair in fragment_pairs for f in pair])
        if not arrays.has_rewards.all():
            raise DataError(
                "synthetic preferences need fragments with rewards, got some without"
            )
        returns = PairStore(arrays).true_returns(self.discount_factor)
        if not np.isfinite(returns).all():
            raise DataError(
                "synthetic preferences need finite rewards, got NaN or infinite ones; "
                "check the environment or the trajectories"
            )
        difference: npt.NDArray[np.float64] = returns[:, 0] - returns[:, 1]
        return difference
