"""Choosing pairs that an ensemble disagrees about.

Christiano et al. (2017), https://arxiv.org/abs/1706.03741, section 2.2.4: sample many
pairs, and keep those with the highest variance across the members' predictions.
"""

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import torch as th
from typing_extensions import override

from imitation.algorithms.preference_comparisons.fragmenters import Fragmenter
from imitation.algorithms.preference_comparisons.model import PreferenceModel
from imitation.data import types
from imitation.errors import ConfigError
from imitation.util import logger as imit_logger
from imitation.util.artifacts import State

__all__ = ["ActiveSelectionFragmenter"]

KINDS = ("logit", "probability", "label")


class ActiveSelectionFragmenter(Fragmenter):
    """Keeps the pairs that the members of an ensemble disagree about most.

    Args:
        preference_model: of an ensemble.
        base_fragmenter: samples the pairs to choose from.
        fragment_sample_factor: for each pair wanted, how many to choose from; at
            least 1.
        uncertainty_on: what to take the variance of over the members: "logit", the
            difference of returns; "probability", of the preference; or "label", the
            fragment preferred.
        custom_logger: where to log to; None makes a new logger.

    Raises:
        ConfigError: the model is not of an ensemble, or a setting is none of these.
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
        """What the variance is taken of."""
        return self._uncertainty_on

    def raise_uncertainty_on_not_supported(self) -> NoReturn:
        """Raises the error about `uncertainty_on`.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            f"{self.uncertainty_on} not supported.\n"
            "            `uncertainty_on` should be from `logit`, `probability`, or "
            "`label`"
        )

    def __call__(
        self,
        trajectories: Sequence[types.TrajectoryWithRew],
        fragment_length: int,
        num_pairs: int,
    ) -> Sequence[types.TrajectoryWithRewPair]:
        """Chooses pairs; see `Fragmenter.__call__`."""
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
        """Estimates how uncertain the ensemble is about one pair.

        Args:
            rews1: the members' rewards of the first fragment, shape ``(T, members)``.
            rews2: those of the second.

        Returns:
            The variance over the members.

        Raises:
            ConfigError: `uncertainty_on` is unknown.
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
        # Time first, as `PreferenceModel` has it.
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
