"""Training a Stable-Baselines3 algorithm on rewards that are computed in batches."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import TrainFrequencyUnit

from imitation.algorithms.adversarial.recording import StepRecorder, Steps
from imitation.errors import ConfigError, DataError

__all__ = [
    "RolloutRewards",
    "check_rewards",
    "default_train_timesteps",
    "progress_over",
]

Array = npt.NDArray[Any]


def default_train_timesteps(algo: BaseAlgorithm, num_envs: int) -> int:
    """The environment steps between two updates of an algorithm.

    Args:
        algo: on- or off-policy.
        num_envs: number of environments.

    Returns:
        A whole rollout for on-policy algorithms; for off-policy ones the steps of one
        collection, which is one vector step unless `train_freq` says otherwise.
    """
    if isinstance(algo, OnPolicyAlgorithm):
        return algo.n_steps * num_envs
    if isinstance(algo, OffPolicyAlgorithm):
        algo._convert_train_freq()
        train_freq: Any = algo.train_freq
        if train_freq.unit == TrainFrequencyUnit.STEP:
            return int(train_freq.frequency) * num_envs
        return num_envs
    raise ConfigError(
        f"cannot tell how {type(algo).__name__} collects experience; pass "
        "gen_train_timesteps"
    )


@contextlib.contextmanager
def progress_over(algo: BaseAlgorithm, total_timesteps: int) -> Iterator[None]:
    """Makes schedules of an algorithm run over many calls of `learn`.

    `learn` would run a learning-rate or exploration schedule from its beginning to its
    end within each call.

    Args:
        algo: the algorithm.
        total_timesteps: environment steps at which its schedules shall end.
    """
    whole = max(1, algo.num_timesteps + total_timesteps)

    def update(num_timesteps: int, total_timesteps: int) -> None:
        del total_timesteps
        algo._current_progress_remaining = 1.0 - num_timesteps / whole

    # What is not the algorithm's own must not be saved with it: it holds environments.
    added = ["_update_current_progress_remaining", "_excluded_save_params"]
    excluded = [*algo._excluded_save_params(), *added]
    algo._update_current_progress_remaining = update  # type: ignore[method-assign]  # for this block
    algo._excluded_save_params = lambda: excluded  # type: ignore[method-assign]  # likewise
    try:
        yield
    finally:
        del algo._update_current_progress_remaining
        del algo._excluded_save_params


class RolloutRewards(BaseCallback):
    """Gives an on-policy algorithm the rewards of each rollout in one batch.

    The environment's own rewards are zero meanwhile, so what the rollout buffer holds
    is what Stable-Baselines3 added: the value of the state where a time limit cut an
    episode off.

    Args:
        recorder: records the environment's steps.
        reward_of: rewards of recorded steps, shape ``(T, n_envs)``.
        entropy_weight: this times −log π(a|s) is added to the rewards.
    """

    def __init__(
        self,
        recorder: StepRecorder,
        reward_of: Callable[[Steps], Array],
        entropy_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.recorder = recorder
        self.reward_of = reward_of
        self.entropy_weight = entropy_weight
        self._collected: list[Steps] = []

    def finish(self) -> list[Steps]:
        """Returns all steps; rates those that no rollout end has rated."""
        if self.recorder.n_steps:
            self._collected.append(self.recorder.pop())
            self.reward_of(self._collected[-1])
        return self._collected

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if not isinstance(self.model, OnPolicyAlgorithm):
            return  # Its replay buffer asks for rewards when it is sampled.
        steps = self.recorder.pop()
        self._collected.append(steps)
        buffer = self.model.rollout_buffer
        buffer.rewards += self.reward_of(steps).astype(buffer.rewards.dtype)
        if self.entropy_weight:
            buffer.rewards -= self.entropy_weight * buffer.log_probs
        buffer.compute_returns_and_advantage(
            last_values=self.locals["values"], dones=self.locals["dones"]
        )


def check_rewards(rewards: Array, steps: Steps) -> Array:
    """Checks that rewards are finite.

    Args:
        rewards: shape ``(T · n_envs,)``.
        steps: what they are of.

    Returns:
        The rewards with shape ``(T, n_envs)``.

    Raises:
        DataError: some are NaN or infinite.
    """
    finite = np.isfinite(rewards)
    if not finite.all():
        raise DataError(
            f"the reward network gave NaN or infinite rewards for "
            f"{int((~finite).sum())} of {len(rewards)} transitions: its weights have "
            "diverged, or observations hold NaN; lower the learning rate in "
            "disc_opt_kwargs or set a gradient penalty"
        )
    return rewards.reshape(steps.dones.shape)
