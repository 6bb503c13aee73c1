"""A behavioral cloning trainer."""

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np
import torch as th
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.algorithms import bc as bc_algorithm
from imitation.data import types
from imitation.errors import ConfigError
from imitation.scripts import settings as typed
from imitation.scripts.ingredients.policy import PolicySettings, make_policy
from imitation.scripts.settings import ClassPath, Config, Settings, setting
from imitation.util.logger import HierarchicalLogger

# Of the remaining share of the training, 1 to 0, as in Stable-Baselines3.
_SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda remaining: remaining,
    "cosine": lambda remaining: 0.5 * (1 - math.cos(math.pi * remaining)),
}

# Arguments of `BC.train` that the commands fill in themselves.
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class BCSettings(Settings):
    """Hyperparameters of behavioral cloning."""

    prefix = "bc."

    batch_size: int = setting(32, more_than=0)
    """Samples in each optimizer step."""

    minibatch_size: int | None = setting(None, divides="batch_size")
    """Samples per forward pass, a divisor of batch_size; None is batch_size."""

    l2_weight: float = setting(3e-5, at_least=0)
    """Weight of half the sum of squared parameters."""

    ent_weight: float = setting(1e-3, at_least=0)
    """Weight of the entropy bonus."""

    optimizer_cls: ClassPath = setting(ClassPath("torch.optim:Adam"))
    """Class of the optimizer, "module:Class"."""

    optimizer_kwargs: Config = setting({"lr": 4e-4})
    """Keyword arguments of the optimizer."""

    lr_schedule: Literal["constant", "linear", "cosine"] = setting("constant")
    """How the learning rate falls to 0 during training."""

    max_grad_norm: float | None = setting(None, more_than=0)
    """Clip the gradient to this norm; None does not clip."""

    val_fraction: float = setting(0.0, at_least=0, less_than=1)
    """Share of the demonstrations held out to measure the loss on, in [0, 1)."""

    early_stopping_patience: int | None = setting(None, more_than=0)
    """Stop after so many epochs without a better held-out loss, and keep the best
    policy; None trains to the end."""

    train_kwargs: Config = setting(
        {"n_epochs": None, "n_batches": None, "log_interval": 500},
        arguments_of=bc_algorithm.BC.train,
        filled=_OURS,
        counts=("n_epochs", "n_batches", "log_interval"),
    )
    """Keyword arguments of `BC.train`. If neither n_epochs nor n_batches is given,
    the command bc trains for 10 epochs and dagger for 4 epochs a round."""

    checkpoint_interval: int = setting(1000, more_than=0)
    """Batches between checkpoints to resume from."""

    agent_path: str | None = setting(None, path=True)
    """A saved policy to start from instead of a new one."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.early_stopping_patience is not None and self.val_fraction == 0:
            raise ConfigError("bc.early_stopping_patience needs bc.val_fraction > 0")
        if None not in (self._kwarg("n_epochs"), self._kwarg("n_batches")):
            raise ConfigError(
                "set bc.train_kwargs.n_epochs or bc.train_kwargs.n_batches, not both"
            )

    @property
    def schedule(self) -> Callable[[float], float] | None:
        """The learning rate by the remaining share of training; None if constant."""
        # 1e-3 is the default of Adam, and of most optimizers of torch.
        lr = float(self.optimizer_kwargs.get("lr", 1e-3))
        factor = _SCHEDULES.get(self.lr_schedule)
        return None if factor is None else lambda remaining: lr * factor(remaining)

    @property
    def early_stopping(self) -> bc_algorithm.EarlyStopping | None:
        """The criterion to stop early; None trains to the end."""
        if self.early_stopping_patience is None:
            return None
        return bc_algorithm.EarlyStopping(patience=self.early_stopping_patience)

    def resolved(self, duration: Mapping[str, int]) -> "BCSettings":
        """Fills in how long to train."""
        if self._kwarg("n_epochs") is not None or self._kwarg("n_batches") is not None:
            return self
        return dataclasses.replace(self, train_kwargs={**self.train_kwargs, **duration})

    def check(self) -> None:
        """Raises a ConfigError unless the optimizer takes its arguments."""
        optimizer_cls = self.load_optimizer_cls()
        with typed.building("bc.optimizer_cls with bc.optimizer_kwargs"):
            # Optimizers check their arguments when made, and need one parameter.
            optimizer_cls([th.nn.Parameter(th.zeros(1))], **self.optimizer_kwargs)

    def load_optimizer_cls(self) -> type[th.optim.Optimizer]:
        """Returns the class itself."""
        return typed.load_class(
            self.optimizer_cls, th.optim.Optimizer, "bc.optimizer_cls"
        )

    def _kwarg(self, name: str) -> object:
        return self.train_kwargs.get(name)


def make_bc(
    venv: VecEnv,
    expert_trajs: Sequence[types.Trajectory] | None,
    custom_logger: HierarchicalLogger,
    rng: np.random.Generator,
    bc: BCSettings,
    policy: PolicySettings,
) -> bc_algorithm.BC:
    """Builds the trainer."""
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
    """Builds a policy or loads a saved one."""
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
            f"behavioral cloning trains an ActorCriticPolicy, got "
            f"{type(made).__name__}; change policy.policy_cls"
        )
    return made
