"""A reward network to learn, or a saved reward in place of the environment's."""

import dataclasses
from typing import ClassVar

import numpy as np
import torch as th
from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ConfigError
from imitation.rewards import reward_nets, serialize
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.scripts import settings as typed
from imitation.scripts.settings import (
    ClassPath,
    Config,
    ConfigDict,
    Presets,
    Settings,
    When,
    setting,
)
from imitation.util.networks import BaseNorm
from imitation.util.seeding import torch_seeded

_NETS = "imitation.rewards.reward_nets"
_RUNNING_NORM = ClassPath("imitation.util.networks:RunningNorm")
_EMA_NORM = ClassPath("imitation.util.networks:EMANorm")
_ENSEMBLE = When("is_ensemble", text="with reward.net_cls=RewardEnsemble")
_MLPS = (reward_nets.BasicRewardNet, reward_nets.BasicShapedRewardNet)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardSettings(Settings):
    """The reward network to learn."""

    prefix = "reward."

    named_configs: ClassVar[Presets] = {
        "normalize_input_disable": {"net_kwargs": {"normalize_input_layer": None}},
        "normalize_input_running": {
            "net_kwargs": {"normalize_input_layer": _RUNNING_NORM}
        },
        "normalize_output_disable": {"normalize_output_layer": None},
        "normalize_output_running": {"normalize_output_layer": _RUNNING_NORM},
        "normalize_output_ema": {"normalize_output_layer": _EMA_NORM},
        "reward_ensemble": {
            "net_cls": f"{_NETS}:RewardEnsemble",
            "add_std_alpha": 0.0,
            "ensemble_size": 5,
            # Each member is normalized instead, or one of large scale would decide.
            "normalize_output_layer": None,
            "ensemble_member_config": {
                "net_cls": f"{_NETS}:BasicRewardNet",
                "normalize_output_layer": _RUNNING_NORM,
            },
        },
    }

    net_cls: ClassPath | None = setting(None)
    """Class of the network, "module:Class"; None is BasicRewardNet, and
    BasicShapedRewardNet for airl."""

    net_kwargs: Config = setting({})
    """Keyword arguments of the class; values of activation and of keys ending in
    _layer, _class, _cls or _fn may name classes. BasicRewardNet and
    BasicShapedRewardNet get normalize_input_layer=RunningNorm unless that is set."""

    normalize_output_layer: ClassPath | None = setting(_RUNNING_NORM)
    """Layer that normalizes the reward on which the policy is trained; None trains on
    the reward itself."""

    add_std_alpha: float | None = setting(None)
    """Multiple of the standard deviation to add to the reward, for networks that know
    it, such as ensembles; None adds nothing."""

    ensemble_size: int | None = setting(None, at_least=2, applies=_ENSEMBLE)
    """Number of members of a RewardEnsemble."""

    ensemble_member_config: Config | None = setting({}, applies=_ENSEMBLE)
    """These settings for each member of a RewardEnsemble."""

    def load_cls(self) -> type[reward_nets.RewardNet]:
        """Returns the class itself."""
        path = self.net_cls or ClassPath(f"{_NETS}:BasicRewardNet")
        return typed.load_class(path, reward_nets.RewardNet, "reward.net_cls")

    @property
    def is_ensemble(self) -> bool:
        """True if the network consists of members with settings of their own."""
        return issubclass(self.load_cls(), reward_nets.RewardEnsemble)

    def resolved(self, command: str, discount: float = 0.99) -> "RewardSettings":
        """Fills in the class and its arguments, also those of ensemble members.

        Arguments given for a `RewardEnsemble`, as by a preset for an environment, are
        those of its members, unless these have others.

        The discount is the policy's, which potential shaping must share to leave the
        optimal policy as it is.
        """
        shaped = command == "airl" and self.net_cls is None
        path = f"{_NETS}:BasicShapedRewardNet" if shaped else self.net_cls
        settings = dataclasses.replace(
            self, net_cls=ClassPath(path or f"{_NETS}:BasicRewardNet")
        )
        net_cls = settings.load_cls()
        kwargs = dict(self.net_kwargs)
        if issubclass(net_cls, _MLPS):
            kwargs.setdefault("normalize_input_layer", _RUNNING_NORM)
        if issubclass(net_cls, reward_nets.BasicShapedRewardNet):
            kwargs.setdefault("discount_factor", discount)
        member_config = self.ensemble_member_config
        # Members are resolved too, so that the stored settings show all of them.
        if settings.is_ensemble and member_config:
            member = settings.member()
            if net_cls is reward_nets.RewardEnsemble:
                own = {**kwargs, **member.net_kwargs}
                member = dataclasses.replace(member, net_kwargs=own)
            member_config = typed.to_config(member.resolved(command, discount))
        return dataclasses.replace(
            settings, net_kwargs=kwargs, ensemble_member_config=member_config
        )

    def member(self) -> "RewardSettings":
        """Returns the settings of one member of an ensemble.

        Raises:
            ConfigError: they are missing or those of an ensemble.
        """
        if not self.ensemble_member_config:
            raise ConfigError(
                "Must specify ensemble_member_config. Set "
                "reward.ensemble_member_config.net_cls, or add the named config "
                "reward.reward_ensemble"
            )
        name = "reward.ensemble_member_config"
        member = typed.build(RewardSettings, self.ensemble_member_config, name)
        if member.is_ensemble:
            raise ConfigError(f"{name}.net_cls must not be a RewardEnsemble again")
        return member

    def check(self) -> None:
        """Raises a ConfigError unless the classes exist and the parts fit."""
        net_cls = self.load_cls()
        # Only for the errors that they raise.
        self.load_kwargs()
        self.load_output_layer()
        if self.is_ensemble:
            if self.ensemble_size is None:
                raise ConfigError(
                    "Must specify ensemble_size. Set reward.ensemble_size"
                )
            self.member().check()
            if self.normalize_output_layer is not None:
                raise ConfigError(
                    "Output normalization not supported on RewardEnsembles. Add the "
                    "named config reward.normalize_output_disable; "
                    "reward.ensemble_member_config.normalize_output_layer normalizes "
                    "each member"
                )
        elif self.add_std_alpha is not None:
            if not issubclass(net_cls, reward_nets.RewardNetWithVariance):
                raise ConfigError(
                    f"reward.add_std_alpha={self.add_std_alpha} needs a network that "
                    f"knows its variance, which {net_cls.__name__} does not; add the "
                    "named config reward.reward_ensemble"
                )
            if self.normalize_output_layer is not None:
                raise ConfigError(
                    "reward.add_std_alpha needs the reward as it is; add the named "
                    "config reward.normalize_output_disable"
                )

    def load_kwargs(self) -> ConfigDict:
        """Returns the keyword arguments with classes in the place of their names."""
        return typed.load_classes(self.net_kwargs, th.nn.Module, "reward.net_kwargs")

    def load_output_layer(self) -> type[BaseNorm] | None:
        """Returns the class of the layer itself."""
        path = self.normalize_output_layer
        if path is None:
            return None
        return typed.load_class(path, BaseNorm, "reward.normalize_output_layer")


