"""Adversarial training of a policy against a discriminator; GAIL and AIRL build on it.

A round trains the generator, a Stable-Baselines3 algorithm, on the rewards of the
current discriminator, and then the discriminator to tell expert transitions from those
that the generator has just made.
"""

import abc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper

from imitation.algorithms import base
from imitation.algorithms.adversarial import (
    batches,
    checks,
    discriminator,
    spectral,
    state,
)
from imitation.algorithms.adversarial import demonstrations as expert_data
from imitation.algorithms.adversarial.checkpoints import Checkpoints
from imitation.algorithms.adversarial.diagnostics import Diagnostics, Summary
from imitation.algorithms.adversarial.discriminator_stats import (
    compute_train_stats,
    describe,
)
from imitation.algorithms.adversarial.evaluation import Evaluator
from imitation.algorithms.adversarial.options import DiscriminatorOptions
from imitation.data import types
from imitation.errors import ConfigError
from imitation.policies import replay_buffer_wrapper
from imitation.rewards.reward_nets.base import RewardNet
from imitation.training.learned_rewards import RewardedAlgorithm, check_environment
from imitation.training.recording import GeneratorSamples
from imitation.training.sb3_learning import (
    default_train_timesteps,
    progress_over,
    timesteps_of_round,
)
from imitation.util import logger as imit_logger
from imitation.util import networks, optimizers, seeding
from imitation.util.paths import AnyPath
from imitation.util.threads import training_threads

__all__ = ["AdversarialTrainer", "compute_train_stats"]

Array = npt.NDArray[Any]

MIN_LOG_TIMESTEPS = 1024
"""Rounds shorter than this, as off-policy generators have, share a line of the log."""


