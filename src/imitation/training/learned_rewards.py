"""Training a Stable-Baselines3 algorithm on rewards that are computed in batches."""

import contextlib
import functools
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecTransposeImage
from typing_extensions import override

from imitation.errors import ConfigError, DataError
from imitation.policies import replay_buffer_wrapper
from imitation.rewards.reward_function import RewardFn
from imitation.rewards.reward_nets.base import RewardNet
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.training.recording import StepRecorder, Steps
from imitation.training.sb3_learning import as_callbacks, optimizers_of
from imitation.util import optimizers
from imitation.util.threads import training_threads


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

    Raises:
        ConfigError: the weight is negative, or `algo` is off-policy.
    """

    def __init__(
        self,
        algo: BaseAlgorithm,
        venv: VecEnv,
        reward: RewardNet | RewardFn | None,
        entropy_weight: float = 0.0,
    ) -> None:
        if not 0 <= entropy_weight < float("inf"):
            raise ConfigError(
                f"gen_entropy_weight={entropy_weight} must be finite and not negative."
            )
        if entropy_weight and isinstance(algo, OffPolicyAlgorithm):
            raise ConfigError(
                "gen_entropy_weight is for on-policy generators, and "
                f"{type(algo).__name__} is off-policy; SAC has ent_coef instead"
            )
        self.algo = algo
        self.entropy_weight = entropy_weight
        self.recorder = StepRecorder(venv)
        self.venv: VecEnvWrapper = self.recorder
        """The environments as `algo` sees them."""
        if reward is not None:
            rate = reward.predict_processed if isinstance(reward, RewardNet) else reward
            self.venv = RewardVecEnvWrapper(self.recorder, rate)
        algo.set_env(self.venv)
        if reward is not None and isinstance(algo, OffPolicyAlgorithm):
            if isinstance(reward, RewardNet):
                # Transitions are sampled many times, but shall count once.
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
        if self.recorder.n_steps:  # by whoever used the environments in between
            self.recorder.pop()
        rollouts = _RolloutRewards(self)
        callbacks = [rollouts, *as_callbacks(callback)]
        with contextlib.ExitStack() as stack:
            stack.enter_context(optimizers.fused(optimizers_of(self.algo)))
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

    def rate(self, steps: Steps) -> np.ndarray:
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
        finite = np.isfinite(rewards)
        if not finite.all():
            raise DataError(
                f"the reward network gave NaN or infinite rewards for "
                f"{int((~finite).sum())} of {len(rewards)} transitions: its weights "
                "have diverged, or observations hold NaN; lower its learning rate, or "
                "regularize it"
            )
        rewards = rewards.reshape(steps.dones.shape)  # (T, n_envs), time first
        self.venv.record_rewards(rewards, steps.dones)
        return rewards


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

    @override
    def _on_step(self) -> bool:
        return True

    @override
    def _on_rollout_end(self) -> None:
        if not isinstance(self.model, OnPolicyAlgorithm):
            return
        steps = self.rewarded.recorder.pop()
        self.collected.append(steps)
        # Its advantages are computed by now: this is the last call before training.
        buffer = self.model.rollout_buffer
        rewards = self.rewarded.rate(steps).astype(buffer.rewards.dtype)
        if self.rewarded.entropy_weight:
            rewards -= self.rewarded.entropy_weight * buffer.log_probs
        _add_rewards(buffer, rewards)


def _add_rewards(buffer: RolloutBuffer, rewards: np.ndarray) -> None:
    """Adds rewards, shape ``(T, n_envs)``, to those of a finished rollout.

    Advantages are linear in the rewards, so what the new rewards add can be added. To
    compute all again would take the value of the last state, which the algorithms of
    sb3-contrib hide from callbacks.
    """
    buffer.rewards += rewards
    decay = buffer.gamma * buffer.gae_lambda
    added = np.zeros_like(rewards[0])
    for step in reversed(range(len(rewards))):
        added = rewards[step] + decay * added
        buffer.advantages[step] += added
        # Going back in time, nothing passes from an episode to the one before it.
        added *= 1.0 - buffer.episode_starts[step]
    buffer.returns = buffer.advantages + buffer.values


def check_environment(algo: BaseAlgorithm, venv: VecEnv, reward_net: RewardNet) -> None:
    """Checks that an algorithm and a reward network are for an environment.

    Raises:
        ConfigError: the spaces or the numbers of environments differ.
    """
    if algo.n_envs != venv.num_envs:
        raise ConfigError(
            f"gen_algo was made for {algo.n_envs} environments, venv has "
            f"{venv.num_envs}; create the algorithm with this venv"
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


def retrain_policy(
    reward_net: RewardNet,
    gen_algo: BaseAlgorithm,
    total_timesteps: int,
    *,
    venv: VecEnv | None = None,
    callback: MaybeCallback = None,
) -> BasePolicy:
    """Trains an algorithm on a learned reward instead of its environment's.

    Rewards are computed as in adversarial training: once per rollout for on-policy
    algorithms, afresh for each sampled batch for off-policy ones. The statistics of a
    normalizing network keep following the rewards.

    Args:
        reward_net: the reward, such as ``trainer.reward_test`` of `AIRL`.
        gen_algo: a new algorithm with an environment. Afterwards its environment and
            its replay buffer give the environment's own rewards again.
        total_timesteps: environment steps to train for.
        venv: environments to train in; None for those of `gen_algo`.
        callback: of the algorithm's ``learn``; it sees the environment's own returns as
            ``rollout/ep_rew_mean`` and the learned ones as
            ``rollout/ep_rew_wrapped_mean``.

    Returns:
        The trained policy, which is that of `gen_algo`.

    Raises:
        ValueError: there is no environment, or the network is for other spaces.
    """
    if venv is None:
        venv = gen_algo.get_env()
        if venv is None:
            raise ConfigError(
                "gen_algo has no environment; create it with one, or pass venv"
            )
        if isinstance(venv, VecTransposeImage):
            venv = venv.venv  # the network is for images as the environment gives them
    check_environment(gen_algo, venv, reward_net)
    rewarded = RewardedAlgorithm(gen_algo, venv, reward_net.to(gen_algo.device))
    try:
        with training_threads(gen_algo.policy, reward_net):
            rewarded.learn(total_timesteps, callback)
    finally:
        gen_algo.set_env(venv)
        replay_buffer_wrapper.unrelabel(gen_algo)
    return gen_algo.policy
