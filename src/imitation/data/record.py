"""The base of the data classes of ``imitation.data.types``, and their checks.

A `Record` is compared by value and shows the shapes of its arrays. Their constructors
convert and check fields with the functions here, once, where data enters the library.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from imitation.data import tree
from imitation.data.dict_obs import DictObs, Observation
from imitation.errors import DataError

Array = np.ndarray

# What `step` of an environment returns beside the observation.
Info: TypeAlias = Mapping[str, Any]


class Record:
    """Base of frozen dataclasses of arrays: equality by value, a repr with shapes."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = dataclass_quick_asdict(self), dataclass_quick_asdict(other)
        return all(_equal(mine[name], theirs[name]) for name in mine)

    __hash__ = None  # type: ignore[assignment]  # as Python does beside __eq__

    def __repr__(self) -> str:
        fields = dataclass_quick_asdict(self).items()
        inside = ", ".join(f"{name}={_described(value)}" for name, value in fields)
        return f"{type(self).__name__}({inside})"

    def _set(self, name: str, value: object) -> None:
        # Frozen dataclasses may only be changed this way, and only while being built.
        object.__setattr__(self, name, value)

    def _is_missing(self, name: str) -> bool:
        return getattr(self, name) is None


def dataclass_quick_asdict(obj: Any) -> dict[str, Any]:
    """Returns the fields of a dataclass instance as a dictionary, without copying.

    Unlike ``dataclasses.asdict`` it neither copies arrays nor takes apart nested
    dataclasses such as ``DictObs``.

    Args:
        obj: a dataclass instance.

    Returns:
        The value of each field by name.
    """
    return {f.name: getattr(obj, f.name) for f in dataclasses.fields(obj)}


def as_observation(name: str, value: object) -> Observation:
    """Converts a batch of observations to an array or a ``DictObs``.

    Raises:
        DataError: it is ragged or not of numbers; `name` says which.
    """
    if isinstance(value, Mapping):
        value = DictObs({k: np.asarray(v) for k, v in value.items()})
    if isinstance(value, DictObs):
        for key, array in value.items():
            as_array(f"{name}[{key!r}]", array)
        return value
    return as_array(name, value)


def as_array(name: str, value: object) -> Array:
    """Converts a value to an array of numbers; raises DataError if it is not one."""
    try:
        array: Array = np.asanyarray(value)  # keeps subclasses, such as memory maps
    except ValueError as error:
        raise DataError(
            f"{name} must be one array, got ragged entries: {error}."
        ) from error
    if array.dtype.kind not in "biufc":
        raise DataError(
            f"{name} must be an array of numbers, got dtype {array.dtype}; make every "
            "entry a number array of one shape."
        )
    return array


def as_infos(infos: object) -> Array:
    """Converts a sequence of dictionaries to an array of dtype object, shape (N,)."""
    if isinstance(infos, np.ndarray):
        return infos
    if not isinstance(infos, Sequence):
        raise DataError(
            "infos must be a sequence of dicts, one for each timestep, got "
            f"{type(infos).__name__}; use empty dicts where there are none."
        )
    # np.array would look for arrays inside the dictionaries.
    array = np.empty(len(infos), dtype=object)
    array[:] = list(infos)
    return array


def length(name: str, value: Observation) -> int:
    """Returns the length of a batch; raises DataError if it has none."""
    try:
        return len(value)
    except (RuntimeError, TypeError) as error:
        raise DataError(f"{name} must have one entry per timestep: {error}") from error


def checked_rewards(rews: object, n_acts: int) -> Array:
    """Converts rewards to an array; raises DataError if not floats, shape (n_acts,)."""
    array: Array = np.asanyarray(rews)
    if array.shape != (n_acts,):
        raise DataError(
            "rewards must be 1D array, one entry for each action: "
            f"{array.shape} != ({n_acts},)."
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f"rewards dtype {array.dtype} not a float; use rews.astype(np.float32)."
        )
    return array


def checked_flags(name: str, flags: object, n_acts: int) -> Array:
    """Converts flags to an array; raises DataError if not bools, shape (n_acts,)."""
    array: Array = np.asarray(flags)
    if array.shape != (n_acts,):
        raise DataError(
            f"{name} must be 1D array, one entry for each timestep: "
            f"{array.shape} != ({n_acts},)."
        )
    if array.dtype != bool:
        raise DataError(
            f"{name} must be boolean, got {array.dtype}; use .astype(bool)."
        )
    return array


def says_truncated(info: object) -> bool:
    """Returns ``info["TimeLimit.truncated"]``, False where it is missing.

    Stable-Baselines3 sets it in the last info of every episode; it is False if the
    environment terminates in the very step in which it also truncates.
    """
    # Other libraries' infos may hold anything in place of a dictionary.
    return isinstance(info, Mapping) and bool(info.get("TimeLimit.truncated", False))


def read_only_view(value: Observation) -> Observation:
    """Returns views that cannot be written to; the arrays themselves stay writable."""

    def view(array: Array) -> Array:
        if not array.flags.writeable:
            return array
        # Of a view: the caller's own array stays writable.
        view = array.view()
        view.flags.writeable = False
        return view

    return tree.map(view, value)


def _equal(a: Any, b: Any) -> bool:
    """Compares by value, inside containers of arrays, such as infos, too."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if _is_listlike(a) and _is_listlike(b):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, np.ndarray | np.generic) or isinstance(b, np.ndarray | np.generic):
        # As everywhere in NumPy, NaN is unequal to itself.
        return np.array_equal(a, b)
    return bool(a == b)


def _is_listlike(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype == object and value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, Sequence):
        return f"{type(value).__name__}[{len(value)}]"
    return repr(value)
