"""Trajectories from NumPy arrays: lists of episodes, or all steps end to end."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from imitation.data import tree
from imitation.data.importers.episodes import (
    FinalObs,
    RawEpisode,
    build,
    checked,
    flags,
)
from imitation.data.types import Trajectory
from imitation.errors import DataError

Array = np.ndarray

# The arguments of ``from_arrays`` and what mappings and files call them.
_NAMES = {
    "obs": ("obs", "observations"),
    "acts": ("acts", "actions"),
    "rews": ("rews", "rewards"),
    "next_obs": ("next_obs", "next_observations"),
    "dones": ("dones", "terminated", "terminals", "terminations"),
    "timeouts": ("timeouts", "truncated", "truncations"),
    "episode_ends": ("episode_ends",),
    "episode_starts": ("episode_starts",),
}


def from_arrays(
    obs: Any,
    acts: Any,
    rews: Any = None,
    *,
    next_obs: Any = None,
    dones: Any = None,
    timeouts: Any = None,
    episode_ends: Any = None,
    episode_starts: Any = None,
    final_obs: FinalObs = "error",
    source: str = "arrays",
) -> list[Trajectory]:
    """Makes trajectories of arrays in one of two layouts.

    *A list of episodes*: `obs`, `acts` and, where given, `rews` and `next_obs` are
    lists with one entry per episode. Episode ``i`` has ``T`` actions ``acts[i]`` and
    ``T + 1`` observations ``obs[i]`` (or ``T`` with `next_obs` or `final_obs`).
    ``dones[i]`` says that it ended there (the default), ``timeouts[i]`` that a time
    limit ended it.

    *All steps end to end*: `obs` and `acts` are arrays of the same length ``N``, as in
    D4RL. `dones` and `timeouts` (or `episode_ends`, or `episode_starts`) say where
    episodes end; steps after the last end are an unfinished episode. Give `next_obs` or
    choose `final_obs`.

    The trajectories are ``terminal`` where an episode ends, for whatever reason, and
    ``truncated`` where `timeouts` says so.

    Args:
        obs: observations: arrays, or dictionaries of arrays with one level of keys.
        acts: actions.
        rews: rewards, shape ``(T,)`` per episode or ``(N,)``; integers become float64.
        next_obs: the observation after each action, same shape as `obs`.
        dones: end to end: shape ``(N,)``, true where an episode ends; those that
            `timeouts` ends need not be marked. List: one bool per episode.
        timeouts: the same for episodes that a time limit, or whatever else is not part
            of the task, cuts.
        episode_ends: end to end: for each episode the number of steps up to its end,
            increasing, the last equal to ``N``.
        episode_starts: end to end: shape ``(N,)``, true at the first step of each.
        final_obs: "error", "repeat" or "drop": see ``episodes.FinalObs``.
        source: what error messages call the data.

    Returns:
        The trajectories, dtypes unchanged.

    Raises:
        DataError: lengths disagree, values are not finite numbers, spaces differ
            between episodes, there are no episodes, or it is not said where they end.
    """
    raw: Iterator[RawEpisode]
    if isinstance(obs, list | tuple):
        for key, value in (
            ("episode_ends", episode_ends),
            ("episode_starts", episode_starts),
        ):
            if value is not None:
                raise DataError(
                    f"{source}: {key} goes with arrays of all steps end to end, but "
                    "obs is a list of episodes; leave it out"
                )
        columns = {"acts": acts, "rews": rews, "next_obs": next_obs}
        raw = _listed(obs, columns | {"dones": dones, "timeouts": timeouts}, source)
    else:
        ends, terminal, truncated = _ends(
            _length(acts, source),
            {
                "dones": dones,
                "timeouts": timeouts,
                "episode_ends": episode_ends,
                "episode_starts": episode_starts,
            },
            source,
        )
        raw = _cut(obs, acts, rews, next_obs, (ends, terminal, truncated), source)
    named = ((episode.name, build(episode, source, final_obs)) for episode in raw)
    return list(checked(named, source))


def from_mapping(
    data: Mapping[str, Any],
    *,
    final_obs: FinalObs = "error",
    source: str = "mapping",
) -> list[Trajectory]:
    """Makes trajectories of a dictionary of arrays, such as D4RL's ``get_dataset()``.

    Args:
        data: arrays by the names of the arguments of ``from_arrays``, or by
            "observations", "actions", "rewards", "next_observations", "terminated",
            "terminals" or "terminations", "truncated" or "truncations". Dictionary
            observations may be entries "obs/<key>" (or "observations/<key>"). Other
            entries are ignored.
        final_obs: as for ``from_arrays``.
        source: what error messages call the data.

    Returns:
        The trajectories.

    Raises:
        DataError: as for ``from_arrays``; or observations or actions are missing, or
            given under two names.
    """
    found = {name: _find(data, name, source) for name in _NAMES}
    for name in ("obs", "acts"):
        if found[name] is None:
            raise DataError(
                f"{source}: it has no {' or '.join(_NAMES[name])}; it holds "
                f"{', '.join(sorted(map(str, data))) or 'nothing'}"
            )
    is_flat = isinstance(found["acts"], np.ndarray) and "dones" not in data
    if is_flat and found["dones"] is not None and found["timeouts"] is not None:
        # Gymnasium allows both in one step, and terminating counts. "dones" instead
        # mark the end of every episode, so they take nothing from the truncations.
        n_steps = len(found["acts"])
        terminated = flags(found["dones"], n_steps, source, "dones")
        truncated = flags(found["timeouts"], n_steps, source, "timeouts")
        found["timeouts"] = truncated & ~terminated
    return from_arrays(**found, final_obs=final_obs, source=source)


def _find(data: Mapping[str, Any], name: str, source: str) -> Any:
    """The value of one argument, under whichever of its names."""
    present = {}
    for alias in _NAMES[name]:
        prefix = f"{alias}/"
        parts = {k[len(prefix) :]: v for k, v in data.items() if k.startswith(prefix)}
        if alias in data and parts:
            raise DataError(f"{source}: it has both {alias} and {prefix}...")
        if alias in data:
            present[alias] = data[alias]
        elif parts:
            present[alias] = parts
    if len(present) > 1:
        raise DataError(
            f"{source}: {' and '.join(present)} mean the same; leave one of them out"
        )
    return next(iter(present.values()), None)


def _listed(
    obs: Sequence[Any], columns: dict[str, Any], source: str
) -> Iterator[RawEpisode]:
    for key, column in columns.items():
        if column is None:
            columns[key] = [None] * len(obs)
        elif not hasattr(column, "__len__") or len(column) != len(obs):
            raise DataError(
                f"{source}: obs is a list of {len(obs)} episodes, but {key} is "
                f"{_described(column)}; expected one entry for each episode"
            )
    for i, one_obs in enumerate(obs):
        done, timeout = columns["dones"][i], columns["timeouts"][i]
        for key, flag in (("dones", done), ("timeouts", timeout)):
            if flag is not None and np.ndim(flag) != 0:
                raise DataError(
                    f"{source}: episode {i}: {key} must be one bool for each episode "
                    "in a list, got an array"
                )
        yield RawEpisode(
            name=f"episode {i}",
            obs=one_obs,
            acts=columns["acts"][i],
            rews=columns["rews"][i],
            next_obs=columns["next_obs"][i],
            # Not said: lists hold whole episodes.
            terminal=done is None or bool(done) or bool(timeout),
            truncated=bool(timeout),
        )


def _cut(
    obs: Any,
    acts: Any,
    rews: Any,
    next_obs: Any,
    ends: tuple[list[int], Array, Array],
    source: str,
) -> Iterator[RawEpisode]:
    n_steps = len(acts)
    given = {"obs": obs, "rews": rews, "next_obs": next_obs}
    present = {key: column for key, column in given.items() if column is not None}
    for key, column in tree.flatten(present).items():
        if _length(column, source) != n_steps:
            raise DataError(
                f"{source}: {key} has {len(column)} entries, but acts has {n_steps}; "
                "end to end they need the same number"
            )
    stops, terminal, truncated = ends
    for i, (start, end) in enumerate(zip([0, *stops], stops, strict=False)):
        steps = slice(start, end)
        yield RawEpisode(
            name=f"episode {i}",
            # T rows, as of acts: the last observation comes from next_obs.
            obs=_sliced(obs, steps),
            acts=acts[steps],
            rews=_sliced(rews, steps),
            next_obs=_sliced(next_obs, steps),
            terminal=bool(terminal[end - 1]),
            truncated=bool(truncated[end - 1]),
        )


def _ends(
    n_steps: int, columns: Mapping[str, Any], source: str
) -> tuple[list[int], Array, Array]:
    """Finds where episodes end.

    Returns:
        For each episode the number of steps up to its end; and for each step, shape
        ``(n_steps,)``, whether it ends its episode and whether it truncates it.
    """
    given = {key: value for key, value in columns.items() if value is not None}
    if not given:
        raise DataError(
            f"{source}: cannot tell where episodes end; give dones, timeouts, "
            "episode_ends or episode_starts, or lists with one entry per episode"
        )
    is_end = np.zeros(n_steps, dtype=bool)
    truncated = np.zeros(n_steps, dtype=bool)
    if "timeouts" in given:
        truncated = flags(given["timeouts"], n_steps, source, "timeouts")
        is_end |= truncated
    if "dones" in given:
        is_end |= flags(given["dones"], n_steps, source, "dones")
    if "episode_starts" in given:
        starts = flags(given["episode_starts"], n_steps, source, "episode_starts")
        # A start marks the step before it as an end; so is the last step of all.
        is_end |= np.append(starts[1:], True)
    if "episode_ends" in given:
        is_end[_checked_ends(given["episode_ends"], n_steps, source) - 1] = True
    # With dones, an episode that ends where they are false is unfinished.
    terminal = is_end
    if "dones" in given:
        terminal = flags(given["dones"], n_steps, source, "dones") | truncated
    ends = (np.flatnonzero(is_end) + 1).tolist()
    # Steps after the last end are an unfinished episode.
    if n_steps and (not ends or ends[-1] != n_steps):
        ends.append(n_steps)
    return ends, terminal, truncated


def _checked_ends(value: Any, n_steps: int, source: str) -> Array:
    ends = np.asarray(value)
    if ends.ndim != 1 or ends.dtype.kind not in "iu" or len(ends) == 0:
        raise DataError(
            f"{source}: episode_ends must be a list of integers, got "
            f"{_described(value)}"
        )
    if (np.diff(ends, prepend=0) <= 0).any() or ends[-1] != n_steps:
        raise DataError(
            f"{source}: episode_ends must increase and end at the number of steps, "
            f"{n_steps}, got {ends.tolist()[:5]}... up to {ends[-1]}"
        )
    return ends


def _sliced(column: Any, steps: slice) -> Any:
    return None if column is None else tree.take(column, steps)


def _length(column: Any, source: str) -> int:
    if not isinstance(column, np.ndarray) or column.ndim == 0:
        raise DataError(
            f"{source}: expected arrays of all steps (or lists of episodes), got "
            f"{_described(column)}"
        )
    return len(column)


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype}{list(value.shape)}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
