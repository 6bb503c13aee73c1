"""From rewards to the probability that one fragment is preferred to another.

Christiano et al. (2017), "Deep reinforcement learning from human preferences",
https://arxiv.org/abs/1706.03741, section 2.2.3, eq. 1: a Bradley-Terry model in which a
fragment's strength is the exponential of its summed rewards.

Differences: returns may be discounted; their difference is clipped.
"""

import math
from collections.abc import Sequence

import torch as th
from torch import nn
from typing_extensions import override

from imitation.algorithms.preference_comparisons.fragments import PairBatch
from imitation.algorithms.preference_comparisons.parts import check_within
from imitation.data import types
from imitation.errors import ConfigError
from imitation.rewards.reward_nets import AddSTDRewardWrapper, RewardEnsemble, RewardNet


def get_base_model(reward_model: RewardNet) -> RewardNet:
    """Returns the network inside all wrappers."""
    # A network of a user's own may have a `base` that is something else.
    while isinstance(base := getattr(reward_model, "base", None), RewardNet):
        reward_model = base
    return reward_model


class PreferenceModel(nn.Module):
    """Turns the rewards of two fragments into a probability of preference.

    With R₁ and R₂ the discounted returns of the fragments and ε the noise, the first
    one is preferred with probability ε/2 + (1 − ε) / (1 + exp(R₂ − R₁)).

    Of an ensemble, every member gives a probability of its own; see
    `member_pref_models` to train them.

    Args:
        model: computes the rewards.
        noise_prob: ε, the probability with which a preference is uniformly random.
        discount_factor: of the returns; 1, as in the paper, for plain sums.
        threshold: differences of returns are clipped to this size. The default rounds
            probabilities below 2e-22 up.

    Attributes:
        model: the argument.
        ensemble_model: the ensemble, if `model` is one or an `AddSTDRewardWrapper`
            around one; else None.
        member_pref_models: a preference model of each member of an ensemble.

    Raises:
        ConfigError: an ensemble is wrapped in anything else, or a number lies outside
            of its range.
    """

    model: RewardNet

    def __init__(
        self,
        model: RewardNet,
        noise_prob: float = 0.0,
        discount_factor: float = 1.0,
        threshold: float = 50,
    ) -> None:
        super().__init__()
        check_within(1, noise_prob=noise_prob, discount_factor=discount_factor)
        check_within(math.inf, threshold=threshold)
        self.model = model
        self.noise_prob = noise_prob
        self.discount_factor = discount_factor
        self.threshold = threshold
        self.ensemble_model: RewardEnsemble | None = None
        self.member_pref_models: list[PreferenceModel] = []
        base = get_base_model(model)
        if isinstance(base, RewardEnsemble):
            # A member's probability would not have the effect of any other wrapper.
            wrapper: RewardNet = model
            while isinstance(wrapper, AddSTDRewardWrapper):
                wrapper = wrapper.base
            if wrapper is not base:
                raise ConfigError(
                    "RewardEnsemble can only be wrapped by AddSTDRewardWrapper but "
                    f"found {type(wrapper).__name__}."
                )
            # Past nn.Module, which would register a second submodule with parameters
            # that are the model's already.
            vars(self)["ensemble_model"] = base
            self.member_pref_models = [
                PreferenceModel(member, noise_prob, discount_factor, threshold)
                for member in base.members
                if isinstance(member, RewardNet)
            ]

    @override
    def forward(
        self, fragment_pairs: Sequence[types.TrajectoryPair]
    ) -> tuple[th.Tensor, th.Tensor | None]:
        """Computes the probabilities that the first fragments are preferred.

        All fragments go through the network at once. Gradients flow through a single
        network, but not through an ensemble, whose members are trained one by one.

        Args:
            fragment_pairs: n pairs, at least one.

        Returns:
            Probabilities by the model, shape ``(n,)``, or ``(n, members)`` of an
            ensemble; and by the true rewards, shape ``(n,)``, or None where those are
            not known.
        """
        logits, true_logits = self.logits(fragment_pairs)
        true_probs = None if true_logits is None else self._squashed(true_logits)
        return self._squashed(logits), true_probs

    def logits(
        self, fragment_pairs: Sequence[types.TrajectoryPair]
    ) -> tuple[th.Tensor, th.Tensor | None]:
        """Computes the clipped differences R₁ − R₂ of returns.

        Returns:
            Differences by the model and by the true rewards; shapes as in `forward`.
        """
        batch = PairBatch.of(fragment_pairs)
        # (n, 2) or (n, 2, members)
        returns = batch.returns(self._step_rewards(batch), self.discount_factor)
        true_logits = None
        true_returns = batch.true_returns(self.discount_factor)
        if true_returns is not None:
            difference = th.from_numpy(true_returns[:, 0] - true_returns[:, 1])
            true_logits = self._clipped(difference.to(returns.device, returns.dtype))
        return self._clipped(returns[:, 0] - returns[:, 1]), true_logits

    def pair_rewards(self, fragment_pairs: Sequence[types.TrajectoryPair]) -> th.Tensor:
        """Computes the rewards of all steps of n pairs, in one pass.

        Returns:
            Shape ``(n, 2, T)``, or ``(n, 2, T, members)`` of an ensemble, with T the
            length of the longest fragment; zero after the end of shorter ones.
        """
        batch = PairBatch.of(fragment_pairs)
        return batch.by_step(self._step_rewards(batch))

    def rewards(self, transitions: types.Transitions) -> th.Tensor:
        """Computes the rewards of B transitions.

        Returns:
            Shape ``(B,)``, or ``(B, members)`` without gradients of an ensemble.
        """
        raw = transitions.obs, transitions.acts, transitions.next_obs, transitions.dones
        if self.ensemble_model is not None:
            return self.ensemble_model.predict_th_all(*raw)
        rewards: th.Tensor = self.model(*self.model.preprocess(*raw))
        assert rewards.shape == (len(transitions),), rewards.shape
        return rewards

    def probability(self, rews1: th.Tensor, rews2: th.Tensor) -> th.Tensor:
        """Computes the probability that the first of two fragments is preferred.

        Args:
            rews1: rewards of the first, shape ``(T,)`` or ``(T, ..., members)``.
            rews2: rewards of the second, likewise.

        Returns:
            That shape without T.
        """
        return self._squashed(self._clipped(self.return_difference(rews1, rews2)))

    def return_difference(self, rews1: th.Tensor, rews2: th.Tensor) -> th.Tensor:
        """Computes R₁ − R₂, not clipped; arguments and result as in `probability`."""
        return self._return(rews1) - self._return(rews2)

    def _return(self, rewards: th.Tensor) -> th.Tensor:
        if self.discount_factor == 1:
            return rewards.sum(dim=0)
        steps = th.arange(len(rewards), dtype=rewards.dtype, device=rewards.device)
        return th.einsum("t...,t->...", rewards, self.discount_factor**steps)

    def _step_rewards(self, batch: PairBatch) -> th.Tensor:
        """Rewards of all steps of a batch, ``(S,)`` or ``(S, members)``."""
        if self.ensemble_model is not None:
            return self.ensemble_model.predict_th_all(**batch.steps())
        rewards: th.Tensor = self.model(*batch.inputs(self.model))
        return rewards

    def _clipped(self, difference: th.Tensor) -> th.Tensor:
        return difference.clip(-self.threshold, self.threshold)

    def _squashed(self, logits: th.Tensor) -> th.Tensor:
        probs = th.sigmoid(logits)
        if self.noise_prob:
            probs = self.noise_prob * 0.5 + (1 - self.noise_prob) * probs
        return probs
