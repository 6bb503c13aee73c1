"""Training a policy on the reward of a density, and rolling it out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import policy_calls, rollout, types
from imitation.training.sb3_learning import progress_over
from imitation.util import seeding
from imitation.util.threads import training_threads

if TYPE_CHECKING:
    from imitation.algorithms.density.checkpoints import Checkpoints
    from imitation.algorithms.density.trainer import DensityAlgorithm

__all__ = ["learn", "roll_out"]


def learn(
    trainer: "DensityAlgorithm",
    n_timesteps: int,
    *,
    saver: "Checkpoints",
    interval: int,
    callback: MaybeCallback,
    **kwargs: Any,
) -> None:
    """Trains the policy of a trainer on its reward.

    Args:
        trainer: whose policy.
        n_timesteps: environment steps.
        saver: saves it.
        interval: environment steps between checkpoints; 0 saves only at the end.
        callback: of the algorithm's ``learn``.
        **kwargs: further arguments of ``learn``.
    """
    algo = trainer.connected()
    algo.set_logger(trainer.logger)
    _forget_old_rewards(trainer, algo)
    own = [trainer.wrapper_callback, _HorizonCheck(trainer)]
    callbacks = [*own, *_as_list(callback)]
    with progress_over(algo, n_timesteps), training_threads(algo.policy):
        left = n_timesteps
        while left > 0:
            before, wanted = algo.num_timesteps, min(interval or left, left)
            algo._last_obs = None  # makes it reset the environments
            algo.learn(
                total_timesteps=wanted,
                reset_num_timesteps=False,
                callback=list(callbacks),
                **kwargs,
            )
            taken = algo.num_timesteps - before
            trainer.steps_trained += taken
            left -= taken
            if taken < wanted:  # a callback has stopped it
                break
            if left > 0:
                saver.save(f"{trainer.steps_trained:012d}")
    saver.save("final")


def roll_out(
    algo: BaseAlgorithm, venv: VecEnv, n_episodes: int, rng: np.random.Generator
) -> Sequence[types.TrajectoryWithRew]:
    """Rolls a policy out, which samples its actions.

    Args:
        algo: whose policy.
        venv: where, in the layout of the environment's own images.
        n_episodes: the least number of episodes.
        rng: decides which, and seeds what reads NumPy's global state.
    """
    wrapped = algo._wrap_env(venv, monitor_wrapper=False)  # may transpose images
    algo._last_obs = None  # its own episodes are cut off
    with policy_calls.evaluating(algo), seeding.numpy_seeded(rng):
        return rollout.generate_trajectories(
            algo, wrapped, rollout.make_min_episodes(n_episodes), rng
        )


def _forget_old_rewards(trainer: "DensityAlgorithm", algo: BaseAlgorithm) -> None:
    """Empties a replay buffer with rewards other than those of the present density."""
    stale, trainer.replay_is_stale = trainer.replay_is_stale, False
    if not stale or not isinstance(algo, OffPolicyAlgorithm):
        return
    if algo.replay_buffer is not None and algo.replay_buffer.size():
        trainer.logger.warn(
            f"Dropped {algo.replay_buffer.size()} steps from the replay buffer, whose "
            "rewards are not those of the present density."
        )
        algo.replay_buffer.reset()


class _HorizonCheck(BaseCallback):
    """Checks the lengths of the episodes, and forgets what was recorded of them."""

    def __init__(self, trainer: "DensityAlgorithm") -> None:
        super().__init__()
        self.trainer = trainer

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        _, lengths = self.trainer.buffering_wrapper.pop_finished_trajectories()
        self.trainer._check_fixed_horizon(lengths)


def _as_list(callback: MaybeCallback) -> list[BaseCallback]:
    given = callback if isinstance(callback, list) else [callback]
    return [
        each if isinstance(each, BaseCallback) else ConvertCallback(each)
        for each in given
        if each is not None
    ]
