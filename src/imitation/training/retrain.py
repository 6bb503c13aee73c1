"""Training a fresh policy on a reward that was learned.

What a reward is worth shows when it has to teach somebody else: a policy that starts
anew, in the same environment or in one whose dynamics have changed (Fu et al. 2018,
"Learning Robust Rewards with Adversarial Inverse Reinforcement Learning", section 7.2).
"""

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv, VecTransposeImage

from imitation.errors import ConfigError
from imitation.policies import replay_buffer_wrapper
from imitation.rewards.reward_nets.base import RewardNet
from imitation.training.learned_rewards import (
    RewardedAlgorithm,
    check_environment,
)
from imitation.util.threads import training_threads

__all__ = ["retrain_policy"]


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
    normalising network keep following the rewards.

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
        venv = _own_environment(gen_algo)
    check_environment(gen_algo, venv, reward_net)
    rewarded = RewardedAlgorithm(gen_algo, venv, reward_net.to(gen_algo.device))
    try:
        with training_threads(gen_algo.policy, reward_net):
            rewarded.learn(total_timesteps, callback)
    finally:
        gen_algo.set_env(venv)
        replay_buffer_wrapper.unrelabel(gen_algo)
    return gen_algo.policy


def _own_environment(gen_algo: BaseAlgorithm) -> VecEnv:
    """The environment that an algorithm was made with, images as they come."""
    venv = gen_algo.get_env()
    if venv is None:
        raise ConfigError("gen_algo has no environment; make it with one, or pass venv")
    return venv.venv if isinstance(venv, VecTransposeImage) else venv
