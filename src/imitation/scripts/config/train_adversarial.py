"""Settings and presets of `imitation.scripts.train_adversarial`."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from imitation.algorithms.adversarial import airl, common, gail
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.errors import ConfigError
from imitation.scripts.command import CommandSettings
from imitation.scripts.config.adversarial_presets import PRESETS
from imitation.scripts.config.environments import environment_presets
from imitation.scripts.config.tuned_hps import tuned_presets
from imitation.scripts.ingredients.demonstrations import DemonstrationsSettings
from imitation.scripts.ingredients.environment import EnvironmentSettings
from imitation.scripts.ingredients.expert import ExpertSettings
from imitation.scripts.ingredients.policy import PolicySettings
from imitation.scripts.ingredients.policy_evaluation import PolicyEvaluationSettings
from imitation.scripts.ingredients.reward import RewardSettings
from imitation.scripts.ingredients.rl import RLSettings
from imitation.scripts.settings import check_keys, load_classes, require

__all__ = ["ALGORITHMS", "TrainAdversarialSettings"]

ALGORITHMS: Mapping[str, type[common.AdversarialTrainer]] = {
    "gail": gail.GAIL,
    "airl": airl.AIRL,
}
"""The trainers by command."""

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
"""Arguments of the trainers that the commands fill in themselves."""

_POSITIVE = (
    "demo_batch_size",
    "demo_minibatch_size",
    "gen_replay_buffer_capacity",
    "gen_train_timesteps",
    "n_disc_updates_per_round",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainAdversarialSettings(CommandSettings):
    """Settings of train_adversarial."""

    named_configs: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **environment_presets(PRESETS),
        **tuned_presets("gail", "airl"),
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

    reward: RewardSettings = dataclasses.field(default_factory=RewardSettings)
    """The reward network, which is (the core of) the discriminator."""

    discriminator: DiscriminatorOptions = dataclasses.field(
        default_factory=DiscriminatorOptions
    )
    """How the discriminator is regularised."""

    rl: RLSettings = dataclasses.field(default_factory=RLSettings)
    """The algorithm that trains the policy, the generator."""

    policy: PolicySettings = dataclasses.field(default_factory=PolicySettings)
    """The policy to train."""

    policy_evaluation: PolicyEvaluationSettings = dataclasses.field(
        default_factory=PolicyEvaluationSettings
    )
    """How the final policy is evaluated."""

    show_config: bool = False
    """Print the settings before training, algorithm_specific merged in."""

    total_timesteps: int = 1_000_000
    """Environment steps to train for; whole rounds of them are done."""

    algorithm_kwargs: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {"demo_batch_size": 1024, "n_disc_updates_per_round": 4}
    )
    """Keyword arguments of the trainer. Unless they are set, gen_replay_buffer_capacity
    is rl.batch_size if the algorithm is on-policy; if it is off-policy, it is 8192, and
    gen_train_timesteps is rl.batch_size."""

    algorithm_specific: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {"gail": {}, "airl": {}}
    )
    """Further algorithm_kwargs for one of the commands, which win."""

    checkpoint_interval: int = 0
    """Rounds between saved rewards and policies; 0 saves only the final ones, and a
    negative number none."""

    state_interval: int | None = None
    """Rounds between states in checkpoints/latest, which resume= continues from; None
    saves 20 in the training (none if checkpoint_interval is negative), and 0 only with
    the checkpoints. Saving a state abandons the episodes in flight."""

    eval_interval: int = 0
    """Rounds between evaluations, of which checkpoints/best keeps the best; 0 is
    never."""

    n_eval_episodes: int = 10
    """Episodes of each of those evaluations."""

    agent_path: str | None = None
    """A saved agent, or a policy such as final.th of bc, to start from instead of a new
    one."""

    def __post_init__(self) -> None:
        """Checks ranges."""
        super().__post_init__()
        positive = "a positive integer"
        for name in ("total_timesteps", "n_eval_episodes"):
            value = getattr(self, name)
            require(value > 0, name, positive, value)
        for name in ("state_interval", "eval_interval"):
            value = getattr(self, name)
            require(value is None or value >= 0, name, "an integer ≥ 0", value)
        for name, kwargs in self.algorithm_specific.items():
            if name not in ALGORITHMS:
                raise ConfigError(
                    f"algorithm_specific.{name} is not known; possible are "
                    f"{', '.join(ALGORITHMS)}"
                )
            good = isinstance(kwargs, Mapping)
            require(good, f"algorithm_specific.{name}", "a dict", kwargs)

    def resolved(self, command: str) -> Self:
        """Fills in everything that is derived from other settings."""
        environment = self.environment.resolved()
        rl = self.rl.resolved()
        settings = dataclasses.replace(
            super().resolved(command),
            environment=environment,
            expert=self.expert.resolved(environment.env_name),
            demonstrations=self.demonstrations.resolved(),
            reward=self.reward.resolved(command, rl.discount),
            rl=rl,
            algorithm_kwargs={**_sizes(rl), **self.algorithm_kwargs},
            logging=self.logging.resolved(command, environment.env_name),
        )
        if self.state_interval is not None:
            return settings
        n_rounds = self.total_timesteps // settings.round_timesteps(command)
        interval = 0 if self.checkpoint_interval < 0 else max(1, n_rounds // 20)
        return dataclasses.replace(settings, state_interval=interval)

    def merged_kwargs(self, command: str) -> dict[str, Any]:
        """Returns the trainer's keyword arguments for a command.

        Args:
            command: gail or airl.
        """
        merged = {**self.algorithm_kwargs, **self.algorithm_specific.get(command, {})}
        return load_classes(merged, object, "algorithm_kwargs")

    def round_timesteps(self, command: str) -> int:
        """Returns the environment steps of a round, for resolved settings.

        Args:
            command: gail or airl.
        """
        steps = self.merged_kwargs(command).get("gen_train_timesteps")
        if isinstance(steps, int) and steps > 0:
            return steps
        assert self.rl.batch_size is not None, "resolved settings have a batch size"
        return self.rl.batch_size

    def check(self, command: str) -> None:
        """Looks at classes and paths."""
        self.logging.check(replaces="train_adversarial" if self.resume else None)
        self.policy.check()
        self.rl.check(self.environment.num_vec, self.policy)
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
        self._check_kwargs(command)
        if self.agent_path is not None and not os.path.exists(self.agent_path):
            raise ConfigError(f"agent_path={self.agent_path!r} does not exist")
        self.expert.check()
        self.demonstrations.check()

    def _check_kwargs(self, command: str) -> None:
        """Checks the arguments of the trainer."""
        kwargs = self.merged_kwargs(command)
        check_keys(kwargs, ALGORITHMS[command], "algorithm_kwargs", _FILLED)
        for name in _POSITIVE:
            value = kwargs.get(name)
            good = isinstance(value, int) and not isinstance(value, bool) and value > 0
            if value is not None:
                require(good, f"algorithm_kwargs.{name}", "a positive integer", value)
        steps = self.round_timesteps(command)
        if self.total_timesteps < steps:
            raise ConfigError(
                f"total_timesteps={self.total_timesteps} is less than one round of "
                f"{steps}; raise it, or lower rl.batch_size or gen_train_timesteps"
            )
        size, part = kwargs.get("demo_batch_size"), kwargs.get("demo_minibatch_size")
        if size is None:
            raise ConfigError("algorithm_kwargs.demo_batch_size must be set")
        if part is not None and size % part != 0:
            raise ConfigError(
                "Batch size must be a multiple of minibatch size. "
                f"algorithm_kwargs.demo_minibatch_size={part} does not divide "
                f"algorithm_kwargs.demo_batch_size={size}"
            )


def _sizes(rl: RLSettings) -> dict[str, int]:
    """The numbers of transitions in a round and in the discriminator's choice.

    What an off-policy algorithm collects between two updates, a step of each
    environment, is too little to update a discriminator on.
    """
    assert rl.batch_size is not None, "resolved settings have a batch size"
    if rl.on_policy:
        return {"gen_replay_buffer_capacity": rl.batch_size}
    return {"gen_replay_buffer_capacity": 8192, "gen_train_timesteps": rl.batch_size}
