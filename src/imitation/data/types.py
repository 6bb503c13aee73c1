"""Trajectories and transitions: frozen dataclasses of NumPy arrays.

A *trajectory* is a sequence of steps in one environment: ``T`` actions and ``T + 1``
observations, the last of which is where the trajectory ended. A *transition* is one
step cut out of it (``obs, acts, next_obs, dones``); a batch of transitions has no
order. ``rollout.flatten_trajectories`` turns the first into the second.

Shapes below use ``T`` for the number of actions and ``N`` for the size of a batch. Any
``obs`` is an array, or a ``DictObs`` for environments with dictionary observations.
"""

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, overload

import numpy as np
import numpy.typing as npt
import torch as th
from torch.utils import data as th_data

from imitation.data import tree
from imitation.data.dict_obs import DictObs, Observation
from imitation.errors import DataError
from imitation.util.paths import AnyPath

__all__ = [
    "AnyPath",
    "AnyTensor",
    "DictObs",
    "ObsVar",
    "Observation",
    "Pair",
    "Trajectory",
    "TrajectoryPair",
    "TrajectoryWithRew",
    "TrajectoryWithRewPair",
    "TransitionMapping",
    "TransitionMappingNoNextObs",
    "Transitions",
    "TransitionsMinimal",
    "TransitionsWithRew",
    "assert_not_dictobs",
    "concatenate_maybe_dictobs",
    "dataclass_quick_asdict",
    "map_maybe_dict",
    "maybe_unwrap_dictobs",
    "maybe_wrap_in_dictobs",
    "stack_maybe_dictobs",
    "transitions_collate_fn",
]

T = TypeVar("T")
U = TypeVar("U")
TransitionsSelf = TypeVar("TransitionsSelf", bound="TransitionsMinimal")
Array = npt.NDArray[Any]

AnyTensor = Array | th.Tensor
"""A NumPy array or a torch tensor."""

ObsVar = TypeVar("ObsVar", Array, DictObs)
"""A type variable for functions that return the kind of observation they receive."""

Pair = tuple[T, T]
"""Two of the same type."""


class TransitionMappingNoNextObs(TypedDict):
    """A batch as a dictionary with ``obs`` and ``acts``."""

    obs: Observation | th.Tensor
    acts: AnyTensor


class TransitionMapping(TransitionMappingNoNextObs, total=False):
    """A batch with ``obs`` and ``acts``, maybe also ``next_obs, dones, rew``."""

    next_obs: Observation | th.Tensor
    dones: AnyTensor
    rew: AnyTensor


class _Record:
    """What all the dataclasses here share: equality by value, a repr with shapes."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = dataclass_quick_asdict(self), dataclass_quick_asdict(other)
        return all(_equal(mine[name], theirs[name]) for name in mine)

    __hash__ = None  # type: ignore[assignment]  # as Python does beside __eq__

    def __repr__(self) -> str:
        fields = dataclass_quick_asdict(self).items()
        inside = ", ".join(f"{name}={_describe(value)}" for name, value in fields)
        return f"{type(self).__name__}({inside})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Trajectory(_Record):
    """A trajectory, e.g. a one episode rollout from an expert policy.

    Arrays are kept as they are; lists are converted with ``np.asarray`` and a
    dictionary of observations is wrapped in a ``DictObs``.

    Raises:
        DataError: the lengths disagree, there is no action, or observations or actions
            are not numbers.
    """

    obs: Observation
    """Observations, shape ``(T + 1, *observation_shape)``."""

    acts: Array
    """Actions, shape ``(T, *action_shape)``."""

    infos: Array | Sequence[Mapping[str, Any]] | None
    """Info dictionaries, length ``T``, or None.

    They are what the environment's ``step`` returns beside the observation; a
    ``Monitor`` wrapper, for one, puts the episode's return and length into the last.
    """

    terminal: bool
    """Does this trajectory (fragment) end in a terminal state?

    Episodes always do. A fragment does when it holds the last state of its episode,
    even if it misses the first.
    """

    def __post_init__(self) -> None:
        _set(self, "obs", _as_observation("obs", self.obs))
        _set(self, "acts", _as_array("acts", self.acts))
        n_obs, n_acts = _length("obs", self.obs), _length("acts", self.acts)
        if n_obs != n_acts + 1:
            raise DataError(
                "expected one more observations than actions: "
                f"{n_obs} != {n_acts} + 1; include the one after the last action."
            )
        if self.infos is not None and len(self.infos) != n_acts:
            raise DataError(
                "infos when present must be present for each action: "
                f"{len(self.infos)} != {n_acts}; pass None if there are none."
            )
        if n_acts == 0:
            raise DataError("Degenerate trajectory: must have at least one action.")

    def __len__(self) -> int:
        """The number of actions, ``T``."""
        return len(self.acts)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "terminal" not in state:
            warnings.warn(
                "Loading an old trajectory without 'terminal'; assuming True. "
                "Save it again to silence this.",
                UserWarning,
                stacklevel=2,
            )
            state = {**state, "terminal": True}
        self.__dict__.update(state)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TrajectoryWithRew(Trajectory):
    """A trajectory with the reward of each step.

    Raises:
        DataError: as for ``Trajectory``, or the rewards are not ``T`` floats.
    """

    rews: Array
    """Rewards, shape ``(T,)``, a float dtype."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _set(self, "rews", _checked_rewards(self.rews, self.acts))


