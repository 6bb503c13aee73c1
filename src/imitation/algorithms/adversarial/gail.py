r"""Generative adversarial imitation learning (GAIL).

Ho and Ermon (2016), "Generative Adversarial Imitation Learning", arXiv 1606.03476. With
ℓ the network's output and D = σ(ℓ), high for the expert (there, for the generator):

- objective (eq. 16): the discriminator maximizes E_expert[log D] +
  E_policy[log(1 − D)], see `AdversarialTrainer.disc_loss`;
- reward (algorithm 1): −log(1 − D), see `RewardNetFromDiscriminatorLogit`;
- logits: ℓ(s, a, s', d), see `GAIL.logits_expert_is_high`.

A variant is a subclass that overrides `disc_loss`, `reward_train` or the logits.
"""

from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.algorithms import base
from imitation.algorithms.adversarial import common, losses
from imitation.errors import ConfigError
from imitation.rewards import reward_nets
from imitation.rewards.reward_nets.base import Obs, RewardNet, Rows, TensorObs


class RewardNetFromDiscriminatorLogit(RewardNet):
    r"""Turns the logits of a discriminator into a reward for the generator.

    GAIL's generator minimizes the cost log D where D is 1 for the generator (algorithm
    1, line 5). Here D is 1 for the expert, so the cost is log(1 − D) and the reward
    −log(1 − D). With the logit ℓ, D = σ(ℓ) and 1 − D = σ(−ℓ), so the reward is
    −log σ(−ℓ) = softplus(ℓ), which grows with ℓ.

    If `base` normalizes its output, the reward's is normalized instead.

    Args:
        base: the discriminator; its output is the logit, high for the expert.
        reward_form: a key of `losses.REWARD_FORMS`; "softplus" is GAIL's.

    Raises:
        ConfigError: there is no such form.
    """

    def __init__(
        self, base: RewardNet, reward_form: losses.RewardForm = "softplus"
    ) -> None:
        super().__init__(
            observation_space=base.observation_space,
            action_space=base.action_space,
            normalize_images=base.normalize_images,
        )
        if reward_form not in losses.REWARD_FORMS:
            raise ConfigError(
                f"reward_form must be one of {', '.join(losses.REWARD_FORMS)}, "
                f"got {reward_form!r}"
            )
        self.base = base
        self.reward_form = reward_form

    @override
    def forward(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
    ) -> th.Tensor:
        logits = self.base(state, action, next_state, done)
        return losses.REWARD_FORMS[self.reward_form](logits)

    @override
    def preprocess(
        self,
        state: Obs,
        action: Rows,
        next_state: Obs,
        done: Rows,
    ) -> tuple[TensorObs, th.Tensor, TensorObs, th.Tensor]:
        return self.base.preprocess(state, action, next_state, done)

    @override
    def predict_processed(
        self,
        state: Obs,
        action: Rows,
        next_state: Obs,
        done: Rows,
        update_stats: bool = True,
        **kwargs: object,
    ) -> np.ndarray:
        """Computes the rewards to train on, normalized if the discriminator is.

        With `update_stats`, these rewards count for the normalization.
        """
        del kwargs
        normalizers = []
        net = self.base
        while isinstance(net, reward_nets.RewardNetWrapper):
            if isinstance(net, reward_nets.NormalizedRewardNet):
                normalizers.append(net)
            net = net.base
        rewards = self.predict_th(state, action, next_state, done)
        # They normalize the reward, not the logit that they were put around.
        for normalizer in reversed(normalizers):  # the innermost first
            rewards = normalizer.normalize(rewards, update_stats)
        return rewards.cpu().numpy()


class GAIL(common.AdversarialTrainer):
    """Generative adversarial imitation learning (GAIL).

    Args:
        reward_net: the discriminator; its output is the logit, high for the expert.
        reward_form: how the reward follows from the logit ℓ: "softplus" is
            −log(1 − D) as in the paper, "airl" is ℓ, "fairl" is −ℓ·exp(ℓ). See
            `losses.REWARD_FORMS`.
        **kwargs: these and the others are those of `common.AdversarialTrainer`.
    """

    def __init__(
        self,
        *,
        demonstrations: base.AnyTransitions | None,
        demo_batch_size: int,
        venv: VecEnv,
        gen_algo: BaseAlgorithm,
        reward_net: RewardNet,
        reward_form: losses.RewardForm = "softplus",
        **kwargs: Any,
    ) -> None:
        reward_net = reward_net.to(gen_algo.device)
        # Before the rest, which gives this reward to the generator.
        self._reward = RewardNetFromDiscriminatorLogit(reward_net, reward_form)
        super().__init__(
            demonstrations=demonstrations,
            demo_batch_size=demo_batch_size,
            venv=venv,
            gen_algo=gen_algo,
            reward_net=reward_net,
            **kwargs,
        )

    @property
    @override
    def reward_train(self) -> RewardNet:
        """The reward of the discriminator's logits."""
        return self._reward

    @property
    @override
    def reward_test(self) -> RewardNet:
        """The same as `reward_train`."""
        return self._reward

    @override
    def logits_expert_is_high(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
        log_policy_act_prob: th.Tensor | None = None,
    ) -> th.Tensor:
        del log_policy_act_prob  # only AIRL's depend on it
        logits: th.Tensor = self._reward_net(state, action, next_state, done)
        assert logits.shape == done.shape, (logits.shape, done.shape)
        return logits
