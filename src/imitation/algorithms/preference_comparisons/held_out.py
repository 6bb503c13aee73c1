"""Episodes kept aside while a reward is learned, to judge it by afterwards.

The agent as it is after some of the rounds plays them in environments of their own. So
they are of the kind that the reward was trained on, from the first attempts to the
last, and no comparison was ever about them. They are saved below one directory, a round
each, without infos.
"""

import dataclasses
import functools
import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.algorithms.preference_comparisons.agent import AgentTrainer, as_network
from imitation.algorithms.preference_comparisons.fragments import pack, unpack
from imitation.algorithms.preference_comparisons.parts import check_positive
from imitation.data import rollout, tree, types
from imitation.envs.episode_seeds import EPISODE_SEED_KEY
from imitation.errors import ArtifactError
from imitation.rewards.reward_nets import RewardNet
from imitation.training import sb3_state, state_files
from imitation.util import seeding
from imitation.util.paths import AnyPath, parse_path

KIND, AGENT_KIND = "held_out_episodes", "preference_agent"
_AGENTS = "agents"
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
        check_positive(n_rounds=n_rounds, n_episodes=n_episodes, n_times=n_times)
        self._trainer = trainer
        self._venv = venv
        self._directory = parse_path(directory)
        self._seed = seed
        self._n_rounds = n_rounds
        n_times = min(n_times, n_rounds)
        # From the last one backwards, for a single time is the last one.
        self._rounds = set(np.linspace(n_rounds, 1, n_times).round().astype(int))
        self._n_episodes = -(-n_episodes // n_times)  # of each round, rounded up

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
        seeds = [
            t.infos[0].get(EPISODE_SEED_KEY, UNKNOWN_SEED)
            if t.infos is not None and len(t.infos)
            else UNKNOWN_SEED
            for t in trajectories
        ]
        state = {
            "round": number + 1,
            "seeds": np.array(seeds, dtype=np.int64),
            "episodes": pack(trajectories),
        }
        state_files.save_state(self._directory / f"{number + 1:04d}", KIND, state)

    def _rng(self, number: int) -> np.random.Generator:
        """The generator of the episodes after a round."""
        return np.random.default_rng([self._seed, number])


class BestAgent(HeldOutPlayer):
    """Restores the agent that the final reward rates best, after the last round.

    While reward and agent are trained in turns, the agent may unlearn what it knew:
    once nearly all fragments are equally good, the reward hardly tells states apart,
    and only its noise is left to learn from. But the final reward tells early attempts
    from good ones, so it can choose between the agents of all rounds.

    A callback of `PreferenceComparisons.train` like `HeldOutPlayer`, with the same
    arguments. It remembers the agent after each round that it plays episodes after. The
    reward after the last round rates all these episodes, which no comparison was about,
    and the agent of the round with the highest mean is restored. No true reward is
    read. The agents are saved below the directory while the training lasts, so that a
    training that was resumed chooses from all of them.
    """

    @override
    def __call__(self, number: int) -> None:
        """Plays and remembers if it is time, and chooses after the last round.

        Raises:
            ArtifactError: a file of an earlier round is damaged or missing.
        """
        super().__call__(number)
        algorithm = self._trainer.algorithm
        if number + 1 in self._rounds:
            agent = {"agent": sb3_state.learned_state(algorithm)}
            state_files.save_state(self._agent(number + 1), AGENT_KIND, agent)
        if number + 1 == self._n_rounds:
            best = self._best_round()
            state = state_files.load_state(self._agent(best), AGENT_KIND)
            sb3_state.load_learned_state(algorithm, state["agent"])
            self._trainer.logger.log(f"The reward rates the agent of round {best} best")

    def forget(self) -> None:
        """Deletes the agents; to be called when the training is over."""
        shutil.rmtree(self._directory / _AGENTS, ignore_errors=True)

    @override
    def _rng(self, number: int) -> np.random.Generator:
        del number  # the same for all: initial states must not decide between agents
        return np.random.default_rng(self._seed)

    def _agent(self, number: int) -> pathlib.Path:
        return self._directory / _AGENTS / f"{number:04d}"

    def _best_round(self) -> int:
        """The number of the best round, from 1; the latest of equals."""
        reward = as_network(self._trainer.reward_fn)
        rate = reward
        if isinstance(reward, RewardNet):
            rate = functools.partial(reward.predict_processed, update_stats=False)
        held_out = load_held_out(self._directory)
        ratings = []
        for trajectory in held_out.trajectories:
            steps = rollout.flatten_trajectories([trajectory])
            # Reward functions take dictionaries, too, where observations are such.
            obs, next_obs = (
                cast(np.ndarray, tree.unwrap(o)) for o in (steps.obs, steps.next_obs)
            )
            ratings.append(np.sum(rate(obs, steps.acts, next_obs, steps.dones)))
        means = {
            int(number): float(np.array(ratings)[held_out.rounds == number].mean())
            for number in np.unique(held_out.rounds)
            if number in self._rounds  # others are of an earlier training
        }
        return max(means, key=lambda number: (means[number], number))


def load_held_out(directory: AnyPath) -> HeldOutEpisodes:
    """Loads all episodes that were kept aside.

    Args:
        directory: where `HeldOutPlayer` has saved.

    Returns:
        The episodes, of early rounds first.

    Raises:
        ArtifactError: no episodes were saved there, or a file is damaged.
    """
    location = pathlib.Path(os.fsdecode(directory))
    trajectories: list[types.TrajectoryWithRew] = []
    rounds, seeds = [], []
    for path in sorted(location.glob("[0-9]*")):
        state = state_files.load_state(path, KIND)
        try:
            found = unpack(state["episodes"])
            seeds.append(np.asarray(state["seeds"], dtype=np.int64))
            rounds.append(np.full(len(found), int(state["round"])))
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path} holds no whole episodes: {error!r}") from error
        trajectories += found
    if not trajectories:
        raise ArtifactError(f"{location} holds no episodes")
    return HeldOutEpisodes(trajectories, np.concatenate(rounds), np.concatenate(seeds))
