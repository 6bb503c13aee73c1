"""Training a Stable-Baselines3 algorithm on rewards that are computed in batches."""

import contextlib
import functools
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback, ConvertCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import MaybeCallback, TrainFrequencyUnit
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from imitation.errors import ConfigError, DataError
from imitation.policies import replay_buffer_wrapper
from imitation.rewards.reward_function import RewardFn
from imitation.rewards.reward_nets.base import RewardNet
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.training.recording import StepRecorder, Steps
from imitation.util import optimizers

__all__ = [
    "RewardedAlgorithm",
    "check_environment",
    "check_rewards",
    "default_train_timesteps",
    "progress_over",
    "timesteps_of_round",
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


def timesteps_of_round(algo: BaseAlgorithm, num_envs: int, timesteps: int) -> int:
    """The environment steps that ``algo.learn(timesteps)`` really takes.

    Args:
        algo: on- or off-policy.
        num_envs: number of environments.
        timesteps: what is asked for.

    Returns:
        The next multiple of what the algorithm collects at a time.
    """
    if not isinstance(algo, OnPolicyAlgorithm | OffPolicyAlgorithm):
        return timesteps
    unit = default_train_timesteps(algo, num_envs)
    return -(-timesteps // unit) * unit


@contextlib.contextmanager
def progress_over(algo: BaseAlgorithm, total_timesteps: int) -> Iterator[None]:
    """Makes schedules of an algorithm run over many calls of `learn`.

    `learn` would run a learning-rate or exploration schedule from its beginning to its
    end within each call.

    Args:
        algo: the algorithm.
        total_timesteps: environment steps from now after which its schedules shall end;
            beyond them, they stay at their end.
    """
    whole = max(1, algo.num_timesteps + total_timesteps)

    def update(num_timesteps: int, total_timesteps: int) -> None:
        del total_timesteps
        algo._current_progress_remaining = max(0.0, 1.0 - num_timesteps / whole)

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


class RewardedAlgorithm:
    """An algorithm that learns from a reward network instead of its environment.

    Learned rewards are computed once per rollout for an on-policy algorithm. The replay
    buffer of an off-policy one is wrapped, so that rewards are computed when it is
    sampled and never stale.

    Args:
        algo: gets the environment `venv`.
        venv: the environments to learn in.
        reward: rates its steps, a network or a function; None leaves the environment's
            own rewards.
        entropy_weight: an on-policy algorithm is also rewarded by this times
            −log π(a|s).
    """

    def __init__(
        self,
        algo: BaseAlgorithm,
        venv: VecEnv,
        reward: RewardNet | RewardFn | None,
        entropy_weight: float = 0.0,
    ) -> None:
        self.algo = algo
        self.entropy_weight = entropy_weight
        self.recorder = StepRecorder(venv)
        self.venv: VecEnvWrapper = self.recorder
        """The environments as `algo` sees them."""
        if reward is not None:
            rate = _reward_fn(reward)
            self.venv = RewardVecEnvWrapper(self.recorder, rate)
        algo.set_env(self.venv)
        if reward is not None and isinstance(algo, OffPolicyAlgorithm):
            if isinstance(reward, RewardNet):
                rate = functools.partial(reward.predict_processed, update_stats=False)
            replay_buffer_wrapper.relabel(algo, rate)

    def learn(
        self, total_timesteps: int, callback: MaybeCallback = None, **kwargs: Any
    ) -> list[Steps]:
        """Continues training.

        Args:
            total_timesteps: environment steps to take.
            callback: of the algorithm's ``learn``.
            **kwargs: further arguments of ``learn``.

        Returns:
            What was recorded, in order.

        Raises:
            DataError: rewards are NaN or infinite.
        """
        if self.recorder.n_steps:  # somebody else's, who used the environments
            self.recorder.pop()
        rollouts = _RolloutRewards(self)
        callbacks: list[BaseCallback] = [rollouts]
        for each in callback if isinstance(callback, list) else [callback]:
            if isinstance(each, BaseCallback):
                callbacks.append(each)
            elif each is not None:
                callbacks.append(ConvertCallback(each))
        with contextlib.ExitStack() as stack:
            stack.enter_context(optimizers.fused(_optimizers(self.algo)))
            if isinstance(self.venv, RewardVecEnvWrapper):
                stack.enter_context(self.venv.deferring())
                callbacks.append(self.venv.make_log_callback())
            self.algo.learn(
                total_timesteps=total_timesteps,
                reset_num_timesteps=False,
                callback=callbacks,
                **kwargs,
            )
        if self.recorder.n_steps:  # an off-policy algorithm's, or an unfinished rollout
            rollouts.collected.append(self.recorder.pop())
            self.rate(rollouts.collected[-1])
        return rollouts.collected

    def rate(self, steps: Steps) -> Array:
        """Rates recorded steps.

        Args:
            steps: what the recorder returned.

        Returns:
            Rewards, shape ``(T, n_envs)``: those to add to the environment's.

        Raises:
            DataError: they are NaN or infinite.
        """
        if not isinstance(self.venv, RewardVecEnvWrapper):
            return np.zeros(steps.dones.shape)
        rewards = self.venv.reward_fn(**steps.as_arguments())
        rewards = check_rewards(rewards, steps)
        self.venv.record_rewards(rewards, steps.dones)
        return rewards


def _reward_fn(reward: RewardNet | RewardFn) -> RewardFn:
    return reward.predict_processed if isinstance(reward, RewardNet) else reward


def _optimizers(algo: BaseAlgorithm) -> Iterator[th.optim.Optimizer]:
    """The optimisers of an algorithm, wherever it keeps them."""
    for path in algo._get_torch_save_params()[0]:
        found = operator.attrgetter(path)(algo)
        if isinstance(found, th.optim.Optimizer):
            yield found


class _RolloutRewards(BaseCallback):
    """Adds the rewards of each rollout of an on-policy algorithm in one batch.

    The environment's own rewards are zero meanwhile, so what the rollout buffer holds
    is what Stable-Baselines3 added: the value of the state where a time limit cut an
    episode off.
    """

    def __init__(self, rewarded: RewardedAlgorithm) -> None:
        super().__init__()
        self.rewarded = rewarded
        self.collected: list[Steps] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if not isinstance(self.model, OnPolicyAlgorithm):
            return
        steps = self.rewarded.recorder.pop()
        self.collected.append(steps)
        buffer = self.model.rollout_buffer
        rewards = self.rewarded.rate(steps).astype(buffer.rewards.dtype)
        if self.rewarded.entropy_weight:
            rewards -= self.rewarded.entropy_weight * buffer.log_probs
        _add_rewards(buffer, rewards)


def _add_rewards(buffer: RolloutBuffer, rewards: Array) -> None:
    """Adds rewards, shape ``(T, n_envs)``, to those of a finished rollout.

    Advantages are linear in the rewards, so there is no need to compute them anew from
    the value of the last state, which sb3-contrib's algorithms hide from callbacks.
    """
    buffer.rewards += rewards
    decay = buffer.gamma * buffer.gae_lambda
    added = np.zeros_like(rewards[0])
    for step in reversed(range(len(rewards))):
        added = rewards[step] + decay * added
        buffer.advantages[step] += added
        added *= 1.0 - buffer.episode_starts[step]  # none of it before the episode
    buffer.returns = buffer.advantages + buffer.values


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
            "diverged, or observations hold NaN; lower its learning rate, or "
            "regularise it"
        )
    return rewards.reshape(steps.dones.shape)


def check_environment(algo: BaseAlgorithm, venv: VecEnv, reward_net: RewardNet) -> None:
    """Checks that an algorithm and a reward network are for an environment.

    Raises:
        ConfigError: the spaces or the numbers of environments differ.
    """
    if algo.n_envs != venv.num_envs:
        raise ConfigError(
            f"gen_algo was made for {algo.n_envs} environments, venv has "
            f"{venv.num_envs}; make the algorithm with this venv"
        )
    for name, space in (
        ("observation", venv.observation_space),
        ("action", venv.action_space),
    ):
        expected = getattr(reward_net, f"{name}_space")
        if space != expected:
            raise ConfigError(
                f"reward_net is for the {name} space {expected}, venv has {space}"
            )
