"""Base classes of the algorithms, and the batches they learn from."""

import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import gymnasium as gym
import numpy as np
import torch as th
import torch.utils.data as th_data
from stable_baselines3.common.policies import BasePolicy
from typing_extensions import override

from imitation.data import loader, tree, types
from imitation.data.flatten import flatten_pairs, flatten_trajectories
from imitation.errors import ConfigError, DataError
from imitation.training.trainer import State, Trainer
from imitation.util import logger as imit_logger
from imitation.util import seeding, tensors
from imitation.util.spaces import Space
from imitation.util.util import get_first_iter_element

HORIZON_DOCS = "docs/guide/variable_horizon.md"

TransitionKind = TypeVar("TransitionKind", bound=types.TransitionsMinimal)

# Demonstrations: trajectories, transitions, or batches as mappings.
AnyTransitions = (
    Iterable[types.Trajectory]
    | Iterable[types.TransitionMapping]
    | types.TransitionsMinimal
)


class BaseImitationAlgorithm(Trainer, abc.ABC):
    """Base of all imitation learning algorithms: a logger and a horizon check.

    Args:
        custom_logger: where to log to; None makes a new logger.
        allow_variable_horizon: False raises when episodes of different length are met
            during training. Such episodes leak information about the reward through
            the moment they end, which can seriously confound an evaluation; read
            the page on variable horizons before allowing them.
    """

    allow_variable_horizon: bool
    """If True, allow variable horizon trajectories; otherwise error if detected."""

    def __init__(
        self,
        *,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        allow_variable_horizon: bool = False,
    ) -> None:
        self._logger = custom_logger or imit_logger.configure()
        self.allow_variable_horizon = allow_variable_horizon
        if allow_variable_horizon:
            self.logger.warn(
                "Running with `allow_variable_horizon` set to True. Some algorithms "
                "are biased towards shorter or longer episodes, which may "
                f"significantly confound results; see {HORIZON_DOCS}."
            )
        self._horizon: int | None = None

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """The logger of the algorithm."""
        return self._logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value

    def _check_fixed_horizon(self, horizons: Iterable[int]) -> None:
        """Checks that episodes have one length, now and in earlier calls.

        Args:
            horizons: lengths of complete episodes, in steps.

        Raises:
            ValueError: two lengths differ and variable horizons are not allowed.
        """
        if self.allow_variable_horizon:
            return
        found = set(horizons)
        if self._horizon is not None:
            found.add(self._horizon)
        if len(found) > 1:
            raise ValueError(
                f"Episodes of different length detected: {sorted(found)}. Variable "
                "horizon environments are discouraged: termination conditions leak "
                f"information about reward. See {HORIZON_DOCS} for more information, "
                "or set `allow_variable_horizon=True` to override this check."
            )
        if found:
            self._horizon = found.pop()

    @override
    def state_dict(self) -> State:
        return super().state_dict() | {"horizon": self._horizon}

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        self._horizon = state["horizon"]

    def __getstate__(self) -> dict[str, object]:
        """Leaves out the logger, which holds open files."""
        state = self.__dict__.copy()
        del state["_logger"]
        return state

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        # Open files cannot be pickled: the copy logs to a temporary directory.
        self._logger = imit_logger.configure()


class DemonstrationAlgorithm(BaseImitationAlgorithm, Generic[TransitionKind]):
    """An algorithm that learns from demonstrations: BC, IRL and so on.

    Args:
        demonstrations: demonstrations from an expert, or None to set them later:
            trajectories, transitions, or an iterable of batches (mappings from
            ``obs``, ``acts`` and so on to arrays or tensors).
        custom_logger: where to log to; None makes a new logger.
        allow_variable_horizon: see `BaseImitationAlgorithm`.
    """

    def __init__(
        self,
        *,
        demonstrations: AnyTransitions | None,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        allow_variable_horizon: bool = False,
    ) -> None:
        super().__init__(
            custom_logger=custom_logger,
            allow_variable_horizon=allow_variable_horizon,
        )
        if demonstrations is not None:
            self.set_demonstrations(demonstrations)

    @abc.abstractmethod
    def set_demonstrations(self, demonstrations: AnyTransitions) -> None:
        """Sets the demonstrations; interactive algorithms do so again and again.

        Args:
            demonstrations: trajectories, transitions or an iterable of batches.
        """

    @property
    @abc.abstractmethod
    def policy(self) -> BasePolicy:
        """The policy that imitates the demonstrations."""


