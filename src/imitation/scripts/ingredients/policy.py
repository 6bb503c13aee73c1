"""A newly built Stable-Baselines3 policy."""

import dataclasses
from typing import ClassVar

import numpy as np
import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ConfigError
from imitation.policies import base
from imitation.scripts import settings as typed
from imitation.scripts.settings import (
    ClassPath,
    Config,
    ConfigDict,
    Presets,
    Settings,
    setting,
)
from imitation.util.seeding import torch_seeded

FEED_FORWARD_32 = ClassPath("imitation.policies.base:FeedForward32Policy")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PolicySettings(Settings):
    """The class of the policy and how to build it."""

    prefix = "policy."

    named_configs: ClassVar[Presets] = {
        "sac": {"policy_cls": "imitation.policies.base:SAC1024Policy"},
        "normalize_running": {
            "policy_kwargs": {
                "features_extractor_class": (
                    "imitation.policies.base:NormalizeFeaturesExtractor"
                ),
                "features_extractor_kwargs": {
                    "normalize_class": "imitation.util.networks:RunningNorm",
                },
            },
        },
        "cnn_policy": {
            "policy_cls": "stable_baselines3.common.policies:ActorCriticCnnPolicy",
        },
    }

    policy_cls: ClassPath = setting(FEED_FORWARD_32)
    """Class of the policy, "module:Class"."""

    policy_kwargs: Config = setting({})
    """Keyword arguments of the class; values of keys ending in _class, _cls or _fn may
    name classes."""

    @property
    def is_default(self) -> bool:
        """True if no class was chosen."""
        return self.policy_cls == FEED_FORWARD_32

    def load_cls(self) -> type[BasePolicy]:
        """Returns the class itself."""
        return typed.load_class(self.policy_cls, BasePolicy, "policy.policy_cls")

    def load_kwargs(self) -> ConfigDict:
        """Returns the keyword arguments with classes in the place of their names."""
        return typed.load_classes(
            self.policy_kwargs, th.nn.Module, "policy.policy_kwargs"
        )

    def check(self) -> None:
        """Raises a ConfigError unless the classes exist and the arguments count."""
        policy_cls = self.load_cls()
        fixed = issubclass(policy_cls, base.FeedForward32Policy | base.SAC1024Policy)
        if fixed and "net_arch" in self.policy_kwargs:
            raise ConfigError(
                f"policy.policy_kwargs.net_arch: {policy_cls.__name__} has a fixed "
                "architecture; set policy.policy_cls to another class, such as "
                "stable_baselines3.common.policies:ActorCriticPolicy"
            )
        self.load_kwargs()


def make_policy(
    venv: VecEnv, settings: PolicySettings, rng: np.random.Generator
) -> BasePolicy:
    """Builds a policy that is trained by an optimizer of its user."""
    policy_cls = settings.load_cls()
    kwargs = settings.load_kwargs()
    kwargs.update(
        observation_space=venv.observation_space, action_space=venv.action_space
    )
    if issubclass(policy_cls, ActorCriticPolicy):
        # The policy's own optimizer is not used; this makes a use of it visible.
        kwargs["lr_schedule"] = lambda _: float(th.finfo(th.float32).max)
    what = f"policy.policy_cls={settings.policy_cls} with policy.policy_kwargs"
    # Layers draw their weights from torch's global generator.
    with torch_seeded(rng), typed.building(what):
        return policy_cls(**kwargs)