class AdversarialTrainer(base.DemonstrationAlgorithm[types.Transitions]):
    """Base of the adversarial imitation algorithms GAIL and AIRL.

    Args:
        demonstrations: expert trajectories, transitions or an iterable of batches; None
            to set them later. Trajectories whose actions have shape ``(T, 0)`` have
            none: the reward network must then not look at actions.
        demo_batch_size: expert samples in a discriminator batch, which holds as many
            generator samples, too.
        venv: the environments to train in.
        gen_algo: the algorithm that trains the generator: on-policy (PPO, TRPO, A2C,
            …) or off-policy (SAC, TD3, DQN, …). It gets the environment and logger of
            this trainer. Learned rewards are computed once per rollout for on-policy
            ones, and afresh for each sampled batch for off-policy ones, whose replay
            buffer is replaced.
        reward_net: maps transitions to a reward.
        demo_minibatch_size: accumulate gradients over minibatches of this many expert
            (and as many generator) samples, which bounds memory; a factor of
            `demo_batch_size`, the default.
        n_disc_updates_per_round: discriminator updates in a round.
        log_dir: where TensorBoard summaries go.
        disc_opt_cls: optimiser class of the discriminator.
        disc_opt_kwargs: its keyword arguments.
        gen_train_timesteps: environment steps of a round; None for one rollout
            (on-policy) or one collection (off-policy).
        gen_replay_buffer_capacity: how many generator transitions the discriminator
            chooses from; None for those of one round. If a round makes more, a random
            choice of them is kept.
        custom_logger: where to log to; None makes a new logger.
        init_tensorboard: write the discriminator's statistics to TensorBoard in
            `log_dir`.
        init_tensorboard_graph: with `init_tensorboard`, the network's graph, too.
        debug_use_ground_truth: train the generator on the environment's own reward, to
            see whether it can learn at all.
        allow_variable_horizon: see `base.BaseImitationAlgorithm`.
        disc_options: regularisation of the discriminator.
        gen_entropy_weight: an on-policy generator is also rewarded by this times
            −log π(a|s), which makes it maximise its entropy over whole episodes.
        rng: decides the samples of the discriminator; None is seeded from the seed of
            `gen_algo` if it has one.

    Raises:
        ValueError: the batch size is not a multiple of the minibatch size; spaces or
            the numbers of environments differ; demonstrations do not fit.
    """

    venv: VecEnv
    """The original vectorized environment."""

    venv_train: VecEnv
    """Like `venv`, but with the reward of the discriminator unless in debug mode."""

    venv_wrapped: VecEnvWrapper
    """`venv` with the discriminator's reward, in debug mode only recorded."""

    def __init__(
        self,
        *,
        demonstrations: base.AnyTransitions | None,
        demo_batch_size: int,
        venv: VecEnv,
        gen_algo: BaseAlgorithm,
        reward_net: RewardNet,
        demo_minibatch_size: int | None = None,
        n_disc_updates_per_round: int = 2,
        log_dir: AnyPath = "output/",
        disc_opt_cls: type[th.optim.Optimizer] = th.optim.Adam,
        disc_opt_kwargs: Mapping[str, Any] | None = None,
        gen_train_timesteps: int | None = None,
        gen_replay_buffer_capacity: int | None = None,
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        init_tensorboard: bool = False,
        init_tensorboard_graph: bool = False,
        debug_use_ground_truth: bool = False,
        allow_variable_horizon: bool = False,
        disc_options: DiscriminatorOptions | None = None,
        gen_entropy_weight: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> None:
        self.demo_batch_size = demo_batch_size
        if demo_minibatch_size is None:
            demo_minibatch_size = demo_batch_size
        self.demo_minibatch_size = demo_minibatch_size
        checks.check_sizes(demo_batch_size, self.demo_minibatch_size)
        checks.check_settings(gen_algo, n_disc_updates_per_round, gen_entropy_weight)
        checks.check_discriminator(reward_net)
        check_environment(gen_algo, venv, reward_net)
        self.venv = venv
        self.gen_algo = gen_algo
        self.n_disc_updates_per_round = n_disc_updates_per_round
        self.disc_options = disc_options or DiscriminatorOptions()
        self.rng = seeding.make_rng(gen_algo.seed if rng is None else rng)
        self._reward_net = self._prepared(reward_net)
        self._expert: expert_data.EndlessBatches | None = None
        super().__init__(
            demonstrations=demonstrations,
            custom_logger=custom_logger,
            allow_variable_horizon=allow_variable_horizon,
        )
        checks.warn_of_normalized_observations(venv, self.logger)
        self._disc_opt = optimizers.make_optimizer(
            disc_opt_cls, self._reward_net.parameters(), disc_opt_kwargs
        )
        self._connect_generator(debug_use_ground_truth, gen_entropy_weight)
        self._begin_rounds(gen_train_timesteps, gen_replay_buffer_capacity)
        self._summary = Summary(log_dir) if init_tensorboard else None
        self._wants_graph = init_tensorboard and init_tensorboard_graph

    def _connect_generator(self, ground_truth: bool, entropy_weight: float) -> None:
        """Gives the generator its environment, with learned rewards or true ones."""
        if ground_truth:  # another trainer may have replaced its rewards
            replay_buffer_wrapper.unrelabel(self.gen_algo)
        reward = None if ground_truth else self.reward_train
        self._generator = RewardedAlgorithm(
            self.gen_algo, self.venv, reward, entropy_weight
        )
        self.venv_train = self.venv_wrapped = self._generator.venv
        self.gen_algo.set_logger(self.logger)

    def _begin_rounds(self, train_timesteps: int | None, capacity: int | None) -> None:
        """Decides how long a round is and what of it is kept, before the first one."""
        if train_timesteps is None:
            train_timesteps = default_train_timesteps(self.gen_algo, self.venv.num_envs)
        if train_timesteps <= 0:
            raise ConfigError(
                f"gen_train_timesteps={train_timesteps} must be positive."
            )
        self.gen_train_timesteps = train_timesteps
        self._gen_samples = GeneratorSamples(
            train_timesteps if capacity is None else capacity, self.rng
        )
        self.rounds_trained = 0
        """Rounds trained so far, before an interruption too."""
        self.best_return = -float("inf")
        """Highest mean return that an evaluation has measured."""
        self._disc_updates = 0
        self._diagnostics = Diagnostics(self.logger)
        self._log_every = max(1, MIN_LOG_TIMESTEPS // train_timesteps)

    def _prepared(self, reward_net: RewardNet) -> RewardNet:
        """The network as it will be trained."""
        if self.disc_options.spectral_norm:
            spectral.add_spectral_norm(reward_net)
        return reward_net.to(self.gen_algo.device)

    @property
    def policy(self) -> BasePolicy:
        """The generator's policy, which imitates the demonstrations."""
        assert self.gen_algo.policy is not None
        return self.gen_algo.policy

    @property
    @abc.abstractmethod
    def reward_train(self) -> RewardNet:
        """The reward that trains the generator."""

    @property
    @abc.abstractmethod
    def reward_test(self) -> RewardNet:
        """The reward to train another policy on once this training is over."""

    @abc.abstractmethod
    def logits_expert_is_high(
        self,
        state: Any,
        action: th.Tensor,
        next_state: Any,
        done: th.Tensor,
        log_policy_act_prob: th.Tensor | None = None,
    ) -> th.Tensor:
        """Computes the discriminator's logits, high for the expert.

        Args:
            state: preprocessed states, shape ``(B, ...)``.
            action: preprocessed actions, shape ``(B, ...)``.
            next_state: preprocessed next states, shape ``(B, ...)``.
            done: 1 where the episode ended, shape ``(B,)``.
            log_policy_act_prob: log π(a|s) of the generator, shape ``(B,)``.

        Returns:
            Logits, shape ``(B,)``.
        """

    def set_demonstrations(self, demonstrations: base.AnyTransitions) -> None:
        """Sets the expert's transitions, which replace any earlier ones.

        Args:
            demonstrations: see the class.

        Raises:
            ValueError: they do not fit the environment, or are fewer than a batch.
        """
        self._expert, has_actions = expert_data.expert_batches(
            demonstrations,
            self.demo_batch_size,
            self.venv.observation_space,
            self.venv.action_space,
            self.rng,
        )
        if not has_actions:
            self._check_without_actions()

    def _check_without_actions(self) -> None:
        """Raises an error if this algorithm needs the expert's actions."""
        expert_data.check_state_only(self._reward_net)

    @property
    def logger(self) -> imit_logger.HierarchicalLogger:
        """Where the algorithm and its generator log to."""
        return self._logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value
        self.gen_algo.set_logger(value)

    def train_gen(
        self,
        total_timesteps: int | None = None,
        learn_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Trains the generator on the reward of the current discriminator.

        Its transitions become those that the discriminator is trained on next.

        Args:
            total_timesteps: environment steps to train for; None for
                `gen_train_timesteps`.
            learn_kwargs: keyword arguments of the algorithm's ``learn``.

        Raises:
            ValueError: episodes have different lengths, rewards are not finite, or
                `gen_algo` has been given another environment since.
        """
        if total_timesteps is None:
            total_timesteps = self.gen_train_timesteps
        if not self._generator.recorder.is_below(self.gen_algo.get_env()):
            raise ConfigError(
                "gen_algo has been given another environment, as another trainer does; "
                "make this trainer anew, or give each its own algorithm"
            )
        with self.logger.accumulate_means("gen"):
            collected = self._generator.learn(total_timesteps, **(learn_kwargs or {}))
        for steps in collected:
            self._check_fixed_horizon(steps.ep_lens)
            self._gen_samples.store(steps.flat())

    def train_disc(
        self,
        *,
        expert_samples: Mapping[str, Any] | None = None,
        gen_samples: Mapping[str, Any] | None = None,
    ) -> Mapping[str, float]:
        """Updates the discriminator once.

        Args:
            expert_samples: `demo_batch_size` transitions: arrays or tensors under the
                keys obs, acts, next_obs and dones. None draws the next batch of the
                demonstrations.
            gen_samples: the same for the generator. None draws from what it made last.

        Returns:
            Statistics; see `compute_train_stats`.

        Raises:
            RuntimeError: there are no generator samples, or no demonstrations.
            ValueError: the samples are not `demo_batch_size` of each kind.
        """
        with networks.training(self._reward_net), training_threads(self._reward_net):
            update = self._update_discriminator(expert_samples, gen_samples)
        stats = describe([update], bool(self.disc_options.gradient_penalty))
        self._record(stats, dump=False)
        return stats

    def train(
        self,
        total_timesteps: int,
        callback: Callable[[int], None] | None = None,
        *,
        checkpoint_dir: AnyPath | None = None,
        checkpoint_interval: int = 0,
        resume: bool = False,
        eval_venv: VecEnv | None = None,
        eval_interval: int = 0,
        n_eval_episodes: int = 10,
    ) -> None:
        """Trains generator and discriminator in turn.

        Args:
            total_timesteps: an upper bound on the environment steps, where the
                algorithm collects `gen_train_timesteps` in whole rollouts.
            callback: called with the number of each round when it has ended.
            checkpoint_dir: where to save; None saves nothing. See `checkpoints`.
            checkpoint_interval: rounds between checkpoints; 0 saves only at the end,
                a negative number never.
            resume: continue from the newest checkpoint in `checkpoint_dir`, if any;
                `total_timesteps` then counts from the beginning.
            eval_venv: environments to measure the generator's true return in.
            eval_interval: rounds between measurements; 0 for none.
            n_eval_episodes: episodes of a measurement.

        Raises:
            AssertionError: `total_timesteps` is less than a round takes.
        """
        n_rounds = total_timesteps // self.gen_train_timesteps
        assert n_rounds >= 1, (
            f"No updates (need at least {self.gen_train_timesteps} timesteps, have "
            f"only total_timesteps={total_timesteps})!"
        )
        saver = Checkpoints(self, checkpoint_dir, checkpoint_interval)
        evaluator = Evaluator(self, eval_venv, eval_interval, n_eval_episodes, saver)
        first = saver.resume() if resume else 0
        left = (n_rounds - first) * timesteps_of_round(
            self.gen_algo, self.venv.num_envs, self.gen_train_timesteps
        )
        # New episodes, as somebody may have used the environments in between.
        self.gen_algo._last_obs = None
        with (
            training_threads(self.policy, self._reward_net),
            progress_over(self.gen_algo, left),
        ):
            for round_num in range(first, n_rounds):
                self._train_round()
                evaluator.after_round(round_num)
                if (round_num + 1) % self._log_every == 0 or round_num + 1 == n_rounds:
                    self.logger.dump(self._disc_updates)
                if callback is not None:
                    callback(round_num)
                saver.after_round()
        saver.finish()

    def save(self, path: AnyPath) -> None:
        """Saves everything needed to continue, as a directory, atomically.

        The environments begin new episodes, as they will when the state is loaded.

        Args:
            path: the directory to write.
        """
        state.save(self, path)

    def load_state(self, path: AnyPath) -> None:
        """Continues where `save` was called on a trainer made with the same arguments.

        Args:
            path: where it was saved.

        Raises:
            ArtifactError: nothing was saved there, or a trainer of another kind.
        """
        state.load(self, path)

    def state_dict(self) -> dict[str, Any]:
        """The discriminator's side of the state: networks, samples and counters."""
        return {
            "reward_net": self._reward_net.state_dict(),
            "disc_opt": self._disc_opt.state_dict(),
            "expert": None if self._expert is None else self._expert.state_dict(),
            "gen_samples": self._gen_samples.state_dict(),
            "rounds_trained": self.rounds_trained,
            "disc_updates": self._disc_updates,
            "best_return": self.best_return,
            "horizon": self._horizon,
        }

    def load_state_dict(self, values: Mapping[str, Any]) -> None:
        """Puts the discriminator's side back into a state from `state_dict`."""
        self._reward_net.load_state_dict(values["reward_net"])
        self._disc_opt.load_state_dict(values["disc_opt"])
        if self._expert is not None and values["expert"]:
            self._expert.load_state_dict(values["expert"])
        self._gen_samples.load_state_dict(values["gen_samples"])
        self.rounds_trained = int(values["rounds_trained"])
        self._disc_updates = int(values["disc_updates"])
        self.best_return = float(values["best_return"])
        self._horizon = values["horizon"]

    def _train_round(self) -> None:
        """Trains the generator, then the discriminator."""
        self.train_gen(self.gen_train_timesteps)
        with networks.training(self._reward_net):
            updates = [
                self._update_discriminator(None, None)
                for _ in range(self.n_disc_updates_per_round)
            ]
        self.rounds_trained += 1
        if not updates:
            return
        stats = describe(updates, bool(self.disc_options.gradient_penalty))
        self._record(stats, dump=self._log_every == 1)
        self._diagnostics.after_round(stats)

    def _update_discriminator(
        self,
        expert_samples: Mapping[str, Any] | None,
        gen_samples: Mapping[str, Any] | None,
    ) -> discriminator.Update:
        if expert_samples is None:
            if self._expert is None:
                raise RuntimeError(
                    "No demonstrations for training. Call `set_demonstrations()` first."
                )
            expert_samples = next(self._expert)
        if gen_samples is None:
            if self._gen_samples.size() == 0:
                raise RuntimeError(
                    "No generator samples for training. Call `train_gen()` first."
                )
            gen_samples = self._gen_samples.sample(self.demo_batch_size)
        batches.check_sizes(expert_samples, gen_samples, self.demo_batch_size)
        samples = batches.join(expert_samples, gen_samples)
        log_probs = self._log_probs(samples["obs"], samples["acts"])
        batch = batches.prepare(self._reward_net, samples, log_probs)
        self._disc_updates += 1
        if self._wants_graph and self._summary is not None:
            self._summary.write_graph(self._reward_net, batch)
            self._wants_graph = False
        return discriminator.update(
            self._reward_net,
            self.logits_expert_is_high,
            self._disc_opt,
            batch,
            self.demo_minibatch_size,
            self.disc_options,
        )

    def _log_probs(self, obs: Any, acts: th.Tensor) -> th.Tensor | None:
        """Computes log π(a|s), shape ``(B,)``, if the algorithm needs it."""
        del obs, acts
        return None

    def _record(self, stats: Mapping[str, float], dump: bool) -> None:
        """Logs statistics of the discriminator."""
        with self.logger.accumulate_means("disc"):
            for key, value in stats.items():
                self.logger.record(key, value)
            if dump:
                self.logger.dump(self._disc_updates)
        if self._summary is not None:
            self._summary.write(stats, self._disc_updates)
