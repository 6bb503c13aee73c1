"""Saving reward networks as safe artifacts, and loading rewards by type.

A saved network is a directory: ``artifact.json`` describes how to build it from its
class and constructor arguments, with all networks inside it, and ``net.safetensors``
holds its parameters and buffers. Nothing is pickled.

Rewards are loaded by type as functions to train or evaluate policies with. The type
chooses which of the wrappers that the network was trained with take part; see
`reward_registry`.
"""

import functools
import os
import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch as th
from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ArtifactError, ImitationError, UnsafeLoadError, reason
from imitation.rewards import legacy_nets
from imitation.rewards.reward_function import RewardFn, check_spaces
from imitation.rewards.reward_nets import (
    AddSTDRewardWrapper,
    NormalizedRewardNet,
    RewardNet,
    RewardNetWrapper,
    ShapedRewardNet,
)
from imitation.util import artifacts, rebuilding
from imitation.util.paths import AnyPath
from imitation.util.registry import Registry

KIND = "reward_net"

# Takes a path and a `VecEnv`, then keyword arguments; returns a reward function.
RewardFnLoaderFn = Callable[..., RewardFn]

# Loaders by reward type; `reward_registry.register(name, loader)` adds yours. -
# ``RewardNet_shaped``: what a `ShapedRewardNet` predicts. - ``RewardNet_unshaped``:
# what the network inside the shaping predicts, if there is any. -
# ``RewardNet_normalized``: the processed rewards of a `NormalizedRewardNet`. -
# ``RewardNet_unnormalized``: what is predicted without processing. -
# ``RewardNet_std_added``: the processed rewards of an `AddSTDRewardWrapper`, without
# normalization around it. - ``zero``: 0 for every transition.
reward_registry: Registry[RewardFnLoaderFn] = Registry()


def save_reward_net(net: RewardNet, path: AnyPath) -> None:
    """Saves a reward network, wrappers included, as a directory, atomically.

    Args:
        net: the network. A class of yours has to be registered with
            `imitation.util.artifacts.register_class`.
        path: the directory to write; an older network or a file there is replaced.

    Raises:
        ArtifactError: the network cannot be rebuilt from its class and constructor
            arguments, or `path` is a directory of something else.
    """
    document = {
        "kind": KIND,
        "class": artifacts.class_path(type(net)),
        **rebuilding.describe(net),
    }
    with artifacts.replacing_directory(path) as directory:
        artifacts.write_json(directory / "artifact.json", document)
        tensors = rebuilding.tensors_of(net)
        artifacts.write_tensors(directory / "net.safetensors", tensors)


def load_reward_net(
    path: AnyPath, device: th.device | str = "cpu", *, allow_pickle: bool = False
) -> RewardNet:
    """Loads a reward network, wrappers included, in the training mode it was in.

    Args:
        path: a directory written by `save_reward_net`, or a file written by
            ``torch.save(net, path)``.
        device: where to put the network.
        allow_pickle: also read a file that `torch.load` does not by default, such as
            one of release 1.0. Such a file is a pickle: reading it runs whatever code
            its author put there.

    Returns:
        The network.

    Raises:
        ArtifactError: there is no reward network at the path, or it is damaged.
        UnsafeLoadError: reading it could run code and `allow_pickle` is False.
    """
    location = pathlib.Path(os.fsdecode(path))
    try:
        if location.is_dir():
            net: Any = _load_directory(location)
        elif location.is_file():
            net = _load_file(location, allow_pickle)
        else:
            raise ArtifactError("expected a directory or file with a reward network")
        if not isinstance(net, RewardNet):
            raise ArtifactError(
                f"it holds a {type(net).__name__}, not a reward network"
            )
    except ArtifactError as error:
        raise type(error)(f"cannot load {location}: {error}") from error
    return net.to(device)


def _load_directory(path: pathlib.Path) -> th.nn.Module:
    document = artifacts.read_json(path / "artifact.json")
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind != KIND:
        raise ArtifactError(f"it holds {kind!r}, expected {KIND!r}")
    tensors = artifacts.read_tensors(path / "net.safetensors")
    # Copied out of the file's memory, where they lie at odd addresses: there products
    # round differently, and predictions would not be the same to the last bit.
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    return rebuilding.rebuild(document, tensors)


def _load_file(path: pathlib.Path, allow_pickle: bool) -> Any:
    try:
        return th.load(path, map_location="cpu", weights_only=True)
    except ArtifactError:
        raise
    except pickle.UnpicklingError as error:
        if not allow_pickle:
            raise UnsafeLoadError(
                "it is a pickle that could run code, such as release 1.0 wrote; if you "
                "trust its source, pass allow_pickle=True"
            ) from error
    except Exception as error:  # unpickling foreign bytes can raise anything
        raise ArtifactError(f"not a file of torch.save: {reason(error)}") from error
    try:
        loaded = th.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # likewise
        raise ArtifactError(f"it cannot be unpickled: {error!r}") from error
    return legacy_nets.converted(loaded)


class WrapperStructureError(ImitationError, TypeError):
    """A network has other wrappers than the reward type asks for."""


class ValidateRewardFn(RewardFn):
    """Checks that a reward function returns one reward for each transition."""

    def __init__(self, reward_fn: RewardFn) -> None:
        super().__init__()
        self.reward_fn = reward_fn

    def __call__(
        self,
        state: np.ndarray,
        action: np.ndarray,
        next_state: np.ndarray,
        done: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.floating[Any]]:
        """Rates a batch of ``B`` transitions.

        Raises:
            AssertionError: the rewards do not have the shape ``(B,)``.
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
    """Returns the reward that is 0 everywhere, whatever the arguments."""
    del path, venv, allow_pickle

    def zero(
        state: np.ndarray, action: np.ndarray, next_state: np.ndarray, done: np.ndarray
    ) -> np.ndarray:
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

    `strip` removes all wrappers down to the innermost one of this kind; `require` lists
    the allowed sequences of outermost wrappers (empty allows all); `defaults` are
    keyword arguments for the method.
    """

    def load(
        path: AnyPath, venv: VecEnv, *, allow_pickle: bool = False, **kwargs: Any
    ) -> RewardFn:
        net = load_reward_net(path, allow_pickle=allow_pickle)
        check_spaces(net.predict, venv.observation_space, venv.action_space)
        if require:
            _check_wrappers(net, require)
        inside = net
        while strip is not None and isinstance(net, RewardNetWrapper):
            inside = net.base if isinstance(net, strip) else inside
            net = net.base
        method = getattr(inside, attribute)
        if attribute == "predict_processed":
            method = functools.partial(method, **defaults | kwargs)
        return ValidateRewardFn(method)

    return load


def _check_wrappers(net: RewardNet, allowed: tuple[Wrappers, ...]) -> None:
    chain = [net]  # the network and those inside it, the outermost first
    while isinstance(base := getattr(chain[-1], "base", None), RewardNet):
        chain.append(base)
    # GAIL's reward is not a wrapper, but processed and shaped as its discriminator is.
    skip = 0 if isinstance(net, RewardNetWrapper) else 1
    for wrappers in allowed:
        found = chain[skip : skip + len(wrappers)]
        if len(found) == len(wrappers) and all(map(isinstance, found, wrappers)):
            return
    *names, found_names = (
        f"[{','.join(cls.__name__ for cls in classes)}]"
        for classes in (*allowed, [type(part) for part in chain])
    )
    raise WrapperStructureError(
        f"Wrapper structure should match {' or '.join(names)} but found {found_names}"
    )


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
