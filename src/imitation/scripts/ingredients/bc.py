"""A behavioural cloning trainer."""

import dataclasses
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms import bc as bc_algorithm
from imitation.data import types
from imitation.errors import ConfigError
from imitation.scripts.ingredients.policy import PolicySettings, make_policy
from imitation.scripts.settings import (
    ClassPath,
    building,
    check_keys,
    load_class,
    require,
)
from imitation.util.logger import HierarchicalLogger

__all__ = ["BCSettings", "make_bc", "make_or_load_policy"]

_ADAM = ClassPath("torch.optim:Adam")

_SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda remaining: remaining,
    "cosine": lambda remaining: 0.5 * (1 - math.cos(math.pi * remaining)),
}

_OURS = frozenset(
    (
        "checkpoint_dir",
        "checkpoint_interval",
        "early_stopping",
        "log_rollouts_venv",
        "on_batch_end",
        "on_epoch_end",
        "resume",
    )
)
"""Arguments of `BC.train` that the commands fill in themselves."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BCSettings:
    """Hyperparameters of behavioural cloning."""

    batch_size: int = 32
    """Samples in each optimiser step."""

    minibatch_size: int | None = None
    """Samples per forward pass, a divisor of batch_size; None is batch_size."""

    l2_weight: float = 3e-5
    """Weight of half the sum of squared parameters."""

    ent_weight: float = 1e-3
    """Weight of the entropy bonus."""

    optimizer_cls: ClassPath = _ADAM
    """Class of the optimiser, "module:Class"."""

    optimizer_kwargs: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {"lr": 4e-4}
    )
    """Keyword arguments of the optimiser."""

    lr_schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate falls to 0 during training."""

    max_grad_norm: float | None = None
    """Clip the gradient to this norm; None does not clip."""

    val_fraction: float = 0.0
    """Share of the demonstrations held out to measure the loss on, in [0, 1)."""

    early_stopping_patience: int | None = None
    """Stop after so many epochs without a better held-out loss, and keep the best
    policy; None trains to the end."""

    train_kwargs: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {
            "n_epochs": None,
            "n_batches": None,
            "log_interval": 500,
        }
    )
    """Keyword arguments of `BC.train`. If neither n_epochs nor n_batches is given,
    the command bc trains for 10 epochs and dagger for 4 epochs a round."""

    checkpoint_interval: int = 1000
    """Batches between checkpoints to resume from."""

    agent_path: str | None = None
    """A saved policy to start from instead of a new one."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        sizes = (self.batch_size, self.checkpoint_interval)
        for name, value in zip(
            ("batch_size", "checkpoint_interval"), sizes, strict=True
        ):
            require(value > 0, f"bc.{name}", "a positive integer", value)
        for name in ("l2_weight", "ent_weight"):
            value = getattr(self, name)
            good = math.isfinite(value) and value >= 0
            require(good, f"bc.{name}", "a number ≥ 0", value)
        fraction = self.val_fraction
        require(0 <= fraction < 1, "bc.val_fraction", "in [0, 1)", fraction)
        patience = self.early_stopping_patience
        good = patience is None or patience > 0
        name = "bc.early_stopping_patience"
        require(good, name, "a positive integer or None", patience)
        if patience is not None and fraction == 0:
            raise ConfigError("bc.early_stopping_patience needs bc.val_fraction > 0")
        size = self.minibatch_size
        good = size is None or (size > 0 and self.batch_size % size == 0)
        expected = f"a divisor of bc.batch_size={self.batch_size}"
        require(good, "bc.minibatch_size", expected, size)
        norm = self.max_grad_norm
        good = norm is None or (math.isfinite(norm) and norm > 0)
        require(good, "bc.max_grad_norm", "a positive number or None", norm)
        self._check_train_kwargs()

    def _check_train_kwargs(self) -> None:
        train = bc_algorithm.BC.train
        check_keys(self.train_kwargs, train, "bc.train_kwargs", _OURS)
        for key in ("n_epochs", "n_batches", "log_interval"):
            value = self._kwarg(key)
            good = isinstance(value, int) and not isinstance(value, bool) and value > 0
            if key in self.train_kwargs and value is not None:
                name = f"bc.train_kwargs.{key}"
                require(good, name, "a positive integer", value)
        if None not in (self._kwarg("n_epochs"), self._kwarg("n_batches")):
            raise ConfigError(
                "set bc.train_kwargs.n_epochs or bc.train_kwargs.n_batches, not both"
            )

    @property
    def schedule(self) -> Callable[[float], float] | None:
        """The learning rate by the remaining share of training; None if constant."""
        lr = float(self.optimizer_kwargs.get("lr", 1e-3))
        factor = _SCHEDULES.get(self.lr_schedule)
        return None if factor is None else lambda remaining: lr * factor(remaining)

    @property
    def early_stopping(self) -> bc_algorithm.EarlyStopping | None:
        """When to stop early."""
        if self.early_stopping_patience is None:
            return None
        return bc_algorithm.EarlyStopping(patience=self.early_stopping_patience)

    def resolved(self, duration: Mapping[str, int]) -> "BCSettings":
        """Fills in how long to train.

        Args:
            duration: n_epochs or n_batches for settings that give neither.
        """
        if self._kwarg("n_epochs") is not None or self._kwarg("n_batches") is not None:
            return self
        return dataclasses.replace(self, train_kwargs={**self.train_kwargs, **duration})

    def check(self) -> None:
        """Raises a ConfigError unless the optimiser works and the agent exists."""
        optimizer_cls = self.load_optimizer_cls()
        with building("bc.optimizer_cls with bc.optimizer_kwargs"):
            optimizer_cls([th.nn.Parameter(th.zeros(1))], **self.optimizer_kwargs)
        if self.agent_path is not None and not os.path.exists(self.agent_path):
            raise ConfigError(f"bc.agent_path={self.agent_path!r} does not exist")

    def load_optimizer_cls(self) -> type[th.optim.Optimizer]:
        """Returns the class itself."""
        return load_class(self.optimizer_cls, th.optim.Optimizer, "bc.optimizer_cls")

    def _kwarg(self, name: str) -> Any:
        return self.train_kwargs.get(name)


def make_bc(
    venv: VecEnv,
    expert_trajs: Sequence[types.Trajectory] | None,
    custom_logger: HierarchicalLogger,
    rng: np.random.Generator,
    bc: BCSettings,
    policy: PolicySettings,
) -> bc_algorithm.BC:
    """Builds the trainer.

    Args:
        venv: an environment with the right spaces.
        expert_trajs: demonstrations; None if they come later.
        custom_logger: where to log to.
        rng: seeds the weights and the order of the data.
        bc: the hyperparameters.
        policy: the policy to train.

    Returns:
        The trainer.
    """
    return bc_algorithm.BC(
        observation_space=venv.observation_space,
        action_space=venv.action_space,
        policy=make_or_load_policy(venv, bc.agent_path, policy, rng),
        demonstrations=expert_trajs,
        custom_logger=custom_logger,
        rng=rng,
        batch_size=bc.batch_size,
        minibatch_size=bc.minibatch_size,
        optimizer_cls=bc.load_optimizer_cls(),
        optimizer_kwargs=bc.optimizer_kwargs,
        ent_weight=bc.ent_weight,
        l2_weight=bc.l2_weight,
        lr_schedule=bc.schedule,
        max_grad_norm=bc.max_grad_norm,
        val_fraction=bc.val_fraction,
    )


def make_or_load_policy(
    venv: VecEnv,
    agent_path: str | None,
    policy: PolicySettings,
    rng: np.random.Generator,
) -> ActorCriticPolicy:
    """Builds a policy or loads a saved one.

    Args:
        venv: an environment with the right spaces.
        agent_path: a policy saved by this project; None builds a new one.
        policy: the class and its arguments, used for a new policy.
        rng: seeds the weights of a new policy.

    Returns:
        The policy.

    Raises:
        ConfigError: the policy cannot be trained by behavioural cloning.
    """
    made: BasePolicy
    if agent_path is None:
        made = make_policy(venv, policy, rng)
    else:
        if policy != PolicySettings():
            warnings.warn(
                "bc.agent_path overrides the settings policy.policy_cls and "
                "policy.policy_kwargs, which are ignored",
                RuntimeWarning,
                stacklevel=2,
            )
        made = bc_algorithm.reconstruct_policy(agent_path)
    if not isinstance(made, ActorCriticPolicy):
        raise ConfigError(
            f"behavioural cloning trains an ActorCriticPolicy, got "
            f"{type(made).__name__}; change policy.policy_cls"
        )
    return made