TrajectoryPair = Pair[Trajectory]
"""Two trajectories (fragments) to compare."""

TrajectoryWithRewPair = Pair[TrajectoryWithRew]
"""Two trajectories (fragments) with rewards to compare."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TransitionsMinimal(
    _Record, th_data.Dataset[Mapping[str, Any]], Sequence[Mapping[str, Any]]
):
    """A batch of observations and actions; a torch ``Dataset`` and a ``Sequence``.

    Usually made by ``rollout.flatten_trajectories``. ``transitions[i]`` is a dictionary
    of the ``i``-th entry of each field; a slice, an array of indices or a boolean mask
    gives a (possibly empty) batch of the same class. The fields are read-only *views*
    of the arrays passed in: nothing is copied, and the caller's stay writable.

    Raises:
        DataError: the lengths disagree, or the fields are not numbers.
    """

    obs: Observation
    """Observations the actions were chosen on, shape ``(N, *observation_shape)``.

    ``obs[i + 1]`` need not follow ``obs[i]`` in time.
    """

    acts: Array
    """Actions, shape ``(N, *action_shape)``."""

    infos: Array
    """Info dictionaries, shape ``(N,)``, dtype object."""

    def __post_init__(self) -> None:
        _set(self, "obs", _as_observation("obs", self.obs))
        _set(self, "acts", _as_array("acts", self.acts))
        _set(self, "infos", _as_infos(self.infos))
        n_obs, n_acts = _length("obs", self.obs), _length("acts", self.acts)
        if n_obs != n_acts:
            raise DataError(
                "obs and acts must have same number of timesteps: "
                f"{n_obs} != {n_acts}; drop the last observation of each episode."
            )
        if len(self.infos) != n_obs:
            raise DataError(
                "obs and infos must have same number of timesteps: "
                f"{n_obs} != {len(self.infos)}; use an empty dict where there is none."
            )
        self._make_read_only()

    def __len__(self) -> int:
        """The number of transitions, ``N``."""
        return len(self.acts)

    @overload
    def __getitem__(self, key: int) -> Mapping[str, Any]: ...

    @overload
    def __getitem__(
        self: TransitionsSelf, key: slice | Array | list[int]
    ) -> TransitionsSelf: ...

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list):
            # An empty list would become a float array, which cannot index.
            key = np.asarray(key) if key else np.zeros(0, dtype=np.intp)
        picked = {k: v[key] for k, v in dataclass_quick_asdict(self).items()}
        is_batch = isinstance(key, slice) or np.ndim(key) > 0
        return type(self)(**picked) if is_batch else picked

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_read_only()

    def _make_read_only(self) -> None:
        for name, value in dataclass_quick_asdict(self).items():
            view = (
                value.map_arrays(_read_only_view)
                if isinstance(value, DictObs)
                else _read_only_view(value)
            )
            _set(self, name, view)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Transitions(TransitionsMinimal):
    """A batch of obs-act-obs-done transitions.

    Raises:
        DataError: as for ``TransitionsMinimal``; or ``next_obs`` differs from ``obs``
            in shape or dtype; or ``dones`` is not one boolean per transition.
    """

    next_obs: Observation
    """Observations after the actions; shape and dtype of ``obs``."""

    dones: Array
    """Whether ``next_obs[i]`` ends its episode, shape ``(N,)``, dtype bool."""

    def __post_init__(self) -> None:
        _set(self, "next_obs", _as_observation("next_obs", self.next_obs))
        _set(self, "dones", np.asarray(self.dones))
        super().__post_init__()
        if self.obs.shape != self.next_obs.shape:
            raise DataError(
                "obs and next_obs must have same shape: "
                f"{self.obs.shape} != {self.next_obs.shape}."
            )
        if self.obs.dtype != self.next_obs.dtype:
            raise DataError(
                "obs and next_obs must have the same dtype: "
                f"{self.obs.dtype} != {self.next_obs.dtype}."
            )
        if self.dones.shape != (len(self.acts),):
            raise DataError(
                "dones must be 1D array, one entry for each timestep: "
                f"{self.dones.shape} != ({len(self.acts)},)."
            )
        if self.dones.dtype != bool:
            raise DataError(
                f"dones must be boolean, got {self.dones.dtype}; use .astype(bool)."
            )


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TransitionsWithRew(Transitions):
    """A batch of obs-act-obs-rew-done transitions.

    Raises:
        DataError: as for ``Transitions``, or the rewards are not ``N`` floats.
    """

    rews: Array
    """Rewards received after the actions, shape ``(N,)``, a float dtype."""

    def __post_init__(self) -> None:
        _set(self, "rews", np.asarray(self.rews))
        super().__post_init__()
        _checked_rewards(self.rews, self.acts)


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


def assert_not_dictobs(x: Observation) -> Array:
    """Narrows an observation to an array.

    Args:
        x: a batch of observations.

    Returns:
        ``x`` itself.

    Raises:
        DataError: ``x`` is a ``DictObs``.
    """
    if isinstance(x, DictObs):
        raise DataError(
            "Dictionary observations are not supported here: expected an array, got "
            f"{x!r}; flatten them first (gymnasium.wrappers.FlattenObservation)."
        )
    return x


def concatenate_maybe_dictobs(arrs: Iterable[ObsVar]) -> ObsVar:
    """Concatenates batches of observations along their first axis.

    Args:
        arrs: at least one; arrays, or ``DictObs`` with equal keys.

    Raises:
        DataError: there is none, or they mix kinds or keys.
    """
    return tree.concatenate(arrs)


def stack_maybe_dictobs(arrs: Iterable[ObsVar]) -> ObsVar:
    """Stacks observations along a new first axis; see ``concatenate_maybe_dictobs``."""
    return tree.stack(arrs)


@overload
def maybe_wrap_in_dictobs(obs: Mapping[str, Array] | DictObs) -> DictObs: ...


@overload
def maybe_wrap_in_dictobs(obs: Array) -> Array: ...


def maybe_wrap_in_dictobs(obs: Mapping[str, Array] | Observation) -> Observation:
    """Wraps a dictionary of arrays in a ``DictObs``; returns others unchanged."""
    return tree.wrap(obs)


@overload
def maybe_unwrap_dictobs(maybe_dictobs: DictObs) -> dict[str, Array]: ...


@overload
def maybe_unwrap_dictobs(maybe_dictobs: T) -> T: ...


def maybe_unwrap_dictobs(maybe_dictobs: T | DictObs) -> T | dict[str, Array]:
    """Returns the dictionary inside a ``DictObs``; returns others unchanged."""
    if isinstance(maybe_dictobs, DictObs):
        return tree.unwrap(maybe_dictobs)
    return maybe_dictobs


@overload
def map_maybe_dict(
    fn: Callable[[T], U], maybe_dict: Mapping[str, T]
) -> dict[str, U]: ...


@overload
def map_maybe_dict(fn: Callable[[T], U], maybe_dict: T) -> U: ...


def map_maybe_dict(
    fn: Callable[[T], U], maybe_dict: T | Mapping[str, T]
) -> U | dict[str, U]:
    """Applies ``fn`` to every value of a dictionary, or to a value that is not one.

    Unlike ``tree.map`` it takes any value, and passes a ``DictObs`` itself to ``fn``.
    """
    if isinstance(maybe_dict, Mapping):
        return tree.map(fn, maybe_dict)
    return fn(maybe_dict)


def transitions_collate_fn(
    batch: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Collates items of a ``TransitionsMinimal`` for ``torch.utils.data.DataLoader``.

    Args:
        batch: dictionaries as ``transitions[i]`` returns them, at least one.

    Returns:
        One dictionary: arrays and numbers become a tensor of shape
        ``(len(batch), ...)`` and the same dtype, dictionary observations a ``DictObs``
        of arrays, and ``infos`` a list of the info dictionaries. (Torch's own collation
        would merge all the infos into one.)
    """
    return {k: _collate(k, [item[k] for item in batch]) for k in batch[0]}