def make_reward_net(
    venv: VecEnv, settings: RewardSettings, rng: np.random.Generator
) -> reward_nets.RewardNet:
    """Builds a reward network.

    Returns:
        The network in the wrappers that the settings ask for.

    Raises:
        ConfigError: an ensemble lacks its size or the settings of its members, or its
            output is to be normalized; or the class does not take its arguments or the
            spaces.
    """
    settings.check()
    # Layers draw their weights from torch's global generator.
    with torch_seeded(rng):
        return _make(venv, settings)


def _make(venv: VecEnv, settings: RewardSettings) -> reward_nets.RewardNet:
    """Builds a network that needs no further checks."""
    net_cls = settings.load_cls()
    kwargs = settings.load_kwargs()
    if settings.is_ensemble:
        assert settings.ensemble_size is not None, "checked"
        member = settings.member()
        if net_cls is reward_nets.RewardEnsemble:
            kwargs = {}  # those of its members; it has none of its own
        kwargs["members"] = [_make(venv, member) for _ in range(settings.ensemble_size)]
    with typed.building(f"reward.net_cls={settings.net_cls} with reward.net_kwargs"):
        net = net_cls(venv.observation_space, venv.action_space, **kwargs)
    layer = settings.load_output_layer()
    if layer is not None:
        net = reward_nets.NormalizedRewardNet(net, layer)
    if settings.add_std_alpha is not None:
        assert isinstance(net, reward_nets.RewardNetWithVariance), "checked"
        net = reward_nets.AddSTDRewardWrapper(net, settings.add_std_alpha)
    return net


def check_reward(reward_type: str | None, reward_path: str | None) -> None:
    """Raises a ConfigError unless the type is registered and has the path it needs."""
    if reward_type is None:
        return
    known = sorted(serialize.reward_registry.keys())
    if reward_type not in known:
        raise ConfigError(
            f"reward_type={reward_type!r} is not registered; known are "
            f"{', '.join(known)}"
        )
    if reward_path is None and reward_type != "zero":
        raise ConfigError(
            f"reward_type={reward_type!r} loads a saved reward; set reward_path"
        )


def replace_reward(
    venv: VecEnv,
    reward_type: str,
    reward_path: str | None,
    kwargs: Config | None = None,
) -> RewardVecEnvWrapper:
    """Puts a saved reward in the place of the environment's.

    Args:
        venv: the environment.
        reward_type: key of the reward registry.
        reward_path: where the reward is saved.
        kwargs: of `load_reward`, most of which are bound to the reward.

    Raises:
        ConfigError: the reward does not take the arguments or is for other spaces.
        ArtifactError: the reward cannot be read.
    """
    what = f"reward_type={reward_type} of reward_path={reward_path}"
    with typed.building(what):
        reward_fn = serialize.load_reward(
            reward_type, reward_path or "", venv, **(kwargs or {})
        )
        return RewardVecEnvWrapper(venv, reward_fn)
