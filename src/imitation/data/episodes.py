"""Assembling episodes from the steps of vector environments.

A vector environment steps several environments at once and resets each one as soon as
its episode ends: the observation that ended an episode arrives in
``infos[i]["terminal_observation"]``, and the one returned in its place is already the
first of the next episode. Two classes put episodes back together:

- ``VecEpisodes`` stores whole vector steps in growing arrays and cuts an episode out
  when it ends. It is what rollouts and wrappers use.
- ``TrajectoryAccumulator`` is the documented interface, one step of one environment at
  a time under any key.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from imitation.data import types
from imitation.data.record import Info, as_infos, says_truncated
from imitation.errors import DataError

Array = np.ndarray
VecObs = types.Observation | Mapping[str, Array]

# Vector steps that fit into the arrays of ``VecEpisodes`` before they first grow.
INITIAL_CAPACITY = 128


class _EmptyInfo(dict[str, Any]):
    """An empty info dictionary that can be shared: nothing can be added to it."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(
            "This empty info is shared by all transitions without one; replace it by a "
            "new dict instead of changing it."
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def __reduce__(self) -> str:
        # Copying and unpickling give the one instance below.
        return "EMPTY_INFO"


# Stands for a missing info: equal to ``{}``, shared, and refuses to be changed.
EMPTY_INFO: Info = _EmptyInfo()


