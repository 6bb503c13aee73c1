"""Saving Stable-Baselines3 policies as safe artifacts.

A policy is a directory: ``artifact.json`` names its class and constructor arguments,
``policy.safetensors`` holds its parameters and buffers. Nothing is pickled.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import torch as th
from stable_baselines3.common import utils as sb3_utils
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy

from imitation.errors import ArtifactError, UnsafeLoadError
from imitation.util import arguments, artifacts, seeding
from imitation.util.paths import AnyPath

FORMAT_VERSION = 1


def unset_learning_rate(_: float) -> float:
    """Stands in for the schedule a policy asks for when nobody uses its optimizer.

    Returns:
        The largest float, so that using the optimizer by mistake is noticed at once.
    """
    return float(th.finfo(th.float32).max)


def save_policy(policy: BasePolicy, policy_path: AnyPath) -> None:
    """Saves a policy as a directory, atomically.

    Args:
        policy: a Stable-Baselines3 policy. Its class must be importable; a class of
            yours has to be registered with `artifacts.register_class` to be loaded.
        policy_path: the directory to write; an older policy or a file there is
            replaced.

    Raises:
        ArtifactError: a constructor argument of the policy cannot be stored, or
            `policy_path` is a directory of something else.
    """
    with artifacts.replacing_directory(policy_path) as directory:
        write_policy(policy, directory)


def write_policy(policy: BasePolicy, directory: pathlib.Path) -> None:
    """Writes the files of a policy into a directory; see `save_policy`."""
    parameters = {
        name: arguments.to_json(value, f"the policy's argument {name}")
        for name, value in policy._get_constructor_parameters().items()
        if name != "lr_schedule"
    }
    document = {
        "format_version": FORMAT_VERSION,
        "kind": "policy",
        "class": artifacts.class_path(type(policy)),
        "arguments": parameters,
    }
    artifacts.write_json(directory / "artifact.json", document)
    artifacts.write_tensors(directory / "policy.safetensors", policy.state_dict())


def load_policy(
    policy_path: AnyPath,
    device: th.device | str = "auto",
    *,
    allow_pickle: bool = False,
) -> BasePolicy:
    """Loads a policy saved by `save_policy`.

    Args:
        policy_path: the policy's directory, or a file written by release 1.0.
        device: where to put the policy.
        allow_pickle: also read a file of release 1.0. Such a file is a pickle: reading
            it runs whatever code its author put there.

    Returns:
        The policy, in evaluation mode.

    Raises:
        ArtifactError: there is no policy at the path, or it is damaged.
        UnsafeLoadError: the path is a file and `allow_pickle` is False.
    """
    path = pathlib.Path(os.fsdecode(policy_path))
    if path.is_file():
        policy = _load_pickle(path, allow_pickle)
    elif path.is_dir():
        policy = _load_directory(path)
    else:
        raise ArtifactError(f"no policy at {path}: expected a directory saved by us")
    policy.set_training_mode(False)
    return policy.to(sb3_utils.get_device(device))


def _load_directory(path: pathlib.Path) -> BasePolicy:
    document = artifacts.read_json(path / "artifact.json")
    if not isinstance(document, dict) or document.get("kind") != "policy":
        raise ArtifactError(f"{path} does not hold a policy")
    if document.get("format_version") != FORMAT_VERSION:
        raise ArtifactError(
            f"{path} has policy format {document.get('format_version')}, "
            f"this version reads {FORMAT_VERSION}"
        )
    try:
        policy_class = artifacts.resolve_class(document["class"])
        if not issubclass(policy_class, BasePolicy):
            raise ArtifactError(f"{path} names {document['class']}, not a policy")
        parameters = {
            k: arguments.from_json(v) for k, v in document["arguments"].items()
        }
        tensors = artifacts.read_tensors(path / "policy.safetensors")
        # Layers draw their initial weights, which are replaced below.
        with seeding.forked_torch_rng():
            if issubclass(policy_class, ActorCriticPolicy) or tensors:
                parameters["lr_schedule"] = unset_learning_rate
            policy = policy_class(**parameters)
        try:
            policy.load_state_dict(tensors)
        except RuntimeError as error:
            # Torch lists every tensor; the last line suffices.
            why = str(error).splitlines()[-1].strip()
            raise ArtifactError(f"{path} does not fit its own policy: {why}") from error
    except (AttributeError, LookupError, TypeError) as error:
        raise ArtifactError(
            f"{path} is damaged, or its policy takes other arguments in this version: "
            f"{error}"
        ) from error
    return policy


def _load_pickle(path: pathlib.Path, allow_pickle: bool) -> BasePolicy:
    if not allow_pickle:
        raise UnsafeLoadError(
            f"{path} is a file, not a policy directory; if it is a pickled policy of "
            "release 1.0 from a source you trust, pass allow_pickle=True"
        )
    try:
        loaded = th.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # unpickling foreign bytes can raise anything
        raise ArtifactError(f"cannot unpickle {path}: {error!r}") from error
    if isinstance(loaded, Mapping) and {"data", "state_dict"} <= loaded.keys():
        policy: Any = ActorCriticPolicy(**loaded["data"])
        policy.load_state_dict(loaded["state_dict"])
        loaded = policy
    if not isinstance(loaded, BasePolicy):
        raise ArtifactError(f"{path} holds a {type(loaded).__name__}, not a policy")
    return loaded
