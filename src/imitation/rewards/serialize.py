"""Loading rewards by type, as functions to train or evaluate policies with.

A type says which of the wrappers that a network was trained with shall take part; see
`reward_registry`. `save_reward_net` and `load_reward_net` are for networks themselves.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ImitationError
from imitation.rewards import checks
from imitation.rewards.net_io import load_reward_net, save_reward_net
from imitation.rewards.reward_function import RewardFn
from imitation.rewards.reward_nets import (
    AddSTDRewardWrapper,
    NormalizedRewardNet,
    RewardNet,
    RewardNetWrapper,
    ShapedRewardNet,
)
from imitation.util.paths import AnyPath
from imitation.util.registry import Registry

__all__ = [
    "RewardFnLoaderFn",
    "ValidateRewardFn",
    "WrapperStructureError",
    "load_reward",
    "load_reward_net",
    "load_zero",
    "reward_registry",
    "save_reward_net",
]

Array = npt.NDArray[Any]

RewardFnLoaderFn = Callable[..., RewardFn]
"""Takes a path and a `VecEnv`, then keyword arguments; returns a reward function."""

reward_registry: Registry[RewardFnLoaderFn] = Registry()
"""Loaders by reward type; `reward_registry.register(name, loader)` adds yours.

- ``RewardNet_shaped``: what a `ShapedRewardNet` predicts.
- ``RewardNet_unshaped``: what the network inside the shaping predicts, if there is any.
- ``RewardNet_normalized``: the processed rewards of a `NormalizedRewardNet`.
- ``RewardNet_unnormalized``: what is predicted without processing.
- ``RewardNet_std_added``: the processed rewards of an `AddSTDRewardWrapper`, without
  normalisation around it.
