"""Checks of the settings of behavioral cloning, and its default parts."""

from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch as th
from stable_baselines3.common import torch_layers
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import is_image_space

from imitation.errors import ConfigError
from imitation.policies import base as policy_base
from imitation.policies import image_extractor
from imitation.util import optimizers, policy_io, seeding
from imitation.util.spaces import Space


def check_settings(
    batch_size: int,
    minibatch_size: int,
    val_fraction: float,
    max_grad_norm: float | None,
) -> None:
    """Checks the numbers that `BC` is built with.

    Raises:
        ValueError: one is out of range, or the batch size is not a multiple of the
            minibatch size.
    """
    if batch_size < 1 or minibatch_size < 1:
        raise ConfigError(
            f"batch_size={batch_size} and minibatch_size={minibatch_size} must be "
            "positive."
        )
    if batch_size % minibatch_size != 0:
        raise ConfigError(
            "Batch size must be a multiple of minibatch size, got "
            f"{batch_size} and {minibatch_size}."
        )
    if not 0 <= val_fraction < 1:
        raise ConfigError(f"val_fraction must lie in [0, 1), got {val_fraction}")
    if max_grad_norm is not None and not max_grad_norm > 0:
        raise ConfigError(f"max_grad_norm must be positive, got {max_grad_norm}")


def check_spaces(observation_space: Space, action_space: Space) -> None:
    """Checks what Stable-Baselines3 assumes of spaces without saying so.

    Raises:
        ValueError: one is discrete and does not start at 0, or is a Tuple.
    """
    for name, space in (("observation", observation_space), ("action", action_space)):
        if isinstance(space, gym.spaces.Tuple):
            raise ConfigError(
                f"the {name} space {space} is a Tuple, which policies of "
                "Stable-Baselines3 do not take; wrap the environment to give a Dict"
            )
        if not isinstance(space, gym.spaces.Discrete | gym.spaces.MultiDiscrete):
            continue
        if np.any(space.start):
            raise ConfigError(
                f"the {name} space {space} does not start at 0, which policies of "
                "Stable-Baselines3 need; wrap the environment to shift it"
            )


def default_policy(
    observation_space: Space,
    action_space: Space,
    rng: np.random.Generator,
) -> ActorCriticPolicy:
    """Builds the default policy: two hidden layers of 32 units.

    Args:
        observation_space: a vector, image or dictionary space.
        action_space: any space of Stable-Baselines3.
        rng: decides the initial weights.

    Returns:
        A `FeedForward32Policy`; images pass through a convolutional network first.
    """
    extractor: type[torch_layers.BaseFeaturesExtractor] = torch_layers.FlattenExtractor
    if isinstance(observation_space, gym.spaces.Dict):
        extractor = torch_layers.CombinedExtractor
        if any(is_image_space(part) for part in observation_space.spaces.values()):
            extractor = image_extractor.DictImageExtractor
    elif is_image_space(observation_space):
        # Channels first or last; SB3's own NatureCNN takes channels first only.
        extractor = image_extractor.ImageExtractor
    with seeding.torch_seeded(rng):
        return policy_base.FeedForward32Policy(
            observation_space=observation_space,
            action_space=action_space,
            lr_schedule=policy_io.unset_learning_rate,
            features_extractor_class=extractor,
        )


def make_optimizer(
    optimizer_cls: type[th.optim.Optimizer],
    parameters: Iterable[th.nn.Parameter],
    optimizer_kwargs: Mapping[str, Any] | None,
) -> th.optim.Optimizer:
    """Builds an optimizer, fused where torch offers it and nothing else was asked for.

    Raises:
        ValueError: the arguments hold ``weight_decay``.
    """
    if optimizer_kwargs and "weight_decay" in optimizer_kwargs:
        raise ConfigError("Use the parameter l2_weight instead of weight_decay.")
    return optimizers.make_optimizer(optimizer_cls, parameters, optimizer_kwargs)
