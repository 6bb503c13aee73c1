"""Writing and reading what we save: safetensors, JSON, and atomic replacement.

An artifact is a directory: tensors in ``*.safetensors``, structure in JSON, no pickle.
It is written to a temporary sibling, fsynced and swapped into place, so that a kill at
any instant leaves the old one or the new one. Class names in an artifact are resolved
from an allow-list, because importing whatever a file names is running code from it.
"""

import contextlib
import ctypes
import functools
import importlib
import json
import os
import pathlib
import platform
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
import safetensors
import safetensors.torch
import torch as th

from imitation.errors import ArtifactError, reason
from imitation.util.constructors import remember_arguments
from imitation.util.paths import AnyPath

# What ``json`` reads and writes.
JSON: TypeAlias = Any

# Nested dictionaries and lists of arrays, tensors, numbers, text and None.
State: TypeAlias = dict[str, Any]

C = TypeVar("C", bound=type)

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_TEMPORARY = re.compile(r"\..*\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{8}\.tmp")
_HOST = f"{zlib.crc32(platform.node().encode()):08x}"


@contextlib.contextmanager
def replacing_directory(path: AnyPath) -> Iterator[pathlib.Path]:
    """Yields an empty directory that takes the place of `path` when the block ends.

    Within the directory of another such block, the directory is made in place: that
    block fsyncs and moves everything at once.

    Args:
        path: where the directory shall be; an older one or a file there is replaced.

    Yields:
        A directory to write into. If the block raises, it is removed and `path` stays
        as it was.

    Raises:
        ArtifactError: `path` is a directory that holds something else.
    """
    target = _absolute(path)
    if _inside_temporary(target):
        target.mkdir(parents=True)
        yield target
        return
    with _temporary_sibling(target) as temporary:
        temporary.mkdir()
        yield temporary
        for folder, _, files in os.walk(temporary):
            for name in files:
                _fsync(pathlib.Path(folder) / name)
            _fsync(pathlib.Path(folder))
        _replace(temporary, target)


@contextlib.contextmanager
def replacing_file(path: AnyPath) -> Iterator[pathlib.Path]:
    """Yields a path for a file that takes the place of `path` when the block ends.

    Within the directory of a `replacing_directory`, the file is written in place.

    Args:
        path: where the file shall be; an older one there is replaced.

    Yields:
        A path to write to. If the block raises, it is removed and `path` stays as it
        was.

    Raises:
        ArtifactError: `path` is a directory.
    """
    target = _absolute(path)
    if _inside_temporary(target):
        yield target
        return
    with _temporary_sibling(target) as temporary:
        yield temporary
        _fsync(temporary)
        _replace(temporary, target)


def write_json(path: AnyPath, value: JSON) -> None:
    """Writes a JSON file atomically. NaN and infinities are written as Python does."""
    with replacing_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def read_json(path: AnyPath) -> JSON:
    """Reads a JSON file.

    Raises:
        ArtifactError: the file is missing, unreadable or not JSON.
    """
    name = os.fsdecode(path)
    try:
        return json.loads(pathlib.Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"cannot read {name} as JSON: {reason(error)}") from error


def write_tensors(path: AnyPath, tensors: Mapping[str, th.Tensor | np.ndarray]) -> None:
    """Writes named arrays or tensors as one safetensors file, atomically.

    Args:
        path: the file.
        tensors: any shapes; tensors may share storage or lie on any device.
    """
    # Contiguous CPU copies that share no storage, as safetensors demands.
    plain = {
        name: (
            th.from_numpy(np.array(value, order="C"))
            if isinstance(value, np.ndarray)
            else value.detach().cpu().clone(memory_format=th.contiguous_format)
        )
        for name, value in tensors.items()
    }
    with replacing_file(path) as temporary:
        safetensors.torch.save_file(plain, temporary)


def read_tensors(path: AnyPath) -> dict[str, th.Tensor]:
    """Reads a safetensors file into CPU tensors.

    Raises:
        ArtifactError: the file is missing, truncated or another kind of file.
    """
    name = os.fsdecode(path)
    try:
        return safetensors.torch.load_file(name)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise ArtifactError(
            f"cannot read {name} as safetensors: {reason(error)}"
        ) from error


_REGISTERED: dict[str, type] = {}

# Modules (or, with a final dot, packages) whose classes an artifact may name.
_TRUSTED_MODULES = (
    "torch.nn.modules.",
    "torch.optim.",
    "stable_baselines3.common.policies",
    "stable_baselines3.common.torch_layers",
    "stable_baselines3.common.preprocessing",
    "stable_baselines3.a2c.policies",
    "stable_baselines3.dqn.policies",
    "stable_baselines3.ppo.policies",
    "stable_baselines3.sac.policies",
    "stable_baselines3.td3.policies",
    "sb3_contrib.",
    "imitation.",
)


