"""Trajectories from and to Minari, the Farama Foundation's format for offline data."""

import contextlib
import importlib
import os
import pathlib
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from imitation.data import tree
from imitation.data.importers.episodes import RawEpisode, build, checked
from imitation.data.storage.columns import Layout
from imitation.data.types import AnyPath, Trajectory, TrajectoryWithRew
from imitation.errors import DataError, missing_extra, reason
from imitation.util.spaces import Env, Space


def from_minari(source: AnyPath) -> list[Trajectory]:
    """Reads a Minari data set.

    Args:
        source: the id of a data set on this machine, such as
            "D4RL/door/human-v2" (nothing is downloaded), or the path of its directory.

    Returns:
        The trajectories, with rewards and without infos. Dictionary observations become
        ``DictObs``; the last step's termination and truncation make the episode
        ``terminal``, and the truncation ``truncated``.

    Raises:
        DataError: it is not there or damaged; an episode is malformed; observations are
            tuples or nested dictionaries, or actions not arrays. The message names the
            data set, the episode and the key.
        MissingExtraError: minari is not installed.
    """
    return list(read_minari(source))


def read_minari(source: AnyPath) -> Iterator[Trajectory]:
    """Like ``from_minari``, holding one episode in memory at a time."""
    name = os.fsdecode(source)
    with _naming(name):
        dataset = _open(name)
        episodes = ((f"episode {e.id}", e) for e in dataset.iterate_episodes())
        yield from checked(
            ((title, _episode(e, title, name)) for title, e in episodes), name
        )


def export_minari(
    trajectories: Sequence[Trajectory],
    dataset_id: str,
    *,
    observation_space: Space | None = None,
    action_space: Space | None = None,
    env: str | Env | None = None,
    description: str | None = None,
) -> pathlib.Path:
    """Writes trajectories as a new Minari data set.

    Args:
        trajectories: trajectories with rewards and the same spaces, at least one. Infos
            are not exported.
        dataset_id: "[namespace/]name-vN"; must not exist yet. Minari stores it under
            ``MINARI_DATASETS_PATH``, by default ``~/.minari/datasets``.
        observation_space: the space of the observations. By default that of `env`;
            without one, a box (0 to 255 for uint8, unbounded for other numbers) of the
            shape and dtype of the data, or a dictionary of such.
        action_space: the space of the actions. By default that of `env`; without one,
            ``Discrete`` for integers of shape ``(T,)``, else an unbounded box.
        env: the environment they come from, or its id.
        description: a line that says what the data is.

    Returns:
        The directory written.

    Raises:
        DataError: some trajectory is malformed or has no rewards, the spaces do not
            fit, or the id is malformed or taken. Nothing is written then.
        MissingExtraError: minari is not installed.
    """
    minari = _minari()
    named = ((f"episode {i}", t) for i, t in enumerate(trajectories))
    for i, trajectory in enumerate(checked(named, "trajectories")):
        if not isinstance(trajectory, TrajectoryWithRew):
            raise DataError(
                f"trajectories: episode {i} has no rewards, which Minari requires; "
                "export trajectories of type TrajectoryWithRew"
            )
    layout = Layout.of(trajectories[0], "episode 0")
    if env is not None:
        with contextlib.ExitStack() as stack:
            made = stack.enter_context(gym.make(env)) if isinstance(env, str) else env
            observation_space = observation_space or made.observation_space
            action_space = action_space or made.action_space
    observation_space = observation_space or _observation_space(layout)
    action_space = action_space or _action_space(trajectories)
    _check_fit(layout, observation_space, action_space)
    buffers = [_buffer(i, trajectory) for i, trajectory in enumerate(trajectories)]
    location = _new_location(dataset_id)
    try:
        with warnings.catch_warnings():
            # Minari warns about every piece of metadata that is not given.
            warnings.filterwarnings("ignore", module="minari", category=UserWarning)
            minari.create_dataset_from_buffers(
                dataset_id,
                buffers,
                env=env,
                observation_space=observation_space,
                action_space=action_space,
                description=description,
                # Minari's default is lossy: it stores images as JPEG.
                jpeg_encoding=False,
            )
    except BaseException as error:
        shutil.rmtree(location, ignore_errors=True)
        if isinstance(error, ValueError | TypeError | AssertionError):
            raise DataError(f"cannot write {dataset_id}: {reason(error)}") from error
        raise
    return location


def _minari() -> Any:
    try:
        return importlib.import_module("minari")
    except ModuleNotFoundError as error:
        raise missing_extra("minari", "minari") from error


