"""One array, or a dictionary of arrays: the same operations for both.

Observations are an array (or a torch tensor), a dictionary of arrays by key, or a
``DictObs``. Each of these is a *tree* of depth one, its arrays are the *leaves*, and a
bare array is its own only leaf. Code that calls these functions needs no branch for
dictionary observations::

    copied = tree.map(np.array, obs)
    batch = tree.take(obs, rows)
    joined = tree.concatenate([expert_obs, learner_obs])

Every result is of the kind that came in. Dictionaries do not nest, because
Stable-Baselines3 does not support nested ``gymnasium.spaces.Dict`` either.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar, cast, overload

import gymnasium as gym
import numpy as np
import torch as th

from imitation.data.dict_obs import DictObs, Observation
from imitation.errors import DataError
from imitation.util import tensors

# A leaf.
ArrayOrTensor: TypeAlias = np.ndarray | th.Tensor

# A leaf, or leaves by key.
Tree: TypeAlias = ArrayOrTensor | Mapping[str, ArrayOrTensor] | DictObs

# Anything that indexes a leaf along its first axis (axes, for a tuple).
Index: TypeAlias = int | slice | Sequence[int] | ArrayOrTensor | tuple[object, ...]

T = TypeVar("T", bound=Tree)
Leaf = TypeVar("Leaf", bound=ArrayOrTensor)
Unwrapped = TypeVar("Unwrapped", bound=ArrayOrTensor | Mapping[str, ArrayOrTensor])
In = TypeVar("In")
Out = TypeVar("Out")


@overload
def map(fn: Callable[[np.ndarray], np.ndarray], value: DictObs) -> DictObs: ...


@overload
def map(fn: Callable[[In], Out], value: Mapping[str, In]) -> dict[str, Out]: ...


@overload
def map(fn: Callable[[Leaf], Out], value: Leaf) -> Out: ...


def map(fn: Callable[..., object], value: object) -> object:
    """Applies a function to each leaf.

    Args:
        fn: a function of one leaf.
        value: a tree.

    Returns:
        The results, by the same keys. For a ``DictObs``, ``fn`` must return arrays; use
        ``tree.map(fn, tree.unwrap(obs))`` for any other result.
    """
    # Not a Mapping: its length and iteration are those of an array of observations.
    if isinstance(value, DictObs):
        return value.map_arrays(cast(Callable[[np.ndarray], np.ndarray], fn))
    if isinstance(value, Mapping):
        return {key: fn(leaf) for key, leaf in value.items()}
    return fn(value)


@overload
def leaves(value: DictObs) -> list[np.ndarray]: ...


@overload
def leaves(value: Mapping[str, In]) -> list[In]: ...


@overload
def leaves(value: Leaf) -> list[Leaf]: ...


def leaves(value: object) -> object:
    """Returns the leaves, in the order of their keys."""
    return list(value.values()) if isinstance(value, DictObs | Mapping) else [value]


def zip_leaves(first: Tree, second: Tree) -> Iterator[tuple[ArrayOrTensor, ...]]:
    """Pairs the leaves of two trees by key, in the order of the first.

    Raises:
        DataError: the keys differ, or only one is a dictionary.
    """
    check_alike([first, second])
    one, other = unwrap(first), unwrap(second)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return ((leaf, other[key]) for key, leaf in one.items())
    return iter([(cast(ArrayOrTensor, one), cast(ArrayOrTensor, other))])


def take(value: T, index: Index) -> T:
    """Indexes every leaf: a slice gives views, an array of rows gives copies."""
    # NumPy's and torch's stubs agree on no type of index but accept the same ones.
    if isinstance(value, Mapping):
        parts = {key: cast(_Indexable, leaf)[index] for key, leaf in value.items()}
        return cast(T, parts)
    return cast(T, cast(_Indexable, value)[index])  # also of a DictObs


def assign(target: Tree, index: Index, values: Tree) -> None:
    """Writes ``target[index] = values`` in place, leaf by leaf.

    Raises:
        DataError: the keys differ, or only one is a dictionary.
    """
    for leaf, new in zip_leaves(target, values):
        cast(_Indexable, leaf)[index] = new


def concatenate(parts: Iterable[T], axis: int = 0) -> T:
    """Concatenates trees along an existing axis of their leaves.

    Args:
        parts: at least one; all of one kind and with the same keys.
        axis: the axis to join.

    Raises:
        DataError: there is no part, or they mix kinds or keys.
    """
    return _join(np.concatenate, th.cat, parts, axis)


def stack(parts: Iterable[T], axis: int = 0) -> T:
    """Stacks trees along a new axis of their leaves; otherwise like `concatenate`."""
    return _join(np.stack, th.stack, parts, axis)


def length(value: Tree) -> int:
    """Returns the common length of all leaves.

    Raises:
        DataError: there is no leaf, one has no axis, or their lengths differ.
    """
    shapes = [tuple(leaf.shape) for leaf in leaves(value)]
    if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
        raise DataError(
            f"expected arrays with the same first axis, got the shapes {shapes}."
        )
    return int(shapes[0][0])


def check_alike(parts: Sequence[Tree]) -> None:
    """Checks that trees have the same structure.

    Raises:
        DataError: there is no part, arrays and dictionaries are mixed, or keys differ.
    """
    if not parts:
        raise DataError("Empty list of observations: at least one is needed.")
    dicts = [part for part in parts if isinstance(part, DictObs | Mapping)]
    if 0 < len(dicts) < len(parts):
        raise DataError(
            "Expected arrays or DictObs, got a mixture; wrap every dictionary "
            "observation with maybe_wrap_in_dictobs."
        )
    for part in dicts:
        if part.keys() != dicts[0].keys():
            raise DataError(
                f"Inconsistent keys: {sorted(part.keys())} differ from "
                f"{sorted(dicts[0].keys())}; every observation needs the same keys."
            )


@overload
def wrap(value: Mapping[str, np.ndarray] | DictObs) -> DictObs: ...


@overload
def wrap(value: Leaf) -> Leaf: ...


def wrap(value: object) -> object:
    """Wraps a dictionary of arrays in a ``DictObs``; returns anything else as it is."""
    return DictObs(dict(value)) if isinstance(value, Mapping) else value


@overload
def unwrap(value: DictObs) -> dict[str, np.ndarray]: ...


@overload
def unwrap(value: Unwrapped) -> Unwrapped: ...


def unwrap(value: object) -> object:
    """Returns the dictionary in a ``DictObs``; returns anything else as it is."""
    return value.unwrap() if isinstance(value, DictObs) else value


def as_observation(value: Tree) -> Observation:
    """Converts tensors to arrays and a dictionary to a ``DictObs``.

    Nothing is copied but tensors of other devices than the CPU.
    """
    if isinstance(value, np.ndarray | th.Tensor):
        return tensors.safe_to_numpy(value)
    return DictObs({key: tensors.safe_to_numpy(v) for key, v in value.items()})


def to_tensors(value: Tree) -> th.Tensor | dict[str, th.Tensor]:
    """Converts each leaf to a tensor, sharing memory where that is safe."""
    if isinstance(value, np.ndarray | th.Tensor):
        return tensors.safe_to_tensor(value)
    return {key: tensors.safe_to_tensor(leaf) for key, leaf in value.items()}


@overload
def flatten(
    named: Mapping[str, Observation | Mapping[str, np.ndarray]],
) -> dict[str, np.ndarray]: ...


@overload
def flatten(named: Mapping[str, Tree]) -> dict[str, ArrayOrTensor]: ...


def flatten(named: Mapping[str, Tree]) -> Mapping[str, ArrayOrTensor]:
    """Names every leaf of several trees.

    Args:
        named: trees by a name without ``"/"``.

    Returns:
        ``{name: array}`` for an array, ``{"name/key": leaf, ...}`` for a dictionary.
    """
    flat: dict[str, ArrayOrTensor] = {}
    for name, value in named.items():
        if isinstance(value, DictObs | Mapping):
            for key, leaf in value.items():
                flat[f"{name}/{key}"] = leaf
        else:
            flat[name] = value
    return flat


def unflatten(flat: Mapping[str, In]) -> dict[str, In | dict[str, In]]:
    """Restores what `flatten` was given, with a plain dictionary for a ``DictObs``."""
    named: dict[str, In | dict[str, In]] = {}
    for path, leaf in flat.items():
        # Keys of an observation space may hold a slash themselves, names may not.
        name, slash, key = path.partition("/")
        if slash:
            cast(dict[str, In], named.setdefault(name, {}))[key] = leaf
        else:
            named[name] = leaf
    return named


def with_spaces(
    name: str, value: object, space: gym.Space[object]
) -> list[tuple[str, object, gym.Space[object]]]:
    """Pairs each leaf with its part of a space.

    Args:
        name: what errors call the value, such as ``"obs"``.
        value: a tree; keys that the space lacks are ignored.
        space: of one entry of the batch, a ``Dict`` or any other.

    Returns:
        Name, leaf and space, such as ``("obs['position']", array, Box(...))``, in the
        order of the space's keys.

    Raises:
        DataError: a key of the space is missing, or only one of the two is a
            dictionary.
    """
    if isinstance(value, DictObs):
        value = value.unwrap()
    if isinstance(space, gym.spaces.Dict):
        if not isinstance(value, Mapping) or not value.keys() >= space.spaces.keys():
            got = sorted(value) if isinstance(value, Mapping) else type(value).__name__
            raise DataError(
                f"{name} must be a dictionary with the keys {sorted(space.spaces)}, "
                f"got {got}"
            )
        return [(f"{name}[{k!r}]", value[k], part) for k, part in space.spaces.items()]
    if isinstance(value, Mapping):
        raise DataError(
            f"{name} must be one array for the space {space}, got a dictionary with "
            f"the keys {sorted(value)}"
        )
    return [(name, value, space)]


class _Indexable(Protocol):
    def __getitem__(self, index: Index) -> object: ...

    def __setitem__(self, index: Index, value: object) -> None: ...


def _join(
    join_arrays: Callable[[list[np.ndarray], int], np.ndarray],
    join_tensors: Callable[[list[th.Tensor], int], th.Tensor],
    parts: Iterable[T],
    axis: int,
) -> T:
    def join(parts: Sequence[object]) -> ArrayOrTensor:
        if isinstance(parts[0], th.Tensor):
            return join_tensors(cast(list[th.Tensor], parts), axis)
        return join_arrays(cast(list[np.ndarray], parts), axis)

    trees: Sequence[Tree] = list(parts)  # an iterator would be used up by the check
    check_alike(trees)
    first = trees[0]
    if not isinstance(first, DictObs | Mapping):
        return cast(T, join(trees))
    dicts = cast(list[DictObs | Mapping[str, ArrayOrTensor]], trees)
    columns = [dict(part.items()) for part in dicts]
    joined = {key: join([part[key] for part in columns]) for key in columns[0]}
    is_wrapped = isinstance(first, DictObs)
    return cast(
        T, DictObs(cast(dict[str, np.ndarray], joined)) if is_wrapped else joined
    )
