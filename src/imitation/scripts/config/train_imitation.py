"""Settings and presets of `imitation.scripts.train_imitation`."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from stable_baselines3.common.policies import ActorCriticPolicy

from imitation.algorithms import dagger
from imitation.algorithms.dagger.schedules import schedule_from_description
from imitation.errors import ConfigError
from imitation.scripts.command import CommandSettings
from imitation.scripts.config.environments import environment_presets
from imitation.scripts.config.tuned_hps import tuned_presets
from imitation.scripts.ingredients.bc import BCSettings
from imitation.scripts.ingredients.demonstrations import DemonstrationsSettings
from imitation.scripts.ingredients.environment import EnvironmentSettings
from imitation.scripts.ingredients.expert import ExpertSettings
from imitation.scripts.ingredients.iq_learn import IQLearnSettings
from imitation.scripts.ingredients.off_policy import check_off_policy
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.policy_evaluation import PolicyEvaluationSettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.ingredients.sqil import SQILSettings
from imitation.scripts.settings import require

__all__ = ["DAggerSettings", "TrainImitationSettings"]

# Enough for the bundled experts: larger steps than the default reach them in 10 epochs.
_CLASSIC: dict[str, dict[str, Any]] = {
    name: {"bc.optimizer_kwargs.lr": 1e-3}
    for name in (
        "acrobot",
        "cartpole",
        "mountain_car",
        "pendulum",
        "seals_cartpole",
        "seals_mountain_car",
    )
}

_FAST: dict[str, Any] = {
    "bc.train_kwargs.n_batches": 4,
    "bc.train_kwargs.log_interval": 2,
    "bc.checkpoint_interval": 2,
    "dagger.total_timesteps": 20,
    "dagger.rollout_round_min_episodes": 1,
    "dagger.rollout_round_min_timesteps": 10,
    "sqil.total_timesteps": 240,
    "sqil.checkpoint_interval": 160,
    "iq_learn.total_timesteps": 240,
    "iq_learn.checkpoint_interval": 160,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DAggerSettings:
    """Settings of DAgger that are not those of behavioural cloning."""

    use_offline_rollouts: bool = False
    """Start with the demonstrations in round 0."""

    total_timesteps: int = 100_000
    """Environment steps to collect labels for, at least."""

    beta_schedule: Mapping[str, Any] | None = None
    """How the expert's share of the actions falls: {"kind": "linear",
    "rampdown_rounds": 15} (also if None) or {"kind": "exponential",
    "decay_probability": 0.7}."""

    rollout_round_min_episodes: int = 3
    """Episodes that a round collects, at least."""

    rollout_round_min_timesteps: int = 500
    """Steps that a round collects, at least."""

    def __post_init__(self) -> None:
        """Checks ranges and the schedule."""
        for name in ("total_timesteps", "rollout_round_min_episodes"):
            value = getattr(self, name)
            require(value > 0, f"dagger.{name}", "a positive integer", value)
        steps = self.rollout_round_min_timesteps
        name = "dagger.rollout_round_min_timesteps"
        require(steps >= 0, name, "an integer ≥ 0", steps)
        self.schedule()

    def schedule(self) -> dagger.BetaSchedule | None:
        """Builds the schedule; None for the default one."""
        if self.beta_schedule is None:
            return None
        try:
            return schedule_from_description(self.beta_schedule)
        except (KeyError, TypeError, ConfigError) as error:
            raise ConfigError(
                'dagger.beta_schedule must be {"kind": "linear", "rampdown_rounds": n} '
                'or {"kind": "exponential", "decay_probability": p} with n ≥ 1 and '
                f"0 < p ≤ 1, got {dict(self.beta_schedule)!r}"
            ) from error


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainImitationSettings(CommandSettings):
    """Settings of train_imitation."""

    named_configs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **environment_presets({**_CLASSIC, "fast": _FAST}),
        **tuned_presets("bc", "dagger"),
    }

    environment: EnvironmentSettings = dataclasses.field(
        default_factory=EnvironmentSettings
    )
    """The environment to imitate in."""

    expert: ExpertSettings = dataclasses.field(default_factory=ExpertSettings)
    """Who is imitated."""

    demonstrations: DemonstrationsSettings = dataclasses.field(
        default_factory=DemonstrationsSettings
    )
    """Where the demonstrations come from."""

    bc: BCSettings = dataclasses.field(default_factory=BCSettings)
    """Behavioural cloning, also inside DAgger."""

    policy: PolicySettings = dataclasses.field(default_factory=PolicySettings)
    """The policy to train."""

    dagger: DAggerSettings = dataclasses.field(default_factory=DAggerSettings)
    """DAgger."""

    sqil: SQILSettings = dataclasses.field(default_factory=SQILSettings)
    """SQIL."""

    iq_learn: IQLearnSettings = dataclasses.field(default_factory=IQLearnSettings)
    """IQ-Learn."""

    rl: RLSettings = dataclasses.field(default_factory=RLSettings)
    """The off-policy algorithm inside SQIL and IQ-Learn. Without rl.rl_cls, theirs for
    discrete or for continuous actions; without rl.batch_size, its default."""

    policy_evaluation: PolicyEvaluationSettings = dataclasses.field(
        default_factory=PolicyEvaluationSettings
    )
    """How the final policy is evaluated."""

    def resolved(self, command: str) -> Self:
        """Fills in everything that is derived from other settings."""
        duration = {"n_epochs": 4 if command == "dagger" else 10}
        environment = self.environment.resolved()
        return dataclasses.replace(
            super().resolved(command),
            environment=environment,
            expert=self.expert.resolved(environment.env_name),
            demonstrations=self.demonstrations.resolved(),
            bc=self.bc.resolved(duration),
            logging=self.logging.resolved(command, environment.env_name),
        )

    def check(self, command: str) -> None:
        """Looks at classes and paths."""
        self.logging.check(replaces="train_imitation" if self.resume else None)
        if command in ("bc", "dagger"):
            self._check_cloning()
        else:
            check_off_policy(self.rl, self.policy)
        self.expert.check()
        if command != "dagger" or self.dagger.use_offline_rollouts:
            self.demonstrations.check()

    def _check_cloning(self) -> None:
        self.policy.check()
        if not issubclass(self.policy.load_cls(), ActorCriticPolicy):
            raise ConfigError(
                "policy.policy_cls must be an ActorCriticPolicy, which behavioural "
                f"cloning trains, got {self.policy.policy_cls!r}"
            )
        self.bc.check()
