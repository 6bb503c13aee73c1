"""Choosing pairs of fragments to compare: at random, or where an ensemble disagrees."""

import abc
from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import torch as th
from typing_extensions import override

from imitation.algorithms.preference_comparisons.fragments import cut
from imitation.algorithms.preference_comparisons.model import PreferenceModel
from imitation.algorithms.preference_comparisons.parts import Part
from imitation.data import types
from imitation.errors import ConfigError, DataError
from imitation.util import logger as imit_logger
from imitation.util import seeding
from imitation.util.artifacts import State

KINDS = ("logit", "probability", "label")


class Fragmenter(Part, abc.ABC):
    """Cuts pairs of fragments out of trajectories."""

    @abc.abstractmethod
    def __call__(
        self,
        trajectories: Sequence[types.TrajectoryWithRew],
        fragment_length: int,
        num_pairs: int,
    ) -> Sequence[types.TrajectoryWithRewPair]:
        """Cuts pairs of fragments.

        Args:
            trajectories: what to cut them from.
            fragment_length: steps of each fragment.
            num_pairs: how many pairs.

        Returns:
            The pairs.
        """


class RandomFragmenter(Fragmenter):
    """Samples fragments uniformly at random, with replacement.

    Each fragment lies within one trajectory, chosen with a probability proportional to
    its length. So steps at the beginning and the end of a trajectory come up less often
    than others, and trajectories shorter than a fragment never.

    Args:
        rng: decides; None for fresh entropy.
        warning_threshold: warn if there are fewer than this many times the steps that
            are sampled; 0 never warns.
        custom_logger: where to log to; None creates a new logger.
    """

    def __init__(
        self,
        rng: np.random.Generator | None = None,
        warning_threshold: int = 10,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(custom_logger)
        self.rng: np.random.Generator = seeding.make_rng(rng)
        self.warning_threshold = warning_threshold

    @override
    def __call__(
        self,
        trajectories: Sequence[types.TrajectoryWithRew],
        fragment_length: int,
        num_pairs: int,
    ) -> Sequence[types.TrajectoryWithRewPair]:
        """Samples pairs.

        Raises:
            DataError: no trajectory is long enough, or a number is not positive.
        """
        if fragment_length < 1 or num_pairs < 0:
            raise DataError(
                "expected a positive fragment_length and num_pairs not negative, got "
                f"{fragment_length} and {num_pairs}"
            )
        usable = [t for t in trajectories if len(t) >= fragment_length]
        if not usable:
            raise DataError(
                "No trajectories are long enough for the desired fragment length of "
                f"{fragment_length}."
            )
        n_short = len(trajectories) - len(usable)
        if n_short:
            self.logger.log(
                f"Discarded {n_short} out of {len(trajectories)} trajectories because "
                f"they are shorter than the desired length of {fragment_length}."
            )
        lengths = np.array([len(t) for t in usable])
        self._warn_of_repetition(int(lengths.sum()), 2 * num_pairs * fragment_length)
        chosen = self.rng.choice(
            len(usable), size=2 * num_pairs, p=lengths / lengths.sum()
        )
        starts = self.rng.integers(lengths[chosen] - fragment_length, endpoint=True)
        fragments = [
            cut(usable[i], start, start + fragment_length)
            for i, start in zip(chosen.tolist(), starts.tolist(), strict=True)
        ]
        return list(zip(fragments[::2], fragments[1::2], strict=True))

    def _warn_of_repetition(self, available: int, wanted: int) -> None:
        if self.warning_threshold and wanted > available:
            self.logger.warn(
                f"Fewer transitions available ({available}) than needed for desired "
                f"number of fragment pairs ({wanted}). Some transitions will appear "
                "multiple times."
            )
        elif available < self.warning_threshold * wanted:
            self.logger.warn(
                f"Samples will contain {wanted} transitions in total and only "
                f"{available} are available. Because we sample with replacement, a "
                "significant number of transitions are likely to appear multiple times."
            )


class ActiveSelectionFragmenter(Fragmenter):
    """Keeps the pairs that the members of an ensemble disagree about most.

    Christiano et al. (2017), https://arxiv.org/abs/1706.03741, section 2.2.4: sample
    many pairs, and keep those with the highest variance over the members' predictions.

    Args:
        preference_model: of an ensemble.
        base_fragmenter: samples the pairs to choose from.
        fragment_sample_factor: for each pair wanted, how many to choose from; at
            least 1.
        uncertainty_on: what to take the variance of over the members: "logit", the
            difference of returns; "probability", of the preference; or "label", the
            fragment preferred.
        custom_logger: where to log to; None creates a new logger.

    Raises:
        ConfigError: the model is not of an ensemble, or a setting is invalid.
    """

    def __init__(
        self,
        preference_model: PreferenceModel,
        base_fragmenter: Fragmenter,
        fragment_sample_factor: float,
        uncertainty_on: str = "logit",
        custom_logger: imit_logger.HierarchicalLogger | None = None,
    ) -> None:
        super().__init__(custom_logger)
        if preference_model.ensemble_model is None:
            raise ConfigError(
                "PreferenceModel not wrapped over an ensemble of networks."
            )
        if fragment_sample_factor < 1:
            raise ConfigError(
                "fragment_sample_factor must be at least 1, got "
                f"{fragment_sample_factor}"
            )
        self.preference_model = preference_model
        self.base_fragmenter = base_fragmenter
        self.fragment_sample_factor = fragment_sample_factor
        self._uncertainty_on = uncertainty_on
        if uncertainty_on not in KINDS:
            self.raise_uncertainty_on_not_supported()

    @property
    def uncertainty_on(self) -> str:
        """The prediction of which the variance is taken."""
        return self._uncertainty_on

    def raise_uncertainty_on_not_supported(self) -> NoReturn:
        """Raises the ConfigError about `uncertainty_on`."""
        raise ConfigError(
            f"{self.uncertainty_on} not supported.\n"
            "            `uncertainty_on` should be from `logit`, `probability`, or "
            "`label`"
        )

    @override
    def __call__(
        self,
        trajectories: Sequence[types.TrajectoryWithRew],
        fragment_length: int,
        num_pairs: int,
    ) -> Sequence[types.TrajectoryWithRewPair]:
        n_candidates = int(self.fragment_sample_factor * num_pairs)
        pairs = self.base_fragmenter(trajectories, fragment_length, n_candidates)
        if not pairs:
            return []
        rewards = self.preference_model.pair_rewards(pairs)  # (n, 2, T, members)
        variances = self._variances(rewards[:, 0], rewards[:, 1])
        # The most uncertain first, of equal ones the first that was sampled.
        best = np.argsort(-variances.cpu().numpy(), kind="stable")[:num_pairs]
        return [pairs[i] for i in best.tolist()]

    def variance_estimate(self, rews1: th.Tensor, rews2: th.Tensor) -> float:
        """Computes the variance of the members' predictions for one pair.

        Args:
            rews1: the members' rewards of the first fragment, shape ``(T, members)``.
            rews2: those of the second.
        """
        return self._variances(rews1.unsqueeze(0), rews2.unsqueeze(0)).item()

    @override
    def state_dict(self) -> State:
        return self.base_fragmenter.state_dict()

    @override
    def load_state_dict(self, state: State) -> None:
        self.base_fragmenter.load_state_dict(state)

    def _variances(self, rews1: th.Tensor, rews2: th.Tensor) -> th.Tensor:
        """Variances of n pairs, ``(n,)``, from rewards ``(n, T, members)``."""
        # (T, n, members), as `PreferenceModel` sums over the first axis.
        first, second = rews1.transpose(0, 1), rews2.transpose(0, 1)
        if self.uncertainty_on == "logit":
            return self.preference_model.return_difference(first, second).var(dim=1)
        probs = self.preference_model.probability(first, second)  # (n, members)
        if self.uncertainty_on == "probability":
            return probs.var(dim=1)
        if self.uncertainty_on == "label":
            share = (probs > 0.5).to(probs.dtype).mean(dim=1)
            return share * (1 - share)  # of a Bernoulli variable
        self.raise_uncertainty_on_not_supported()