class VecEpisodes:
    """Collects the episodes of all environments of a vector environment.

    Everything passed in is copied, so environments may reuse their buffers. Memory is
    that of the episodes in flight: number of environments × longest of them.

    Args:
        obs: the observations ``venv.reset()`` returned, shape ``(n_envs, ...)``; their
            dtype is that of every trajectory.
        keep_infos: False keeps the info of an episode's last step only and puts
            ``EMPTY_INFO`` in place of the others, for callers who drop them anyway.
    """

    def __init__(self, obs: VecObs, *, keep_infos: bool = True) -> None:
        first = _by_key(obs)
        self._is_dict = isinstance(obs, Mapping | types.DictObs)
        self.n_envs = len(next(iter(first.values())))
        self._keep_infos = keep_infos
        # Time-major arrays of shape (capacity, n_envs, ...); row `_now` holds the
        # current observations, rows `_starts[i].._now` the episode of environment i.
        self._obs = {
            k: np.empty((INITIAL_CAPACITY, *v.shape), v.dtype) for k, v in first.items()
        }
        self._acts: Array | None = None
        self._rews: Array | None = None
        self._infos: list[Sequence[Info]] = []
        self._capacity = INITIAL_CAPACITY
        self._now = 0
        self._starts = np.zeros(self.n_envs, dtype=np.int64)
        self._write_obs(first)

    def add(
        self,
        acts: Array,
        obs: VecObs,
        rews: Array,
        dones: Array,
        infos: Sequence[Info],
    ) -> list[types.TrajectoryWithRew]:
        """Adds one vector step and returns the episodes it ended.

        Args:
            acts: actions passed to ``venv.step``, shape ``(n_envs, *action_shape)``.
            obs: observations it returned, shape ``(n_envs, *observation_shape)``.
            rews: rewards it returned, shape ``(n_envs,)``.
            dones: which episodes ended, shape ``(n_envs,)``, bool.
            infos: info dictionaries it returned, length ``n_envs``.

        Returns:
            One trajectory for each True in ``dones``, in the order of the environments.

        Raises:
            DataError: an ended episode has no ``terminal_observation`` in its info.
        """
        if self._now + 1 == self._capacity:
            self._make_room()
        self._acts = _write(self._acts, self._capacity, self._now, acts)
        self._rews = _write(self._rews, self._capacity, self._now, rews)
        if self._keep_infos:
            self._infos.append(list(infos))
        self._now += 1
        self._write_obs(_by_key(obs))
        if not dones.any():
            return []
        ended = np.flatnonzero(dones).tolist()
        return [self._cut(i, last_info=infos[i]) for i in ended]

    def pop_fragments(self) -> list[types.TrajectoryWithRew | None]:
        """Cuts off what has been collected of the episodes in flight.

        Their later steps become further fragments.

        Returns:
            For each environment its fragment (``terminal=False``), or None if it has
            taken no step since its episode began or was last cut.
        """
        return [
            self._cut(i, last_info=None) if self._now > self._starts[i] else None
            for i in range(self.n_envs)
        ]

    def steps_in_flight(self) -> Array:
        """The number of uncollected steps of each environment, shape ``(n_envs,)``."""
        return self._now - self._starts

    def drop(self, envs: Array) -> None:
        """Forgets the steps in flight of some environments.

        Args:
            envs: which, shape ``(n_envs,)``, bool.
        """
        self._starts[envs] = self._now

    def _cut(self, env: int, last_info: Info | None) -> types.TrajectoryWithRew:
        """Copies the steps of one environment out; `last_info` None is a fragment."""
        start, end = int(self._starts[env]), self._now
        assert self._acts is not None and self._rews is not None and end > start
        obs = {k: v[start : end + 1, env].copy() for k, v in self._obs.items()}
        if last_info is not None:
            last_obs = _terminal_observation(env, last_info)
            # The row holds the first observation of the next episode already.
            for key, value in obs.items():
                value[-1] = last_obs[key]
        if self._keep_infos:
            infos = [step[env] for step in self._infos[start:end]]
        else:
            infos = [EMPTY_INFO] * (end - start - 1) + [last_info or EMPTY_INFO]
        self._starts[env] = end
        return types.TrajectoryWithRew(
            obs=_from_keys(obs, self._is_dict),
            acts=self._acts[start:end, env].copy(),
            infos=as_infos(infos),
            terminal=last_info is not None,
            truncated=says_truncated(last_info),
            rews=self._rews[start:end, env].copy(),
        )

    def _write_obs(self, obs: Mapping[str, Array]) -> None:
        for key, array in self._obs.items():
            array[self._now] = obs[key]

    def _make_room(self) -> None:
        """Moves the episodes in flight to the front, or doubles the arrays."""
        first = int(self._starts.min())
        if first < self._capacity // 2:
            self._capacity *= 2
        self._obs = {k: self._moved(v, first) for k, v in self._obs.items()}
        assert self._acts is not None and self._rews is not None
        self._acts = self._moved(self._acts, first)
        self._rews = self._moved(self._rews, first)
        del self._infos[:first]
        self._now -= first
        self._starts -= first

    def _moved(self, array: Array, first: int) -> Array:
        # Regions may overlap when moved in place: NumPy buffers such assignments.
        if len(array) == self._capacity:
            new = array
        else:
            new = np.empty((self._capacity, *array.shape[1:]), array.dtype)
        new[: self._now + 1 - first] = array[first : self._now + 1]
        return new