def register_class(cls: C) -> C:
    """Allows artifacts to name a class of yours; use it as a decorator.

    Args:
        cls: a class at the top level of a module. If it is a network, its new instances
            remember their constructor arguments, which are saved with them.

    Returns:
        `cls` itself.
    """
    _REGISTERED[class_path(cls)] = cls
    # Policies of Stable-Baselines3 know their arguments themselves.
    if issubclass(cls, th.nn.Module) and not hasattr(
        cls, "_get_constructor_parameters"
    ):
        remember_arguments(cls)
    return cls


def is_yours(cls: type) -> bool:
    """Returns True for classes registered with `register_class`."""
    return _REGISTERED.get(class_path(cls)) is cls


def class_path(cls: type) -> str:
    """Returns the name under which an artifact stores a class: "module:qualname"."""
    return f"{cls.__module__}:{cls.__qualname__}"


def resolve_class(path: str) -> type:
    """Finds a class that an artifact names.

    Args:
        path: "module:qualname".

    Returns:
        The class: one registered with `register_class`, or one of this package, torch,
        Stable-Baselines3 or sb3_contrib that policies are built from.

    Raises:
        ArtifactError: the class is none of these or does not exist.
    """
    if path in _REGISTERED:
        return _REGISTERED[path]
    module, _, name = path.partition(":")
    is_trusted = any(
        module.startswith(entry) if entry.endswith(".") else module == entry
        for entry in _TRUSTED_MODULES
    )
    # An identifier has no dot, so no name reaches through what a module imported.
    if not name.isidentifier() or not is_trusted:
        raise ArtifactError(
            f"the artifact names the class {path!r}, which is not known to be safe; "
            "import the module that defines it and register the class with "
            "imitation.util.artifacts.register_class"
        )
    try:
        try:
            found = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError:
            # Its module was merged into a sibling: the package exports the class.
            package = module.rpartition(".")[0]
            found = getattr(importlib.import_module(package), name)
            if str(getattr(found, "__module__", "")).startswith(f"{package}."):
                module = found.__module__
    except (ImportError, AttributeError, ValueError) as error:
        raise ArtifactError(
            f"the artifact names the class {path!r}, which this installation does "
            f"not have: {reason(error)}"
        ) from error
    # What a module merely imported, it does not vouch for.
    if not isinstance(found, type) or found.__module__ != module:
        raise ArtifactError(
            f"the artifact names {path!r}, which is not a class defined there"
        )
    return found


def _absolute(path: AnyPath) -> pathlib.Path:
    return pathlib.Path(os.fsdecode(path)).absolute()


@contextlib.contextmanager
def _temporary_sibling(target: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a fresh name beside `target`; what it names is removed on an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    temporary = _sibling(target)
    try:
        yield temporary
    # KeyboardInterrupt, too: an interrupted save leaves nothing behind.
    except BaseException:
        _remove(temporary)
        raise


def _sibling(target: pathlib.Path) -> pathlib.Path:
    """A fresh name beside `target`, hidden and on the same file system."""
    owner = f"{_HOST}-{os.getpid()}-{secrets.token_hex(4)}"
    return target.with_name(f".{target.name}.{owner}.tmp")


@functools.cache
def _sweep(directory: pathlib.Path) -> None:
    """Removes what killed processes of this machine left; once for each directory."""
    for path in directory.glob(".*.tmp"):
        match = _TEMPORARY.fullmatch(path.name)
        # Process numbers mean nothing on another machine that shares the directory.
        if match and match["host"] == _HOST and not _is_running(int(match["pid"])):
            _remove(path)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs, as another user
        pass
    return True


def _inside_temporary(target: pathlib.Path) -> bool:
    # Nothing of it needs to reach the disk yet: the outer artifact is fsynced as a
    # whole.
    return any(_TEMPORARY.fullmatch(part) for part in target.parent.parts)


def _replace(temporary: pathlib.Path, target: pathlib.Path) -> None:
    """Puts `temporary` in the place of `target`, whatever kinds they are."""
    _check_replaceable(temporary, target)
    exists = target.exists() or target.is_symlink()
    # `os.replace` refuses directories that are not empty: swap, then remove.
    if exists and (temporary.is_dir() or target.is_dir()):
        _exchange(temporary, target)
        _remove(temporary)
    else:
        os.replace(temporary, target)
    # The rename itself reaches the disk with the directory that holds the name.
    _fsync(target.parent)


def _check_replaceable(temporary: pathlib.Path, target: pathlib.Path) -> None:
    """Refuses to delete a directory that is certainly something else."""
    if not target.is_dir() or target.is_symlink():
        return
    if not temporary.is_dir():
        raise ArtifactError(f"{target} is a directory, expected a file to write")
    found, written = ({p.name for p in d.iterdir()} for d in (target, temporary))
    if found and found.isdisjoint(written):
        raise ArtifactError(
            f"{target} holds {min(found)} and nothing that is being saved; saving "
            "would delete it: choose another path, or remove it first"
        )


def _exchange(one: pathlib.Path, other: pathlib.Path) -> None:
    """Swaps two paths; atomically where the system can (Linux `renameat2`)."""
    # Python has no binding; elsewhere three renames leave a moment without a target.
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        arguments = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
        if libc.renameat2(*arguments, _RENAME_EXCHANGE) == 0:
            return
    aside = _sibling(other)
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _fsync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
