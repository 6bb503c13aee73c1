"""Files of states: nested values as JSON and safetensors, no pickle.

A state is what `state_dict()` methods return: dictionaries and lists of numbers,
strings, None, arrays and tensors. It is stored as a directory of ``state.json`` (the
structure) and ``tensors.safetensors`` (the arrays), replaced atomically.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch as th

from imitation.errors import ArtifactError, reason
from imitation.util import artifacts
from imitation.util.paths import AnyPath

FORMAT_VERSION = 1
_TENSOR, _ARRAY, _KEYED = "__tensor__", "__array__", "__keyed__"


def save_state(path: AnyPath, kind: str, state: Mapping[str, object]) -> None:
    """Saves a nested state as a directory, atomically.

    Args:
        path: the directory; an older one there is replaced.
        kind: what the state belongs to, such as "bc"; checked when it is loaded.
        state: dictionaries (with string or integer keys) and lists of JSON scalars,
            NumPy arrays and tensors.

    Raises:
        TypeError: the state holds something else.
    """
    with artifacts.replacing_directory(path) as directory:
        write_state(directory, kind, state)


def write_state(
    directory: pathlib.Path, kind: str, state: Mapping[str, object]
) -> None:
    """Writes the files of a state into a directory; see `save_state`."""
    tensors: dict[str, th.Tensor | np.ndarray] = {}
    tree = _flatten(state, kind, tensors)
    artifacts.write_tensors(directory / "tensors.safetensors", tensors)
    document = {"format_version": FORMAT_VERSION, "kind": kind, "state": tree}
    artifacts.write_json(directory / "state.json", document)


def load_state(path: AnyPath, kind: str) -> dict[str, Any]:
    """Loads a state saved by `save_state`.

    Args:
        path: the checkpoint's directory.
        kind: what the state must belong to.

    Returns:
        The state, tensors on the CPU.

    Raises:
        ArtifactError: there is no checkpoint, or it is of another kind or version.
    """
    directory = pathlib.Path(os.fsdecode(path))
    if not directory.is_dir():
        raise ArtifactError(f"no checkpoint at {directory}: expected a directory")
    document = artifacts.read_json(directory / "state.json")
    if not isinstance(document, dict) or not isinstance(document.get("state"), dict):
        raise ArtifactError(f"{directory} does not hold a checkpoint")
    if document.get("format_version") != FORMAT_VERSION:
        raise ArtifactError(
            f"{directory} has checkpoint format {document.get('format_version')}, "
            f"this version reads {FORMAT_VERSION}"
        )
    if document.get("kind") != kind:
        raise ArtifactError(
            f"{directory} is a checkpoint of {document.get('kind')!r}, "
            f"expected one of {kind!r}"
        )
    tensors = artifacts.read_tensors(directory / "tensors.safetensors")
    try:
        return {key: _restore(v, tensors) for key, v in document["state"].items()}
    except KeyError as error:
        raise ArtifactError(f"{directory} lacks the tensor {error}") from error
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"{directory} is damaged: {reason(error)}") from error


def _flatten(
    value: object, name: str, tensors: dict[str, th.Tensor | np.ndarray]
) -> object:
    """Moves arrays and tensors out of a nested state, leaving their names."""
    if isinstance(value, th.Tensor | np.ndarray):
        while name in tensors:  # keys 0 and "0", or "a/b" and "a" of "b"
            name += "'"
        tensors[name] = value
        return {_TENSOR if isinstance(value, th.Tensor) else _ARRAY: name}
    # JSON has no NumPy scalars; `item` is exact for float32 and int64, too.
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_flatten(v, f"{name}/{i}", tensors) for i, v in enumerate(value)]
    if isinstance(value, Mapping):
        pairs = [(k, _flatten(v, f"{name}/{k}", tensors)) for k, v in value.items()]
        # Optimizers number their parameters: JSON would turn the keys into strings.
        if all(isinstance(key, str) for key in value):
            return dict(pairs)
        return {_KEYED: [list(pair) for pair in pairs]}
    raise TypeError(f"a checkpoint cannot hold {name}, a {type(value).__name__}")


def _restore(value: object, tensors: Mapping[str, th.Tensor]) -> object:
    """Returns arrays and tensors to a nested state."""
    if isinstance(value, list):
        return [_restore(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        # Tensors of a file lie at odd addresses, where some products round differently.
        return tensors[value[_TENSOR]].clone()
    if _ARRAY in value:
        return tensors[value[_ARRAY]].numpy()
    if _KEYED in value:
        return {key: _restore(item, tensors) for key, item in value[_KEYED]}
    return {key: _restore(item, tensors) for key, item in value.items()}
