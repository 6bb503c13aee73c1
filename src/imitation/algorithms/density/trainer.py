"""Density-based imitation: the reward of a step is its log density in demonstrations.

A density p of the demonstrated states, pairs of state and action, or pairs of states
that follow each other is estimated once, without an environment; a policy is then
trained by reinforcement learning on

    r(s, a, s′) = log p(s),  log p(s, a)  or  log p(s, s′),

with one density for all times or one for each time step. The idea is that of a baseline
in Fu et al., "Learning Robust Rewards with Adversarial Inverse Reinforcement Learning",
https://arxiv.org/abs/1710.11248, and older: a state that the expert is often in is
good.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from typing_extensions import override

from imitation.algorithms import base
from imitation.algorithms.density.estimators import DensityOptions
from imitation.algorithms.density.features import (
    DensityType,
    TransitionFeatures,
    samples_of,
)
from imitation.algorithms.density.reward import DensityReward, StepCounter
from imitation.data import acting, rollout, tree, types, wrappers
from imitation.errors import ConfigError, DataError
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper, WrappedRewardCallback
from imitation.training import sb3_state
from imitation.training.checkpoints import Checkpoints
from imitation.training.sb3_learning import (
    SaveBetweenRollouts,
    as_callbacks,
    progress_over,
)
from imitation.training.trainer import State
from imitation.util import logger as imit_logger
from imitation.util import seeding
from imitation.util.paths import AnyPath
from imitation.util.threads import training_threads

MANY_FEATURES = 100

NOT_TRAINED = "there is no density yet: call train() first"


class DensityAlgorithm(base.DemonstrationAlgorithm[types.TransitionsMinimal]):
    """Learns a reward function based on density modeling.

    Specifically, it constructs a non-parametric estimate of p(s), p(s,a) or p(s,s') and
    then computes a reward using the log of these probabilities. Call `train` to fit it,
    then `train_policy`.

    Args:
        demonstrations: trajectories, transitions, or an iterable of batches, all of
            which count; None to set them later.
        venv: the environment to train the policy in; the density needs its spaces only.
        rng: decides the order of episodes in `test_policy` and the seeds of those after
            a checkpoint; None for fresh entropy.
        density_type: what the density is of.
        kernel: see `DensityOptions`.
        kernel_bandwidth: width of the kernel; if inputs are standardized and the kernel
            is Gaussian, something between 0.1 and 1 makes sense.
        rl_algo: trains the policy on the reward; it gets the environment and logger of
            this class. None if only the reward is wanted.
        is_stationary: whether all time steps share one density; if not, each has its
            own, and demonstrations must be trajectories. Helps with STATE_DENSITY, so
            that whole trajectories are imitated and not just frequent states.
        standardise_inputs: whether each input gets mean 0 and variance 1 over the
            demonstrations.
        custom_logger: where to log to; None makes a new logger.
        allow_variable_horizon: see `base.BaseImitationAlgorithm`. It is the policy's
            episodes that are checked.
        estimator: "kernel", or "knn" for many demonstrations; see `DensityOptions`.
        n_neighbors: of the estimator "knn".
        normalize_reward: divide the rewards that the policy is trained on by a running
            estimate of the standard deviation of their return. Log densities are large
            far from the demonstrations, where a new policy is.

    Attributes:
        transitions: features of the demonstrations, arrays of shape ``(N, F)``: by time
            step, or all under the key None.
        venv: the argument.
        venv_wrapped: `venv` with the learned reward.
        venv_train: the environment of `rl_algo`: `venv_wrapped`, maybe normalized.
        buffering_wrapper: records the policy's episodes in `venv`.
        wrapper_callback: logs the mean learned reward of episodes.
        progress: environment steps taken by `train_policy`, over all calls.

    Raises:
        ConfigError: an argument lies out of its range, or `rl_algo` was made for
            another number of environments.
        TypeError: the demonstrations are of an unsupported kind.
        ValueError: they do not fit the spaces of `venv` or the density that is wanted.
    """

    kind = "density"
    digits = 12

    transitions: dict[int | None, np.ndarray]

    def __init__(
        self,
        *,
        demonstrations: base.AnyTransitions | None,
        venv: VecEnv,
        rng: np.random.Generator | None = None,
        density_type: DensityType = DensityType.STATE_ACTION_DENSITY,
        kernel: str = DensityOptions.kernel,
        kernel_bandwidth: float = DensityOptions.kernel_bandwidth,
        rl_algo: BaseAlgorithm | None = None,
        is_stationary: bool = True,
        standardise_inputs: bool = DensityOptions.standardise_inputs,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        allow_variable_horizon: bool = False,
        estimator: str = DensityOptions.estimator,
        n_neighbors: int = DensityOptions.n_neighbors,
        normalize_reward: bool = False,
    ) -> None:
        self.density_type = DensityType(density_type)
        self.is_stationary = is_stationary
        self.kernel = kernel
        self.kernel_bandwidth = kernel_bandwidth
        self.standardise = standardise_inputs
        self.estimator = estimator
        self.n_neighbors = n_neighbors
        self.options()  # checks them
        if rl_algo is not None and rl_algo.n_envs != venv.num_envs:
            raise ConfigError(
                f"rl_algo was made for {rl_algo.n_envs} environments, venv has "
                f"{venv.num_envs}; create the algorithm with this venv"
            )
        self.venv = venv
        self.features = TransitionFeatures(
            self.density_type, venv.observation_space, venv.action_space
        )
        """Maps transitions to the vectors that the density is of."""
        self.rng: np.random.Generator = seeding.make_rng(rng)
        self.rl_algo = rl_algo
        self.transitions = {}
        self.replay_is_stale = True
        self._reward: DensityReward | None = None
        self._wrap_environments(normalize_reward)
        super().__init__(
            demonstrations=demonstrations,
            custom_logger=custom_logger,
            allow_variable_horizon=allow_variable_horizon,
        )

    def _wrap_environments(self, normalize_reward: bool) -> None:
        # Beneath the others, so that a reward by time step knows the step's number.
        counter = StepCounter(self.venv)
        self.buffering_wrapper = wrappers.BufferingWrapper(
            counter, error_on_premature_reset=False
        )
        self.venv_wrapped = self.with_reward(self.buffering_wrapper, counter)
        self.wrapper_callback: WrappedRewardCallback = (
            self.venv_wrapped.make_log_callback()
        )
        self.venv_train: VecEnv = self.venv_wrapped
        if normalize_reward:
            # Without an algorithm, any discount will do: nothing is trained.
            gamma = getattr(self.rl_algo, "gamma", 0.99)
            self.venv_train = VecNormalize(
                self.venv_wrapped, norm_obs=False, gamma=gamma
            )
        if self.rl_algo is not None:  # its state holds the statistics of a VecNormalize
            self.rl_algo.set_env(self.venv_train)

    def options(self) -> DensityOptions:
        """Returns the settings of the estimate that `train` makes."""
        return DensityOptions(
            kernel=self.kernel,
            kernel_bandwidth=self.kernel_bandwidth,
            standardise_inputs=self.standardise,
            estimator=self.estimator,
            n_neighbors=self.n_neighbors,
        )

    @override
    def set_demonstrations(self, demonstrations: base.AnyTransitions) -> None:
        """Sets the demonstration data; call `train` to learn from it.

        Args:
            demonstrations: trajectories, transitions, or an iterable of batches.

        Raises:
            TypeError: they are of an unsupported kind.
            ValueError: they are empty, do not fit the spaces, or lack what the density
                needs.
        """
        self.transitions = dict(
            samples_of(demonstrations, self.features, is_stationary=self.is_stationary)
        )

    def train(self) -> None:
        """Fits the density model to the demonstrations.

        Raises:
            DataError: there are none.
        """
        self.set_reward(DensityReward(self.features, self.transitions, self.options()))
        parts = list(self.transitions.values())
        n_features = parts[0].shape[1]
        if n_features > MANY_FEATURES:
            self.logger.warn(
                f"Densities of {n_features} numbers say little, as all samples are far "
                "from each other: encode images and long vectors first."
            )
        self.logger.record("density/transitions", sum(map(len, parts)))
        self.logger.record("density/features", n_features)
        self.logger.record("density/models", len(parts))

    def set_reward(self, reward: DensityReward) -> None:
        """Replaces the density, for example by a saved one.

        Args:
            reward: the density; its demonstrations become those of this class.
        """
        self._reward = reward
        self.transitions = reward.samples
        self.replay_is_stale = True

    @property
    def reward(self) -> DensityReward:
        """The learned reward.

        Raises:
            RuntimeError: `train` was not called yet.
        """
        if self._reward is None:
            raise RuntimeError(NOT_TRAINED)
        return self._reward

    def __call__(
        self,
        state: tree.Tree,
        action: tree.ArrayOrTensor,
        next_state: tree.Tree | None,
        done: tree.ArrayOrTensor,
        steps: np.ndarray | None = None,
    ) -> npt.NDArray[np.float32]:
        """Computes the rewards of a batch of transitions; see `DensityReward`."""
        return self.reward(state, action, next_state, done, steps)

    def train_policy(
        self,
        n_timesteps: int = 1_000_000,
        *,
        callback: MaybeCallback = None,
        checkpoint_dir: AnyPath | None = None,
        checkpoint_interval: int = 0,
        resume: bool = False,
        **kwargs: Any,
    ) -> None:
        """Trains the imitation policy for a given number of timesteps.

        The environments begin new episodes, and do so again at each checkpoint.

        Args:
            n_timesteps: environment steps to train for, rounded up to what the
                algorithm collects at a time.
            callback: of the algorithm's ``learn``.
            checkpoint_dir: where to save ``{<steps, 12 digits>|final}/density`` (a
                `DensityReward`) and ``policy/model.zip``, and ``latest/``, the state to
                resume from; None saves nothing.
            checkpoint_interval: environment steps between checkpoints; 0 saves only at
                the end.
            resume: continue from the newest checkpoint in `checkpoint_dir`, if any;
                `n_timesteps` then counts from where the training began.
            **kwargs: further arguments of the algorithm's ``learn``.

        Raises:
            ConfigError: a number lies out of its range.
            RuntimeError: `train` was not called.
            ValueError: episodes have different lengths, which is not allowed, or last
                longer than the demonstrations, where the density is not stationary.
            DataError: the density of a step is zero.
        """
        if n_timesteps < 0 or checkpoint_interval < 0:
            raise ConfigError(
                "expected n_timesteps and checkpoint_interval not to be negative, got "
                f"{n_timesteps} and {checkpoint_interval}"
            )
        saver = Checkpoints(self, checkpoint_dir, export_every=checkpoint_interval)
        left = n_timesteps - (saver.resume() if resume else 0)
        if self._reward is None:
            raise RuntimeError(NOT_TRAINED)
        algo = self._algorithm()
        algo.set_env(self.venv_train)  # it may have been used elsewhere since
        algo.set_logger(self.logger)
        self._drop_stale_rewards(algo)
        algo._last_obs = None  # makes `learn` reset the environments
        own = [self.wrapper_callback, _HorizonCheck(self)]
        saving = SaveBetweenRollouts(self, saver)
        if left > 0:
            with progress_over(algo, left), training_threads(algo.policy):
                algo.learn(
                    total_timesteps=left,
                    reset_num_timesteps=False,
                    callback=[*own, *as_callbacks(callback), saving],
                    **kwargs,
                )
        saver.finish()

    def _drop_stale_rewards(self, algo: BaseAlgorithm) -> None:
        """Clears a replay buffer whose rewards are not of the current density."""
        # Rewards are stored with the steps: they do not follow a new density.
        stale, self.replay_is_stale = self.replay_is_stale, False
        if not stale or not isinstance(algo, OffPolicyAlgorithm):
            return
        if algo.replay_buffer is not None and algo.replay_buffer.size():
            self.logger.warn(
                f"Dropped {algo.replay_buffer.size()} steps from the replay buffer, "
                "whose rewards are not those of the present density."
            )
            algo.replay_buffer.reset()

    def test_policy(
        self, *, n_trajectories: int = 10, true_reward: bool = True
    ) -> dict[str, float]:
        """Tests the current imitation policy in the environment.

        Args:
            n_trajectories: the least number of episodes.
            true_reward: use the environment's own reward, or the learned one.

        Returns:
            The statistics of `rollout.rollout_stats`.

        Raises:
            ValueError: episodes have different lengths, which is not allowed.
        """
        algo = self._algorithm()
        venv = self.venv
        if not true_reward:
            venv = self.with_reward(venv)
        trajectories = roll_out(algo, venv, n_trajectories, self.rng)
        self._check_fixed_horizon(map(len, trajectories))
        return dict(rollout.rollout_stats(trajectories))

    def with_reward(
        self, venv: VecEnv, counter: StepCounter | None = None
    ) -> RewardVecEnvWrapper:
        """Replaces the reward of environments by the learned one.

        Args:
            venv: the environments.
            counter: counts their steps, beneath `venv`; None to add one.
        """
        if counter is None:
            venv = counter = StepCounter(venv)

        def rate(
            state: np.ndarray,
            action: np.ndarray,
            next_state: np.ndarray,
            done: np.ndarray,
        ) -> np.ndarray:
            rewards = self(state, action, next_state, done, counter.steps)
            # Stable-Baselines3 would go on with NaN advantages.
            if np.isneginf(rewards).any():
                raise DataError(
                    f"the kernel {self.kernel!r} gives a step the density 0, whose "
                    "log is no reward; set kernel='gaussian' or 'exponential', or "
                    "raise kernel_bandwidth"
                )
            return rewards

        return RewardVecEnvWrapper(venv, rate)

    @property
    @override
    def policy(self) -> BasePolicy:
        return self._algorithm().policy

    @override
    def kinds(self) -> dict[str, str]:
        return super().kinds() | {
            "density": self.density_type.name,
            "algorithm": type(self.rl_algo).__name__,
        }

    @override
    def state_dict(self) -> State:
        state = super().state_dict() | {
            "replay_is_stale": self.replay_is_stale,
            "density": None,
        }
        if self._reward is not None:
            state["density"] = {
                "options": dataclasses.asdict(self._reward.options),
                "samples": self._reward.samples,
            }
        if self.rl_algo is not None:
            state["policy"] = sb3_state.algorithm_state(self.rl_algo)
            state["randomness"] = sb3_state.random_state(self.rl_algo)
        return state

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        if self.rl_algo is not None:
            sb3_state.load_algorithm_state(self.rl_algo, state["policy"])
            sb3_state.restore_random_state(self.rl_algo, state["randomness"])
        density = state["density"]
        self._reward = None
        # Fitted again from the samples, which gives the same scores to the bit.
        if density is not None:
            options = DensityOptions(**density["options"])
            self.set_reward(DensityReward(self.features, density["samples"], options))
        # After `set_reward`, which declares the replay buffer stale.
        self.replay_is_stale = bool(state["replay_is_stale"])

    @override
    def export(self, directory: pathlib.Path) -> None:
        self.reward.save(directory / "density")
        (directory / "policy").mkdir()
        self._algorithm().save(directory / "policy" / "model.zip")

    @override
    def has_episodes(self) -> bool:
        return self.rl_algo is not None

    @override
    def restart_episodes(self, seed: int) -> None:
        sb3_state.restart_episodes(self._algorithm(), self.venv, seed)

    def _algorithm(self) -> BaseAlgorithm:
        assert self.rl_algo is not None, (
            "there is no policy: pass rl_algo to DensityAlgorithm"
        )
        return self.rl_algo


def roll_out(
    algo: BaseAlgorithm, venv: VecEnv, n_episodes: int, rng: np.random.Generator
) -> Sequence[types.TrajectoryWithRew]:
    """Rolls a policy out, which samples its actions.

    Args:
        algo: whose policy.
        venv: where, in the layout of the environment's own images.
        n_episodes: the least number of episodes.
        rng: decides which, and seeds what reads NumPy's global state.
    """
    # What SB3 does to environments it is given: it may move the channels of images.
    wrapped = algo._wrap_env(venv, monitor_wrapper=False)
    algo._last_obs = None  # its own episodes are cut off
    with acting.evaluating(algo), seeding.numpy_seeded(rng):
        return rollout.generate_trajectories(
            algo, wrapped, rollout.make_min_episodes(n_episodes), rng
        )


class _HorizonCheck(BaseCallback):
    """Checks the lengths of the episodes, and discards what was recorded of them."""

    def __init__(self, trainer: DensityAlgorithm) -> None:
        super().__init__()
        self.trainer = trainer

    @override
    def _on_step(self) -> bool:
        return True

    @override
    def _on_rollout_end(self) -> None:
        # At the end of each rollout, or the episodes of a long training would pile up.
        _, lengths = self.trainer.buffering_wrapper.pop_finished_trajectories()
        self.trainer._check_fixed_horizon(lengths)
