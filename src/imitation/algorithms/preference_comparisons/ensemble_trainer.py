"""Training the members of an ensemble, each on a sample of its own."""

from typing import Any

import numpy as np
from typing_extensions import override

from imitation.algorithms.preference_comparisons.dataset import PreferenceDataset
from imitation.algorithms.preference_comparisons.losses import RewardLoss
from imitation.algorithms.preference_comparisons.model import PreferenceModel
from imitation.algorithms.preference_comparisons.reward_trainer import (
    BasicRewardTrainer,
    RewardTrainer,
)
from imitation.regularization.regularizers import Regularizer, RegularizerFactory
from imitation.util import logger as imit_logger
from imitation.util import seeding
from imitation.util.artifacts import State

__all__ = ["EnsembleTrainer"]


class EnsembleTrainer(BasicRewardTrainer):
    """Trains each member of an ensemble on a bootstrap sample (bagging).

    Christiano et al. (2017), https://arxiv.org/abs/1706.03741, section 2.2.3: of n
    pairs, each member is trained on n pairs drawn with replacement, anew in each call
    of `train`. Pairs kept to validate on are left out of the drawing.

    Logged is ``member-i/reward/…`` as by `BasicRewardTrainer`, and of what is final for
    the members the mean, ``reward/final/…``, and the deviation, ``…_std``.

    Args:
        preference_model: of a `RewardEnsemble`, wrapped or not.
        loss: see `BasicRewardTrainer`.
        rng: draws the samples; see `BasicRewardTrainer` for more.
        batch_size: see `BasicRewardTrainer`.
        minibatch_size: see `BasicRewardTrainer`.
        epochs: see `BasicRewardTrainer`.
        lr: see `BasicRewardTrainer`.
        custom_logger: where to log to; None makes a new logger.
        regularizer_factory: makes a regulariser for each member.

    Attributes:
        member_trainers: the trainer of each member.

    Raises:
        TypeError: the model is not of an ensemble.
    """

    def __init__(
        self,
        preference_model: PreferenceModel,
        loss: RewardLoss,
        rng: np.random.Generator | None = None,
        batch_size: int = 32,
        minibatch_size: int | None = None,
        epochs: int = 1,
        lr: float = 1e-3,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        regularizer_factory: RegularizerFactory[Regularizer[Any]] | None = None,
    ) -> None:
        if preference_model.ensemble_model is None:
            raise TypeError(
                "PreferenceModel of a RewardEnsemble expected by EnsembleTrainer."
            )
        rng = seeding.make_rng(rng)
        super().__init__(
            preference_model,
            loss,
            rng,
            batch_size,
            minibatch_size,
            epochs,
            lr,
            custom_logger,
        )
        self.member_trainers = [
            BasicRewardTrainer(
                member,
                loss,
                rng,
                batch_size,
                minibatch_size,
                epochs,
                lr,
                self.logger,
                regularizer_factory,
            )
            for member in preference_model.member_pref_models
        ]
        self.regularizer = self.member_trainers[0].regularizer

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """Where all trainers log to."""
        return self._logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value
        for trainer in self.member_trainers:
            trainer.logger = value

    @override
    def state_dict(self) -> State:
        states = [trainer.state_dict() for trainer in self.member_trainers]
        return RewardTrainer.state_dict(self) | {"members": states}

    @override
    def load_state_dict(self, state: State) -> None:
        RewardTrainer.load_state_dict(self, state)
        for trainer, part in zip(self.member_trainers, state["members"], strict=True):
            trainer.load_state_dict(part)

    def _train(self, dataset: PreferenceDataset, epoch_multiplier: float) -> None:
        finals: list[dict[str, float]] = []
        for number, trainer in enumerate(self.member_trainers):
            train, val = trainer.split(len(dataset))
            sample = self.rng.choice(train, size=len(train), replace=True)
            with self.logger.add_accumulate_prefix(f"member-{number}"):
                finals.append(trainer.fit(dataset, sample, val, epoch_multiplier))
        # A sample may hold nothing but ties, and so have no accuracy.
        for name in dict.fromkeys(name for final in finals for name in final):
            values = [final[name] for final in finals if name in final]
            self.logger.record(f"reward/final/{name}", float(np.mean(values)))
            self.logger.record(f"reward/final/{name}_std", float(np.std(values)))
