r"""Adversarial inverse reinforcement learning (AIRL).

Fu, Luo and Levine (2018), "Learning Robust Rewards with Adversarial Inverse
Reinforcement Learning", arXiv 1710.11248. With f the reward network and π the policy:

- objective (algorithm 1): the discriminator maximizes E_expert[log D] +
  E_policy[log(1 − D)], see `AdversarialTrainer.disc_loss`;
- reward: log D − log(1 − D) = f − log π. The policy is trained on f alone; the entropy
  bonus −log π is that of ``ent_coef`` or ``gen_entropy_weight``;
- logits (section 6): D(s, a, s') = exp f / (exp f + π(a|s)) has the logit f − log π.
"""

from typing import Any, cast

import numpy as np
import torch as th
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.sac.policies import SACPolicy
from typing_extensions import override

from imitation.algorithms import base
from imitation.algorithms.adversarial import common
from imitation.data import tree
from imitation.errors import ConfigError
from imitation.rewards import reward_nets
from imitation.rewards.reward_nets.base import RewardNet, TensorObs
from imitation.util import networks, tensors

# Policies that can tell the probability of an action.
STOCHASTIC_POLICIES = (ActorCriticPolicy, SACPolicy)


class AIRL(common.AdversarialTrainer):
    r"""Adversarial inverse reinforcement learning (AIRL).

    With f = r(s, a) + γ·Φ(s') − Φ(s) (eq. 4), such as `BasicShapedRewardNet`, r can
    recover the reward up to a constant, separate from what is owed to the dynamics.

    Args:
        gen_algo: its policy must be able to tell the probability of an action.
        reward_net: f; see `reward_nets.BasicShapedRewardNet`.
        **kwargs: these and the others are those of `common.AdversarialTrainer`.

    Raises:
        TypeError: the policy of `gen_algo` is not stochastic, or is recurrent.
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
        policy = gen_algo.policy
        # A recurrent policy's probabilities depend on the whole episode. Its class is
        # known by an attribute, because sb3-contrib may not be installed.
        is_recurrent = hasattr(policy, "lstm_actor")
        if is_recurrent or not isinstance(policy, STOCHASTIC_POLICIES):
            raise TypeError(
                "AIRL needs a stochastic policy to compute the discriminator output, "
                f"but {type(gen_algo).__name__} has a {type(policy).__name__}; use "
                "PPO, TRPO, A2C or SAC, or GAIL"
            )
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
        """The network f itself, with its shaping."""
        return self._reward_net

    @property
    @override
    def reward_test(self) -> RewardNet:
        """The innermost reward network, without shaping or other wrappers."""
        net = self._reward_net
        while isinstance(net, reward_nets.RewardNetWrapper):
            net = net.base
        return net

    @override
    def logits_expert_is_high(
        self,
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
        done: th.Tensor,
        log_policy_act_prob: th.Tensor | None = None,
    ) -> th.Tensor:
        """Computes f(s, a, s') − log π(a|s).

        Raises:
            TypeError: `log_policy_act_prob` is None.
        """
        if log_policy_act_prob is None:
            raise TypeError(
                "Non-None `log_policy_act_prob` is required for this method."
            )
        f: th.Tensor = self._reward_net(state, action, next_state, done)
        return f - log_policy_act_prob

    @override
    def _log_probs(self, obs: TensorObs, acts: th.Tensor) -> th.Tensor:
        return action_log_probs(self.policy, obs, acts)

    @override
    def _check_without_actions(self) -> None:
        raise ConfigError(
            "AIRL needs the expert's actions, which these demonstrations lack; use "
            "GAIL with a reward network that looks at states only"
        )


def action_log_probs(
    policy: BasePolicy, obs: tree.Tree, acts: np.ndarray | th.Tensor
) -> th.Tensor:
    """Computes log π(a|s) without gradients, in the environment's units.

    Args:
        policy: one of `STOCHASTIC_POLICIES`.
        obs: observations of the environment, ``(B, *observation_shape)``, or a
            dictionary of such arrays.
        acts: actions of the environment, ``(B, *action_shape)``.

    Returns:
        Log-probabilities, shape ``(B,)``, on the policy's device: of a density for
        continuous actions inside their bounds.
    """
    assert isinstance(policy, STOCHASTIC_POLICIES)
    arrays = tree.map(tensors.safe_to_numpy, tree.unwrap(obs))
    observations, _ = policy.obs_to_tensor(arrays)
    actions = tensors.safe_to_tensor(acts).to(policy.device)
    space, log_volume = policy.action_space, 0.0
    if policy.squash_output:
        # Squashed policies (SAC, gSDE with squash_output) act in [−1, 1]: with
        # a = low + (high − low)·(u + 1)/2, p(a) is p(u) times ∏ 2/(high − low).
        assert isinstance(space, spaces.Box)
        low = th.as_tensor(space.low, device=policy.device)
        high = th.as_tensor(space.high, device=policy.device)
        actions = 2 * (actions.to(low.dtype) - low) / (high - low) - 1
        log_volume = float(np.log((space.high - space.low) / 2).sum())
    if actions.ndim > 2:
        actions = actions.flatten(1)  # (B, action_dim), as the policy's network does
    with th.no_grad(), networks.evaluating(policy):
        if isinstance(policy, ActorCriticPolicy):
            distribution = policy.get_distribution(observations)
        else:
            mean, log_std, kwargs = policy.actor.get_action_dist_params(observations)
            dist = policy.actor.action_dist
            distribution = dist.proba_distribution(mean, log_std, **kwargs)
        if isinstance(space, spaces.Box) and not policy.squash_output:
            normal = cast(th.distributions.Normal, distribution.distribution)
            return _clipped_log_probs(normal, actions, space)
        log_probs: th.Tensor = distribution.log_prob(actions)
        return log_probs - log_volume


def _clipped_log_probs(
    normal: th.distributions.Normal, actions: th.Tensor, space: spaces.Box
) -> th.Tensor:
    """Computes log-probabilities of normal actions that are clipped to the bounds.

    At a bound an action has the probability of all that lies beyond it, not a density:
    an expert that acts at the bounds would otherwise look impossible to a policy whose
    mean is far outside.
    """
    low = th.as_tensor(space.low, device=actions.device).flatten()
    high = th.as_tensor(space.high, device=actions.device).flatten()
    # log_ndtr is exact far out in the tails, where log(cdf) would be −∞.
    below = th.special.log_ndtr((low - normal.loc) / normal.scale)
    above = th.special.log_ndtr((normal.loc - high) / normal.scale)
    # (B, action_dim); torch's method has no annotations.
    log_probs: th.Tensor = normal.log_prob(actions)
    log_probs = th.where(actions <= low, below, log_probs)
    log_probs = th.where(actions >= high, above, log_probs)
    return log_probs.sum(dim=1)
