"""Settings of SQIL and IQ-Learn, and the algorithms inside them."""

import dataclasses
from typing import ClassVar

import gymnasium as gym
import stable_baselines3 as sb3
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.vec_env import VecEnv

from imitation.errors import ConfigError
from imitation.scripts import settings as typed
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.settings import (
    ClassPath,
    Config,
    ConfigDict,
    Settings,
    When,
    setting,
)
from imitation.util.spaces import Space

FILLED_IN = (
    "policy",
    "env",
    "policy_kwargs",
    "seed",
    "replay_buffer_class",
    "replay_buffer_kwargs",
)


@dataclasses.dataclass(frozen=True)
class Learners:
    """The algorithms to take where the settings name none."""

    discrete: ClassPath
    """For discrete actions."""

    continuous: ClassPath
    """For continuous actions."""

    def for_space(self, action_space: Space) -> ClassPath:
        """Returns the one that can act in a space."""
        discrete = isinstance(action_space, gym.spaces.Discrete)
        return self.discrete if discrete else self.continuous


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExpertReplaySettings(Settings):
    """Settings that SQIL and IQ-Learn share."""

    learners: ClassVar[Learners]

    total_timesteps: int = setting(300_000, more_than=0)
    """Environment steps."""

    train_kwargs: Config = setting(
        {"log_interval": 4, "progress_bar": True},
        arguments_of=OffPolicyAlgorithm.learn,
        filled=("callback", "reset_num_timesteps", "tb_log_name", "total_timesteps"),
        counts=("log_interval",),
    )
    """Keyword arguments of the algorithm's `learn`: log_interval, episodes between two
    rows of the log, and progress_bar."""

    checkpoint_interval: int = setting(10_000, more_than=0)
    """Environment steps between checkpoints to resume from."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SQILSettings(ExpertReplaySettings):
    """Settings of SQIL that are not those of its algorithm (rl) or policy."""

    prefix = "sqil."

    learners = Learners(
        discrete=ClassPath("imitation.algorithms.soft_q:SoftQ"),
        continuous=ClassPath("stable_baselines3:SAC"),
    )

    sac_kwargs: Config = setting({"ent_coef": 0.05, "tau": 0.02})
    """Further rl.rl_kwargs if the algorithm is SAC; rl.rl_kwargs win."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class IQLearnSettings(ExpertReplaySettings):
    """Settings of IQ-Learn that are not those of its algorithm (rl) or policy."""

    prefix = "iq_learn."

    learners = Learners(
        discrete=ClassPath("imitation.algorithms.iq_learn:IQSoftQ"),
        continuous=ClassPath("imitation.algorithms.iq_learn:IQSAC"),
    )

    offline_updates: int = setting(0, at_least=0)
    """Optimizer steps on the demonstrations alone, without the environment; 0 trains
    in the environment."""

    total_timesteps: int = setting(
        300_000, more_than=0, applies=When("offline_updates", (0,))
    )
    """Environment steps, unless offline."""

    checkpoint_interval: int = setting(10_000, more_than=0)
    """Environment steps, or optimizer steps if offline, between checkpoints to resume
    from."""


def check_off_policy(rl: RLSettings, policy: PolicySettings) -> None:
    """Raises a ConfigError unless the named algorithm can learn from expert replay."""
    if not policy.is_default:
        policy.check()
    if rl.rl_cls is None:  # chosen for the environment, and so right
        return
    rl_cls = rl.load_cls()
    if not issubclass(rl_cls, OffPolicyAlgorithm):
        raise ConfigError(
            f"rl.rl_cls={rl.rl_cls} must be off-policy, such as "
            "imitation.algorithms.soft_q:SoftQ or stable_baselines3:SAC"
        )
    typed.check_keys(rl.rl_kwargs, rl_cls, "rl.rl_kwargs", FILLED_IN)
    wanted = rl.policy_base
    if policy.is_default or issubclass(policy.load_cls(), wanted):
        return
    raise ConfigError(
        f"rl.rl_cls={rl.rl_cls} cannot train policy.policy_cls={policy.policy_cls}; "
        f"leave it out, or set a subclass of {wanted.__module__}:{wanted.__name__}"
    )


def algorithm_arguments(
    venv: VecEnv,
    rl: RLSettings,
    policy: PolicySettings,
    learners: Learners,
    sac_kwargs: Config,
    seed: int,
) -> ConfigDict:
    """Makes the arguments of the trainers of SQIL and IQ-Learn.

    The default policy becomes "MlpPolicy", "CnnPolicy" or "MultiInputPolicy", whichever
    takes the observations. `sac_kwargs` are further hyperparameters if the algorithm is
    SAC; those of `rl` win.

    Returns:
        ``policy``, ``rl_algo_class`` and ``rl_kwargs``.
    """
    path = rl.rl_cls or learners.for_space(venv.action_space)
    rl_cls = typed.load_class(path, OffPolicyAlgorithm, "rl.rl_cls")
    kwargs = dict(rl.rl_kwargs)
    if issubclass(rl_cls, sb3.SAC):
        kwargs = {**sac_kwargs, **kwargs}
    chosen = dataclasses.replace(
        rl, rl_cls=path, rl_kwargs=kwargs, batch_size=rl.batch_size or 1
    )
    check_off_policy(chosen, policy)
    arguments = chosen.constructor_kwargs(venv.num_envs)
    # The 1 above was only to have a resolved size; the algorithm's own default holds.
    if rl.batch_size is None:
        del arguments["batch_size"]
    return {
        "policy": _policy(policy, venv.observation_space),
        "rl_algo_class": rl_cls,
        "rl_kwargs": {
            **arguments,
            "policy_kwargs": policy.load_kwargs(),
            "seed": seed,
        },
    }


def _policy(policy: PolicySettings, observation_space: Space) -> str | type[BasePolicy]:
    if not policy.is_default:
        return policy.load_cls()
    if isinstance(observation_space, gym.spaces.Dict):
        return "MultiInputPolicy"
    # By Stable-Baselines3's criterion: 8-bit values with 1, 3 or 4 channels.
    return "CnnPolicy" if is_image_space(observation_space) else "MlpPolicy"
