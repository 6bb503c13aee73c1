"""Settings and presets of `imitation.scripts.train_imitation`."""

import dataclasses
from typing import ClassVar, Self

from stable_baselines3.common.policies import ActorCriticPolicy
from typing_extensions import override

from imitation.algorithms import dagger
from imitation.algorithms.dagger.schedules import schedule_from_description
from imitation.errors import ConfigError
from imitation.scripts.config.bases import ExpertDataSettings
from imitation.scripts.config.environments import environment_presets
from imitation.scripts.config.tuned_hps import tuned_presets
from imitation.scripts.ingredients.bc import BCSettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.ingredients.sqil import (
    IQLearnSettings,
    SQILSettings,
    check_off_policy,
)
from imitation.scripts.settings import Config, Presets, Settings, group, setting

# Enough for the bundled experts: larger steps than the default reach them in 10 epochs.
_CLASSIC = {"bc.optimizer_kwargs.lr": 1e-3}

_FAST: Config = {
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
class DAggerSettings(Settings):
    """Settings of DAgger that are not those of behavioral cloning."""

    prefix = "dagger."

    use_offline_rollouts: bool = setting(False)
    """Start with the demonstrations in round 0."""

    total_timesteps: int = setting(100_000, more_than=0)
    """Environment steps to collect labels for, at least."""

    beta_schedule: Config | None = setting(None)
    """How the expert's share of the actions falls: {"kind": "linear",
    "rampdown_rounds": 15} (also if None) or {"kind": "exponential",
    "decay_probability": 0.7}."""

    rollout_round_min_episodes: int = setting(3, more_than=0)
    """Episodes that a round collects, at least."""

    rollout_round_min_timesteps: int = setting(500, at_least=0)
    """Steps that a round collects, at least."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
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
class TrainImitationSettings(ExpertDataSettings):
    """Settings of train_imitation."""

    named_configs: ClassVar[Presets] = {
        **environment_presets(
            {"fast": _FAST},
            acrobot=_CLASSIC,
            cartpole=_CLASSIC,
            mountain_car=_CLASSIC,
            pendulum=_CLASSIC,
        ),
        **tuned_presets("bc", "dagger"),
    }

    bc: BCSettings = group(BCSettings, commands=("bc", "dagger"))
    """Behavioral cloning, also inside DAgger."""

    dagger: DAggerSettings = group(DAggerSettings, commands=("dagger",))
    """DAgger."""

    sqil: SQILSettings = group(SQILSettings, commands=("sqil",))
    """SQIL."""

    iq_learn: IQLearnSettings = group(IQLearnSettings, commands=("iq_learn",))
    """IQ-Learn."""

    rl: RLSettings = group(RLSettings, commands=("sqil", "iq_learn"))
    """The off-policy algorithm inside SQIL and IQ-Learn. Without rl.rl_cls, theirs for
    discrete or for continuous actions; without rl.batch_size, its default."""

    @override
    def resolved(self, command: str) -> Self:
        duration = {"n_epochs": 4 if command == "dagger" else 10}
        bc = self.bc.resolved(duration)
        return dataclasses.replace(super().resolved(command), bc=bc)

    @override
    def needs_demonstrations(self, command: str) -> bool:
        return command != "dagger" or self.dagger.use_offline_rollouts

    @override
    def check(self, command: str) -> None:
        super().check(command)
        if command in ("sqil", "iq_learn"):
            check_off_policy(self.rl, self.policy)
            return
        self.policy.check()
        if not issubclass(self.policy.load_cls(), ActorCriticPolicy):
            raise ConfigError(
                "policy.policy_cls must be an ActorCriticPolicy, which behavioral "
                f"cloning trains, got {self.policy.policy_cls!r}"
            )
        self.bc.check()
