"""Learning a reward from preferences, and a policy from the reward, in turns."""

import contextlib
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from typing_extensions import override

from imitation.algorithms import base
from imitation.algorithms.preference_comparisons import schedules
from imitation.algorithms.preference_comparisons.agent import (
    AgentTrainer,
    TrajectoryGenerator,
)
from imitation.algorithms.preference_comparisons.dataset import PreferenceDataset
from imitation.algorithms.preference_comparisons.fragmenters import (
    Fragmenter,
    RandomFragmenter,
)
from imitation.algorithms.preference_comparisons.gatherers import (
    PreferenceGatherer,
    SyntheticGatherer,
)
from imitation.algorithms.preference_comparisons.losses import CrossEntropyRewardLoss
from imitation.algorithms.preference_comparisons.model import (
    PreferenceModel,
    get_base_model,
)
from imitation.algorithms.preference_comparisons.parts import (
    Part,
    check_positive,
    check_within,
)
from imitation.algorithms.preference_comparisons.reward_trainer import (
    BasicRewardTrainer,
    EnsembleTrainer,
    RewardTrainer,
)
from imitation.data import types
from imitation.errors import ConfigError
from imitation.rewards.reward_nets import RewardNet
from imitation.rewards.serialize import save_reward_net
from imitation.training.checkpoints import Checkpoints
from imitation.training.sb3_learning import progress_over
from imitation.util import logger as imit_logger
from imitation.util import rebuilding, seeding
from imitation.util.artifacts import State
from imitation.util.paths import AnyPath


