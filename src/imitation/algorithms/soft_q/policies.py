"""Policies that choose discrete actions with the probabilities of soft Q-learning."""

from typing import Any

import gymnasium as gym
import torch as th
from stable_baselines3.common.torch_layers import (
    BaseFeaturesExtractor,
    CombinedExtractor,
    FlattenExtractor,
    NatureCNN,
)
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from torch import nn
from typing_extensions import override

from imitation.algorithms.soft_q.losses import log_policy
from imitation.errors import ConfigError
from imitation.util.spaces import Space


class SoftQNetwork(QNetwork):
    """A Q-network that samples actions with probability ∝ exp(Q(s, a) / α).

    Args:
        temperature: α > 0, in units of the reward.
        **kwargs: of Stable-Baselines3's ``QNetwork``.
    """

    def __init__(self, *, temperature: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = temperature

    @override
    def _predict(
        self, observation: PyTorchObs, deterministic: bool = True
    ) -> th.Tensor:
        q_values = self(observation)
        if deterministic:
            greedy: th.Tensor = q_values.argmax(dim=1)
            return greedy
        logits = log_policy(q_values, self.temperature)
        categorical: Any = th.distributions.Categorical  # torch gives it no types
        sampled: th.Tensor = categorical(logits=logits).sample()
        return sampled

    @override
    def _get_constructor_parameters(self) -> dict[str, object]:
        # SB3 constructs a saved network from these.
        parameters = super()._get_constructor_parameters()
        return {**parameters, "temperature": self.temperature}


class SoftQPolicy(DQNPolicy):
    """The policy of `SoftQ`: a Q-network, its target, and Boltzmann actions.

    Deterministic actions are those of the highest Q. The other arguments are those of
    Stable-Baselines3's ``DQNPolicy``.

    Args:
        observation_space: of the environment.
        action_space: discrete.
        lr_schedule: the learning rate by the share of training that remains.
        temperature: α > 0, in units of the reward: π(a | s) ∝ exp(Q(s, a) / α).

    Raises:
        ConfigError: `temperature` is not positive.
    """

    def __init__(
        self,
        observation_space: Space,
        action_space: gym.spaces.Discrete,
        lr_schedule: Schedule,
        temperature: float = 1.0,
        net_arch: list[int] | None = None,
        activation_fn: type[nn.Module] = nn.ReLU,
        features_extractor_class: type[BaseFeaturesExtractor] = FlattenExtractor,
        features_extractor_kwargs: dict[str, Any] | None = None,
        normalize_images: bool = True,
        optimizer_class: type[th.optim.Optimizer] = th.optim.Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
    ) -> None:
        if not temperature > 0:
            raise ConfigError(f"temperature must be positive, got {temperature}")
        self.temperature = temperature  # before `make_q_net`, which is called in there
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            net_arch,
            activation_fn,
            features_extractor_class,
            features_extractor_kwargs,
            normalize_images,
            optimizer_class,
            optimizer_kwargs,
        )

    @override
    def make_q_net(self) -> SoftQNetwork:
        arguments = self._update_features_extractor(self.net_args)
        return SoftQNetwork(temperature=self.temperature, **arguments).to(self.device)

    @override
    def _get_constructor_parameters(self) -> dict[str, object]:
        parameters = super()._get_constructor_parameters()
        return {**parameters, "temperature": self.temperature}


class CnnSoftQPolicy(SoftQPolicy):
    """`SoftQPolicy` for images, with the convolutional network of ``CnnPolicy``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"features_extractor_class": NatureCNN, **kwargs})


class MultiInputSoftQPolicy(SoftQPolicy):
    """`SoftQPolicy` for dictionary observations."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args, **{"features_extractor_class": CombinedExtractor, **kwargs}
        )
