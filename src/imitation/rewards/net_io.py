"""Saving reward networks as safe artifacts.

A reward network is a directory: ``artifact.json`` describes how to build it from its
class and constructor arguments, with all networks inside it, and ``net.safetensors``
holds its parameters and buffers. Nothing is pickled.
"""

import os
import pathlib
import pickle
from typing import Any

import torch as th

from imitation.errors import ArtifactError, UnsafeLoadError, reason
from imitation.rewards import legacy_nets
from imitation.rewards.reward_nets import RewardNet
from imitation.util import artifacts, rebuilding
from imitation.util.paths import AnyPath

__all__ = ["load_reward_net", "save_reward_net"]

KIND = "reward_net"


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