class PreferenceComparisons(base.BaseImitationAlgorithm):
    """Learns a reward from comparisons of trajectory fragments.

    Christiano et al. (2017), https://arxiv.org/abs/1706.03741. Round 0 gathers the
    initial comparisons, of fragments of the agent as it is; `num_iterations` further
    rounds follow. Each round samples trajectories, cuts pairs of fragments from them,
    gathers preferences, adds them to the data set, trains the reward on all there are,
    and trains the agent on the reward.

    Differences: rounds follow one another, where the paper's processes run at once.

    The loggers of all parts become that of this class.

    Args:
        trajectory_generator: trains and samples an agent, or samples from a fixed data
            set.
        reward_model: the reward network to train.
        num_iterations: rounds after the initial one.
        fragmenter: chooses the pairs; None for random ones.
        preference_gatherer: says which fragment is better; None for synthetic
            preferences by the true rewards.
        reward_trainer: trains the network; None for the cross entropy with the
            defaults of `EnsembleTrainer` for an ensemble, else `BasicRewardTrainer`.
        comparison_queue_size: how many of the latest comparisons to train on; None for
            all.
        fragment_length: steps of a fragment.
        transition_oversampling: how many times the steps needed are sampled before
            fragments are cut, as fragments may overlap.
        initial_comparison_frac: share of the comparisons gathered in round 0.
        initial_epoch_multiplier: how many times longer the reward is trained for the
            first time.
        custom_logger: where to log to; None creates a new logger.
        allow_variable_horizon: see `base.BaseImitationAlgorithm`.
        rng: for the parts that are not given. Seed those that are yourself.
        query_schedule: how the other comparisons are spread over the iterations: a key
            of `QUERY_SCHEDULES`, or a function from the share of the training that is
            over, in [0, 1], to a weight.

    Attributes:
        dataset: the comparisons gathered. Set it before `train` to start from some that
            were gathered elsewhere, see `import_preferences`.
        model: the argument `reward_model`.

    Raises:
        ConfigError: `rng` is missing or not needed, there is no such schedule, or a
            number lies out of its range.
    """

    kind = "preference_comparisons"
    digits = 4

    def __init__(
        self,
        trajectory_generator: TrajectoryGenerator,
        reward_model: RewardNet,
        num_iterations: int,
        fragmenter: Fragmenter | None = None,
        preference_gatherer: PreferenceGatherer | None = None,
        reward_trainer: RewardTrainer | None = None,
        comparison_queue_size: int | None = None,
        fragment_length: int = 100,
        transition_oversampling: float = 1,
        initial_comparison_frac: float = 0.1,
        initial_epoch_multiplier: float = 200.0,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        allow_variable_horizon: bool = False,
        rng: np.random.Generator | None = None,
        query_schedule: str | schedules.QuerySchedule = "hyperbolic",
    ) -> None:
        parts = fragmenter, preference_gatherer, reward_trainer
        _check_rng(rng, is_needed=any(part is None for part in parts))
        check_positive(
            num_iterations=num_iterations,
            fragment_length=fragment_length,
            transition_oversampling=transition_oversampling,
            initial_epoch_multiplier=initial_epoch_multiplier,
        )
        check_within(1, initial_comparison_frac=initial_comparison_frac)
        self.schedule = schedules.schedule_of(query_schedule)
        self.trajectory_generator = trajectory_generator
        # What acts in the environments also decides how they restart. The argument
        # `rng` is absent where all other parts are given.
        self.rng = trajectory_generator.rng or seeding.make_rng(rng)
        self.model = reward_model
        self.num_iterations = num_iterations
        self.fragmenter = fragmenter or RandomFragmenter(rng)
        self.preference_gatherer = preference_gatherer or SyntheticGatherer(rng=rng)
        if reward_trainer is None:
            preference_model = PreferenceModel(reward_model)
            is_ensemble = preference_model.ensemble_model is not None
            trainer_class = EnsembleTrainer if is_ensemble else BasicRewardTrainer
            loss = CrossEntropyRewardLoss()
            reward_trainer = trainer_class(preference_model, loss, rng)
        self.reward_trainer = reward_trainer
        trained = get_base_model(self.reward_trainer.preference_model.model)
        assert trained is get_base_model(reward_model), (
            "reward_trainer trains another network than reward_model; make its "
            "PreferenceModel of reward_model"
        )
        self.fragment_length = fragment_length
        self.transition_oversampling = transition_oversampling
        self.initial_comparison_frac = initial_comparison_frac
        self.initial_epoch_multiplier = initial_epoch_multiplier
        self.dataset = PreferenceDataset(max_size=comparison_queue_size)
        self._was_reward_trained = False
        self._metrics: dict[str, float] = {}
        super().__init__(
            custom_logger=custom_logger, allow_variable_horizon=allow_variable_horizon
        )
        self.logger = self._logger  # the setter hands it to all parts

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """The logger of the algorithm and all its parts."""
        return self._logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value
        for part in self._parts().values():
            part.logger = value

    def train(
        self,
        total_timesteps: int,
        total_comparisons: int,
        callback: Callable[[int], None] | None = None,
        *,
        checkpoint_dir: AnyPath | None = None,
        checkpoint_interval: int = 0,
        state_interval: int = 0,
        resume: bool = False,
    ) -> Mapping[str, Any]:
        """Trains the reward, and the agent if there is one.

        Args:
            total_timesteps: environment steps to train the agent for, spread evenly
                over all rounds. Steps to sample come on top.
            total_comparisons: preferences to gather; 0 trains on those in `dataset`.
            callback: called with the number of each round when it has ended.
            checkpoint_dir: where to save; None saves nothing. See `Checkpoints`.
            checkpoint_interval: rounds between checkpoints; 0 saves only at the end, a
                negative number never.
            state_interval: rounds between states to resume from; 0 saves one with each
                checkpoint.
            resume: continue from the newest checkpoint in `checkpoint_dir`, if any; the
                totals then count from the beginning.

        Returns:
            ``reward_loss`` and ``reward_accuracy`` of the last training of the reward,
            NaN if it was not trained.

        Raises:
            ConfigError: a total is negative, or there are no comparisons.
            ValueError: episodes have different lengths, which is not allowed.
        """
        n_comparisons = self._plan(total_timesteps, total_comparisons)
        n_steps = schedules.even_parts(total_timesteps, len(n_comparisons))
        self.progress = 0  # an earlier call's rounds do not count
        saver = Checkpoints(
            self,
            checkpoint_dir,
            export_every=checkpoint_interval,
            state_every=state_interval or min(checkpoint_interval, 0),
        )
        first = saver.resume() if resume else 0
        agent, steps_left = self.trajectory_generator, sum(n_steps[first:])
        with contextlib.ExitStack() as stack:
            if isinstance(agent, AgentTrainer):
                # SB3 would run learning-rate schedules through in each call of `learn`.
                steps_left += agent.steps_owed
                stack.enter_context(progress_over(agent.algorithm, steps_left))
            for number in range(first, len(n_comparisons)):
                self._gather(n_comparisons[number])
                if len(self.dataset):
                    self._train_reward()
                if n_steps[number]:
                    self.logger.log(f"Training agent for {n_steps[number]} timesteps")
                    with self.logger.accumulate_means("agent"):
                        self.trajectory_generator.train(steps=n_steps[number])
                if self.logger.name_to_value:
                    self.logger.dump(number)
                self.progress = number + 1
                if callback is not None:
                    callback(number)
                saver.after(self.progress)
        saver.finish()
        return {
            f"reward_{name}": self._metrics.get(name, math.nan)
            for name in ("loss", "accuracy")
        }

    @override
    def kinds(self) -> dict[str, str]:
        kinds = {name: type(part).__name__ for name, part in self._parts().items()}
        # Networks of two algorithms may fit each other where their states do not.
        algorithm = getattr(self.trajectory_generator, "algorithm", None)
        return super().kinds() | kinds | {"agent": type(algorithm).__name__}

    @override
    def state_dict(self) -> State:
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return super().state_dict() | {
            "torch": seeding.torch_rng_state(self.model.device),
            "reward_model": self.model.state_dict(),
            "dataset": self.dataset.state_dict(),
            "was_reward_trained": self._was_reward_trained,
            "metrics": self._metrics,
            **parts,
        }

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        self.model.load_state_dict(state["reward_model"])
        self.dataset.load_state_dict(state["dataset"])
        self._was_reward_trained = bool(state["was_reward_trained"])
        self._metrics = dict(state["metrics"])
        seeding.restore_torch_rng(state["torch"], self.model.device)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    @override
    def check_export(self) -> None:
        rebuilding.describe(self.model)

    @override
    def export(self, directory: pathlib.Path) -> None:
        save_reward_net(self.model, directory / "reward_net.pt")
        if isinstance(self.trajectory_generator, AgentTrainer):
            self.trajectory_generator.export(directory / "policy")

    @override
    def has_episodes(self) -> bool:
        generator = type(self.trajectory_generator)
        return generator.restart_episodes is not TrajectoryGenerator.restart_episodes

    @override
    def restart_episodes(self, seed: int) -> None:
        self.trajectory_generator.restart_episodes(seed)

    def _parts(self) -> dict[str, Part]:
        return {
            "fragmenter": self.fragmenter,
            "preference_gatherer": self.preference_gatherer,
            "reward_trainer": self.reward_trainer,
            # Restored last: it may drop episodes, which a failed load must not.
            "trajectory_generator": self.trajectory_generator,
        }

    def _plan(self, total_timesteps: int, total: int) -> list[int]:
        """Returns the number of comparisons of each round."""
        if total_timesteps < 0 or total < (0 if len(self.dataset) else 1):
            raise ConfigError(
                "expected total_timesteps not negative and a positive number of "
                "total_comparisons, or 0 if there are some already, got "
                f"{total_timesteps} and {total}"
            )
        n_comparisons = schedules.comparisons_by_round(
            self.schedule, self.num_iterations, total, self.initial_comparison_frac
        )
        self.logger.log(f"Query schedule: {n_comparisons}")
        return n_comparisons

    def _gather(self, num_pairs: int) -> None:
        """Gathers preferences about new fragments."""
        fragments: Sequence[types.TrajectoryWithRewPair] = []
        if num_pairs == 0:
            # An agent trains only once its last episodes have left the buffer.
            self.trajectory_generator.sample(0)
        else:
            n_fragments = 2 * num_pairs
            steps = math.ceil(
                self.transition_oversampling * n_fragments * self.fragment_length
            )
            self.logger.log(f"Collecting {n_fragments} fragments ({steps} transitions)")
            trajectories = self.trajectory_generator.sample(steps)
            # Fragments that a time limit or an interruption cut say nothing of it.
            self._check_fixed_horizon(len(t) for t in trajectories if t.terminal)
            self.logger.log("Creating fragment pairs")
            fragments = self.fragmenter(trajectories, self.fragment_length, num_pairs)
        with self.logger.accumulate_means("preferences"):
            self.logger.log("Gathering preferences")
            pairs, preferences = self.preference_gatherer.gather(fragments)
        self.dataset.push(pairs, preferences)
        self.logger.log(f"Dataset now contains {len(self.dataset)} comparisons")

    def _train_reward(self) -> None:
        multiplier = 1.0 if self._was_reward_trained else self.initial_epoch_multiplier
        self.reward_trainer.train(self.dataset, epoch_multiplier=multiplier)
        self._was_reward_trained = True
        # As in release 1.0, reward trainers return nothing but log their results.
        logged = self.logger.name_to_value
        self._metrics = {
            name: float(logged[f"reward/final/train/{name}"])
            for name in ("loss", "accuracy")
            if f"reward/final/train/{name}" in logged
        }


def _check_rng(rng: np.random.Generator | None, *, is_needed: bool) -> None:
    if is_needed and rng is None:
        raise ConfigError(
            "If you don't provide a random state, you must provide your own seeded "
            "fragmenter, preference gatherer, and reward_trainer. You can initialize a "
            "random state with `np.random.default_rng(seed)`."
        )
    if not is_needed and rng is not None:
        raise ConfigError(
            "If you provide your own fragmenter, preference gatherer, and reward "
            "trainer, you don't need to provide a random state."
        )
