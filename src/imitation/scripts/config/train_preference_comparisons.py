"""Settings and presets of `imitation.scripts.train_preference_comparisons`."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from typing_extensions import override

from imitation.algorithms import preference_comparisons
from imitation.algorithms.preference_comparisons.schedules import schedule_of
from imitation.errors import ConfigError
from imitation.scripts import settings as typed
from imitation.scripts.config import environments as envs
from imitation.scripts.config.bases import AgentSettings
from imitation.scripts.ingredients.preference_people import PeopleSettings
from imitation.scripts.ingredients.reward import RewardSettings
from imitation.scripts.settings import ClassPath, Config, Presets, When, group, setting
from imitation.util.vec_envs import find_env_spec

_SYNTHETIC = ClassPath("imitation.algorithms.preference_comparisons:SyntheticGatherer")
_HUMAN = ClassPath("imitation.algorithms.preference_comparisons:HumanGatherer")

# The gatherers by short name.
GATHERERS: Mapping[str, ClassPath] = {"synthetic": _SYNTHETIC, "human": _HUMAN}

_HAS_AGENT = When("trajectory_path", (None,))

_CARTPOLE: Config = {
    "fragment_length": 25,
    "held_out_episodes": 50,
    "initial_comparison_frac": 0.5,
    "initial_epoch_multiplier": 3.0,
    "keep_best_agent": True,
    "num_iterations": 10,
    "query_schedule": "constant",
    "reward.net_kwargs": {"use_action": False},
    "reward_trainer_kwargs": {"epochs": 100},
    "reward_weight_decay": 0.2,
    "rl.ppo_batch_size": 4096,
    "rl.ppo_kwargs": {
        "batch_size": 64,
        "ent_coef": 0.01,
        "gamma": 0.98,
        "learning_rate": "cooldown_1e-3",
        "n_epochs": 10,
    },
    "total_comparisons": 500,
    "total_timesteps": 200_000,
}

_MOUNTAIN_CAR: Config = {
    **envs.NORMALIZED,
    "environment.num_vec": 16,
    "rl.ppo_batch_size": 4096,
    "rl.ppo_kwargs": {"gae_lambda": 0.98, "gamma": 0.99, "learning_rate": 1e-3},
}

_PENDULUM: Config = {
    **envs.PENDULUM,
    "fragment_length": 50,
    "held_out_episodes": 50,
    "initial_epoch_multiplier": 4.0,
    "keep_best_agent": True,
    "num_iterations": 30,
    "reward_trainer_kwargs": {"epochs": 30},
    "rl.ppo_kwargs": {
        "batch_size": 256,
        "gae_lambda": 0.9,
        "gamma": 0.95,
        "learning_rate": "lin_1e-3",
    },
    "total_comparisons": 700,
    "total_timesteps": 300_000,
}

_PRESETS: Presets = {
    "noiseless": {"gatherer_kwargs": {"temperature": 0.0}},
    "fast": {
        "fragment_length": 2,
        "held_out_episodes": 3,
        "initial_comparison_frac": 0.2,
        "initial_epoch_multiplier": 1.0,
        "num_iterations": 2,
        "reward_trainer_kwargs": {"epochs": 1},
        "rl.ppo_batch_size": 16,
        "total_comparisons": 10,
        "total_timesteps": 50,
    },
    "reacher": {"fragment_length": 50},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainPreferenceComparisonsSettings(AgentSettings):
    """Settings of train_preference_comparisons."""

    named_configs: ClassVar[Presets] = envs.environment_presets(
        _PRESETS,
        cartpole=_CARTPOLE,
        mountain_car=_MOUNTAIN_CAR,
        pendulum=_PENDULUM,
        mujoco={**envs.MUJOCO, "num_iterations": 50, "total_timesteps": 10_000_000},
        terminates={"allow_variable_horizon": True},
    )

    reward: RewardSettings = group(RewardSettings)
    """The reward network to learn."""

    human: PeopleSettings = group(
        PeopleSettings, applies=When("asks_people", text="with gatherer=human")
    )
    """How people are asked, with gatherer=human."""

    fragment_length: int = setting(100, more_than=0)
    """Steps of the fragments that are compared."""

    total_timesteps: int = setting(1_000_000, at_least=0)
    """Environment steps to train the agent for; steps to sample come on top."""

    total_comparisons: int = setting(5000, at_least=0)
    """Preferences to gather; 0 learns from those of preferences_path alone."""

    num_iterations: int = setting(5, more_than=0)
    """Rounds of gathering and training after the initial one."""

    comparison_queue_size: int | None = setting(None, more_than=0)
    """How many of the latest comparisons to train on; None for all."""

    transition_oversampling: float = setting(1.0, more_than=0)
    """How many times the steps needed are sampled before fragments are cut."""

    initial_comparison_frac: float = setting(0.1, at_least=0, at_most=1)
    """Share of the comparisons gathered before the agent is trained."""

    initial_epoch_multiplier: float = setting(200.0, more_than=0)
    """How many times longer the reward is trained for the first time."""

    exploration_frac: float = setting(0.0, at_least=0, at_most=1)
    """Share of the sampled steps that are taken partly at random."""

    preference_model_kwargs: Config = setting({})
    """Keyword arguments of PreferenceModel: noise_prob, discount_factor, threshold."""

    reward_trainer_kwargs: Config = setting({"epochs": 3})
    """Keyword arguments of BasicRewardTrainer, or EnsembleTrainer for an ensemble:
    epochs, lr, batch_size, minibatch_size."""

    reward_weight_decay: float | None = setting(None)
    """Strength of a WeightDecayRegularizer of the reward network; None for the small
    decay that AdamW has by default."""

    save_preferences: bool = setting(False)
    """Save the comparisons to preferences.pkl in the run directory, a directory without
    pickle despite its name, which preferences_path reads."""

    gatherer: Literal["synthetic", "human"] | None = setting(None)
    """Short for gatherer_cls: human asks people, who answer with imitation label
    RUN_DIR; synthetic prefers by the true rewards."""

    gatherer_cls: ClassPath = setting(_SYNTHETIC)
    """Class of the preference gatherer, "module:Class"; gatherer wins if it is set."""

    gatherer_kwargs: Config = setting({})
    """Keyword arguments of that class, such as temperature and sample; those of people
    are in human."""

    active_selection: bool = setting(False)
    """Ask about pairs that an ensemble disagrees about, see reward.reward_ensemble."""

    active_selection_oversampling: float = setting(
        2.0, at_least=1, applies=When("active_selection")
    )
    """For each pair asked about, how many to choose from."""

    uncertainty_on: Literal["logit", "probability", "label"] = setting(
        "logit", applies=When("active_selection")
    )
    """What the members' disagreement is measured on."""

    fragmenter_kwargs: Config = setting({"warning_threshold": 0})
    """Keyword arguments of RandomFragmenter."""

    trajectory_path: str | None = setting(None, path=True)
    """Trajectories to compare fragments of, such as rollouts/final.npz of train_rl;
    None trains an agent and compares what it does."""

    trajectory_generator_kwargs: Config = setting({})
    """Keyword arguments of AgentTrainer: switch_prob and random_prob of its
    exploration."""

    preferences_path: str | None = setting(None, path=True)
    """Comparisons to begin with: a .jsonl file (see import_preferences), or a saved
    preferences.pkl."""

    held_out_episodes: int = setting(20, at_least=0, applies=_HAS_AGENT)
    """Least number of episodes that the agent plays apart from the training, for the
    report to judge the reward by; 0 plays none."""

    keep_best_agent: bool = setting(False, applies=_HAS_AGENT)
    """End with the agent of the round whose held-out episodes the final reward rates
    best, instead of with the last one."""

    allow_variable_horizon: bool = setting(False)
    """Accept episodes of different lengths, which give the reward away."""

    checkpoint_interval: int = setting(0)
    """Iterations between saved rewards and policies; 0 saves only the final ones, and a
    negative number none."""

    state_interval: int | None = setting(None, at_least=0)
    """Iterations between states in checkpoints/latest, which resume= continues from;
    None saves one after each (none if checkpoint_interval is negative), and 0 only with
    the checkpoints."""

    query_schedule: str = setting("hyperbolic")
    """How comparisons are spread over the iterations: constant, hyperbolic or
    inverse_quadratic, the latter two with fewer in later ones."""

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        n_pairs = self.total_comparisons
        wanted = "a positive integer (0 is possible with preferences_path)"
        good = n_pairs > 0 or self.preferences_path is not None
        typed.require(good, "total_comparisons", wanted, n_pairs)
        # Only for its error about unknown names.
        schedule_of(self.query_schedule)
        if self.keep_best_agent and self.trains_agent and not self.held_out_episodes:
            raise ConfigError(
                "keep_best_agent chooses by held-out episodes; set held_out_episodes "
                "to a positive number, or keep_best_agent=False"
            )
        if self.trajectory_path is not None and self.exploration_frac != 0:
            raise ConfigError(
                "exploration_frac can't be set when a trajectory dataset is used; "
                "leave out exploration_frac or trajectory_path"
            )

    @property
    def trains_agent(self) -> bool:
        """True unless the trajectories come from a file."""
        return self.trajectory_path is None

    @property
    def asks_people(self) -> bool:
        """True if people compare clips."""
        return issubclass(self.load_gatherer(), preference_comparisons.HumanGatherer)

    def load_gatherer(self) -> type[preference_comparisons.PreferenceGatherer]:
        """Returns the class of the gatherer itself."""
        base = preference_comparisons.PreferenceGatherer
        return typed.load_class(self.gatherer_cls, base, "gatherer_cls")

    def load_reward_trainer(self) -> type[preference_comparisons.BasicRewardTrainer]:
        """Returns the class of what trains the network."""
        if self.reward.is_ensemble:
            return preference_comparisons.EnsembleTrainer
        return preference_comparisons.BasicRewardTrainer

    @override
    def resolved(self, command: str) -> Self:
        settings = super().resolved(command)
        gatherer_cls = self.gatherer_cls
        if self.gatherer is not None:
            gatherer_cls = GATHERERS[self.gatherer]
        interval = self.state_interval
        if interval is None:
            # A round takes long beside writing a state, hence after each.
            interval = 0 if self.checkpoint_interval < 0 else 1
        return dataclasses.replace(
            settings,
            reward=self.reward.resolved(command, settings.rl.discount),
            gatherer_cls=gatherer_cls,
            state_interval=interval,
        )

    @override
    def check(self, command: str) -> None:
        self.reward.check()
        if self.active_selection and not self.reward.is_ensemble:
            raise ConfigError(
                "PreferenceModel not wrapped over an ensemble of networks. "
                "active_selection needs the named config reward.reward_ensemble"
            )
        self._check_keys()
        if self.asks_people:
            self.human.check()
        if self.trains_agent:
            super().check(command)
            limit = self.environment.max_episode_steps
            if limit is None:
                limit = find_env_spec(self.environment.gym_id).max_episode_steps
            # Such fragments would never come, however long the agent is sampled.
            if limit is not None and self.fragment_length > limit:
                raise ConfigError(
                    f"fragment_length={self.fragment_length} is more than the {limit} "
                    f"steps of an episode of {self.environment.gym_id}; lower it"
                )
        else:
            typed.check_paths(
                self, command
            )  # there is no policy and no algorithm to check

    def _check_keys(self) -> None:
        parts = preference_comparisons
        generator: type = parts.AgentTrainer
        filled = ["algorithm", "reward_fn", "venv", "exploration_frac"]
        if not self.trains_agent:
            generator, filled = parts.TrajectoryDataset, ["trajectories"]
        # Arguments of one part or another that the command fills in.
        everywhere = ["rng", "custom_logger", "preference_model"]
        for name, cls, own in (
            ("preference_model_kwargs", parts.PreferenceModel, ["model"]),
            (
                "reward_trainer_kwargs",
                self.load_reward_trainer(),
                ["loss", "regularizer_factory"],
            ),
            ("gatherer_kwargs", self.load_gatherer(), ["queue_dir"]),
            ("fragmenter_kwargs", parts.RandomFragmenter, []),
            ("trajectory_generator_kwargs", generator, filled),
        ):
            typed.check_keys(getattr(self, name), cls, name, [*everywhere, *own])
