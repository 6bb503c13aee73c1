"""Networks as a description in JSON and tensors, from which they are built again.

The description lists a network after those among its constructor arguments: each by
its class and arguments, in which the others appear as numbers. Only classes that
`imitation.util.artifacts.resolve_class` knows are built, so that reading a description
runs no code that its author chose.
"""

import collections
import copy
import inspect
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, cast

import torch as th
from torch import nn

from imitation.errors import ArtifactError, reason
from imitation.util import arguments, artifacts, seeding
from imitation.util.constructors import (
    Arguments,
    remember_arguments,
    remembered_arguments,
)

FORMAT_VERSION = 1

Document = dict[str, artifacts.JSON]


class Rebuildable(nn.Module):
    """A module that remembers its constructor arguments and pickles without code.

    A pickle, and what `torch.save` writes, holds the class, the constructor arguments
    and the tensors, with their training modes and whether they require gradients.
    `torch.load` reads it with its safe defaults. Attributes changed after construction
    are not part of it. Instances of classes that artifacts cannot name (see
    `imitation.util.artifacts.register_class`) are pickled like any module, with a
    warning.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Makes instances of every subclass remember their arguments."""
        super().__init_subclass__(**kwargs)
        remember_arguments(cls)

    def __copy__(self) -> Self:
        """Returns a module that shares all submodules and tensors."""
        # Without this, copy.copy would rebuild the network through __reduce_ex__.
        original: Any = self
        copied: Any = type(self).__new__(type(self))
        copied.__setstate__(original.__getstate__())
        return cast(Self, copied)

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """Returns an independent module, with all attributes."""
        original: Any = self
        copied: Any = type(self).__new__(type(self))
        memo[id(self)] = copied
        copied.__setstate__(copy.deepcopy(original.__getstate__(), memo))
        return cast(Self, copied)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Pickles a call of `rebuild_pickled`, where that is possible."""
        try:
            document = describe(self)
        except ArtifactError as error:
            warnings.warn(
                f"pickling a whole {type(self).__name__}, which can only be read by "
                f"trusting the file: {error}",
                stacklevel=2,
            )
            return super().__reduce_ex__(protocol)
        # The parameters themselves, so that others in the same pickle share them.
        return rebuild_pickled, (json.dumps(document), tensors_of(self))


def rebuild_pickled(text: str, tensors: Mapping[str, th.Tensor]) -> nn.Module:
    """Rebuilds a module from a pickle; pickles refer to this function by its name.

    Returns:
        The module, on that device.

    Raises:
        ArtifactError: the description is damaged or not known to be safe, or the
            tensors do not fit it.
    """
    try:
        document = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"a network's description is damaged: {error}") from error
    module = rebuild(document, tensors)
    first = next(iter(tensors.values()), None)
    return module if first is None else module.to(first.device)


th.serialization.add_safe_globals([rebuild_pickled])


def tensors_of(module: nn.Module) -> dict[str, th.Tensor]:
    """Returns the parameters of a module, themselves, and its buffers, by name."""
    return {
        name: value if isinstance(value, nn.Parameter) else value.detach()
        for name, value in module.state_dict(keep_vars=True).items()
        if isinstance(value, th.Tensor)
    }


def describe(module: nn.Module) -> Document:
    """Describes how to build a module, and checks that it can be built so.

    Returns:
        The description, JSON values, for `rebuild`.

    Raises:
        ArtifactError: the module cannot be rebuilt from a description, and why.
    """
    name = type(module).__name__
    describer = _Describer(module)
    describer.number(module)
    document = {
        "format_version": FORMAT_VERSION,
        "modules": describer.entries,
        "evaluating": [n for n, m in module.named_modules() if not m.training],
        "frozen": [n for n, p in _parameters(module) if not p.requires_grad],
    }
    try:
        _check_fit(_build(document), module.state_dict())
    except ArtifactError as error:
        raise ArtifactError(f"{name} cannot be saved: {error}") from error
    return document


def rebuild(document: artifacts.JSON, tensors: Mapping[str, th.Tensor]) -> nn.Module:
    """Builds a module and puts its tensors in, leaving torch's random state alone.

    Args:
        document: what `describe` returned, or what somebody else wrote.
        tensors: its parameters and buffers, which become its own.

    Returns:
        The module, in the training modes that it was in.

    Raises:
        ArtifactError: the description is damaged or not known to be safe, or the
            tensors do not fit it.
    """
    module = _build(document)
    _check_fit(module, tensors)
    try:
        module.load_state_dict(_tied(module, tensors), assign=True)
        frozen, evaluating = set(document["frozen"]), set(document["evaluating"])
        for name, parameter in _parameters(module):
            parameter.requires_grad_(name not in frozen)
        for name, part in module.named_modules():
            part.training = name not in evaluating
    except (LookupError, RuntimeError, TypeError) as error:
        raise ArtifactError(f"the description is damaged: {reason(error)}") from error
    return module


class _Describer:
    """Numbers modules and describes each once, so that shared ones stay shared."""

    def __init__(self, root: nn.Module) -> None:
        self.entries: list[Document] = []
        self._numbers: dict[int, int] = {}
        self._inside = {id(part) for part in root.modules()}

    def number(self, module: nn.Module) -> int:
        """Returns the place of a module in `entries`, where it now is."""
        if id(module) not in self._numbers:
            entry = self._describe(module)
            self._numbers[id(module)] = len(self.entries)
            self.entries.append(entry)
        return self._numbers[id(module)]

    def _describe(self, module: nn.Module) -> Document:
        cls = type(module)
        if id(module) not in self._inside:
            raise ArtifactError(
                f"an argument is a {cls.__name__} that is kept as no submodule, so its "
                "weights would be lost; assign it to an attribute"
            )
        found = remembered_arguments(module) or _torch_arguments(module)
        what = f"of {cls.__name__}"
        return {
            "class": artifacts.class_path(cls),
            "args": [
                arguments.to_json(value, f"argument {i} {what}", self.number)
                for i, value in enumerate(found.args)
            ],
            "kwargs": {
                key: arguments.to_json(value, f"the argument {key} {what}", self.number)
                for key, value in found.kwargs.items()
            },
        }


def _torch_arguments(module: nn.Module) -> Arguments:
    """Reads the arguments of one of torch's own layers off its attributes."""
    cls = type(module)
    if cls is nn.Sequential:
        return Arguments((), dict(module.named_children()))
    if not cls.__module__.startswith("torch.nn.modules."):
        raise ArtifactError(
            f"the constructor arguments of a {cls.__name__} are not known; register "
            "the class with imitation.util.artifacts.register_class before you make "
            "instances of it"
        )
    names = [name for name in inspect.signature(cls).parameters if name in dir(module)]
    values = {name: getattr(module, name) for name in names}
    if "bias" in values:  # the argument says whether there is such a parameter
        values["bias"] = values["bias"] is not None
    return Arguments((), values)


