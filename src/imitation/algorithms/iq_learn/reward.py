"""The reward that a soft Q-function stands for: r(s, a, s') = Q(s, a) − γ V(s').

Garg et al. (2021), equation 5. A policy that is optimal for this reward, with an
entropy bonus of the same temperature, is the learned one.
"""

import abc
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.sac.policies import LOG_STD_MAX, LOG_STD_MIN, SACPolicy
from typing_extensions import override

from imitation.algorithms.expert_replay.demonstrations import channels_first
from imitation.algorithms.soft_q import soft_value
from imitation.errors import ConfigError
from imitation.rewards.reward_nets import RewardNet
from imitation.util.policy_io import unset_learning_rate
from imitation.util.spaces import Space

# Actions over which V(s') is averaged where they are continuous.
N_NOISE = 16

# Keeps the density of actions finite at their bounds, as in Stable-Baselines3.
SQUASH_EPSILON = 1e-6


class InverseSoftQReward(RewardNet, abc.ABC):
    """Q(s, a) − γ V(s') of a policy that knows its Q-function.

    Args:
        observation_space: of the environment: images as it gives them.
        action_space: of the environment.
        policy_class: class of the policy.
        policy_kwargs: its constructor arguments, without the learning rate.
        discount: γ in [0, 1].
        temperature: α > 0, in units of the reward.
        has_ends: whether the task itself ends episodes, so that V(s') is 0 after the
            last step. If not, only time limits do, and ``done`` is ignored.
    """

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        policy_class: type[BasePolicy],
        policy_kwargs: Mapping[str, Any],
        discount: float,
        temperature: float,
        has_ends: bool,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            normalize_images=policy_kwargs.get("normalize_images", True),
        )
        make: Any = policy_class
        self.policy = make(**policy_kwargs, lr_schedule=unset_learning_rate)
        self.policy.requires_grad_(False)
        self.policy.set_training_mode(False)
        self.discount = discount
        self.temperature = temperature
        self.has_ends = has_ends
        self.register_constants()

    def register_constants(self) -> None:
        """Registers the tensors that depend on the action space alone."""

    @override
    def forward(
        self,
        state: PyTorchObs,
        action: th.Tensor,
        next_state: PyTorchObs,
        done: th.Tensor,
    ) -> th.Tensor:
        space = self.policy.observation_space
        q_taken = self.q_values(channels_first(state, space), action)
        next_values = self.soft_values(channels_first(next_state, space))
        if self.has_ends:
            next_values = (1 - done) * next_values
        return q_taken - self.discount * next_values

    @abc.abstractmethod
    def q_values(self, state: PyTorchObs, action: th.Tensor) -> th.Tensor:
        """Computes Q(s, a).

        Args:
            state: preprocessed observations, channels of images first.
            action: preprocessed actions, shape ``(B, ...)``; discrete ones one-hot.

        Returns:
            Shape ``(B,)``.
        """

    @abc.abstractmethod
    def soft_values(self, state: PyTorchObs) -> th.Tensor:
        """Computes V(s), shape ``(B,)``, of the observations that `q_values` takes."""


class SoftQReward(InverseSoftQReward):
    """The reward of a policy for discrete actions, V(s) = α log Σ exp(Q / α)."""

    @override
    def q_values(self, state: PyTorchObs, action: th.Tensor) -> th.Tensor:
        # (B, n_actions) times one-hot actions is the value of the one taken.
        return (self._all(state) * action).sum(dim=1)

    @override
    def soft_values(self, state: PyTorchObs) -> th.Tensor:
        return soft_value(self._all(state), self.temperature).squeeze(1)

    def _all(self, state: PyTorchObs) -> th.Tensor:
        net = self.policy.q_net
        # Not net(state), which would preprocess the observations a second time.
        values: th.Tensor = net.q_net(net.features_extractor(state))
        return values


