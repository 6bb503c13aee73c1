"""From the raw arrays of one episode to a checked trajectory; shared by all readers."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np

from imitation.data import tree
from imitation.data.storage.columns import Layout
from imitation.data.types import DictObs, Trajectory, TrajectoryWithRew
from imitation.errors import DataError

Array = np.ndarray

# What to do when the observation after the last action was not recorded. - ``"error"``:
# refuse the episode. - ``"repeat"``: repeat the last observation. Keeps every action
# and reward, and is exact for behavioral cloning, which never looks at next
# observations. - ``"drop"``: leave out the last action; the episode then ends in a
# state that is not terminal.
FinalObs = Literal["error", "repeat", "drop"]


@dataclasses.dataclass(frozen=True)
class RawEpisode:
    """The arrays of one episode as a file holds them, not yet checked."""

    name: str
    """The name in error messages, such as "episode 3" or "demo_3"."""

    obs: Any
    """Observations, shape ``(T + 1, ...)`` or ``(T, ...)``; or a mapping of such."""

    acts: Any
    """Actions, shape ``(T, ...)``."""

    terminal: bool
    """True if the episode ends here, False if the rest of it is missing."""

    truncated: bool = False
    """True if it ends because it was cut, by a time limit for one."""

    rews: Any = None
    """Rewards, shape ``(T,)``, or None."""

    next_obs: Any = None
    """Observations after each action, shape ``(T, ...)``, a mapping of such, or None.

    Used where `obs` misses the last one.
    """


def build(raw: RawEpisode, source: str, final_obs: FinalObs = "error") -> Trajectory:
    """Checks one episode and makes a trajectory of it.

    Args:
        raw: its arrays.
        source: the file or data set, for error messages.
        final_obs: what to do when the last observation is missing.

    Returns:
        A ``TrajectoryWithRew`` if there are rewards, else a ``Trajectory``.

    Raises:
        DataError: an array is not one of finite numbers, or lengths disagree. The
            message names the source, the episode and the key.
    """
    where = f"{source}: {raw.name}"
    if final_obs not in ("error", "repeat", "drop"):
        raise DataError(
            f'final_obs must be "error", "repeat" or "drop", got {final_obs!r}'
        )
    acts = _array(raw.acts, where, "acts")
    obs = _observations(raw.obs, where, "obs")
    rews = None if raw.rews is None else _rewards(raw.rews, len(acts), where)
    if len(acts) == 0:
        raise DataError(f"{where}: acts is empty; an episode needs at least one action")
    lengths = {name: len(array) for name, array in obs.items()}
    n_obs = next(iter(lengths.values()))
    if set(lengths.values()) != {n_obs}:
        raise DataError(f"{where}: the keys of obs differ in length: {lengths}")
    if n_obs not in (len(acts), len(acts) + 1):
        raise DataError(
            f"{where}: obs has {n_obs} entries for {len(acts)} acts; expected "
            f"{len(acts) + 1} (one more than acts), or {len(acts)} with next_obs"
        )
    terminal, truncated = raw.terminal, raw.truncated
    if n_obs == len(acts):
        if raw.next_obs is not None:
            obs = _with_last(obs, _observations(raw.next_obs, where, "next_obs"), where)
        elif final_obs == "repeat":
            obs = {name: np.concatenate([a, a[-1:]]) for name, a in obs.items()}
        elif final_obs == "drop":
            if len(acts) == 1:
                raise DataError(
                    f"{where}: has one action, so final_obs='drop' leaves none; choose "
                    "final_obs='repeat' or leave the episode out"
                )
            acts, rews = acts[:-1], None if rews is None else rews[:-1]
            terminal = truncated = False
        else:
            raise DataError(
                f"{where}: obs and acts both have {n_obs} entries, so the observation "
                "after the last action is missing; add it, give next_obs, or choose "
                "final_obs='repeat' (exact for BC) or 'drop' (the last action)"
            )
    return _trajectory(obs, acts, terminal, truncated, rews, where)


def checked(
    episodes: Iterable[tuple[str, Trajectory]], source: str
) -> Iterator[Trajectory]:
    """Checks that episodes fit together, one after the other.

    Args:
        episodes: trajectories with what error messages call them.
        source: the file or data set, for error messages.

    Yields:
        The trajectories.

    Raises:
        DataError: there is none, or their spaces differ, or only some have rewards.
    """
    first = None
    for name, trajectory in episodes:
        layout = Layout.of(trajectory, name)
        first = first or layout
        try:
            first.check_same(layout)
        except DataError as error:
            raise DataError(f"{source}: {error}") from error
        yield trajectory
    if first is None:
        raise DataError(f"{source}: it holds no episodes")


def flags(value: Any, length: int, where: str, key: str) -> Array:
    """Checks a column of flags.

    Args:
        value: booleans or numbers that are 0 or 1, shape ``(length,)`` or
            ``(length, 1)``.
        length: the number of steps.
        where: source and episode, for error messages.
        key: the name of the column.

    Returns:
        Shape ``(length,)``, dtype bool.

    Raises:
        DataError: another length, or a value other than 0 and 1.
    """
    array = _column(_array(value, where, key), length, where, key)
    if not np.isin(array, (0, 1)).all():
        raise DataError(f"{where}: {key} must be 0 or 1, or booleans")
    return array.astype(bool)


def _trajectory(
    obs: dict[str, Array],
    acts: Array,
    terminal: bool,
    truncated: bool,
    rews: Array | None,
    where: str,
) -> Trajectory:
    observation = tree.wrap(tree.unflatten(obs)["obs"])
    try:
        if rews is None:
            return Trajectory(observation, acts, None, terminal, truncated=truncated)
        return TrajectoryWithRew(
            observation, acts, None, terminal, rews, truncated=truncated
        )
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error


def _observations(value: Any, where: str, key: str) -> dict[str, Array]:
    """Arrays by the name that messages use: "obs", or "obs/<key>" of a mapping."""
    if isinstance(value, DictObs):
        value = value.unwrap()
    if not isinstance(value, Mapping):
        return {"obs": _array(value, where, key)}
    if not value:
        raise DataError(f"{where}: {key} has no keys; expected at least one array")
    for name, part in value.items():
        if isinstance(part, Mapping):
            raise DataError(
                f"{where}: {key}/{name} is a nested dictionary; move its arrays up to "
                "one level"
            )
    return {
        f"obs/{name}": _array(part, where, f"{key}/{name}")
        for name, part in value.items()
    }


def _with_last(
    obs: dict[str, Array], next_obs: dict[str, Array], where: str
) -> dict[str, Array]:
    if obs.keys() != next_obs.keys():
        raise DataError(
            f"{where}: obs has {', '.join(obs)}, but next_obs has "
            f"{', '.join(next_obs)}; they need the same keys"
        )
    for name, array in obs.items():
        other = next_obs[name]
        if other.shape != array.shape or other.dtype != array.dtype:
            raise DataError(
                f"{where}: next_{name} is {other.dtype}{list(other.shape)}, but {name} "
                f"is {array.dtype}{list(array.shape)}; they must be alike"
            )
    return {
        name: np.concatenate([array, next_obs[name][-1:]])
        for name, array in obs.items()
    }


def _rewards(value: Any, length: int, where: str) -> Array:
    array = _column(_array(value, where, "rews"), length, where, "rews")
    # Integer rewards are exact in float64 up to 2^53.
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _column(array: Array, length: int, where: str, key: str) -> Array:
    if array.shape not in ((length,), (length, 1)):
        raise DataError(
            f"{where}: {key} has shape {array.shape}, expected ({length},): one entry "
            "for each of acts"
        )
    return array.reshape(length)


def _array(value: Any, where: str, key: str) -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{where}: {key} is ragged: {error}") from error
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"{where}: {key} has dtype {array.dtype}, expected numbers or booleans"
        )
    if array.ndim == 0:
        raise DataError(f"{where}: {key} is one number, expected one entry a step")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        step = int(np.argwhere(~np.isfinite(array))[0][0])
        raise DataError(
            f"{where}: {key} holds NaN or infinity at step {step}; remove or repair "
            "the episode"
        )
    return array
