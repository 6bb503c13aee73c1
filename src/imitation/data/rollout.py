"""Collecting, describing and flattening trajectories.

A policy acts in a vector environment until a condition on the finished episodes holds.
Environments that are in the middle of an episode at that moment finish it: stopping at
once would favor short episodes. Steps that an environment takes after its own last
episode are dropped.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import types
from imitation.data.acting import (
    AnyPolicy,
    PolicyCallable,
    evaluating,
    policy_to_callable,
)
from imitation.data.episodes import EMPTY_INFO, TrajectoryAccumulator, VecEpisodes
from imitation.data.flatten import (
    flatten_trajectories,
    flatten_trajectories_with_rew,
)
from imitation.errors import ConfigError, DataError
from imitation.util.seeding import make_rng, numpy_seeded, torch_seeded
from imitation.util.threads import training_threads

__all__ = [
    "EMPTY_INFO",
    "AnyPolicy",
    "GenTrajTerminationCond",
    "PolicyCallable",
    "TrajectoryAccumulator",
    "discounted_sum",
    "flatten_trajectories",
    "flatten_trajectories_with_rew",
    "generate_trajectories",
    "generate_transitions",
    "make_min_episodes",
    "make_min_timesteps",
    "make_sample_until",
    "policy_to_callable",
    "rollout",
    "rollout_stats",
    "unwrap_traj",
]

Array = np.ndarray

GenTrajTerminationCond = Callable[[Sequence[types.TrajectoryWithRew]], bool]
"""Given the episodes finished so far, whether to start no more."""

# Steps of every environment after which a rollout without an episode gives up.
MAX_STEPS_WITHOUT_EPISODE = 100_000

_log = logging.getLogger(__name__)


def unwrap_traj(traj: types.TrajectoryWithRew) -> types.TrajectoryWithRew:
    """Restores the observations and rewards that ``RolloutInfoWrapper`` recorded.

    They are those of the environment beneath all other wrappers. Unwrap before saving:
    saved infos are JSON, which keeps values but not dtypes.

    Args:
        traj: a whole episode of an environment wrapped in ``RolloutInfoWrapper``.

    Returns:
        A copy of ``traj`` with the original ``obs`` and ``rews``.

    Raises:
        DataError: the trajectory has no infos, or the last has no ``"rollout"``.
    """
    if traj.infos is None:
        raise DataError(
            "Trajectory must have infos to unwrap: generate it with "
            "exclude_infos=False."
        )
    if "rollout" not in traj.infos[-1]:
        raise DataError(
            f"expected 'rollout' in the last info, got {sorted(traj.infos[-1])}; wrap "
            "each environment in RolloutInfoWrapper or pass unwrap=False."
        )
    original = traj.infos[-1]["rollout"]
    return dataclasses.replace(traj, obs=original["obs"], rews=original["rews"])


def make_min_episodes(n: int) -> GenTrajTerminationCond:
    """Creates a condition that holds after ``n`` episodes.

    Args:
        n: the number of episodes, positive. There may be more if several environments
            finish at once.

    Raises:
        ConfigError: ``n`` is not positive.
    """
    return make_sample_until(min_episodes=n)


def make_min_timesteps(n: int) -> GenTrajTerminationCond:
    """Creates a condition that holds at the first episode's end after ``n`` steps.

    Args:
        n: the number of steps, positive, counted over all finished episodes.

    Raises:
        ConfigError: ``n`` is not positive.
    """
    return make_sample_until(min_timesteps=n)


def make_sample_until(
    min_timesteps: int | None = None, min_episodes: int | None = None
) -> GenTrajTerminationCond:
    """Creates a condition on the number of steps and of episodes; both must hold.

    Args:
        min_timesteps: the least number of steps in finished episodes, or None.
        min_episodes: the least number of finished episodes, or None.

    Raises:
        ConfigError: both are None, or one is not positive.
    """
    if min_timesteps is None and min_episodes is None:
        raise ConfigError(
            "At least one of min_timesteps and min_episodes needs to be non-None"
        )
    for name, value in (
        ("min_timesteps", min_timesteps),
        ("min_episodes", min_episodes),
    ):
        if value is not None and value <= 0:
            raise ConfigError(f"{name}={value} if provided must be positive")

    return _MinSamples(min_timesteps or 0, min_episodes or 0)


@dataclasses.dataclass(frozen=True)
class _MinSamples:
    """The condition of ``make_sample_until``, which rollouts check by counting."""

    min_timesteps: int
    min_episodes: int

    def __call__(self, trajectories: Sequence[types.TrajectoryWithRew]) -> bool:
        return self.holds(sum(map(len, trajectories)), len(trajectories))

    def holds(self, n_timesteps: int, n_episodes: int) -> bool:
        return n_timesteps >= self.min_timesteps and n_episodes >= self.min_episodes


def generate_trajectories(
    policy: AnyPolicy,
    venv: VecEnv,
    sample_until: GenTrajTerminationCond,
    rng: np.random.Generator | None = None,
    *,
    deterministic_policy: bool = False,
    max_steps_without_episode: int | None = MAX_STEPS_WITHOUT_EPISODE,
) -> Sequence[types.TrajectoryWithRew]:
    """Generates whole episodes of a policy acting in an environment.

    Args:
        policy: an algorithm, a policy, a function from observations to actions, or None
            for random actions; see ``AnyPolicy``.
        venv: the environments. They are reset first.
        sample_until: given the finished episodes, whether to start no more. Asked
            whenever an episode ends, until it says yes.
        rng: shuffles the result and seeds whatever the policy samples, so that equal
            generators and environments give equal trajectories. None draws fresh
            entropy for the order and leaves the policy's own randomness alone.
        deterministic_policy: asks the policy for its most likely action. (The
            environment may still be random.)
        max_steps_without_episode: how many steps every environment may take without
            any needed episode ending before this gives up; None waits forever.

    Returns:
        The episodes, in random order, all with ``terminal=True`` and infos. There may
        be more than asked for: see the module's description.

    Raises:
        ConfigError: no episode ended in ``max_steps_without_episode`` steps, or the
            policy does not fit the environment.
    """
    return _generate(
        policy,
        venv,
        sample_until,
        rng,
        deterministic_policy=deterministic_policy,
        max_steps_without_episode=max_steps_without_episode,
        keep_infos=True,
    )


def _generate(
    policy: AnyPolicy,
    venv: VecEnv,
    sample_until: GenTrajTerminationCond,
    rng: np.random.Generator | None,
    *,
    deterministic_policy: bool,
    max_steps_without_episode: int | None,
    keep_infos: bool,
) -> list[types.TrajectoryWithRew]:
    with contextlib.ExitStack() as stack:
        networks = stack.enter_context(evaluating(policy))
        stack.enter_context(training_threads(*networks))
        if rng is not None:
            stack.enter_context(torch_seeded(rng))
            if isinstance(policy, DQN):
                # Its epsilon-greedy choice reads NumPy's global generator.
                stack.enter_context(numpy_seeded(rng))
        act = policy_to_callable(policy, venv, deterministic_policy, rng=rng)
        trajectories = _collect(
            act, venv, sample_until, max_steps_without_episode, keep_infos
        )
    # Short episodes end first; shuffling removes that order.
    make_rng(rng).shuffle(trajectories)
    return trajectories


def _collect(
    act: PolicyCallable,
    venv: VecEnv,
    sample_until: GenTrajTerminationCond,
    patience: int | None,
    keep_infos: bool,
) -> list[types.TrajectoryWithRew]:
    """Steps the environments until those still needed have finished their episode."""
    obs: Any = venv.reset()
    episodes = VecEpisodes(obs, keep_infos=keep_infos)
    trajectories: list[types.TrajectoryWithRew] = []
    needed = np.ones(venv.num_envs, dtype=bool)
    dones = np.ones(venv.num_envs, dtype=bool)
    state, enough, waited, n_steps = None, False, 0, 0
    acts_shape = (venv.num_envs, *(venv.action_space.shape or ()))
    while not enough or needed.any():
        acts, state = act(obs, state, dones)
        if acts.shape != acts_shape:
            raise DataError(
                f"expected actions of shape {acts_shape} for {venv.num_envs} "
                f"environments, the policy returned {acts.shape}."
            )
        obs, rews, dones, infos = venv.step(acts)
        # Idle environments go on stepping, but their episodes no longer count.
        ended = dones & needed if enough else dones
        finished = episodes.add(acts, obs, rews, ended, infos)
        waited = 0 if finished else waited + 1
        if finished:
            trajectories += finished
            n_steps += sum(map(len, finished))
            # Counting is cheaper than to give all episodes to a function each time.
            if isinstance(sample_until, _MinSamples):
                enough = sample_until.holds(n_steps, len(trajectories))
            else:
                enough = enough or sample_until(trajectories)
            # Environments inside an episode go on; one that has just ended is done.
            if enough:
                needed &= ~dones
        if enough:
            episodes.drop(~needed)
        if patience is not None and waited >= patience:
            raise ConfigError(
                f"no episode ended in {waited} steps of {int(needed.sum())} "
                "environments; limit their length with gymnasium.wrappers.TimeLimit or "
                "raise max_steps_without_episode if episodes are that long."
            )
    return trajectories


def rollout_stats(
    trajectories: Sequence[types.TrajectoryWithRew],
) -> Mapping[str, float]:
    """Describes the returns and lengths of trajectories.

    Args:
        trajectories: at least one.

    Returns:
        ``n_traj`` (int) and floats: ``return_{min,mean,std,max}`` of the sums of
        rewards, ``len_{min,mean,std,max}`` of the numbers of steps. If some have
        ``Monitor`` infos, also ``monitor_return_{min,mean,std,max}`` of the returns
        that ``Monitor`` recorded, and ``monitor_return_len``, the number of
        trajectories that have one. Standard deviations are those of the population.

    Raises:
        AssertionError: there is no trajectory.
    """
    assert len(trajectories) > 0, "rollout_stats needs at least one trajectory"
    values = {
        "return": [float(np.sum(traj.rews)) for traj in trajectories],
        "len": [len(traj) for traj in trajectories],
    }
    stats: dict[str, float] = {"n_traj": len(trajectories)}
    last_infos = [traj.infos[-1] for traj in trajectories if traj.infos is not None]
    monitored = [info["episode"]["r"] for info in last_infos if "episode" in info]
    if monitored:
        values["monitor_return"] = monitored
        stats["monitor_return_len"] = len(monitored)
    for name, numbers in values.items():
        # float32 rewards of long episodes would lose digits in the mean.
        array = np.asarray(numbers, dtype=np.float64)
        stats[f"{name}_min"] = float(array.min())
        stats[f"{name}_mean"] = float(array.mean())
        stats[f"{name}_std"] = float(array.std())
        stats[f"{name}_max"] = float(array.max())
    return stats


def generate_transitions(
    policy: AnyPolicy,
    venv: VecEnv,
    n_timesteps: int,
    rng: np.random.Generator | None = None,
    *,
    truncate: bool = True,
    **kwargs: Any,
) -> types.TransitionsWithRew:
    """Generates a batch of transitions from whole episodes.

    Args:
        policy: see ``generate_trajectories``.
        venv: the environments.
        n_timesteps: the least number of transitions, positive.
        rng: see ``generate_trajectories``.
        truncate: drop what exceeds ``n_timesteps``.
        **kwargs: passed to ``generate_trajectories``.

    Returns:
        Exactly ``n_timesteps`` transitions, or at least as many without ``truncate``.

    Raises:
        ConfigError: ``n_timesteps`` is not positive, or as ``generate_trajectories``.
    """
    sample_until = make_min_timesteps(n_timesteps)
    trajectories = generate_trajectories(policy, venv, sample_until, rng, **kwargs)
    transitions = flatten_trajectories_with_rew(trajectories)
    return transitions[:n_timesteps] if truncate else transitions


def rollout(
    policy: AnyPolicy,
    venv: VecEnv,
    sample_until: GenTrajTerminationCond,
    rng: np.random.Generator | None = None,
    *,
    unwrap: bool = True,
    exclude_infos: bool = True,
    verbose: bool = True,
    **kwargs: Any,
) -> Sequence[types.TrajectoryWithRew]:
    """Generates episodes ready to be saved as demonstrations.

    Args:
        policy: see ``generate_trajectories``.
        venv: the environments; each wrapped in ``RolloutInfoWrapper`` if ``unwrap``.
        sample_until: the condition to stop, see ``make_sample_until``.
        rng: see ``generate_trajectories``.
        unwrap: restore the observations and rewards of the innermost environment; see
            ``unwrap_traj``.
        exclude_infos: set ``infos`` to None, which saves much space.
        verbose: log ``rollout_stats`` at level INFO.
        **kwargs: passed to ``generate_trajectories``.

    Returns:
        The episodes, in random order; see ``generate_trajectories``.

    Raises:
        ConfigError: as ``generate_trajectories``.
        DataError: ``unwrap`` without ``RolloutInfoWrapper``.
    """
    options = {"deterministic_policy": False, **kwargs}
    options.setdefault("max_steps_without_episode", MAX_STEPS_WITHOUT_EPISODE)
    trajectories = _generate(
        policy, venv, sample_until, rng, keep_infos=not exclude_infos, **options
    )
    if unwrap:
        trajectories = [unwrap_traj(traj) for traj in trajectories]
    if verbose:
        _log.info("Rollout stats: %s", rollout_stats(trajectories))
    if exclude_infos:
        trajectories = [dataclasses.replace(t, infos=None) for t in trajectories]
    return trajectories


def discounted_sum(arr: Array, gamma: float) -> Array | float:
    """Sums an array over time, each step discounted once more than the one before.

    Of rewards this is the return; of state indicators, the discounted occupancy.

    Args:
        arr: shape ``(T,)`` or ``(T, batch)``: time is the *first* axis.
        gamma: the discount factor; the first step has weight ``gamma ** 0 = 1``.

    Returns:
        ``sum_t gamma**t * arr[t]``: a number, or an array of shape ``(batch,)``.

    Raises:
        AssertionError: ``arr`` has neither one nor two axes.
    """
    assert arr.ndim in (1, 2), f"expected 1 or 2 axes, got shape {arr.shape}"
    if gamma == 1.0:
        total: Array | float = arr.sum(axis=0)
    else:
        total = np.power(gamma, np.arange(len(arr))) @ arr
    return total
