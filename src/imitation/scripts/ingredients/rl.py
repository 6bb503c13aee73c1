"""A Stable-Baselines3 reinforcement learning algorithm, new or loaded.

Any on- or off-policy algorithm with Stable-Baselines3's interface works: PPO, A2C, DQN,
SAC, TD3 and DDPG, and those of ``sb3_contrib`` such as TRPO.
"""

import dataclasses
import functools
import inspect
import pathlib
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import stable_baselines3 as sb3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv
from tqdm import tqdm
from typing_extensions import override

from imitation.errors import ConfigError
from imitation.policies import base, serialize
from imitation.scripts import settings as typed
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.settings import (
    ClassPath,
    Config,
    ConfigDict,
    Presets,
    Settings,
    When,
    setting,
)
from imitation.util import policy_io

_PPO = ClassPath("stable_baselines3:PPO")
_SAC = ClassPath("stable_baselines3:SAC")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RLSettings(Settings):
    """The algorithm and its hyperparameters."""

    prefix = "rl."

    named_configs: ClassVar[Presets] = {
        "fast": {"batch_size": 16},
        "sac": {"rl_cls": _SAC, "batch_size": 256},
    }

    rl_cls: ClassPath | None = setting(None)
    """Class of the algorithm, "module:Class"; None is PPO."""

    batch_size: int | None = setting(None, more_than=0)
    """Environment steps per update for on-policy algorithms, divided among the
    environments (ppo_batch_size if None); size of a minibatch for off-policy ones (256
    if None)."""

    rl_kwargs: Config = setting({})
    """Keyword arguments of the algorithm, such as learning_rate and gamma. A
    learning_rate of lin_3e-4 falls linearly from 3e-4 to 0; one of cooldown_3e-4 does
    so in the last 40% of the training (Hägele et al., 2024)."""

    ppo_batch_size: int = setting(
        2048,
        more_than=0,
        applies=When("on_policy", text="to on-policy algorithms; set rl.batch_size"),
    )
    """The batch_size of on-policy algorithms unless that is given; presets of
    environments set this, so that they suit other algorithms, too."""

    ppo_kwargs: Config = setting(
        {"learning_rate": 3e-4, "batch_size": 64, "n_epochs": 10, "ent_coef": 0.0},
        applies=When("is_ppo", text="to PPO; set rl.rl_kwargs"),
    )
    """Further rl_kwargs if the algorithm is PPO; rl_kwargs win."""

    def load_cls(self) -> type[BaseAlgorithm]:
        """Returns the class itself."""
        return typed.load_class(self.rl_cls or _PPO, BaseAlgorithm, "rl.rl_cls")

    @property
    def on_policy(self) -> bool:
        """True if the algorithm learns only from what its policy has just done."""
        return issubclass(self.load_cls(), OnPolicyAlgorithm)

    @property
    def is_ppo(self) -> bool:
        """True if the algorithm is PPO."""
        # Not its subclasses: they may have other hyperparameters.
        return self.load_cls() is sb3.PPO

    @property
    def policy_base(self) -> type[BasePolicy]:
        """The class from which every policy of the algorithm derives."""
        # Every algorithm lists "MlpPolicy" first, the base of its other policies.
        return next(iter(self.load_cls().policy_aliases.values()))

    @property
    def discount(self) -> float:
        """The discount factor of the return."""
        parameter = inspect.signature(self.load_cls()).parameters.get("gamma")
        default = 0.99 if parameter is None else parameter.default
        gamma = self.resolved().rl_kwargs.get("gamma", default)
        return gamma if isinstance(gamma, float) else default

    def resolved(self) -> "RLSettings":
        """Fills in the class, the batch size and PPO's hyperparameters."""
        rl_cls = self.load_cls()
        kwargs = dict(self.rl_kwargs)
        on_policy = self.on_policy
        batch_size = self.batch_size or (self.ppo_batch_size if on_policy else 256)
        if rl_cls is sb3.PPO:
            kwargs = {**self.ppo_kwargs, **kwargs}
        # A2C has no minibatches, and TRPO's size is called as PPO's.
        minibatch = inspect.signature(rl_cls).parameters.get("batch_size")
        if on_policy and minibatch is not None:
            # The algorithm would truncate a larger minibatch, with a warning.
            size = kwargs.get("batch_size", minibatch.default)
            if isinstance(size, int):
                kwargs["batch_size"] = min(size, batch_size)
        return dataclasses.replace(
            self,
            rl_cls=self.rl_cls or _PPO,
            batch_size=batch_size,
            rl_kwargs=kwargs,
        )

    def check(self, num_vec: int, policy: PolicySettings) -> None:
        """Raises a ConfigError unless the parts fit each other."""
        rl_cls = self.load_cls()
        if not issubclass(rl_cls, OnPolicyAlgorithm | OffPolicyAlgorithm):
            raise ConfigError(
                f"Unsupported RL algorithm '{rl_cls.__name__}': rl.rl_cls must be on- "
                "or off-policy, such as stable_baselines3:PPO or stable_baselines3:SAC"
            )
        kwargs = self.constructor_kwargs(num_vec)
        filled = ("policy", "env", "policy_kwargs", "seed")
        typed.check_keys(kwargs, rl_cls, "rl.rl_kwargs", filled)
        trained = self.policy_base
        if not issubclass(policy.load_cls(), trained):
            remedy = f"set policy.policy_cls={trained.__module__}:{trained.__name__}"
            if rl_cls is sb3.SAC:
                remedy = "add the named configs rl.sac policy.sac"
            raise ConfigError(
                f"rl.rl_cls={self.rl_cls} cannot train policy.policy_cls="
                f"{policy.policy_cls}; {remedy}"
            )

    def constructor_kwargs(self, num_vec: int) -> ConfigDict:
        """Returns the algorithm's keyword arguments with the batch size in place.

        Raises:
            ConfigError: the batch size does not divide or is given twice.
            TypeError: the algorithm is neither on- nor off-policy.
        """
        rl_cls = self.load_cls()
        kwargs = typed.load_classes(self.rl_kwargs, object, "rl.rl_kwargs")
        rate = kwargs.get("learning_rate")
        if isinstance(rate, str):
            kwargs["learning_rate"] = falling_rate(rate)
        batch_size = self.batch_size
        assert batch_size is not None, "resolved settings have a batch size"
        if issubclass(rl_cls, OnPolicyAlgorithm):
            if "n_steps" in kwargs:
                raise ConfigError(
                    "rl.rl_kwargs.n_steps follows from the batch size; "
                    "set 'batch_size' at top-level (rl.batch_size)"
                )
            if batch_size % num_vec != 0:
                raise ConfigError(
                    f"num_envs={num_vec} must evenly divide batch_size={batch_size}; "
                    "change environment.num_vec or rl.batch_size"
                )
            # n_steps counts steps of each environment, the batch size those of all.
            kwargs["n_steps"] = batch_size // num_vec
        elif issubclass(rl_cls, OffPolicyAlgorithm):
            if "batch_size" in kwargs:
                raise ConfigError(
                    "rl.rl_kwargs.batch_size: set 'batch_size' at top-level "
                    "(rl.batch_size)"
                )
            kwargs["batch_size"] = batch_size
        else:
            raise TypeError(f"Unsupported RL algorithm '{rl_cls}'")
        return kwargs