- ``zero``: 0 for every transition.
"""


class WrapperStructureError(ImitationError, TypeError):
    """A network has other wrappers than the reward type asks for."""


class ValidateRewardFn(RewardFn):
    """Checks that a reward function returns one reward for each transition.

    Args:
        reward_fn: the reward function.
    """

    def __init__(self, reward_fn: RewardFn) -> None:
        super().__init__()
        self.reward_fn = reward_fn

    def __call__(
        self,
        state: Array,
        action: Array,
        next_state: Array,
        done: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.floating[Any]]:
        """Rates a batch of ``B`` transitions; see `RewardFn`.

        Raises:
            AssertionError: the rewards have not the shape ``(B,)``.
        """
        rewards = self.reward_fn(state, action, next_state, done)
        expected = (len(action),)
        assert np.shape(rewards) == expected, (
            f"the reward function returned shape {np.shape(rewards)}, "
            f"expected {expected}"
        )
        return rewards


def load_reward(
    reward_type: str,
    reward_path: AnyPath,
    venv: VecEnv,
    *,
    allow_pickle: bool = False,
    **kwargs: Any,
) -> RewardFn:
    """Loads a reward as a function.

    Args:
        reward_type: a key of `reward_registry`.
        reward_path: where the reward is: a directory written by
            `save_reward_net`, or a file written by `torch.save`. Unused for
            `zero`.
        venv: the environments whose transitions it shall rate.
        allow_pickle: also read a file that `torch.load` does not by default, such as
            one of release 1.0. Such a file is a pickle: reading it runs whatever code
            its author put there.
        **kwargs: passed to the network whenever it predicts, such as `alpha` to an
            `AddSTDRewardWrapper` and `update_stats` (False unless given here) to a
            `NormalizedRewardNet`. Types that leave out such wrappers ignore them.

    Returns:
        The reward function, on the CPU.

    Raises:
        KeyError: no such type is registered.
        TypeError: the network at the path has other wrappers than the type asks for.
        ArtifactError: there is no network at the path, or it is damaged.
        UnsafeLoadError: reading it could run code and `allow_pickle` is False.
        ConfigError: the network was made for other spaces than those of `venv`.
    """
    loader = reward_registry.get(reward_type)
    if allow_pickle:  # unknown to loaders written for release 1.0
        kwargs["allow_pickle"] = True
    return loader(reward_path, venv, **kwargs)


def load_zero(path: AnyPath, venv: VecEnv, *, allow_pickle: bool = False) -> RewardFn:
    """Returns the reward that is 0 everywhere.

    Args:
        path: unused.
        venv: unused.
        allow_pickle: unused.
    """
    del path, venv, allow_pickle

    def zero(state: Array, action: Array, next_state: Array, done: Array) -> Array:
        del state, next_state, done
        return np.zeros(len(action))

    return zero


Wrappers = tuple[type[RewardNetWrapper], ...]


def _loader(
    attribute: str,
    strip: type[RewardNetWrapper] | None = None,
    require: tuple[Wrappers, ...] = (),
    **defaults: Any,
) -> RewardFnLoaderFn:
    """Makes the loader of a reward type.

    Args:
        attribute: the method of the network to call.
        strip: take what is inside the innermost wrapper of this kind.
        require: the sequences of outermost wrappers allowed; none allows all.
        **defaults: keyword arguments for the method.
    """

    def load(
        path: AnyPath, venv: VecEnv, *, allow_pickle: bool = False, **kwargs: Any
    ) -> RewardFn:
        net = load_reward_net(path, allow_pickle=allow_pickle)
        checks.check_spaces(net.predict, venv.observation_space, venv.action_space)
        if require:
            _check_wrappers(net, require)
        if strip is not None:
            net = _stripped(net, strip)
        method = getattr(net, attribute)
        if attribute == "predict_processed":
            method = functools.partial(method, **defaults | kwargs)
        return ValidateRewardFn(method)

    return load


def _chain(net: RewardNet) -> list[RewardNet]:
    """A network and all that it is made of, from the outermost to the innermost."""
    chain = [net]
    while isinstance(base := getattr(chain[-1], "base", None), RewardNet):
        chain.append(base)
    return chain


def _check_wrappers(net: RewardNet, allowed: tuple[Wrappers, ...]) -> None:
    chain = _chain(net)
    # GAIL's reward is no wrapper, but processed and shaped as its discriminator is.
    skip = 0 if isinstance(net, RewardNetWrapper) else 1
    for wrappers in allowed:
        found = chain[skip : skip + len(wrappers)]
        if len(found) == len(wrappers) and all(map(isinstance, found, wrappers)):
            return
    expected = " or ".join(_names(wrappers) for wrappers in allowed)
    raise WrapperStructureError(
        f"Wrapper structure should match {expected} but found "
        f"{_names(tuple(type(part) for part in chain))}"
    )


def _names(classes: tuple[type, ...]) -> str:
    return f"[{','.join(cls.__name__ for cls in classes)}]"


def _stripped(net: RewardNet, wrapper: type[RewardNetWrapper]) -> RewardNet:
    """What is inside the innermost wrapper of a kind; `net` if there is none."""
    inside = net
    while isinstance(net, RewardNetWrapper):
        if isinstance(net, wrapper):
            inside = net.base
        net = net.base
    return inside


reward_registry.register("zero", load_zero)
reward_registry.register(
    "RewardNet_shaped", _loader("predict", require=((ShapedRewardNet,),))
)
reward_registry.register(
    "RewardNet_unshaped", _loader("predict", strip=ShapedRewardNet)
)
reward_registry.register(
    "RewardNet_normalized",
    _loader("predict_processed", require=((NormalizedRewardNet,),), update_stats=False),
)
reward_registry.register(
    "RewardNet_unnormalized", _loader("predict", strip=NormalizedRewardNet)
)
reward_registry.register(
    "RewardNet_std_added",
    _loader(
        "predict_processed",
        strip=NormalizedRewardNet,
        require=((AddSTDRewardWrapper,), (NormalizedRewardNet, AddSTDRewardWrapper)),
        update_stats=False,
    ),
)
