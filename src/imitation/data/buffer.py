"""First-in, first-out ring buffers of NumPy arrays and of transitions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import tree, types
from imitation.errors import ConfigError, DataError
from imitation.util.artifacts import State
from imitation.util.seeding import make_rng

Array = np.ndarray
Shape = tuple[int, ...]
ObsShape = Shape | Mapping[str, Shape]
ObsDtype = npt.DTypeLike | Mapping[str, npt.DTypeLike]


def num_samples(data: Mapping[str, Array]) -> int:
    """Returns the common length of arrays.

    Raises:
        DataError: the lengths differ, or there is no array.
    """
    lengths = {key: len(array) for key, array in data.items()}
    if len(set(lengths.values())) != 1:
        raise DataError(
            f"expected arrays of one length, got {lengths}; every key needs one entry "
            "per sample."
        )
    return next(iter(lengths.values()))


class Buffer:
    """A ring buffer of samples, each a dictionary of arrays of fixed shape and dtype.

    Args:
        capacity: the number of samples it can hold; new ones replace the oldest.
        sample_shapes: the shape of one sample's array, by key.
        dtypes: its dtype, by the same keys.
        rng: decides what ``sample`` draws; None seeds it from fresh entropy.

    Attributes:
        capacity: as given.
        sample_shapes: as given.

    Raises:
        KeyError: ``sample_shapes`` and ``dtypes`` have different keys.
    """

    capacity: int
    sample_shapes: Mapping[str, Shape]

    def __init__(
        self,
        capacity: int,
        sample_shapes: Mapping[str, Shape],
        dtypes: Mapping[str, npt.DTypeLike],
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        if sample_shapes.keys() != dtypes.keys():
            raise KeyError(
                f"sample_shape and dtypes keys don't match: {sorted(sample_shapes)} "
                f"and {sorted(dtypes)}"
            )
        if capacity <= 0:
            raise ConfigError(f"capacity must be positive, got {capacity}.")
        self.capacity = capacity
        self.sample_shapes = {k: tuple(shape) for k, shape in sample_shapes.items()}
        self._arrays = {
            k: np.zeros((capacity, *shape), dtype=dtypes[k])
            for k, shape in self.sample_shapes.items()
        }
        self._rng = make_rng(rng)
        self._size = 0
        self._next = 0

    @classmethod
    def from_data(
        cls,
        data: Mapping[str, Array],
        capacity: int | None = None,
        truncate_ok: bool = False,
        *,
        rng: np.random.Generator | None = None,
    ) -> "Buffer":
        """Creates a buffer that holds the given data, with its shapes and dtypes.

        Without a capacity, that of the data. The rest is as for the constructor and
        ``store``.

        Raises:
            DataError: ``data`` is empty, its lengths differ, or it does not fit.
        """
        if not data:
            raise DataError("No keys in data: expected at least one array.")
        n_samples = num_samples(data)
        if n_samples == 0:
            raise DataError("Trying to store empty data: expected at least one sample.")
        shapes = {k: array.shape[1:] for k, array in data.items()}
        dtypes = {k: array.dtype for k, array in data.items()}
        buffer = cls(
            n_samples if capacity is None else capacity, shapes, dtypes, rng=rng
        )
        buffer.store(data, truncate_ok=truncate_ok)
        return buffer

    def store(self, data: Mapping[str, Array], truncate_ok: bool = False) -> None:
        """Stores samples, replacing the oldest if there is no room.

        Args:
            data: by key, arrays of shape ``(n_samples, *sample_shapes[key])``.
            truncate_ok: store only the last ``capacity`` samples if there are more,
                instead of an error.

        Raises:
            DataError: keys are missing or unexpected; ``data`` is empty, has another
                shape or a dtype that cannot be stored without loss of kind, or more
                samples than the capacity. Nothing is stored then.
        """
        n_samples = self._check(data)
        if n_samples > self.capacity and not truncate_ok:
            raise DataError(
                f"Not enough capacity to store data: {n_samples} > {self.capacity}; "
                "pass truncate_ok=True to keep the last ones."
            )
        n_kept = min(n_samples, self.capacity)
        # The ring wraps at most once: two slices per key, whatever the batch.
        n_until_end = min(n_kept, self.capacity - self._next)
        for key, array in self._arrays.items():
            # Only the last n_kept samples survive; the earlier ones would be
            # overwritten.
            kept = data[key][n_samples - n_kept :]
            array[self._next : self._next + n_until_end] = kept[:n_until_end]
            array[: n_kept - n_until_end] = kept[n_until_end:]
        self._next = (self._next + n_kept) % self.capacity
        self._size = min(self._size + n_kept, self.capacity)

    def sample(
        self, n_samples: int, rng: np.random.Generator | None = None
    ) -> dict[str, Array]:
        """Draws samples uniformly with replacement.

        Args:
            n_samples: the number of samples.
            rng: used in place of the buffer's own generator.

        Returns:
            By key, a new array of shape ``(n_samples, *sample_shapes[key])``.

        Raises:
            DataError: the buffer is empty.
        """
        if self._size == 0:
            raise DataError("Buffer is empty: store something before sampling.")
        chosen = (self._rng if rng is None else rng).integers(
            self._size, size=n_samples
        )
        return {k: array[chosen] for k, array in self._arrays.items()}

    def size(self) -> int:
        """Returns the number of samples stored, at most ``capacity``."""
        return self._size

    def state_dict(self) -> State:
        """Returns the samples in the order they are stored, and where the next goes."""
        arrays = {key: array[: self._size] for key, array in self._arrays.items()}
        return {"arrays": arrays, "next": self._next}

    @classmethod
    def from_state(
        cls,
        state: State,
        capacity: int,
        *,
        rng: np.random.Generator | None = None,
    ) -> "Buffer":
        """Creates a buffer that stores and samples as the one with this `state_dict`.

        Raises:
            DataError: the state holds more samples than the capacity.
        """
        buffer = cls.from_data(state["arrays"], capacity, rng=rng)
        # `from_data` leaves it where a buffer of this size would go on, which need not
        # be where the saved one would once it was full.
        buffer._next = int(state["next"])
        return buffer

    def _check(self, data: Mapping[str, Array]) -> int:
        missing = sorted(self._arrays.keys() - data.keys())
        unexpected = sorted(data.keys() - self._arrays.keys())
        if missing or unexpected:
            raise DataError(
                f"Missing keys {missing}, unexpected keys {unexpected}; the buffer "
                f"stores {sorted(self._arrays)}."
            )
        n_samples = num_samples(data)
        if n_samples == 0:
            raise DataError("Trying to store empty data: expected at least one sample.")
        for key, array in data.items():
            stored = self._arrays[key]
            if array.shape[1:] != stored.shape[1:]:
                raise DataError(
                    f"Wrong data shape for {key}: expected (n, *{stored.shape[1:]}), "
                    f"got {array.shape}."
                )
            # float64 into float32 loses precision only; float into int loses the kind.
            if not np.can_cast(array.dtype, stored.dtype, "same_kind"):
                raise DataError(
                    f"Wrong data dtype for {key}: {array.dtype} cannot be stored as "
                    f"{stored.dtype}; convert it with astype."
                )
        return n_samples


class ReplayBuffer:
    """A ring buffer of transitions.

    Shapes and dtypes come from the environment or from the other four arguments. For
    dictionary observations, ``obs_shape`` and ``obs_dtype`` are dictionaries too.

    Args:
        capacity: the number of transitions it can hold; new ones replace the oldest.
        venv: the environment whose spaces give shapes and dtypes.
        obs_shape: the shape of an observation.
        act_shape: the shape of an action.
        obs_dtype: the dtype of an observation.
        act_dtype: the dtype of an action.
        rng: decides what ``sample`` draws; None seeds it from fresh entropy.

    Attributes:
        capacity: as given.

    Raises:
        ConfigError: both an environment and a shape or dtype are given, or neither.
    """

    capacity: int

    def __init__(
        self,
        capacity: int,
        venv: VecEnv | None = None,
        *,
        obs_shape: ObsShape | None = None,
        act_shape: Shape | None = None,
        obs_dtype: ObsDtype | None = None,
        act_dtype: npt.DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        given = {
            "obs_shape": obs_shape,
            "act_shape": act_shape,
            "obs_dtype": obs_dtype,
            "act_dtype": act_dtype,
        }
        if venv is not None:
            for name, value in given.items():
                if value is not None:
                    raise ConfigError(
                        f"Specified {name} and environment; give only one of them."
                    )
            obs_space = venv.observation_space
            if isinstance(obs_space, spaces.Dict):
                parts: Any = obs_space.spaces.items()
                obs_shape = {key: space.shape for key, space in parts}
                obs_dtype = {key: space.dtype for key, space in parts}
            else:
                obs_shape, obs_dtype = obs_space.shape, obs_space.dtype
            act_space = venv.action_space
            act_shape, act_dtype = act_space.shape, act_space.dtype
        elif any(value is None for value in given.values()):
            raise ConfigError(
                "Shape or dtype missing and no environment specified: got None for "
                f"{[name for name, value in given.items() if value is None]}."
            )
        assert act_shape is not None
        flags = {"dones": bool, "truncated": bool}
        dtypes: dict[str, Any] = {"acts": act_dtype, "infos": object, **flags}
        shapes: dict[str, Shape] = {"acts": act_shape, "infos": ()}
        shapes |= dict.fromkeys(flags, ())
        for name in ("obs", "next_obs"):
            shapes |= _by_name(name, obs_shape)
            dtypes |= _by_name(name, obs_dtype)
        self.capacity = capacity
        self._buffer = Buffer(capacity, shapes, dtypes, rng=rng)

    @classmethod
    def from_data(
        cls,
        transitions: types.Transitions,
        capacity: int | None = None,
        truncate_ok: bool = False,
        *,
        rng: np.random.Generator | None = None,
    ) -> "ReplayBuffer":
        """Creates a buffer that holds the given transitions.

        Without a capacity, that of the transitions. The rest is as for the constructor
        and ``store``.

        Raises:
            DataError: there are no transitions, or more than the capacity.
        """
        buffer = cls(
            len(transitions) if capacity is None else capacity,
            obs_shape=tree.map(
                lambda part: part.shape[1:], tree.unwrap(transitions.obs)
            ),
            act_shape=transitions.acts.shape[1:],
            obs_dtype=transitions.obs.dtype,
            act_dtype=transitions.acts.dtype,
            rng=rng,
        )
        buffer.store(transitions, truncate_ok=truncate_ok)
        return buffer

    def store(self, transitions: types.Transitions, truncate_ok: bool = True) -> None:
        """Stores transitions, replacing the oldest if there is no room.

        Args:
            transitions: at least one, of the buffer's shapes.
            truncate_ok: store only the last ``capacity`` transitions if there are more,
                instead of an error.

        Raises:
            DataError: shapes or dtypes do not fit, there are none, or too many.
        """
        data = {
            "acts": transitions.acts,
            "dones": transitions.dones,
            "truncated": transitions.truncated,
            "infos": transitions.infos,
            **_by_name("obs", tree.unwrap(transitions.obs)),
            **_by_name("next_obs", tree.unwrap(transitions.next_obs)),
        }
        self._buffer.store(data, truncate_ok=truncate_ok)

    def sample(
        self, n_samples: int, rng: np.random.Generator | None = None
    ) -> types.Transitions:
        """Draws transitions uniformly with replacement, as ``Buffer.sample`` does."""
        data = self._buffer.sample(n_samples, rng)
        # Rows of what was checked when it was stored.
        return types.Transitions.unchecked(
            obs=_joined("obs", data),
            acts=data["acts"],
            infos=data["infos"],
            next_obs=_joined("next_obs", data),
            dones=data["dones"],
            truncated=data["truncated"],
        )

    def size(self) -> int:
        """Returns the number of transitions stored, at most ``capacity``."""
        return self._buffer.size()


def _by_name(name: str, value: object) -> dict[str, Any]:
    """One entry under `name`, or one per key of a dictionary under ``name.key``."""
    if isinstance(value, Mapping):
        return {f"{name}.{key}": part for key, part in value.items()}
    return {name: value}


def _joined(name: str, data: Mapping[str, Array]) -> types.Observation:
    """The inverse of `_by_name`."""
    if name in data:
        return data[name]
    prefix = f"{name}."
    return types.DictObs(
        {k.removeprefix(prefix): v for k, v in data.items() if k.startswith(prefix)}
    )
