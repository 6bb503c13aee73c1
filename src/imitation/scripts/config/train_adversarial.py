"""Settings and presets of `imitation.scripts.train_adversarial`."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Self

from typing_extensions import override

from imitation.algorithms.adversarial import airl, common, gail
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.errors import ConfigError
from imitation.scripts import settings as typed
from imitation.scripts.config import environments as envs
from imitation.scripts.config.bases import AgentSettings, ExpertDataSettings
from imitation.scripts.config.tuned_hps import tuned_presets
from imitation.scripts.ingredients.reward import RewardSettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.settings import Config, ConfigDict, Presets, When, group, setting

# The trainers by command.
ALGORITHMS: Mapping[str, type[common.AdversarialTrainer]] = {
    "gail": gail.GAIL,
    "airl": airl.AIRL,
}

# Arguments of the trainers that the commands fill in themselves.
_FILLED = (
    "custom_logger",
    "demonstrations",
    "disc_options",
    "gen_algo",
    "log_dir",
    "reward_net",
    "rng",
    "venv",
)

_POSITIVE = typed.Rule(at_least=1)
_ENTRIES = {
    "demo_batch_size": _POSITIVE,
    "demo_minibatch_size": typed.Rule(divides="demo_batch_size"),
    "gen_replay_buffer_capacity": _POSITIVE,
    "gen_train_timesteps": _POSITIVE,
    "n_disc_updates_per_round": _POSITIVE,
}
_UPDATES = "algorithm_kwargs.n_disc_updates_per_round"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainAdversarialSettings(AgentSettings, ExpertDataSettings):
    """Settings of train_adversarial."""

    named_configs: ClassVar[Presets] = {
        **envs.environment_presets(
            {
                "fast": {
                    "algorithm_kwargs.demo_batch_size": 8,
                    _UPDATES: 2,
                    "rl.ppo_batch_size": 16,
                    "total_timesteps": 64,
                }
            },
            acrobot=envs.ACROBOT,
            cartpole={
                **envs.CARTPOLE,
                "algorithm_kwargs.demo_batch_size": 1024,
                _UPDATES: 8,
                "total_timesteps": 300_000,
            },
            mountain_car={**envs.MOUNTAIN_CAR, _UPDATES: 8},
            pendulum={**envs.PENDULUM, _UPDATES: 8},
            mujoco={**envs.MUJOCO, _UPDATES: 16, "total_timesteps": 10_000_000},
            terminates={"algorithm_kwargs.allow_variable_horizon": True},
        ),
        **tuned_presets("gail", "airl"),
    }

    reward: RewardSettings = group(RewardSettings)
    """The reward network, which is (the core of) the discriminator."""

    discriminator: DiscriminatorOptions = group(
        DiscriminatorOptions, inner={"gradient_penalty_coef": When("gradient_penalty")}
    )
    """How the discriminator is regularized."""

    show_config: bool = setting(False)
    """Print the settings before training, algorithm_specific merged in."""

    total_timesteps: int = setting(1_000_000, more_than=0)
    """Environment steps to train for; whole rounds of them are done."""

    algorithm_kwargs: Config = setting(
        {"demo_batch_size": 1024, "n_disc_updates_per_round": 4}
    )
    """Keyword arguments of the trainer. Unless they are set, gen_replay_buffer_capacity
    is rl.batch_size if the algorithm is on-policy; if it is off-policy, it is 8192, and
    gen_train_timesteps is rl.batch_size."""

    algorithm_specific: Config = setting({"gail": {}, "airl": {}})
    """Further algorithm_kwargs for one of the commands, which win."""

    checkpoint_interval: int = setting(0)
    """Rounds between saved rewards and policies; 0 saves only the final ones, and a
    negative number none."""

    state_interval: int | None = setting(None, at_least=0)
    """Rounds between states in checkpoints/latest, which resume= continues from; None
    saves 20 in the training (none if checkpoint_interval is negative), and 0 only with
    the checkpoints. Saving a state abandons the episodes in flight."""

    eval_interval: int = setting(0, at_least=0)
    """Rounds between evaluations, of which checkpoints/best keeps the best; 0 is
    never."""

    n_eval_episodes: int = setting(10, more_than=0, applies=When("eval_interval"))
    """Episodes of each of those evaluations."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        for name, kwargs in self.algorithm_specific.items():
            if name not in ALGORITHMS:
                raise ConfigError(
                    f"algorithm_specific.{name} is not known; possible are "
                    f"{', '.join(ALGORITHMS)}"
                )
            good = isinstance(kwargs, Mapping)
            typed.require(good, f"algorithm_specific.{name}", "a dict", kwargs)

    @override
    def resolved(self, command: str) -> Self:
        resolved = super().resolved(command)
        rl = resolved.rl
        settings = dataclasses.replace(
            resolved,
            reward=self.reward.resolved(command, rl.discount),
            algorithm_kwargs={**_sizes(rl), **self.algorithm_kwargs},
        )
        if self.state_interval is not None:
            return settings
        # Needs the sizes above, which depend on the algorithm.
        n_rounds = self.total_timesteps // settings.round_timesteps(command)
        interval = 0 if self.checkpoint_interval < 0 else max(1, n_rounds // 20)
        return dataclasses.replace(settings, state_interval=interval)

    def merged_kwargs(self, command: str) -> ConfigDict:
        """Returns the trainer's keyword arguments for a command."""
        merged = {**self.algorithm_kwargs, **self.algorithm_specific.get(command, {})}
        return typed.load_classes(merged, object, "algorithm_kwargs")

    def round_timesteps(self, command: str) -> int:
        """Returns the environment steps of a round, for resolved settings."""
        steps = self.merged_kwargs(command).get("gen_train_timesteps")
        if isinstance(steps, int) and steps > 0:
            return steps
        assert self.rl.batch_size is not None, "resolved settings have a batch size"
        return self.rl.batch_size

    @override
    def check(self, command: str) -> None:
        super().check(command)
        self.reward.check()
        if self.reward.is_ensemble:
            raise ConfigError(
                "GAIL and AIRL learn one discriminator, which a RewardEnsemble is not; "
                "set reward.net_cls to another class"
            )
        policy_cls = self.policy.load_cls()
        if command == "airl" and not issubclass(policy_cls, airl.STOCHASTIC_POLICIES):
            raise ConfigError(
                "AIRL needs a stochastic policy to compute the discriminator output, "
                f"which {policy_cls.__name__} of {self.rl.rl_cls} is not; "
                "use gail, or PPO or SAC"
            )
        kwargs = self.merged_kwargs(command)
        typed.check_keys(kwargs, ALGORITHMS[command], "algorithm_kwargs", _FILLED)
        if kwargs.get("demo_batch_size") is None:
            raise ConfigError("algorithm_kwargs.demo_batch_size must be set")
        typed.check_entries(kwargs, _ENTRIES, "algorithm_kwargs")
        steps = self.round_timesteps(command)
        if self.total_timesteps < steps:
            raise ConfigError(
                f"total_timesteps={self.total_timesteps} is less than one round of "
                f"{steps}; raise it, or lower rl.batch_size or gen_train_timesteps"
            )


def _sizes(rl: RLSettings) -> dict[str, int]:
    """Returns how many transitions a round has, and the discriminator chooses from.

    What an off-policy algorithm collects between two updates, a step of each
    environment, is too little to update a discriminator on.
    """
    assert rl.batch_size is not None, "resolved settings have a batch size"
    if rl.on_policy:
        return {"gen_replay_buffer_capacity": rl.batch_size}
    return {"gen_replay_buffer_capacity": 8192, "gen_train_timesteps": rl.batch_size}
