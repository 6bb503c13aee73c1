"""Ending a training with the best agent it had, not with the last.

While reward and agent are trained in turns the agent may lose what it could: once
nearly all fragments are equally good, the reward hardly tells states apart, and its
noise is what is left to learn from. But the final reward knows early attempts from good
ones, so it can choose between the agents of all rounds.
"""

import functools
import pathlib
import shutil
from typing import Any

import numpy as np

from imitation.algorithms.preference_comparisons.agent import as_network
from imitation.algorithms.preference_comparisons.held_out import (
    HeldOutPlayer,
    load_held_out,
)
from imitation.data import rollout, types
from imitation.rewards.reward_nets import RewardNet
from imitation.training import sb3_state
from imitation.training import state_files as checkpoint

__all__ = ["BestAgent"]

KIND = "preference_agent"
_AGENTS = "agents"


class BestAgent(HeldOutPlayer):
    """Puts back the agent that the final reward rates best, after the last round.

    A callback of `PreferenceComparisons.train` like `HeldOutPlayer`, with the same
    arguments. It remembers the agent after each round that it plays episodes after. The
    reward after the last round rates all these episodes, which no comparison was about,
    and the agent of the round with the highest mean is put back. No true reward is
    read. The agents are saved below the directory while the training lasts, so that a
    training that was resumed chooses from all of them.
    """

    def __call__(self, number: int) -> None:
        """Plays and remembers if it is time, and chooses after the last round.

        Args:
            number: of the round that has ended, from 0.

        Raises:
            ArtifactError: a file of an earlier round is damaged or missing.
        """
        super().__call__(number)
        algorithm = self._trainer.algorithm
        if number + 1 in self._rounds:
            agent = {"agent": sb3_state.learned_state(algorithm)}
            checkpoint.save_state(self._agent(number + 1), KIND, agent)
        if number + 1 == self._n_rounds:
            best = self._best_round()
            state = checkpoint.load_state(self._agent(best), KIND)
            sb3_state.load_learned_state(algorithm, state["agent"])
            self._trainer.logger.log(f"The reward rates the agent of round {best} best")

    def forget(self) -> None:
        """Deletes the agents; to be called when the training is over."""
        shutil.rmtree(self._directory / _AGENTS, ignore_errors=True)

    def _rng(self, number: int) -> np.random.Generator:
        """The same for all rounds: initial states shall not decide between agents."""
        del number
        return np.random.default_rng(self._seed)

    def _agent(self, number: int) -> pathlib.Path:
        return self._directory / _AGENTS / f"{number:04d}"

    def _best_round(self) -> int:
        """The number of the best round, from 1; the latest of equals."""
        held_out = load_held_out(self._directory)
        ratings = np.array([self._rating(t) for t in held_out.trajectories])
        means = {
            int(number): float(ratings[held_out.rounds == number].mean())
            for number in np.unique(held_out.rounds)
            if number in self._rounds  # others are of an earlier training
        }
        return max(means, key=lambda number: (means[number], number))

    def _rating(self, trajectory: types.TrajectoryWithRew) -> float:
        """The sum of the learned rewards of an episode."""
        reward = as_network(self._trainer.reward_fn)
        rate = reward
        if isinstance(reward, RewardNet):
            rate = functools.partial(reward.predict_processed, update_stats=False)
        steps = rollout.flatten_trajectories([trajectory])
        obs: Any = types.maybe_unwrap_dictobs(steps.obs)
        next_obs: Any = types.maybe_unwrap_dictobs(steps.next_obs)
        return float(np.sum(rate(obs, steps.acts, next_obs, steps.dones)))