def _collate(name: str, values: list[Any]) -> Any:
    if name == "infos":
        return values
    if isinstance(values[0], DictObs):
        return DictObs.stack(values)
    if isinstance(values[0], np.ndarray | np.generic):
        # Stacking first gives torch one writable array instead of many read-only ones.
        return th.from_numpy(np.stack(values))
    return th_data.default_collate(values)


def _set(record: _Record, name: str, value: Any) -> None:
    # Frozen dataclasses may only be changed this way, and only while being built.
    object.__setattr__(record, name, value)


def _as_observation(name: str, value: Any) -> Observation:
    if isinstance(value, Mapping):
        value = DictObs({k: np.asarray(v) for k, v in value.items()})
    if isinstance(value, DictObs):
        for key, array in value.items():
            _as_array(f"{name}[{key!r}]", array)
        return value
    return _as_array(name, value)


def _as_array(name: str, value: Any) -> Array:
    try:
        array: Array = np.asanyarray(value)
    except ValueError as error:
        raise DataError(
            f"{name} must be one array, got ragged entries: {error}."
        ) from (error)
    if array.dtype.kind not in "biufc":
        raise DataError(
            f"{name} must be an array of numbers, got dtype {array.dtype}; make every "
            "entry a number array of one shape."
        )
    return array