def falling_rate(text: str) -> Callable[[float], float]:
    """Makes a learning rate that falls to 0, from its name, "_" and its start.

    Saved algorithms hold it, so it is made of what others who load them have too.
    """
    kind, _, number = text.partition("_")
    try:
        start = float(number)
        if kind == "lin":
            return LinearSchedule(start, 0.0, 1.0)
        if kind == "cooldown":
            return functools.partial(np.interp, xp=(0.0, 0.4), fp=(0.0, start))
    except ValueError:
        pass
    raise ConfigError(
        "rl.rl_kwargs.learning_rate must be a number, or lin_ and a number for one "
        "that falls to 0, such as lin_3e-4, or cooldown_ and a number for one that "
        f"falls in the last 40%; got {text!r}"
    )


def make_rl_algo(
    venv: VecEnv, settings: RLSettings, policy: PolicySettings, seed: int
) -> BaseAlgorithm:
    """Builds an algorithm.

    Raises:
        ConfigError: ``venv.num_envs`` does not divide the batch size, or the algorithm
            does not take its arguments or the environment.
        TypeError: the algorithm is neither on- nor off-policy.
    """
    rl_cls = settings.load_cls()
    if rl_cls is sb3.SAC and not settings.rl_kwargs:
        warnings.warn(
            "SAC runs with Stable-Baselines3's hyperparameters, which are not tuned "
            "for this environment; set rl.rl_kwargs",
            RuntimeWarning,
            stacklevel=2,
        )
    kwargs = settings.constructor_kwargs(venv.num_envs)
    with typed.building(
        f"{settings.rl_cls} with rl.rl_kwargs and policy.policy_kwargs"
    ):
        return rl_cls(
            policy.load_cls(),
            venv,
            policy_kwargs=policy.load_kwargs(),
            seed=seed,
            **kwargs,
        )