def _build(document: artifacts.JSON) -> nn.Module:
    """Builds the modules that a description lists; returns the last."""
    modules: list[nn.Module] = []
    try:
        if document["format_version"] != FORMAT_VERSION:
            raise ArtifactError(
                f"the network has format {document['format_version']!r}, this version "
                f"reads {FORMAT_VERSION}"
            )
        with seeding.forked_torch_rng():
            for entry in document["modules"]:
                modules.append(_build_one(entry, modules))
        return modules[-1]
    except ArtifactError:
        raise
    except Exception as error:  # JSON of somebody else can break anything
        raise ArtifactError(
            f"the description of a network is damaged: {reason(error)}"
        ) from error


def _build_one(entry: artifacts.JSON, modules: Sequence[nn.Module]) -> nn.Module:
    cls = artifacts.resolve_class(entry["class"])
    if not issubclass(cls, nn.Module):
        raise ArtifactError(f"{entry['class']} is not a network")
    args = [arguments.from_json(value, modules) for value in entry["args"]]
    kwargs = {k: arguments.from_json(v, modules) for k, v in entry["kwargs"].items()}
    construct: Callable[..., nn.Module] = cls
    if cls is nn.Sequential:
        # It takes named layers only as one ordered dictionary, not as keywords.
        args, kwargs = [collections.OrderedDict(kwargs)], {}
    try:
        return construct(*args, **kwargs)
    except Exception as error:  # whatever a constructor says to wrong arguments
        raise ArtifactError(
            f"{cls.__name__} does not take its saved arguments: {reason(error)}"
        ) from error


def _check_fit(module: nn.Module, tensors: Mapping[str, th.Tensor]) -> None:
    """Checks that a module has these tensors, in these shapes and kinds of number."""
    name, own = type(module).__name__, module.state_dict()
    built = f"which {name} has when it is built from its constructor arguments"
    for key in sorted(own.keys() - tensors.keys()):
        raise ArtifactError(f"there is no tensor {key!r}, {built}")
    for key in sorted(tensors.keys() - own.keys()):
        raise ArtifactError(f"there is a tensor {key!r}, beyond those {built}")
    for key, expected in own.items():
        found = tensors[key]
        for value in (found, expected):
            if not isinstance(value, th.Tensor) or nn.parameter.is_lazy(value):
                raise ArtifactError(f"{key!r} of {name} is not a tensor with a shape")
        floating = found.is_floating_point() and expected.is_floating_point()
        if found.shape != expected.shape or (
            found.dtype != expected.dtype and not floating
        ):
            raise ArtifactError(
                f"the tensor {key!r} of {name} is {_kind(found)}, "
                f"expected {_kind(expected)}"
            )


def _kind(tensor: th.Tensor) -> str:
    return f"{tensor.dtype} of shape {tuple(tensor.shape)}"


def _tied(module: nn.Module, tensors: Mapping[str, th.Tensor]) -> dict[str, th.Tensor]:
    """Makes parameters of tensors: one for all names that share one in the module."""
    # keep_vars=True: without it state_dict detaches, and every id would be new.
    made: dict[int, th.Tensor] = {}
    for name, own in module.state_dict(keep_vars=True).items():
        value = tensors[name]
        if isinstance(own, nn.Parameter) and not isinstance(value, nn.Parameter):
            value = nn.Parameter(value, own.requires_grad)
        made.setdefault(id(own), value)
    return {
        name: made[id(own)] for name, own in module.state_dict(keep_vars=True).items()
    }


def _parameters(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return list(module.named_parameters(remove_duplicate=False))