class ActorCriticReward(InverseSoftQReward):
    """The reward of SAC's critics.

    Q is the smallest of the critics. V(s) = E[Q(s, a) − α log π(a | s)] is averaged
    over actions of the actor from fixed noise, so that the reward is a function.
    """

    noise: th.Tensor
    low: th.Tensor
    high: th.Tensor

    @override
    def register_constants(self) -> None:
        space = self.action_space
        assert isinstance(space, gym.spaces.Box)
        half = np.random.default_rng(0).standard_normal(
            (N_NOISE // 2, int(np.prod(space.shape)))
        )
        # Pairs of opposite noise: odd terms of V(s) in it cancel.
        fixed = {
            "noise": np.concatenate([half, -half]),
            "low": space.low.ravel(),
            "high": space.high.ravel(),
        }
        for name, value in fixed.items():
            tensor = th.as_tensor(value, dtype=th.float32)
            self.register_buffer(name, tensor, persistent=False)

    @override
    def q_values(self, state: PyTorchObs, action: th.Tensor) -> th.Tensor:
        width = self.high - self.low
        # Critics take actions as SAC stores them, scaled to [-1, 1].
        return self._smallest(
            self._features(self.policy.critic, state),
            2 * (action.flatten(1) - self.low) / width - 1,
        )

    @override
    def soft_values(self, state: PyTorchObs) -> th.Tensor:
        actor = self.policy.actor
        latent = actor.latent_pi(self._features(actor, state))
        mean = actor.mu(latent).unsqueeze(1)  # (B, 1, act_dim)
        log_std = actor.log_std(latent).clamp(LOG_STD_MIN, LOG_STD_MAX).unsqueeze(1)
        gaussian: Any = th.distributions.Normal(mean, log_std.exp())
        drawn = mean + log_std.exp() * self.noise  # (B, N_NOISE, act_dim)
        actions = drawn.tanh()
        # Change of variables by tanh, as in SB3's SquashedDiagGaussianDistribution.
        squashing = th.log(1 - actions.square() + SQUASH_EPSILON)
        densities = gaussian.log_prob(drawn)
        log_probs: th.Tensor = (densities - squashing).sum(dim=2)  # (B, N_NOISE)
        features = self._features(self.policy.critic, state)
        # Every observation beside each of its actions, (B · N_NOISE, ...).
        features = features.repeat_interleave(len(self.noise), dim=0)
        q_values = self._smallest(features, actions.flatten(0, 1))
        soft: th.Tensor = q_values.view_as(log_probs) - self.temperature * log_probs
        return soft.mean(dim=1)

    def _smallest(self, features: th.Tensor, actions: th.Tensor) -> th.Tensor:
        joined = th.cat([features, actions], dim=1)
        values = [net(joined) for net in self.policy.critic.q_networks]
        return th.cat(values, dim=1).min(dim=1).values

    @staticmethod
    def _features(part: Any, state: PyTorchObs) -> th.Tensor:
        # Not part.extract_features(), which would preprocess a second time.
        features: th.Tensor = part.features_extractor(state)
        return features


def recover_reward(
    policy: BasePolicy,
    observation_space: Space,
    *,
    discount: float,
    temperature: float,
    has_ends: bool,
) -> InverseSoftQReward:
    """Creates the reward that a policy's Q-function stands for; a copy of it.

    Args:
        policy: of `SoftQ` or `IQSoftQ`, or of SAC or `IQSAC`.
        observation_space: of the environment: images as it gives them.
        discount: γ that the policy was trained with.
        temperature: α that it was trained with.
        has_ends: whether the task itself ends episodes; see `InverseSoftQReward`.

    Returns:
        A reward network that `imitation.rewards.serialize.save_reward_net` can save.

    Raises:
        ConfigError: the policy has no Q-function, or gSDE.
    """
    cls: type[InverseSoftQReward]
    if isinstance(policy, DQNPolicy):
        cls = SoftQReward
    elif isinstance(policy, SACPolicy) and not policy.actor.use_sde:
        cls = ActorCriticReward
    else:
        raise ConfigError(
            "a reward can be recovered from policies of SoftQ and of SAC without gSDE, "
            f"got {type(policy).__name__}"
        )
    parameters = policy._get_constructor_parameters()
    del parameters["lr_schedule"]
    net = cls(
        observation_space,
        policy.action_space,
        type(policy),
        parameters,
        discount,
        temperature,
        has_ends,
    )
    net.policy.load_state_dict(policy.state_dict())
    return net.to(policy.device)
