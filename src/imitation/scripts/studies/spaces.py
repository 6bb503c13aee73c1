"""Search spaces as plain data, so that settings, JSON files and resumed runs hold them.

A space is a mapping with one key, the name of the function of ``ray.tune`` that makes
it: ``{"grid_search": [1, 2]}``, ``{"choice": [1, 2]}``, ``{"uniform": [0, 1]}``,
``{"loguniform": [1e-5, 1e-2]}``, ``{"randint": [0, 10]}`` and so on. Spaces and other
objects that a caller passes from Python are replaced by such mappings where possible,
and else by a name under which this process remembers them.
"""

import functools
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from imitation.errors import ConfigError, missing_extra
from imitation.scripts.settings import ConfigDict

# The functions of ray.tune that make a space.
KINDS = (
    "grid_search",
    "choice",
    "uniform",
    "loguniform",
    "quniform",
    "qloguniform",
    "randint",
    "lograndint",
    "qrandint",
    "qlograndint",
    "randn",
    "qrandn",
    "sample_from",
)

_LISTS = ("grid_search", "choice")
_LIVE = "only in the process that started it: "

_remembered: ConfigDict = {}


def import_tune() -> Any:
    """Imports ``ray.tune``.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    try:
        return importlib.import_module("ray.tune")
    except ModuleNotFoundError as error:
        raise missing_extra("ray", "parallel") from error


def space_of(value: object) -> tuple[str, Any] | None:
    """Returns the kind and the arguments of a described space; None for other values.

    Raises:
        ConfigError: the arguments do not suit the kind, or there are several kinds.
    """
    if not isinstance(value, Mapping):
        return None
    kinds = [key for key in value if key in KINDS]
    if not kinds:
        return None
    if len(value) > 1:
        raise ConfigError(
            f"a search space must have one key, got {', '.join(map(str, value))}; "
            "a preset's space can only be replaced by one of the same kind"
        )
    kind, arguments = kinds[0], value[kinds[0]]
    is_list = isinstance(arguments, Sequence) and not isinstance(arguments, str)
    if kind == "sample_from":
        if not isinstance(arguments, str):
            raise ConfigError("sample_from must name a function, package.module:name")
    elif not is_list or not arguments:
        raise ConfigError(f"{kind} must have a list of values, got {arguments!r}")
    elif kind not in _LISTS and not all(
        isinstance(bound, int | float) and not isinstance(bound, bool)
        for bound in arguments
    ):
        raise ConfigError(f"{kind} must have numbers, got {list(arguments)!r}")
    elif kind not in _LISTS and "randn" not in kind:
        _check_bounds(kind, arguments)
    return kind, arguments


def spaces_in(
    config: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Yields (path, kind, arguments) of every space in described settings."""
    found = space_of(config)
    if found is not None:
        yield path, *found
    elif isinstance(config, Mapping):
        for key, value in config.items():
            yield from spaces_in(value, (*path, str(key)))


def with_first(config: object) -> Any:
    """Replaces every space by one of its values, to check settings with.

    Values of functions are left out: only calling them would tell.
    """
    found = space_of(config)
    if found is not None:
        kind, arguments = found
        # Bounds may be written as 1e3, which is a float.
        return round(arguments[0]) if "randint" in kind else arguments[0]
    if isinstance(config, Mapping):
        return {
            key: with_first(value)
            for key, value in config.items()
            if not (isinstance(value, Mapping) and "sample_from" in value)
        }
    return config


def describe(value: object) -> Any:
    """Turns settings with spaces of ``ray.tune`` and other objects into plain data.

    Returns:
        The same as dicts, lists and scalars, to be given to `realize`.
    """
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    # By name: Ray need not be installed to describe other values.
    if type(value).__module__ == "ray.tune.search.sample":
        return _describe_domain(value)
    return _remember(value)


def realize(value: object) -> Any:
    """Turns what `describe` returns back into spaces and objects.

    Raises:
        ConfigError: an object was remembered by another process only.
    """
    found = space_of(value)
    if found is not None:
        tune = import_tune()
        kind, arguments = found
        if kind == "sample_from":
            return tune.sample_from(_recall(arguments))
        if kind in _LISTS:
            return getattr(tune, kind)([realize(item) for item in arguments])
        return getattr(tune, kind)(*arguments)
    if isinstance(value, Mapping):
        return {key: realize(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [realize(item) for item in value]
    if isinstance(value, str) and value.startswith(_LIVE):
        return _recall(value)
    return value


def _describe_domain(domain: Any) -> dict[str, object]:
    """A space of ray.tune by the function that makes it and its arguments."""
    kind = type(domain).__name__
    if kind == "Categorical":
        return {"choice": [describe(item) for item in domain.categories]}
    if kind == "Function":
        return {"sample_from": _remember(domain.func)}
    sampler = domain.get_sampler()
    # Ray wraps a sampler in a Quantized one; the bounds stay those of the domain.
    quantum = getattr(sampler, "q", None)
    inner = type(getattr(sampler, "sampler", sampler)).__name__.lstrip("_")
    base = {"Float": "uniform", "Integer": "randint"}[kind]
    arguments = [domain.lower, domain.upper]
    if inner == "Normal":
        normal = getattr(sampler, "sampler", sampler)
        base, arguments = "randn", [normal.mean, normal.sd]
    name = f"log{base}" if inner == "LogUniform" else base
    if quantum is None:
        return {name: arguments}
    return {f"q{name}": [*arguments, quantum]}


def _remember(value: object) -> str:
    """A name for an object: where to import it from, or a note of this process."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if callable(value) and module != "__main__" and name:
        found = getattr(importlib.import_module(str(module)), name, None)
        # Lambdas and inner functions have names that import nothing, or another one.
        if found is value:
            return f"{module}:{name}"
    if isinstance(value, functools.partial):
        name = "partial"
    key = f"{_LIVE}{name or type(value).__name__} {len(_remembered)}"
    # By identity: equal objects may go on to differ.
    known = next((k for k, v in _remembered.items() if v is value), None)
    if known is None:
        _remembered[key] = value
    return known or key


def _recall(name: str) -> object:
    if name in _remembered:
        return _remembered[name]
    if name.startswith(_LIVE):
        raise ConfigError(
            f"the study holds an object that exists {name.rsplit(' ', 1)[0]}; start it "
            "from Python again with logging.log_dir set to its directory"
        )
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"cannot import {name!r}: {error}") from error


def _check_bounds(kind: str, arguments: Sequence[float]) -> None:
    """Raises a ConfigError unless numbers are bounds, a quantum for q, maybe a base."""
    is_log, n_least = "log" in kind, 3 if kind.startswith("q") else 2
    good = n_least <= len(arguments) <= n_least + is_log
    if good:
        low, high = arguments[:2]
        good = low < high and (low > 0 or not is_log)
    if not good:
        form = "[low, high, quantum]" if n_least == 3 else "[low, high]"
        raise ConfigError(
            f"{kind} must have {form} with {'0 < ' if is_log else ''}low < high, got "
            f"{list(arguments)!r}"
        )
