"""Collecting demonstrations on the states that the novice visits.

Algorithm 3.1 of Ross, Gordon and Bagnell (https://arxiv.org/abs/1011.0686) samples
episodes with pi_i = beta_i * expert + (1 - beta_i) * novice and labels every visited
state with the expert's action. Here the caller steps the environments with the expert's
actions; the collector decides, **for each environment and each step by its own coin**,
whether the expert's or the novice's action is executed, and records the expert's.
"""

import dataclasses
import os
import pathlib
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn
from typing_extensions import override

from imitation.data import acting, rollout, types
from imitation.data.episodes import VecEpisodes
from imitation.data.storage import episode_files
from imitation.errors import ConfigError, DataError
from imitation.util import seeding, threads
from imitation.util.spaces import Space

Array = np.ndarray


@dataclasses.dataclass(frozen=True)
class EpisodeRecord:
    """An episode that was written to disk."""

    path: pathlib.Path
    """The episode's file."""

    n_timesteps: int
    """Its number of steps."""

    episode_return: float
    """The sum of its rewards."""


class InteractiveTrajectoryCollector(VecEnvWrapper):
    """Lets the novice act at some steps while recording the expert's actions.

    Call `reset` once, then `step` with the expert's actions. Every episode is written
    to `save_dir` the moment it ends, exactly once, with its rewards; what is on disk
    survives a kill. Dictionary observations are supported.

    Args:
        venv: environments to sample from.
        get_robot_acts: the novice: takes a batch of observations (an array, or a
            dictionary of arrays), returns a batch of actions.
        beta: the probability, in [0, 1], of executing the expert's action.
        save_dir: directory of the episode files; created if needed.
        rng: decides who acts, and the names of the files; None for fresh entropy.
        records: list to which every episode written is added; None makes an empty one.
    """

    traj_accum: VecEpisodes | None
    """The episodes in progress; None before the first `reset`."""

    def __init__(
        self,
        venv: VecEnv,
        get_robot_acts: Callable[[Any], Array],
        beta: float,
        save_dir: types.AnyPath,
        rng: np.random.Generator | None = None,
        *,
        records: list[EpisodeRecord] | None = None,
    ) -> None:
        super().__init__(venv)
        assert 0 <= beta <= 1, f"beta must lie in [0, 1], got {beta}"
        self.get_robot_acts = get_robot_acts
        self.beta = beta
        self.save_dir = pathlib.Path(os.fsdecode(save_dir))
        self.save_dir.mkdir(parents=True, exist_ok=True)
        self.rng = seeding.make_rng(rng)
        self.traj_accum = None
        self.records = records if records is not None else []
        self._last_obs: Any = None
        self._expert_acts: Array | None = None
        # A resumed round numbers its episodes on from those already on disk.
        self._next_index = sum(1 for _ in self.save_dir.glob("*dagger-demo-*"))

    @override
    def seed(self, seed: int | None = None) -> list[int | None]:
        """Seeds the generator that decides who acts, and the environments.

        Args:
            seed: the seed; None for a random one.

        Returns:
            What the wrapped environments return, one entry each.
        """
        self.rng = np.random.default_rng(seed)
        return list(self.venv.seed(seed))

    @override
    def reset(self) -> VecEnvObs:
        self._last_obs = self.venv.reset()
        self.traj_accum = VecEpisodes(self._last_obs, keep_infos=False)
        obs: VecEnvObs = self._last_obs
        return obs

    @override
    def step_async(self, actions: Array) -> None:
        """Executes the expert's or the novice's action in each environment.

        Args:
            actions: the expert's actions for the current observations, shape
                `(n_envs, *action_shape)`. They are recorded whoever acts.

        Raises:
            DataError: the actions do not fit the action space; nothing was executed.
        """
        assert self.traj_accum is not None, "call .reset() before .step()"
        self._expert_acts = self._checked(actions)
        executed = self._expert_acts
        # One coin per environment and step (algorithm 3.1), not one per episode.
        novice_acts = self.rng.uniform(0, 1, size=self.num_envs) > self.beta
        if novice_acts.any():
            executed = executed.copy()
            # The novice sees the whole batch: one forward pass costs as much as for a
            # part.
            executed[novice_acts] = self.get_robot_acts(self._last_obs)[novice_acts]
        self.venv.step_async(executed)

    @override
    def step_wait(self) -> VecEnvStepReturn:
        obs, rews, dones, infos = self.venv.step_wait()
        assert self.traj_accum is not None and self._expert_acts is not None
        self._last_obs = obs
        finished = self.traj_accum.add(
            self._expert_acts, self._last_obs, rews, dones, infos
        )
        self._expert_acts = None
        for trajectory in finished:
            self._write(trajectory)
        return obs, rews, dones, infos

    def _checked(self, actions: Array) -> Array:
        acts = np.asarray(actions)
        space = self.action_space
        dtype = np.dtype(space.dtype)
        expected = (self.num_envs, *(space.shape or ()))
        if acts.shape != expected:
            raise DataError(
                f"expected expert actions of shape {expected} (one per environment), "
                f"got {acts.shape}"
            )
        if not np.can_cast(acts.dtype, dtype, "same_kind"):
            raise DataError(
                f"expected expert actions of {space} with dtype {dtype}, got "
                f"{acts.dtype}; convert them"
            )
        # A copy, because experts may reuse their output array for the next step.
        copied = np.array(acts, dtype=dtype)
        # Found now, or every later round would fail on the episode it went into.
        # Bounds of a Box are not enforced: environments clip.
        possible = (
            np.isfinite(copied).all()
            if isinstance(space, gym.spaces.Box)
            else all(space.contains(act) for act in copied)
        )
        if not possible:
            raise DataError(
                f"expected expert actions in {space} without NaN or infinity, got "
                f"{acts.tolist()}"
            )
        return copied

    def _write(self, trajectory: types.TrajectoryWithRew) -> None:
        name = demonstration_name(self._next_index, self.rng.bytes(16))
        self._next_index += 1
        path = self.save_dir / name
        episode_files.write_episode(path, trajectory)
        total = float(np.sum(trajectory.rews, dtype=np.float64))
        self.records.append(EpisodeRecord(path, len(trajectory), total))


