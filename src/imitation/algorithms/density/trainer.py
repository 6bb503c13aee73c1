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

from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from imitation.algorithms import base
from imitation.algorithms.density import checkpoints, learning, state
from imitation.algorithms.density.demonstrations import samples_of
from imitation.algorithms.density.estimators import DensityOptions
from imitation.algorithms.density.features import DensityType, TransitionFeatures
from imitation.algorithms.density.reward import DensityReward
from imitation.algorithms.density.step_counter import StepCounter
from imitation.data import rollout, types, wrappers
from imitation.errors import ConfigError, DataError
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper, WrappedRewardCallback
from imitation.util import logger as imit_logger
from imitation.util import seeding
from imitation.util.paths import AnyPath

__all__ = ["DensityAlgorithm"]

Array = npt.NDArray[Any]

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
        kernel_bandwidth: width of the kernel; if inputs are standardised and the kernel
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
        venv_train: what `rl_algo` is trained in: `venv_wrapped`, maybe normalised.
        buffering_wrapper: records the policy's episodes in `venv`.
        wrapper_callback: logs the mean learned reward of episodes.
        steps_trained: environment steps taken by `train_policy`, over all calls.

    Raises:
        ConfigError: an argument lies out of its range, or `rl_algo` was made for
            another number of environments.
        TypeError: the demonstrations are of an unsupported kind.
        ValueError: they do not fit the spaces of `venv` or the density that is wanted.
    """

    transitions: dict[int | None, Array]

    def __init__(
        self,
        *,
        demonstrations: base.AnyTransitions | None,
        venv: VecEnv,
        rng: np.random.Generator | None = None,
        density_type: DensityType = DensityType.STATE_ACTION_DENSITY,
        kernel: str = "gaussian",
        kernel_bandwidth: float = 0.5,
        rl_algo: BaseAlgorithm | None = None,
        is_stationary: bool = True,
        standardise_inputs: bool = True,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        allow_variable_horizon: bool = False,
        estimator: str = "kernel",
        n_neighbors: int = 10,
        normalize_reward: bool = False,
    ) -> None:
        self.density_type = DensityType(density_type)
        self.is_stationary = is_stationary
        self.kernel = kernel
        self.kernel_bandwidth = kernel_bandwidth
        self.standardise = standardise_inputs
        self.estimator = estimator
        self.n_neighbors = n_neighbors
        self._options()  # checks them
        _check_environments(rl_algo, venv)
        self.venv = venv
        self.rng: np.random.Generator = seeding.make_rng(rng)
        self.rl_algo = rl_algo
        self.transitions = {}
        self.steps_trained = 0
        self.replay_is_stale = True
        self._reward: DensityReward | None = None
        self._counter = StepCounter(venv)
        self.buffering_wrapper = wrappers.BufferingWrapper(
            self._counter, error_on_premature_reset=False
        )
        self.venv_wrapped = self.with_reward(self.buffering_wrapper, self._counter)
        self.wrapper_callback: WrappedRewardCallback = (
            self.venv_wrapped.make_log_callback()
        )
        self.venv_train: VecEnv = self.venv_wrapped
        if normalize_reward:
            gamma = getattr(rl_algo, "gamma", 0.99)
            self.venv_train = VecNormalize(
                self.venv_wrapped, norm_obs=False, gamma=gamma
            )
        super().__init__(
            demonstrations=demonstrations,
            custom_logger=custom_logger,
            allow_variable_horizon=allow_variable_horizon,
        )

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
            samples_of(
                demonstrations, self._features(), is_stationary=self.is_stationary
            )
        )

    def train(self) -> None:
        """Fits the density model to the demonstrations.

        Raises:
            DataError: there are none.
        """
        self.set_reward(
            DensityReward(self._features(), self.transitions, self._options())
        )
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
        """Replaces the density, by one that was saved, say.

        Args:
            reward: the density; its demonstrations become those of this class.
        """
        self._reward = reward
        self.transitions = reward.samples
        self.replay_is_stale = True

    @property
    def reward(self) -> DensityReward:
        """The reward that was learned.

        Raises:
            RuntimeError: none was yet.
        """
        if self._reward is None:
            raise RuntimeError(NOT_TRAINED)
        return self._reward

    def __call__(
        self,
        state: Any,
        action: Any,
        next_state: Any,
        done: Any,
        steps: Array | None = None,
    ) -> npt.NDArray[np.float32]:
        """Computes the rewards of a batch of ``B`` transitions in one go.

        Args:
            state: observations, shape ``(B, *observation_shape)``.
            action: actions, shape ``(B, *action_shape)``.
            next_state: observations after the actions.
            done: ignored.
            steps: when in its episode each happened, counted from 0, shape ``(B,)``;
                needed by a model that is not stationary.

        Returns:
            Log densities, shape ``(B,)``, float32.

        Raises:
            ValueError: `steps` is needed and None, or beyond the demonstrations.
        """
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

        The environments begin new episodes, and so they do at each checkpoint.

        Args:
            n_timesteps: environment steps to train for, rounded up to what the
                algorithm collects at a time.
            callback: of the algorithm's ``learn``.
            checkpoint_dir: where to save; None saves nothing. See `Checkpoints`.
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
        saver = checkpoints.Checkpoints(self, checkpoint_dir)
        done = saver.resume() if resume else 0
        if self._reward is None:
            raise RuntimeError(NOT_TRAINED)
        learning.learn(
            self,
            n_timesteps - done,
            saver=saver,
            interval=checkpoint_interval,
            callback=callback,
            **kwargs,
        )

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
            counter = StepCounter(venv)
            venv = self.with_reward(counter, counter)
        trajectories = learning.roll_out(algo, venv, n_trajectories, self.rng)
        self._check_fixed_horizon(len(t) for t in trajectories)
        return dict(rollout.rollout_stats(trajectories))

    def with_reward(self, venv: VecEnv, counter: StepCounter) -> RewardVecEnvWrapper:
        """Replaces the reward of environments by the learned one.

        Args:
            venv: the environments.
            counter: counts their steps; `venv` or beneath it.
        """

        def rate(state: Any, action: Any, next_state: Any, done: Any) -> Array:
            rewards = self(state, action, next_state, done, counter.steps)
            if np.isneginf(rewards).any():
                raise DataError(
                    f"the kernel {self.kernel!r} gives a step the density 0, whose "
                    "log is no reward; set kernel='gaussian' or 'exponential', or "
                    "raise kernel_bandwidth"
                )
            return rewards

        return RewardVecEnvWrapper(venv, rate)

    @property
    def policy(self) -> BasePolicy:
        """The policy that imitates the demonstrations."""
        return self._algorithm().policy

    def save(self, path: AnyPath) -> None:
        """Saves everything needed to continue, as a directory, atomically.

        The environments begin new episodes, as they will when the state is loaded.

        Args:
            path: the directory to write.
        """
        state.save(self, path)

    def load_state(self, path: AnyPath) -> None:
        """Continues where `save` was called on one made with the same arguments.

        Args:
            path: where it was saved.

        Raises:
            ArtifactError: nothing was saved there, or another kind of trainer.
        """
        state.load(self, path)

    def connected(self) -> BaseAlgorithm:
        """Puts the algorithm into its environment, where it begins new episodes.

        Returns:
            The algorithm.
        """
        algo = self._algorithm()
        algo.set_env(self.venv_train)
        return algo

    def _algorithm(self) -> BaseAlgorithm:
        assert self.rl_algo is not None, (
            "there is no policy: pass rl_algo to DensityAlgorithm"
        )
        return self.rl_algo

    def _features(self) -> TransitionFeatures:
        return TransitionFeatures(
            self.density_type, self.venv.observation_space, self.venv.action_space
        )

    def _options(self) -> DensityOptions:
        return DensityOptions(
            kernel=self.kernel,
            kernel_bandwidth=self.kernel_bandwidth,
            standardise_inputs=self.standardise,
            estimator=self.estimator,
            n_neighbors=self.n_neighbors,
        )


def _check_environments(algo: BaseAlgorithm | None, venv: VecEnv) -> None:
    if algo is not None and algo.n_envs != venv.num_envs:
        raise ConfigError(
            f"rl_algo was made for {algo.n_envs} environments, venv has "
            f"{venv.num_envs}; make the algorithm with this venv"
        )
