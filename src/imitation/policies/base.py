"""Policies that are not learned, and the network shapes that papers prescribe."""

import abc
import copy
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import torch as th
from stable_baselines3.common import torch_layers
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.preprocessing import get_flattened_obs_dim
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.sac.policies import SACPolicy
from torch import nn
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.util import networks, seeding
from imitation.util.spaces import Space

# The observation of one environment: `[*obs]`, or one such array per key.
SingleObs = np.ndarray | dict[str, np.ndarray]

# The action of one environment, an element of the action space.
Action = npt.ArrayLike


class NonTrainablePolicy(BasePolicy, abc.ABC):
    """Base of policies without parameters, such as fixed rules or a person.

    A subclass chooses the action of one environment; the batch is handled here, so
    that a dictionary observation of n environments gives n actions.

    Args:
        observation_space: the space of one observation; a dictionary is fine.
        action_space: the space of one action.
    """

    def __init__(self, observation_space: Space, action_space: Space) -> None:
        super().__init__(observation_space=observation_space, action_space=action_space)

    @override
    def _get_constructor_parameters(self) -> dict[str, Any]:
        # Without the `normalize_images` of its base, which this class does not take.
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
        }

    @override
    def _predict(
        self, observation: PyTorchObs, deterministic: bool = False
    ) -> th.Tensor:
        arrays: SingleObs
        if isinstance(observation, dict):
            arrays = {key: value.cpu().numpy() for key, value in observation.items()}
            singles: list[SingleObs] = [
                dict(zip(arrays, values, strict=True))
                for values in zip(*arrays.values(), strict=True)
            ]
        else:
            singles = list(observation.cpu().numpy())
        actions = self._choose_actions(singles)
        # With the dtype of the space, as rules may return plain numbers.
        dtype = self.action_space.dtype
        return th.as_tensor(np.stack([np.asarray(a, dtype=dtype) for a in actions]))

    def _choose_actions(self, observations: list[SingleObs]) -> list[Action]:
        """Chooses one action per environment, in order."""
        return [self._choose_action(obs) for obs in observations]

    @abc.abstractmethod
    def _choose_action(self, obs: SingleObs) -> Action:
        """Chooses the action of one environment.

        Args:
            obs: its observation, `[*obs]`, or a dictionary of such arrays.

        Returns:
            An element of the action space.
        """

    @override
    def forward(self, *args: object) -> NoReturn:
        raise NotImplementedError(
            f"{type(self).__name__} has no network to evaluate; call predict()"
        )


class RandomPolicy(NonTrainablePolicy):
    """Samples actions from the action space, independent of the observation.

    Args:
        observation_space: the space of one observation.
        action_space: the space to sample from.
        rng: seeds the actions. None samples with the action space's own generator, so
            that seeding the space makes the actions repeatable.
    """

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__(observation_space, action_space)
        self._sampled_space = action_space
        if rng is not None:
            self._sampled_space = copy.deepcopy(action_space)
            self._sampled_space.seed(seeding.make_seeds(rng))

    @override
    def _choose_action(self, obs: SingleObs) -> Action:
        action: Action = self._sampled_space.sample()
        return action


class ZeroPolicy(NonTrainablePolicy):
    """Returns the action zero for every observation.

    Args:
        observation_space: the space of one observation.
        action_space: the space of one action; it has to contain zero.

    Raises:
        ValueError: zero is not in the action space.
    """

    def __init__(self, observation_space: Space, action_space: Space) -> None:
        super().__init__(observation_space, action_space)
        self._zero_action = np.zeros(action_space.shape or (), dtype=action_space.dtype)
        if not action_space.contains(self._zero_action):
            raise ConfigError(
                f"a zero action is not in the action space {action_space}; "
                "use another policy for this environment"
            )

    @override
    def _choose_action(self, obs: SingleObs) -> Action:
        return self._zero_action


class FeedForward32Policy(ActorCriticPolicy):
    """Actor and critic with two hidden layers of 32 units each.

    The size that the experiments of the AIRL paper use (https://arxiv.org/abs/1710.11248).
    Since version 1.8, Stable-Baselines3 gives actor and critic a network each.

    Takes the arguments of `ActorCriticPolicy`; `net_arch` is fixed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "net_arch": [32, 32]})


class SAC1024Policy(SACPolicy):
    """Actor and critics with two hidden layers of 1,024 units each.

    The size that PEBBLE uses (https://arxiv.org/abs/2106.05091).

    Takes the arguments of `SACPolicy`; `net_arch` is fixed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "net_arch": [1024, 1024]})


class NormalizeFeaturesExtractor(torch_layers.FlattenExtractor):
    """Flattens observations and normalizes each number by running statistics.

    Args:
        observation_space: the space of one observation. The parts of a dictionary are
            flattened and joined in the space's order.
        normalize_class: builds the normalizing layer from the number of features; any
            module that keeps the shape `[batch, features]`.
    """

    def __init__(
        self,
        observation_space: Space,
        normalize_class: type[nn.Module] = networks.RunningNorm,
    ) -> None:
        torch_layers.BaseFeaturesExtractor.__init__(
            self, observation_space, get_flattened_obs_dim(observation_space)
        )
        self.flatten = nn.Flatten()
        self.normalize = normalize_class(self.features_dim)

    @override
    def forward(self, observations: PyTorchObs) -> th.Tensor:
        """Maps preprocessed observations to normalized features `[batch, features]`."""
        if isinstance(observations, dict):
            assert isinstance(self._observation_space, gym.spaces.Dict)
            keys = self._observation_space.spaces
            parts = [self.flatten(observations[key]) for key in keys]
            flat = th.cat(parts, dim=1)
        else:
            flat = self.flatten(observations)
        normalized: th.Tensor = self.normalize(flat)
        return normalized


def check_spaces(policy: BasePolicy, venv: VecEnv, source: str) -> None:
    """Checks that a loaded policy fits the environments it is loaded for.

    The bounds of observations may differ, as they do between versions of Gymnasium.

    Args:
        policy: the policy.
        venv: the environments.
        source: the policy's origin, for the error.

    Raises:
        ValueError: the observations have another shape, or the actions another space.
    """
    ours, theirs = policy.observation_space, venv.observation_space
    both_boxes = isinstance(ours, gym.spaces.Box) and isinstance(theirs, gym.spaces.Box)
    if not (ours.shape == theirs.shape if both_boxes else ours == theirs):
        raise ConfigError(
            f"Observation spaces do not match: the policy of {source} expects {ours}, "
            f"the environment gives {theirs}"
        )
    if policy.action_space != venv.action_space:
        raise ConfigError(
            f"Action spaces do not match: the policy of {source} acts in "
            f"{policy.action_space}, the environment in {venv.action_space}"
        )