class CheckedBatches:
    """An iterable of batches that are checked as they pass.

    Args:
        batches: mappings with ``obs`` and ``acts``; each pass over them is an epoch.
        batch_size: the rows that each must have.
        spaces: the observation and action space that the first batch of each epoch
            must fit, or None to check sizes only.
        keys: what each batch must have.
    """

    def __init__(
        self,
        batches: Iterable[types.TransitionMapping],
        batch_size: int,
        spaces: tuple[Space, Space] | None = None,
        keys: Sequence[str] = ("obs", "acts"),
    ) -> None:
        self._batches = batches
        self.batch_size = batch_size
        self._spaces = spaces
        self._keys = keys

    def __iter__(self) -> Iterator[types.TransitionMapping]:
        for number, batch in enumerate(self._batches):
            if not batch.keys() >= set(self._keys):
                expected = " and ".join(map(repr, self._keys))
                raise DataError(
                    f"expected batches with the keys {expected}, got one with "
                    f"{sorted(batch)}"
                )
            for key in self._keys:
                n_rows = tree.length(batch[key])  # type: ignore[literal-required]  # one of its own
                if n_rows != self.batch_size:
                    raise DataError(
                        f"Expected batch size {self.batch_size} != {n_rows} = "
                        f"len(batch[{key!r}]); make batches of that size"
                    )
            # Once per epoch: values of later batches are the caller's word.
            if number == 0 and self._spaces is not None:
                pairs = types.TransitionsMinimal(
                    obs=tree.as_observation(batch["obs"]),
                    acts=tensors.safe_to_numpy(batch["acts"]),
                    infos=np.full(len(batch["acts"]), {}, dtype=object),
                )
                check_demonstrations(pairs, *self._spaces)
            yield batch


def make_data_loader(
    transitions: AnyTransitions,
    batch_size: int,
    data_loader_kwargs: Mapping[str, Any] | None = None,
) -> Iterable[types.TransitionMapping]:
    """Makes an iterable of batches from demonstrations of any kind.

    Args:
        transitions: trajectories, transitions, or an iterable of batches.
        batch_size: rows of a batch. An iterable of batches must already have it.
        data_loader_kwargs: `shuffle`, `drop_last` (both True by default) and `rng` go
            to our own `BatchLoader`. With any other key, torch's own `DataLoader` is
            built with all of them.

    Returns:
        An iterable of batches; each pass over it is an epoch.

    Raises:
        ValueError: the batch size is not positive; there are too few transitions for
            one batch; the iterable is empty; or, while iterating, a batch has another
            size.
        TypeError: `transitions` is of an unsupported kind.
    """
    if batch_size <= 0:
        raise ConfigError(f"batch_size={batch_size} must be positive.")
    flat = transitions_of(transitions)
    if isinstance(flat, types.TransitionsMinimal):
        kwargs = dict(data_loader_kwargs or {})
        if set(kwargs) <= {"shuffle", "drop_last", "rng"}:
            return loader.BatchLoader(flat, batch_size, **kwargs)
    else:
        return CheckedBatches(flat, batch_size)
    # Torch's loader, for the options that only it has.
    if len(flat) < batch_size:
        raise DataError(
            f"Number of transitions in the demonstrations {len(flat)} is "
            f"smaller than batch size {batch_size}"
        )
    # Torch's loader draws from a torch generator.
    seed = seeding.make_seeds(seeding.make_rng(kwargs.pop("rng", None)))
    kwargs.setdefault("generator", th.Generator().manual_seed(seed))
    options = {"shuffle": True, "drop_last": True} | kwargs
    return th_data.DataLoader(
        flat,
        batch_size=batch_size,
        collate_fn=types.transitions_collate_fn,
        **options,
    )


