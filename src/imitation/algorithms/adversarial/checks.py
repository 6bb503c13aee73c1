"""Checks of the settings of adversarial training, before anything is done."""

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, VecNormalize

from imitation.errors import ConfigError
from imitation.rewards.reward_nets import RewardEnsemble, RewardNet, RewardNetWrapper
from imitation.util import logger as imit_logger

__all__ = [
    "check_discriminator",
    "check_settings",
    "check_sizes",
    "warn_of_normalized_observations",
]


def check_sizes(batch_size: int, minibatch_size: int) -> None:
    """Checks that a batch can be cut into minibatches.

    Raises:
        ConfigError: it cannot.
    """
    if batch_size <= 0 or minibatch_size <= 0:
        raise ConfigError(
            f"demo_batch_size={batch_size} and demo_minibatch_size={minibatch_size} "
            "must be positive."
        )
    if batch_size % minibatch_size != 0:
        raise ConfigError(
            "Batch size must be a multiple of minibatch size. Got demo_batch_size="
            f"{batch_size}, demo_minibatch_size={minibatch_size}."
        )


def check_settings(
    gen_algo: BaseAlgorithm, n_disc_updates: int, entropy_weight: float
) -> None:
    """Checks settings that would otherwise be passed over without a word.

    Raises:
        ConfigError: one is out of range, or has no effect on such a generator.
    """
    if n_disc_updates < 0:
        raise ConfigError(
            f"n_disc_updates_per_round={n_disc_updates} must not be negative."
        )
    if not 0 <= entropy_weight < float("inf"):
        raise ConfigError(
            f"gen_entropy_weight={entropy_weight} must be finite and not negative."
        )
    if entropy_weight and isinstance(gen_algo, OffPolicyAlgorithm):
        raise ConfigError(
            "gen_entropy_weight is for on-policy generators, and "
            f"{type(gen_algo).__name__} is none; SAC has ent_coef instead"
        )


def check_discriminator(reward_net: RewardNet) -> None:
    """Checks that a network gives one output with gradients.

    Raises:
        ConfigError: it is an ensemble, or a wrapper around one.
    """
    net = reward_net
    while isinstance(net, RewardNetWrapper):
        net = net.base
    if isinstance(net, RewardEnsemble):
        raise ConfigError(
            "GAIL and AIRL learn one discriminator, which a RewardEnsemble is not; "
            "pass one of its members, or another reward network"
        )


def warn_of_normalized_observations(
    venv: VecEnv, logger: imit_logger.HierarchicalLogger
) -> None:
    """Warns if a `VecNormalize` puts the generator's observations in other units.

    Its space is that of the raw ones, so nothing else tells the demonstrations' apart.
    """
    env: VecEnv | None = venv
    while isinstance(env, VecEnvWrapper):
        if isinstance(env, VecNormalize) and env.norm_obs:
            logger.warn(
                "venv normalises observations by VecNormalize, so the discriminator "
                "compares normalised ones with the demonstrations'; unless these were "
                "normalised alike, pass norm_obs=False and normalise in the networks "
                "(normalize_input_layer=RunningNorm, NormalizeFeaturesExtractor)"
            )
            return
        env = env.venv
