"""Expert trajectories for tests, generated once and cached on disk."""

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch as th
from filelock import FileLock
from torch.utils import data as th_data

from imitation.data import rollout, serialize, types, wrappers
from imitation.errors import ConfigError
from imitation.policies import experts
from imitation.policies.serialize import load_policy
from imitation.util import seeding, util


def generate_expert_trajectories(
    env_id: str, num_trajectories: int, rng: np.random.Generator
) -> Sequence[types.TrajectoryWithRew]:
    """Generates trajectories of an expert.

    The environment's bundled expert acts, or, if there is none, the model hub's.

    Returns:
        `num_trajectories` whole episodes with the environment's own rewards.
    """
    venv = util.make_vec_env(
        env_id,
        rng=rng,
        n_envs=1,
        post_wrappers=[lambda env, _: wrappers.RolloutInfoWrapper(env)],
    )
    try:
        if experts.is_available(env_id):
            expert = experts.load_expert(env_id, venv)
        else:
            expert = load_policy("ppo-huggingface", venv, env_name=env_id)
        with seeding.torch_seeded(rng):
            return rollout.rollout(
                expert,
                venv,
                rollout.make_sample_until(min_episodes=num_trajectories),
                rng=rng,
            )
    finally:
        venv.close()


def lazy_generate_expert_trajectories(
    cache_path: types.AnyPath,
    env_id: str,
    num_trajectories: int,
    rng: np.random.Generator,
) -> Sequence[types.TrajectoryWithRew]:
    """Loads expert trajectories from a cache, or generates them and fills it.

    Processes that share the cache's directory wait for each other.

    Returns:
        `num_trajectories` whole episodes with rewards.
    """
    directory = util.parse_path(cache_path) / experts.directory_name(env_id)
    directory.mkdir(parents=True, exist_ok=True)
    rollouts = directory / "rollouts"
    # pytest-xdist's workers share the cache: the first one to come generates.
    with FileLock(directory / "rollouts.lock"):
        if rollouts.exists():
            cached = serialize.load_with_rewards(rollouts)
            if len(cached) >= num_trajectories:
                return cached[:num_trajectories]
        generated = generate_expert_trajectories(env_id, num_trajectories, rng)
        serialize.save(rollouts, generated)
    return generated


class _DuckTypedLoader:
    """Batches that are iterable, but not a `DataLoader`."""

    def __init__(self, loader: Iterable[types.TransitionMapping]) -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[types.TransitionMapping]:
        return iter(self._loader)


def make_expert_transition_loader(
    cache_dir: pathlib.Path,
    batch_size: int,
    expert_data_type: str,
    env_name: str,
    rng: np.random.Generator,
    num_trajectories: int = 1,
    shuffle: bool = True,
) -> Any:
    """Makes expert demonstrations of each kind that algorithms accept.

    Args:
        cache_dir: where trajectories are cached.
        batch_size: number of transitions per batch, at least 1.
        expert_data_type: `trajectories`, `transitions`, `data_loader` (of torch) or
            `ducktyped_data_loader` (any iterable of batches).
        env_name: the environment.
        rng: seeds the episodes and the order of a loader.
        num_trajectories: number of trajectories, at least 1.
        shuffle: whether a loader shuffles.

    Returns:
        A sequence of trajectories, `Transitions`, or an iterable of dictionaries of
        batches.

    Raises:
        ValueError: the type of data is none of these.
    """
    known = ("trajectories", "transitions", "data_loader", "ducktyped_data_loader")
    if expert_data_type not in known:
        raise ConfigError(
            f"Unexpected data type '{expert_data_type}', use one of {', '.join(known)}"
        )
    trajectories = lazy_generate_expert_trajectories(
        cache_dir, env_name, num_trajectories, rng
    )
    if expert_data_type == "trajectories":
        return trajectories
    transitions = rollout.flatten_trajectories(trajectories)
    if expert_data_type == "transitions":
        return transitions
    loader: Iterable[types.TransitionMapping] = th_data.DataLoader(
        transitions,
        batch_size=batch_size,
        shuffle=shuffle,
        drop_last=True,
        collate_fn=types.transitions_collate_fn,
        generator=th.Generator().manual_seed(seeding.make_seeds(rng)),
    )
    return loader if expert_data_type == "data_loader" else _DuckTypedLoader(loader)