def load_rl_algo_from_path(
    agent_path: str, venv: VecEnv, settings: RLSettings, seed: int
) -> BaseAlgorithm:
    """Loads an algorithm, or begins one with a saved policy.

    Args:
        agent_path: what `train_rl` or Stable-Baselines3 saved, a ``.zip`` file or a
            directory that contains ``model.zip``; or a policy saved by this project,
            such as that of behavioral cloning.
        venv: the environment to continue in.
        settings: resolved settings; their hyperparameters replace the saved ones.
        seed: of the exploration.

    Raises:
        ArtifactError: the file cannot be read.
        ConfigError: the policy is not for this algorithm or environment.
    """
    if (pathlib.Path(agent_path) / "artifact.json").is_file():
        return _algo_from_policy(agent_path, venv, settings, seed)
    return serialize.load_stable_baselines_model(
        settings.load_cls(),
        agent_path,
        venv,
        seed=seed,
        **settings.constructor_kwargs(venv.num_envs),
    )


def _algo_from_policy(
    agent_path: str, venv: VecEnv, settings: RLSettings, seed: int
) -> BaseAlgorithm:
    """A new algorithm whose policy is a saved one."""
    saved = policy_io.load_policy(agent_path, "cpu")
    base.check_spaces(saved, venv, agent_path)
    rl_cls = settings.load_cls()
    if not isinstance(saved, settings.policy_base):
        raise ConfigError(
            f"agent_path={agent_path!r} holds a {type(saved).__name__}, which "
            f"rl.rl_cls={settings.rl_cls} cannot train"
        )
    # Private in Stable-Baselines3 2.x, and what its own BasePolicy.save stores.
    kwargs = saved._get_constructor_parameters()
    for filled in ("observation_space", "action_space", "lr_schedule", "use_sde"):
        kwargs.pop(filled, None)
    with typed.building(
        f"{settings.rl_cls} with rl.rl_kwargs for agent_path={agent_path}"
    ):
        algo = rl_cls(
            type(saved),
            venv,
            policy_kwargs=kwargs,
            seed=seed,
            **settings.constructor_kwargs(venv.num_envs),
        )
    # Optimizers start anew: those of another algorithm would not fit.
    algo.policy.load_state_dict(saved.state_dict())
    return algo


class StepProgress(BaseCallback):
    """Shows the environment steps of an algorithm, over several calls of ``learn``."""

    def __init__(self, bar: "tqdm[Any]") -> None:
        super().__init__()
        self._bar = bar

    @override
    def _on_training_start(self) -> None:
        if self._bar.n == 0:
            # Steps of an interrupted run do not count for the rate.
            self._bar.n = self._bar.initial = self.model.num_timesteps

    @override
    def _on_step(self) -> bool:
        # The last rollout may go beyond the total.
        done = min(self.num_timesteps, self._bar.total or self.num_timesteps)
        self._bar.update(done - self._bar.n)
        return True