def _as_infos(infos: Any) -> Array:
    if isinstance(infos, np.ndarray):
        return infos
    if not isinstance(infos, Sequence):
        raise DataError(
            "infos must be a sequence of dicts, one for each timestep, got "
            f"{type(infos).__name__}; use empty dicts where there are none."
        )
    array = np.empty(len(infos), dtype=object)
    array[:] = list(infos)
    return array


def _length(name: str, value: Observation) -> int:
    try:
        return len(value)
    except (RuntimeError, TypeError) as error:
        raise DataError(f"{name} must have one entry per timestep: {error}") from error


def _checked_rewards(rews: Any, acts: Array) -> Array:
    array: Array = np.asanyarray(rews)
    if array.shape != (len(acts),):
        raise DataError(
            "rewards must be 1D array, one entry for each action: "
            f"{array.shape} != ({len(acts)},)."
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f"rewards dtype {array.dtype} not a float; use rews.astype(np.float32)."
        )
    return array


def _read_only_view(array: Array) -> Array:
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def _equal(a: Any, b: Any) -> bool:
    """Equality by value that also looks into containers of arrays, such as infos."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if _is_listlike(a) and _is_listlike(b):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, np.ndarray | np.generic) or isinstance(b, np.ndarray | np.generic):
        return np.array_equal(a, b)
    return bool(a == b)


def _is_listlike(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype == object and value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, Sequence):
        return f"{type(value).__name__}[{len(value)}]"
    return repr(value)