def transitions_of(
    demonstrations: AnyTransitions, *, pairs_only: bool = False
) -> types.TransitionsMinimal | Iterable[types.TransitionMapping]:
    """Converts demonstrations to transitions, or leaves them as batches.

    Args:
        demonstrations: trajectories, transitions, or an iterable of batches.
        pairs_only: flatten trajectories to observations and actions alone.

    Returns:
        Transitions (trajectories are flattened), or the iterable of batches.

    Raises:
        ValueError: the iterable is empty.
        TypeError: the demonstrations are of an unsupported kind.
    """
    if isinstance(demonstrations, types.TransitionsMinimal):
        return demonstrations
    if not isinstance(demonstrations, Iterable):
        raise TypeError(_unsupported(demonstrations))
    first, items = get_first_iter_element(demonstrations)
    if isinstance(first, types.Trajectory):
        flatten = flatten_pairs if pairs_only else flatten_trajectories
        return flatten(cast(Iterable[types.Trajectory], items))
    if isinstance(first, Mapping):
        return cast(Iterable[types.TransitionMapping], items)
    raise TypeError(_unsupported(demonstrations, first))


def check_demonstrations(
    transitions: types.TransitionsMinimal,
    observation_space: Space,
    action_space: Space,
) -> None:
    """Checks that demonstrations can come from an environment with these spaces.

    Args:
        transitions: the demonstrations.
        observation_space: of the environment that will be learned.
        action_space: of the environment that will be learned.

    Raises:
        DataError: keys or shapes differ from the space's, a value is none of a
            discrete space's, or a value is NaN, infinite or complex.
    """
    check_observations(transitions.obs, observation_space)
    _check_values("acts", transitions.acts, action_space)


def check_observations(
    observations: types.Observation, observation_space: Space
) -> None:
    """Checks observations, such as next observations, as `check_demonstrations` does.

    Args:
        observations: shape ``(N, *observation_shape)``.
        observation_space: of the environment that will be learned.

    Raises:
        DataError: they do not fit the space.
    """
    obs: Any = types.maybe_unwrap_dictobs(observations)
    if isinstance(observation_space, gym.spaces.Dict) != isinstance(obs, Mapping):
        kind = "dictionary" if isinstance(obs, Mapping) else "array"
        raise DataError(
            f"demonstrations have {kind} observations, the observation space is "
            f"{observation_space}"
        )
    if isinstance(observation_space, gym.spaces.Dict):
        if obs.keys() != observation_space.spaces.keys():
            raise DataError(
                f"demonstrations have observation keys {sorted(obs)}, the observation "
                f"space has {sorted(observation_space.spaces)}"
            )
        for key, space in observation_space.spaces.items():
            _check_values(f"obs[{key!r}]", obs[key], space)
    else:
        _check_values("obs", obs, observation_space)


def _check_values(name: str, values: Any, space: Space) -> None:
    """Checks one array of demonstrations against its space."""
    shape = space.shape or ()
    if values.shape[1:] != shape:
        hint = ""
        if sorted(values.shape[1:]) == sorted(shape):
            hint = "; are the axes of an image in another order?"
        raise DataError(
            f"demonstrations have {name} of shape {values.shape[1:]}, the space "
            f"{space} has shape {shape}{hint}"
        )
    if values.dtype.kind == "c":
        raise DataError(f"demonstrations have complex {name}; take the real part")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        where = int(
            np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1))[0]
        )
        raise DataError(
            f"demonstrations have a NaN or infinite {name} at transition {where}; "
            "remove or repair the episode"
        )
    bounds = _integer_bounds(space)
    if bounds is not None and ((values < bounds[0]) | (values > bounds[1])).any():
        raise DataError(
            f"demonstrations have {name} from {values.min()} to {values.max()}, "
            f"the space {space} has values from {bounds[0]} to {bounds[1]}"
        )
    if (
        values.dtype.kind == "f"
        and np.issubdtype(space.dtype, np.integer)
        and (values != np.rint(values)).any()
    ):
        raise DataError(
            f"demonstrations have {name} that are not integers, as the space {space} "
            "needs; were they scaled?"
        )


def _integer_bounds(space: Space) -> tuple[object, object] | None:
    """Returns the least and largest values of a space of integers, else None."""
    match space:
        case gym.spaces.Discrete():
            return int(space.start), int(space.start + space.n) - 1
        case gym.spaces.MultiDiscrete():
            return space.start, space.start + space.nvec - 1
        case gym.spaces.MultiBinary():
            return 0, 1
    return None


def _unsupported(demonstrations: object, first: object = None) -> str:
    what = type(demonstrations).__name__
    if first is not None:
        what += f" of {type(first).__name__}"
    return (
        "`demonstrations` must be trajectories, transitions or an iterable of batches "
        f"with keys 'obs' and 'acts', got {what}"
    )
