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
from typing import Any, TypedDict, TypeVar, cast, overload

import numpy as np
import torch as th
from torch.utils import data as th_data

from imitation.data import record, tree
from imitation.data.dict_obs import DictObs, Observation
from imitation.data.record import Info, Record, dataclass_quick_asdict, says_truncated
from imitation.errors import DataError
from imitation.util.artifacts import State
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
Array = np.ndarray

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
    """A batch with ``obs`` and ``acts``, maybe with more of a transition."""

    next_obs: Observation | th.Tensor
    dones: AnyTensor
    truncated: AnyTensor
    rew: AnyTensor


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Record):
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

    infos: Array | Sequence[Info] | None
    """Info dictionaries, length ``T``, or None.

    They are what the environment's ``step`` returns beside the observation; a
    ``Monitor`` wrapper, for one, puts the episode's return and length into the last.
    """

    terminal: bool
    """Does this trajectory (fragment) end in a terminal state?

    Episodes always do, whether the environment terminated them or a time limit cut them
    (see ``truncated``). A fragment does when it holds the last state of its episode,
    even if it misses the first.
    """

    # By keyword only, so that ``rews`` below keeps its documented position.
    truncated: bool = dataclasses.field(default=cast(bool, None), kw_only=True)
    """Was the episode cut, by a time limit for one, in a state that is not final?

    If it was, the last state has a value although no step follows; see ``terminated``.
    None (the default) reads ``TimeLimit.truncated`` of the last info, False without it.
    Always False where ``terminal`` is.
    """

    @property
    def terminated(self) -> bool:
        """Did the environment itself end the episode? ``terminal and not truncated``.

        An unfinished fragment is neither terminated nor truncated.
        """
        return self.terminal and not self.truncated

    def __post_init__(self) -> None:
        self._set("obs", record.as_observation("obs", self.obs))
        self._set("acts", record.as_array("acts", self.acts))
        if self._is_missing("truncated"):
            self._set("truncated", _ends_truncated(self.infos))
        # A fragment without the end of its episode was not cut: so that code which cuts
        # trajectories with ``dataclasses.replace(…, terminal=False)`` goes on working.
        self._set("truncated", bool(self.terminal and self.truncated))
        n_obs, n_acts = record.length("obs", self.obs), record.length("acts", self.acts)
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

    def __setstate__(self, state: State) -> None:
        if "terminal" not in state:
            warnings.warn(
                "Loading an old trajectory without 'terminal'; assuming True. "
                "Save it again to silence this.",
                UserWarning,
                stacklevel=2,
            )
            state = {**state, "terminal": True}
        if "truncated" not in state:
            is_truncated = state["terminal"] and _ends_truncated(state["infos"])
            state = {**state, "truncated": is_truncated}
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
        self._set("rews", record.checked_rewards(self.rews, len(self.acts)))


TrajectoryPair = Pair[Trajectory]
"""Two trajectories (fragments) to compare."""

TrajectoryWithRewPair = Pair[TrajectoryWithRew]
"""Two trajectories (fragments) with rewards to compare."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TransitionsMinimal(Record, th_data.Dataset[Info], Sequence[Info]):
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
        self._set("obs", record.as_observation("obs", self.obs))
        self._set("acts", record.as_array("acts", self.acts))
        self._set("infos", record.as_infos(self.infos))
        n_obs, n_acts = record.length("obs", self.obs), record.length("acts", self.acts)
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
    def __getitem__(self, key: int) -> Info: ...

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
        return type(self).unchecked(**picked) if is_batch else picked

    @classmethod
    def unchecked(cls: type[TransitionsSelf], **fields: object) -> TransitionsSelf:
        """Creates a batch of arrays that are known to fit together.

        For batches that are taken from checked ones: it converts and checks nothing.

        Args:
            **fields: every field of the class.
        """
        # Past `__init__`, so past `__post_init__`, which checks.
        batch = object.__new__(cls)
        batch.__setstate__(fields)
        return batch

    def __setstate__(self, state: State) -> None:
        self.__dict__.update(state)
        self._make_read_only()

    def _make_read_only(self) -> None:
        for name, value in dataclass_quick_asdict(self).items():
            self._set(name, record.read_only_view(value))


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
    """True where ``next_obs[i]`` ends its episode, shape ``(N,)``, dtype bool.

    For whatever reason: it terminated, or it was ``truncated``.
    """

    truncated: Array = dataclasses.field(default=cast(Array, None), kw_only=True)
    """True where the episode was cut in a state that is not final, like ``dones``.

    There the value of ``next_obs[i]`` counts, as it does where an episode goes on. None
    (the default) reads ``TimeLimit.truncated`` of the infos, False without it.
    """

    @property
    def terminated(self) -> Array:
        """True where the environment itself ended the episode, shape ``(N,)``."""
        terminated: Array = self.dones & ~self.truncated
        return terminated

    def __post_init__(self) -> None:
        n_acts = record.length("acts", record.as_array("acts", self.acts))
        self._set("infos", record.as_infos(self.infos))
        self._set("next_obs", record.as_observation("next_obs", self.next_obs))
        self._set("dones", record.checked_flags("dones", self.dones, n_acts))
        if self._is_missing("truncated"):
            self._set("truncated", _truncations(self.dones, self.infos))
        truncated = record.checked_flags("truncated", self.truncated, n_acts)
        self._set("truncated", truncated & self.dones)  # as for a `Trajectory`
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

    def __setstate__(self, state: State) -> None:
        if "truncated" not in state:  # pickled before the field existed
            truncated = _truncations(state["dones"], state["infos"])
            state = {**state, "truncated": truncated}
        super().__setstate__(state)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TransitionsWithRew(Transitions):
    """A batch of obs-act-obs-rew-done transitions.

    Raises:
        DataError: as for ``Transitions``, or the rewards are not ``N`` floats.
    """

    rews: Array
    """Rewards received after the actions, shape ``(N,)``, a float dtype."""

    def __post_init__(self) -> None:
        self._set("rews", np.asarray(self.rews))
        super().__post_init__()
        record.checked_rewards(self.rews, len(self.acts))


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
    collated: dict[str, Any] = {}
    for name in batch[0]:
        values = [item[name] for item in batch]
        if name == "infos":
            collated[name] = values
        elif isinstance(values[0], DictObs):
            collated[name] = DictObs.stack(values)
        elif isinstance(values[0], np.ndarray | np.generic):
            # Stacked first: torch gets one writable array, not many read-only ones.
            collated[name] = th.from_numpy(np.stack(values))
        else:
            collated[name] = th_data.default_collate(values)
    return collated


def _ends_truncated(infos: Array | Sequence[Info] | None) -> bool:
    return infos is not None and len(infos) > 0 and says_truncated(infos[-1])


def _truncations(dones: Array, infos: Array) -> Array:
    """Reads from the infos which of the episodes that end were truncated."""
    truncated = np.zeros(dones.shape, dtype=bool)
    # Only where an episode ends: infos may be parsed lazily, or be very many.
    for i in np.flatnonzero(dones[: len(infos)]).tolist():
        truncated[i] = says_truncated(infos[i])
    return truncated
