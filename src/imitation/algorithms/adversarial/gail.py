"""Generative adversarial imitation learning (GAIL).

Ho and Ermon (2016), "Generative Adversarial Imitation Learning", arXiv 1606.03476.
"""

from collections.abc import Iterator
from typing import Any

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import base
from imitation.algorithms.adversarial import common, losses
from imitation.errors import ConfigError
from imitation.rewards import reward_nets
from imitation.rewards.reward_nets.base import RewardNet, TensorObs

__all__ = ["GAIL", "RewardNetFromDiscriminatorLogit"]


class RewardNetFromDiscriminatorLogit(RewardNet):
    r"""Turns the logits of a discriminator into a reward for the generator.

    GAIL's generator minimises the cost log D where D is 1 for the generator (algorithm
    1, line 5). Here D is 1 for the expert, so the cost is log(1 − D) and the reward
    −log(1 − D). With the logit ℓ, D = σ(ℓ) and 1 − D = σ(−ℓ), so the reward is
    −log σ(−ℓ) = softplus(ℓ), which grows with ℓ.

    If `base` normalises its output, the reward's is normalised instead.

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

    def forward(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
    ) -> th.Tensor:
        """Computes rewards with gradients; see `RewardNet.forward`."""
        logits = self.base(state, action, next_state, done)
        return losses.REWARD_FORMS[self.reward_form](logits)

    def preprocess(self, *transitions: Any) -> Any:
        """Preprocesses as the discriminator does; see `RewardNet.preprocess`."""
        return self.base.preprocess(*transitions)

    def predict_processed(
        self,
        state: Any,
        action: Any,
        next_state: Any,
        done: Any,
        update_stats: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Computes the rewards to train on, normalised if the discriminator is.

        Args:
            state: see `RewardNet.preprocess`.
            action: see `RewardNet.preprocess`.
            next_state: see `RewardNet.preprocess`.
            done: see `RewardNet.preprocess`.
            update_stats: whether these rewards count for the normalisation.
            **kwargs: ignored; options of other reward networks.

        Returns:
            Rewards, shape ``(B,)``.
        """
        del kwargs
        rewards = self.predict_th(state, action, next_state, done)
        for normalizer in self._normalizers():
            rewards = normalizer.normalize(rewards, update_stats)
        return rewards.cpu().numpy()

    def _normalizers(self) -> Iterator[reward_nets.NormalizedRewardNet]:
        """The discriminator's normalising wrappers, the innermost first."""
        found = []
        net = self.base
        while isinstance(net, reward_nets.RewardNetWrapper):
            if isinstance(net, reward_nets.NormalizedRewardNet):
                found.append(net)
            net = net.base
        return reversed(found)


class GAIL(common.AdversarialTrainer):
    """Generative adversarial imitation learning (GAIL).

    Args:
        demonstrations: see `common.AdversarialTrainer`.
        demo_batch_size: see `common.AdversarialTrainer`.
        venv: see `common.AdversarialTrainer`.
        gen_algo: see `common.AdversarialTrainer`.
        reward_net: the discriminator; its output is the logit, high for the expert.
        reward_form: how the reward follows from the logit ℓ: "softplus" is
            −log(1 − D) as in the paper, "airl" is ℓ, "fairl" is −ℓ·exp(ℓ). See
            `losses.REWARD_FORMS`.
        **kwargs: passed to `common.AdversarialTrainer`.

    Raises:
        ValueError: see `common.AdversarialTrainer`.
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
        self._reward = RewardNetFromDiscriminatorLogit(reward_net, reward_form)
        super().__init__(
            demonstrations=demonstrations,
            demo_batch_size=demo_batch_size,
            venv=venv,
            gen_algo=gen_algo,
            reward_net=reward_net,
            **kwargs,
        )

    def logits_expert_is_high(
        self,
        state: Any,
        action: th.Tensor,
        next_state: Any,
        done: th.Tensor,
        log_policy_act_prob: th.Tensor | None = None,
    ) -> th.Tensor:
        """The network's output; see `common.AdversarialTrainer`."""
        del log_policy_act_prob  # unused
        logits: th.Tensor = self._reward_net(state, action, next_state, done)
        assert logits.shape == done.shape, (logits.shape, done.shape)
        return logits

    @property
    def reward_train(self) -> RewardNet:
        """The reward of the discriminator's logits."""
        return self._reward

    @property
    def reward_test(self) -> RewardNet:
        """The same as `reward_train`."""
        return self._reward