class TrajectoryAccumulator:
    """Accumulates trajectories step by step.

    Each trajectory in progress has a key (an environment's index, say), so that several
    can be collected at once; the key may stay None if there is only one.

    Attributes:
        partial_trajectories: by key, the values added so far by field name.
    """

    def __init__(self) -> None:
        self.partial_trajectories: dict[Hashable, dict[str, list[Any]]] = {}

    def add_step(self, step_dict: Mapping[str, Any], key: Hashable = None) -> None:
        """Adds one step to the trajectory of a key, starting it if there is none.

        The first step of a trajectory holds its first observation only, ``{"obs":
        ...}``; each later one the action, what it earned and the observation after it.

        Args:
            step_dict: values of the fields of ``TrajectoryWithRew`` for this step
                (``obs, acts, rews, infos``). A dictionary observation may be a plain
                dictionary.
            key: identifies the trajectory.
        """
        columns = self.partial_trajectories.setdefault(key, {})
        for name, value in step_dict.items():
            if name == "obs":
                is_dict = isinstance(value, Mapping | types.DictObs)
                value = _from_keys(_by_key(value), is_dict)
            columns.setdefault(name, []).append(value)

    def finish_trajectory(
        self, key: Hashable = None, terminal: bool = True
    ) -> types.TrajectoryWithRew:
        """Completes the trajectory of a key and forgets it.

        Args:
            key: identifies the trajectory.
            terminal: whether its last observation ended an episode.

        Returns:
            The trajectory; ``infos`` is None if no step had any.

        Raises:
            KeyError: there is no trajectory of this key.
            DataError: observations, actions or rewards are missing or disagree.
        """
        columns = self.partial_trajectories.pop(key)
        missing = [k for k in ("obs", "acts", "rews") if k not in columns]
        if missing:
            raise DataError(
                f"the trajectory of key {key!r} has no {missing}, only "
                f"{sorted(columns)}; add a first observation and at least one step."
            )
        return types.TrajectoryWithRew(
            obs=types.stack_maybe_dictobs(columns["obs"]),
            acts=np.stack(columns["acts"]),
            infos=as_infos(columns["infos"]) if "infos" in columns else None,
            terminal=terminal,
            rews=np.stack(columns["rews"]),
        )

    def add_steps_and_auto_finish(
        self,
        acts: Array,
        obs: VecObs,
        rews: Array,
        dones: Array,
        infos: Sequence[Info],
    ) -> list[types.TrajectoryWithRew]:
        """Adds a vector step under the keys 0, 1, … and finishes the ended episodes.

        Every key needs its first observation before: ``add_step({"obs": obs[i]}, i)``.
        A finished episode's key is restarted with the first observation of the next.

        The arguments are those of ``VecEpisodes.add``.

        Returns:
            One trajectory for each True in ``dones``.

        Raises:
            DataError: a key has no first observation, or an ended episode no
                ``terminal_observation`` in its info.
        """
        acts, rews = np.array(acts), np.array(rews)
        arrays = {k: v.copy() for k, v in _by_key(obs).items()}
        is_dict = isinstance(obs, Mapping | types.DictObs)
        finished = []
        for i, done in enumerate(dones):
            if i not in self.partial_trajectories:
                raise DataError(
                    f"the trajectory of environment {i} was not started; call "
                    f"add_step({{'obs': obs[{i}]}}, key={i}) after reset."
                )
            # The vector environment has reset already: this belongs to the next
            # episode.
            after = {k: v[i, ...] for k, v in arrays.items()}
            last = after
            if done:
                terminal = _terminal_observation(i, infos[i])
                last = {k: np.asarray(terminal[k], v.dtype) for k, v in after.items()}
            step = {"acts": acts[i], "rews": rews[i], "infos": infos[i]}
            self.add_step({**step, "obs": _from_keys(last, is_dict)}, i)
            if done:
                finished.append(self.finish_trajectory(i, terminal=True))
                self.add_step({"obs": _from_keys(after, is_dict)}, i)
        return finished


def _terminal_observation(env: int, info: Info) -> dict[str, Array]:
    """The observation that ended an episode, by key."""
    if "terminal_observation" not in info:
        raise DataError(
            f"environment {env} is done but its info has no 'terminal_observation', "
            f"only {sorted(info)}; use a Stable-Baselines3 VecEnv, which adds it."
        )
    return _by_key(info["terminal_observation"])


def _by_key(obs: object) -> dict[str, Array]:
    """The arrays of a dictionary observation by key, or a lone array under ``""``."""
    if isinstance(obs, np.ndarray):  # the common case, and quick to tell
        return {"": obs}
    if isinstance(obs, Mapping | types.DictObs):
        return {k: np.asarray(v) for k, v in obs.items()}
    return {"": np.asarray(obs)}


def _from_keys(obs: dict[str, Array], is_dict: bool) -> types.Observation:
    """The inverse of `_by_key`."""
    return types.DictObs(obs) if is_dict else obs[""]


def _write(array: Array | None, capacity: int, index: int, row: Array) -> Array:
    """Writes a row; makes the array on the first one, widens it if the dtype grows."""
    row = np.asarray(row)
    if array is None:
        array = np.empty((capacity, *row.shape), row.dtype)
    elif row.dtype != array.dtype:
        array = array.astype(np.result_type(array.dtype, row.dtype), copy=False)
    array[index] = row
    return array