def demonstration_name(index: int, random_bytes: bytes, prefix: str = "") -> str:
    """Returns ``[PREFIX-]dagger-demo-INDEX-HEX.npz``.

    Args:
        index: the number of the episode in its round, so that names sort by time.
        random_bytes: 16 bytes that make the name unique.
        prefix: goes in front, with a dash.
    """
    unique = uuid.UUID(bytes=random_bytes, version=4).hex
    start = f"{prefix}-" if prefix else ""
    return f"{start}dagger-demo-{index:04d}-{unique}.npz"


# What can label states: an SB3 policy or algorithm (a person is one), a function.
Expert = BasePolicy | BaseAlgorithm | Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class RoundSize:
    """The least size of a round."""

    min_episodes: int
    """The least number of episodes."""

    min_timesteps: int
    """The least number of steps, over all its episodes."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value <= 0:
                raise ConfigError(
                    f"rollout_round_{field.name} must be positive, got {value}"
                )

    def reached(self, records: Sequence[EpisodeRecord]) -> bool:
        """Returns whether the episodes are enough."""
        n_timesteps = sum(record.n_timesteps for record in records)
        return len(records) >= self.min_episodes and n_timesteps >= self.min_timesteps


def check_expert_spaces(expert: Expert, venv: VecEnv) -> None:
    """Raises an error if an expert's spaces differ from the environments'.

    Functions have no spaces and pass.

    Raises:
        DataError: the spaces differ.
        TypeError: `expert` cannot act.
    """
    if not isinstance(expert, BasePolicy | BaseAlgorithm):
        if not callable(expert):
            raise TypeError(
                "expert_policy must be a Stable-Baselines3 policy or algorithm, or a "
                f"function of observations, got {expert!r}"
            )
        return
    if expert.observation_space != venv.observation_space:
        raise DataError(
            "Mismatched observation space between expert_policy and venv: "
            f"{expert.observation_space} != {venv.observation_space}"
            + _image_hint(expert.observation_space, venv.observation_space)
        )
    if expert.action_space != venv.action_space:
        raise DataError(
            "Mismatched action space between expert_policy and venv: "
            f"{expert.action_space} != {venv.action_space}"
        )


def collect(
    collector: InteractiveTrajectoryCollector,
    expert: Expert,
    novice: BasePolicy,
    size: RoundSize,
) -> None:
    """Steps a collector with an expert's actions until the round is large enough.

    Episodes in progress at that moment are finished, as in `rollout.rollout`: stopping
    at once would favor short ones.

    Args:
        collector: its `records` say what the round holds, and may not be empty.
        expert: asked deterministically if it is a policy; a function decides itself.
        novice: the policy behind the collector.
        size: when to stop.

    Raises:
        ConfigError: the expert does not fit the environments, or no episode ends.
    """
    # A round that was complete when its run was interrupted.
    if size.reached(collector.records):
        return
    is_policy = isinstance(expert, BasePolicy | BaseAlgorithm)
    with (
        acting.evaluating(expert) as networks,
        acting.evaluating(novice),
        threads.training_threads(novice, *networks),
    ):
        act = acting.policy_to_callable(expert, collector, is_policy)
        _step_until(collector, act, size)


def _step_until(
    collector: InteractiveTrajectoryCollector,
    act: acting.PolicyCallable,
    size: RoundSize,
) -> None:
    obs: Any = collector.reset()
    state: Any = None
    dones = np.ones(collector.num_envs, dtype=bool)
    active = dones.copy()
    waited = 0
    while active.any():
        acts, state = act(obs, state, dones)
        obs, _, dones, _ = collector.step(acts)
        waited = 0 if (dones & active).any() else waited + 1
        # Environments that are inside an episode finish it; the others are done.
        if dones.any() and size.reached(collector.records):
            active &= ~dones
        if waited >= rollout.MAX_STEPS_WITHOUT_EPISODE:
            raise ConfigError(
                f"no episode ended in {waited} steps of every environment; limit "
                "their length with gymnasium.wrappers.TimeLimit"
            )


def _image_hint(expert: Space, venv: Space) -> str:
    """Suggests a remedy if the two differ by the position of the image channels."""
    if not (
        isinstance(expert, gym.spaces.Box)
        and isinstance(venv, gym.spaces.Box)
        and len(expert.shape) == len(venv.shape) == 3
    ):
        return ""
    if expert.shape == (venv.shape[2], *venv.shape[:2]):
        return (
            "; the expert takes images with channels first: use its own environments, "
            "expert.get_env(), or VecTransposeImage(venv)"
        )
    if expert.shape == (*venv.shape[1:], venv.shape[0]):
        return "; the expert takes images with channels last: do not transpose venv"
    return ""


def collected_records(files: Sequence[pathlib.Path]) -> list[EpisodeRecord]:
    """Reads the lengths and returns of the episodes that a collector wrote.

    Args:
        files: the demonstrations of a round; those that the user put there are skipped.
    """
    records = []
    for path in files:
        if path.name.startswith("dagger-demo-") and episode_files.is_episode(path):
            episode = episode_files.read_episode(path)
            assert isinstance(episode, types.TrajectoryWithRew)
            total = float(np.sum(episode.rews, dtype=np.float64))
            records.append(EpisodeRecord(path, len(episode), total))
    return records