def _open(name: str) -> Any:
    minari = _minari()
    path = pathlib.Path(name)
    for location in (path / "data", path):
        if (location / "metadata.json").is_file():
            return minari.MinariDataset(location)
    if path.exists():
        raise DataError(
            f"{name} is not a Minari data set: it has no data/metadata.json"
        )
    try:
        return minari.load_dataset(name)
    except FileNotFoundError as error:
        raise DataError(
            f"no Minari data set {name} on this machine; run: minari download {name}"
        ) from error


def _episode(episode: Any, title: str, source: str) -> Trajectory:
    for key in ("observations", "actions"):
        if isinstance(getattr(episode, key), tuple):
            raise DataError(
                f"{source}: {title}: {key} are tuples; only arrays and dictionaries of "
                "arrays are supported"
            )
    if isinstance(episode.actions, Mapping):
        raise DataError(
            f"{source}: {title}: actions are a dictionary; only arrays are supported"
        )
    terminated, truncated = (
        bool(len(flags) and flags[-1])
        for flags in (episode.terminations, episode.truncations)
    )
    raw = RawEpisode(
        name=title,
        obs=episode.observations,
        acts=episode.actions,
        rews=episode.rewards,
        terminal=terminated or truncated,
        truncated=truncated and not terminated,
    )
    return build(raw, source)


def _buffer(number: int, trajectory: Trajectory) -> Any:
    assert isinstance(trajectory, TrajectoryWithRew)
    collector = importlib.import_module("minari.data_collector")
    is_last = np.arange(len(trajectory)) == len(trajectory) - 1
    return collector.EpisodeBuffer(
        id=number,
        observations=tree.unwrap(trajectory.obs),
        actions=trajectory.acts,
        rewards=trajectory.rews,
        # Neither for a fragment: Minari accepts episodes that have not ended.
        terminations=is_last & bool(trajectory.terminated),
        truncations=is_last & bool(trajectory.truncated),
    )


def _observation_space(layout: Layout) -> Space:
    boxes: dict[str, Space] = {n: _box(*space) for n, space in layout.spaces.items()}
    obs = tree.unflatten(boxes)["obs"]
    return gym.spaces.Dict(obs) if isinstance(obs, dict) else obs


def _action_space(trajectories: Sequence[Trajectory]) -> Space:
    first = trajectories[0].acts
    if first.ndim > 1 or first.dtype.kind not in "iu":
        return _box(first.dtype, first.shape[1:])
    low = min(int(trajectory.acts.min()) for trajectory in trajectories)
    high = max(int(trajectory.acts.max()) for trajectory in trajectories)
    # Gymnasium's actions count from 0 unless some are negative, whichever occur.
    start = min(low, 0)
    return gym.spaces.Discrete(high - start + 1, start=start)


def _check_fit(layout: Layout, observation_space: Space, action_space: Space) -> None:
    """Checks the shapes, which Minari itself does not."""
    spaces: dict[str, Any] = {"obs": observation_space}
    if isinstance(observation_space, gym.spaces.Dict):
        spaces = {f"obs/{key}": part for key, part in observation_space.items()}
    spaces["acts"] = action_space
    if spaces.keys() != layout.spaces.keys():
        raise DataError(
            f"trajectories have {', '.join(layout.spaces)}, but the spaces are for "
            f"{', '.join(spaces)}; give the spaces of the trajectories"
        )
    for name, (dtype, shape) in layout.spaces.items():
        space = spaces[name]
        is_box = isinstance(space, gym.spaces.Box)
        if space.shape != shape or (not is_box and dtype.kind not in "iub"):
            raise DataError(
                f"trajectories: {name} is {dtype}{list(shape)} a step, which does not "
                f"fit the space {space}"
            )


def _box(dtype: np.dtype, shape: tuple[int, ...]) -> gym.spaces.Box:
    if dtype.kind == "f":
        return gym.spaces.Box(-np.inf, np.inf, shape, dtype.type)
    if dtype.kind == "b":
        return gym.spaces.Box(0, 1, shape, dtype.type)
    limits = np.iinfo(dtype)
    return gym.spaces.Box(limits.min, limits.max, shape, dtype.type)


def _new_location(dataset_id: str) -> pathlib.Path:
    storage = importlib.import_module("minari.storage")
    module = importlib.import_module("minari.dataset.minari_dataset")
    problem = f"{dataset_id!r} is not a Minari id; expected [namespace/]name-vN"
    try:
        _, _, version = module.parse_dataset_id(dataset_id)
    except (TypeError, ValueError, gym.error.Error) as error:
        raise DataError(problem) from error
    if version is None:
        raise DataError(problem)
    location = pathlib.Path(storage.get_dataset_path(dataset_id))
    if location.exists():
        raise DataError(
            f"the Minari data set {dataset_id} exists already at {location}; choose "
            "another name or version"
        )
    return location


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (OSError, LookupError, ValueError, TypeError, AssertionError) as error:
        raise DataError(
            f"cannot read {name} as a Minari data set: {reason(error)}"
        ) from error
