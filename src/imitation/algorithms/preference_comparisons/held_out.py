"""Episodes kept aside while a reward is learned, to judge it by afterwards.

The agent as it is after some of the rounds plays them in environments of their own. So
they are of the kind that the reward was trained on, from the first attempts to the
last, and no comparison was ever about them. They are saved below one directory, a round
each, without infos.
"""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.preference_comparisons.agent import AgentTrainer
from imitation.algorithms.preference_comparisons.fragments import FragmentArrays
from imitation.data import rollout, types
from imitation.envs.episode_seeds import EPISODE_SEED_KEY
from imitation.errors import ArtifactError, ConfigError
from imitation.training import state_files as checkpoint
from imitation.util import seeding
from imitation.util.paths import AnyPath, parse_path

__all__ = ["HeldOutEpisodes", "HeldOutPlayer", "load_held_out"]

KIND = "held_out_episodes"
UNKNOWN_SEED = -1


@dataclasses.dataclass(frozen=True)
class HeldOutEpisodes:
    """Episodes that no preference was asked about."""

    trajectories: Sequence[types.TrajectoryWithRew]
    """n whole episodes with the environment's own rewards."""

    rounds: npt.NDArray[np.int64]
    """Rounds of training that the agent had behind it, ``(n,)``."""

    seeds: npt.NDArray[np.int64]
    """What to reset an environment with to play an episode again, ``(n,)``; -1 where
    that is not known."""


class HeldOutPlayer:
    """Plays and saves episodes after some rounds; a callback of `train`.

    Each round's episodes depend on the seed, the number of the round and the agent
    alone. So a training that was resumed keeps the same ones as one that was not.

    Args:
        trainer: whose agent plays, sampling its actions.
        venv: where, apart from the training. With `EpisodeSeedWrapper` around each
            environment, the episodes can be played again.
        directory: where to save.
        n_rounds: rounds of the whole training.
        n_episodes: least number of episodes of all rounds together.
        n_times: after how many of the rounds to play, evenly spaced.
        seed: of environments and actions.

    Raises:
        ConfigError: a number is not positive.
    """

    def __init__(
        self,
        trainer: AgentTrainer,
        venv: VecEnv,
        directory: AnyPath,
        n_rounds: int,
        n_episodes: int = 20,
        n_times: int = 10,
        seed: int = 0,
    ) -> None:
        for name, value in (
            ("n_rounds", n_rounds),
            ("n_episodes", n_episodes),
            ("n_times", n_times),
        ):
            if value < 1:
                raise ConfigError(f"{name} must be positive, got {value}")
        self._trainer = trainer
        self._venv = venv
        self._directory = parse_path(directory)
        self._seed = seed
        self._n_rounds = n_rounds
        n_times = min(n_times, n_rounds)
        # From the last one backwards, for a single time is the last one.
        self._rounds = set(np.linspace(n_rounds, 1, n_times).round().astype(int))
        self._n_episodes = -(-n_episodes // n_times)

    def __call__(self, number: int) -> None:
        """Plays if it is time.

        Args:
            number: of the round that has ended, from 0.
        """
        if number + 1 not in self._rounds:
            return
        rng = self._rng(number)
        self._venv.seed(seeding.make_seeds(rng))
        trajectories = self._trainer.play(
            self._venv, rollout.make_min_episodes(self._n_episodes), rng
        )
        _save(self._directory / f"{number + 1:04d}", number + 1, trajectories)

    def _rng(self, number: int) -> np.random.Generator:
        """What decides the episodes after a round."""
        return np.random.default_rng([self._seed, number])


def load_held_out(directory: AnyPath) -> HeldOutEpisodes:
    """Loads all episodes that were kept aside.

    Args:
        directory: where `HeldOutPlayer` has saved.

    Returns:
        The episodes, of early rounds first.

    Raises:
        ArtifactError: there are none, or a file is damaged.
    """
    location = pathlib.Path(os.fsdecode(directory))
    trajectories: list[types.TrajectoryWithRew] = []
    rounds, seeds = [], []
    for path in sorted(location.glob("[0-9]*")):
        state = checkpoint.load_state(path, KIND)
        try:
            arrays = FragmentArrays(**state["episodes"])
            found = [arrays.fragment(i) for i in range(len(arrays))]
            seeds.append(np.asarray(state["seeds"], dtype=np.int64))
            rounds.append(np.full(len(found), int(state["round"])))
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path} holds no whole episodes: {error!r}") from error
        trajectories += [t for t in found if isinstance(t, types.TrajectoryWithRew)]
    if not trajectories:
        raise ArtifactError(f"{location} holds no episodes")
    return HeldOutEpisodes(trajectories, np.concatenate(rounds), np.concatenate(seeds))


def _save(
    path: pathlib.Path, number: int, trajectories: Sequence[types.TrajectoryWithRew]
) -> None:
    seeds = [_seed_of(trajectory) for trajectory in trajectories]
    state = {
        "round": number,
        "seeds": np.array(seeds, dtype=np.int64),
        "episodes": dataclasses.asdict(FragmentArrays.of(trajectories)),
    }
    checkpoint.save_state(path, KIND, state)


def _seed_of(trajectory: types.Trajectory) -> int:
    infos = trajectory.infos
    if infos is None or not len(infos):
        return UNKNOWN_SEED
    return int(infos[0].get(EPISODE_SEED_KEY, UNKNOWN_SEED))
