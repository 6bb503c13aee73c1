"""Adversarial inverse reinforcement learning (AIRL).

Fu, Luo and Levine (2018), "Learning Robust Rewards with Adversarial Inverse
Reinforcement Learning", arXiv 1710.11248.
"""

from typing import Any

import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import base
from imitation.algorithms.adversarial import common
from imitation.algorithms.adversarial.log_probs import (
    STOCHASTIC_POLICIES,
    action_log_probs,
    can_tell_log_probs,
)
from imitation.errors import ConfigError
from imitation.rewards import reward_nets
from imitation.rewards.reward_nets.base import RewardNet

__all__ = ["AIRL", "STOCHASTIC_POLICIES"]


class AIRL(common.AdversarialTrainer):
    r"""Adversarial inverse reinforcement learning (AIRL).

    The discriminator is D(s, a, s') = exp f(s, a, s') / (exp f(s, a, s') + π(a|s))
    (section 6), so that its logit is f − log π, with f the reward network. With f =
    r(s, a) + γ·Φ(s') − Φ(s) (eq. 4), such as `BasicShapedRewardNet`, r can recover the
    reward up to a constant, separate from what is owed to the dynamics.

    Args:
        demonstrations: see `common.AdversarialTrainer`.
        demo_batch_size: see `common.AdversarialTrainer`.
        venv: see `common.AdversarialTrainer`.
        gen_algo: see `common.AdversarialTrainer`; its policy must be able to tell the
            probability of an action.
        reward_net: f; see `reward_nets.BasicShapedRewardNet`.
        **kwargs: passed to `common.AdversarialTrainer`.

    Raises:
        TypeError: the policy of `gen_algo` is not stochastic, or is recurrent.
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
        **kwargs: Any,
    ) -> None:
        if not can_tell_log_probs(gen_algo.policy):
            raise TypeError(
                "AIRL needs a stochastic policy to compute the discriminator output, "
                f"but {type(gen_algo).__name__} has a "
                f"{type(gen_algo.policy).__name__}; use PPO, TRPO, A2C or SAC, or GAIL"
            )
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
        """Computes f(s, a, s') − log π(a|s); see `common.AdversarialTrainer`.

        Raises:
            TypeError: `log_policy_act_prob` is None.
        """
        if log_policy_act_prob is None:
            raise TypeError(
                "Non-None `log_policy_act_prob` is required for this method."
            )
        logits: th.Tensor = self._reward_net(state, action, next_state, done)
        return logits - log_policy_act_prob

    @property
    def reward_train(self) -> RewardNet:
        """The network f itself, with its shaping."""
        return self._reward_net

    @property
    def reward_test(self) -> RewardNet:
        """The innermost reward network, without shaping or other wrappers."""
        net = self._reward_net
        while isinstance(net, reward_nets.RewardNetWrapper):
            net = net.base
        return net

    def _check_without_actions(self) -> None:
        raise ConfigError(
            "AIRL needs the expert's actions, which these demonstrations lack; use "
            "GAIL with a reward network that looks at states only"
        )

    def _log_probs(self, obs: Any, acts: th.Tensor) -> th.Tensor:
        return action_log_probs(self.policy, obs, acts)
