"""Adversarial training of a policy against a discriminator; GAIL and AIRL build on it.

A round trains the generator, a Stable-Baselines3 algorithm, on the rewards of the
current discriminator, and then the discriminator to tell expert transitions from those
that the generator has just made.
"""

import abc
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch as th
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from typing_extensions import override

from imitation.algorithms import base
from imitation.algorithms.adversarial import diagnostics, discriminator, losses
from imitation.algorithms.adversarial.diagnostics import compute_train_stats
from imitation.algorithms.adversarial.options import (
    DiscriminatorOptions,
    add_spectral_norm,
    without_spectral_norm,
)
from imitation.data import types
from imitation.errors import ConfigError
from imitation.policies import replay_buffer_wrapper
from imitation.policies.evaluate import evaluate
from imitation.rewards.reward_nets.base import RewardNet, TensorObs
from imitation.rewards.serialize import save_reward_net
from imitation.training import sb3_learning, sb3_state
from imitation.training.checkpoints import Checkpoints
from imitation.training.learned_rewards import RewardedAlgorithm, check_environment
from imitation.training.recording import GeneratorSamples
from imitation.training.trainer import State
from imitation.util import logger as imit_logger
from imitation.util import networks, optimizers, rebuilding, seeding
from imitation.util.paths import AnyPath
from imitation.util.threads import training_threads

__all__ = ["AdversarialTrainer", "compute_train_stats"]

# Rounds shorter than this, as off-policy generators have, share a line of the log.
MIN_LOG_TIMESTEPS = 1024


class AdversarialTrainer(base.DemonstrationAlgorithm[types.Transitions]):
    """Base of the adversarial imitation algorithms GAIL and AIRL.

    Args:
        demonstrations: expert trajectories, transitions or an iterable of batches; None
            to set them later. Actions of shape ``(T, 0)`` stand for trajectories
            without actions: the reward network must then not look at them.
        demo_batch_size: expert samples, and generator samples, in a discriminator
            batch.
        venv: the environments to train in.
        gen_algo: trains the generator, on-policy (PPO, TRPO, A2C, …) or off-policy
            (SAC, TD3, DQN, …). It gets the environment and logger of this trainer.
            Learned rewards are computed once per rollout, or for each sampled batch
            from the replay buffer, which is replaced.
        reward_net: maps transitions to a reward.
        demo_minibatch_size: accumulate gradients over minibatches of this many samples
            of each kind, to bound memory; a factor of `demo_batch_size`, the default.
        n_disc_updates_per_round: discriminator updates in a round.
        log_dir: of TensorBoard's summaries.
        disc_opt_cls: optimizer class of the discriminator.
        disc_opt_kwargs: its keyword arguments.
        gen_train_timesteps: environment steps of a round; None for one rollout
            (on-policy) or one collection (off-policy).
        gen_replay_buffer_capacity: how many generator transitions the discriminator
            chooses from; None for those of one round. Of more, a random choice is kept.
        custom_logger: where to log to; None creates a new logger.
        init_tensorboard: write the discriminator's statistics to `log_dir`.
        init_tensorboard_graph: with `init_tensorboard`, the network's graph, too.
        debug_use_ground_truth: train the generator on the environment's own reward, to
            see whether it can learn at all.
        allow_variable_horizon: see `base.BaseImitationAlgorithm`.
        disc_options: regularization of the discriminator.
        gen_entropy_weight: an on-policy generator is also rewarded by this times
            −log π(a|s), which makes it maximize its entropy over whole episodes.
        rng: decides the samples of the discriminator; None is seeded from the seed of
            `gen_algo` if it has one.

    Raises:
        ValueError: a number is out of its range; spaces or the numbers of environments
            differ; demonstrations do not fit.
    """

    kind = "adversarial"

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
        disc_opt_kwargs: Mapping[str, object] | None = None,
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
        self.demo_minibatch_size = (
            demo_batch_size if demo_minibatch_size is None else demo_minibatch_size
        )
        self.n_disc_updates_per_round = n_disc_updates_per_round
        if gen_train_timesteps is None:
            gen_train_timesteps = sb3_learning.default_train_timesteps(gen_algo)
        self.gen_train_timesteps = gen_train_timesteps
        self._check_sizes()
        discriminator.check_network(reward_net)
        check_environment(gen_algo, venv, reward_net)
        self.venv = venv
        self.gen_algo = gen_algo
        self.disc_options = disc_options or DiscriminatorOptions()
        self.rng = seeding.make_rng(gen_algo.seed if rng is None else rng)
        if self.disc_options.spectral_norm:  # before the optimizer takes the parameters
            add_spectral_norm(reward_net)
        self._reward_net = reward_net.to(gen_algo.device)
        self._expert: discriminator.EndlessBatches | None = None
        super().__init__(
            demonstrations=demonstrations,
            custom_logger=custom_logger,
            allow_variable_horizon=allow_variable_horizon,
        )
        self._disc_opt = optimizers.make_optimizer(
            disc_opt_cls, self._reward_net.parameters(), disc_opt_kwargs
        )
        if debug_use_ground_truth:  # another trainer may have replaced its rewards
            replay_buffer_wrapper.unrelabel(gen_algo)
        reward = None if debug_use_ground_truth else self.reward_train
        self._generator = RewardedAlgorithm(gen_algo, venv, reward, gen_entropy_weight)
        self.venv_train = self.venv_wrapped = self._generator.venv
        gen_algo.set_logger(self.logger)
        normalizer = gen_algo.get_vec_normalize_env()
        if normalizer is not None and normalizer.norm_obs:
            self.logger.warn(diagnostics.NORMALIZED_OBSERVATIONS)
        if gen_replay_buffer_capacity is None:
            gen_replay_buffer_capacity = gen_train_timesteps
        self._gen_samples = GeneratorSamples(gen_replay_buffer_capacity, self.rng)
        self._disc_updates = 0
        self._log_every = max(1, MIN_LOG_TIMESTEPS // gen_train_timesteps)
        self._diagnostics = diagnostics.Diagnostics(
            log_dir if init_tensorboard else None, init_tensorboard_graph
        )

    def _check_sizes(self) -> None:
        """Raises a ConfigError if a number is out of its range."""
        for name, least in (
            ("demo_batch_size", 1),
            ("demo_minibatch_size", 1),
            ("gen_train_timesteps", 1),
            ("n_disc_updates_per_round", 0),
        ):
            value = getattr(self, name)
            if value < least:
                raise ConfigError(f"{name}={value} must be at least {least}.")
        size, part = self.demo_batch_size, self.demo_minibatch_size
        if size % part != 0:
            raise ConfigError(
                "Batch size must be a multiple of minibatch size. Got "
                f"demo_batch_size={size}, demo_minibatch_size={part}."
            )

    @property
    @override
    def policy(self) -> BasePolicy:
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
        state: TensorObs,
        action: th.Tensor,
        next_state: TensorObs,
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

    def disc_loss(self, logits: th.Tensor, labels: th.Tensor) -> th.Tensor:
        """Computes the loss that the discriminator minimizes, without penalties.

        A pure function, to be overridden by variants; here the binary cross-entropy
        with the label smoothing and the entropy bonus of `disc_options`.

        Args:
            logits: of `logits_expert_is_high`, shape ``(B,)``.
            labels: 1 for the expert, 0 for the generator, shape ``(B,)``.

        Returns:
            A mean over the rows, so that minibatches add up, shape ``()``.
        """
        options = self.disc_options
        loss = losses.discriminator_loss(logits, labels, options.label_smoothing)
        if options.entropy_coef:
            loss = loss - options.entropy_coef * losses.bernoulli_entropy(logits)
        return loss

    def _log_probs(self, obs: TensorObs, acts: th.Tensor) -> th.Tensor | None:
        """Computes log π(a|s), shape ``(B,)``, if the logits need it."""
        return None

    @override
    def set_demonstrations(self, demonstrations: base.AnyTransitions) -> None:
        spaces = self.venv.observation_space, self.venv.action_space
        expert, has_actions = discriminator.expert_batches(
            demonstrations, self.demo_batch_size, spaces, self.rng
        )
        if not has_actions:
            self._check_without_actions()
        self._expert = expert

    def _check_without_actions(self) -> None:
        """Raises a ConfigError if the expert's actions are needed."""
        if discriminator.depends_on_action(self._reward_net):
            raise ConfigError(
                "the demonstrations have no actions, but the reward network looks at "
                "them: build it with use_action=False, use_next_state=True"
            )

    @property
    @override
    def logger(self) -> imit_logger.HierarchicalLogger:
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
        """Trains the generator on the current reward, to get transitions to compare.

        Args:
            total_timesteps: environment steps; None for `gen_train_timesteps`.
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
                "create a new trainer, or give each its own algorithm"
            )
        with self.logger.accumulate_means("gen"):
            collected = self._generator.learn(total_timesteps, **(learn_kwargs or {}))
        for steps in collected:
            self._check_fixed_horizon(steps.ep_lens)
            self._gen_samples.store(steps.flat())

    def train_disc(
        self,
        *,
        expert_samples: discriminator.Samples | None = None,
        gen_samples: discriminator.Samples | None = None,
    ) -> Mapping[str, float]:
        """Updates the discriminator once.

        Args:
            expert_samples: `demo_batch_size` transitions, arrays or tensors as obs,
                acts, next_obs and dones; None takes the next of the demonstrations.
            gen_samples: the generator's; None draws from what it did last.

        Returns:
            Statistics; see `compute_train_stats`.

        Raises:
            RuntimeError: there are no generator samples, or no demonstrations.
            ValueError: the samples are not `demo_batch_size` of each kind.
        """
        with networks.training(self._reward_net), training_threads(self._reward_net):
            update = self._update_discriminator(expert_samples, gen_samples)
        return self._diagnostics.log([update], self.logger, self._disc_updates)

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
        state_interval: int = 0,
    ) -> None:
        """Trains generator and discriminator in turn.

        Args:
            total_timesteps: an upper bound on the environment steps, where the
                algorithm collects `gen_train_timesteps` in whole rollouts.
            callback: called with the number of each round when it has ended.
            checkpoint_dir: where to save, see `Checkpoints` and `export`; None saves
                nothing.
            checkpoint_interval: rounds between checkpoints; 0 saves only at the end,
                a negative number never.
            resume: continue from the newest checkpoint in `checkpoint_dir`, if any;
                `total_timesteps` then counts from the beginning.
            eval_venv: environments to measure the generator's true return in.
            eval_interval: rounds between measurements; 0 for none.
            n_eval_episodes: episodes of a measurement.
            state_interval: rounds between states; 0 saves one with each checkpoint.
                Saving a state abandons the episodes in flight.

        Raises:
            AssertionError: `total_timesteps` is less than a round takes.
        """
        n_rounds = total_timesteps // self.gen_train_timesteps
        assert n_rounds >= 1, (
            f"No updates (need at least {self.gen_train_timesteps} timesteps, have "
            f"only total_timesteps={total_timesteps})!"
        )
        if eval_venv is not None and eval_venv in (self.venv, self.venv_train):
            raise ConfigError(
                "eval_venv must not be the environments that are trained in, whose "
                "episodes an evaluation would cut off; create others"
            )
        saver = Checkpoints(
            self,
            checkpoint_dir,
            export_every=checkpoint_interval,
            state_every=state_interval or min(checkpoint_interval, 0),
        )
        first = saver.resume() if resume else 0
        left = (n_rounds - first) * sb3_learning.timesteps_of_round(
            self.gen_algo, self.gen_train_timesteps
        )
        # Makes `learn` reset the environments, which may have been used in between.
        self.gen_algo._last_obs = None
        with (
            training_threads(self.policy, self._reward_net),
            sb3_learning.progress_over(self.gen_algo, left),
        ):
            for done in range(first + 1, n_rounds + 1):
                self._train_round()
                is_due = eval_interval > 0 and done % eval_interval == 0
                if eval_venv is not None and is_due:
                    saver.keep_best(self._evaluate(eval_venv, n_eval_episodes))
                if done % self._log_every == 0 or done == n_rounds:
                    self.logger.dump(self._disc_updates)
                if callback is not None:
                    callback(done - 1)
                # Last, because saving a state starts new episodes.
                saver.after(self.progress)
        saver.finish()

    def _train_round(self) -> None:
        """Trains the generator, then the discriminator."""
        self.train_gen(self.gen_train_timesteps)
        # Only now: the generator was rewarded by the network as the caller left it.
        with networks.training(self._reward_net):
            n_updates = self.n_disc_updates_per_round
            updates = [self._update_discriminator() for _ in range(n_updates)]
        self.progress += 1
        if updates:
            stats = self._diagnostics.log(
                updates, self.logger, self._disc_updates, dump=self._log_every == 1
            )
            for warning in self._diagnostics.after_round(stats):
                self.logger.warn(warning)

    def _update_discriminator(
        self,
        expert: discriminator.Samples | None = None,
        generated: discriminator.Samples | None = None,
    ) -> discriminator.Update:
        """Takes one step on samples of the caller's, or on the next ones."""
        is_given = expert is not None or generated is not None
        if expert is None:
            if self._expert is None:
                raise RuntimeError(
                    "No demonstrations for training. Call `set_demonstrations()` first."
                )
            expert = next(self._expert)
        if generated is None:
            generated = self._gen_samples.sample(self.demo_batch_size)
        if is_given:  # our own batches were checked when they came in
            discriminator.check_samples(expert, generated, self.demo_batch_size)
        net = self._reward_net
        batch = discriminator.make_batch(net, expert, generated, self._log_probs)
        self._disc_updates += 1
        if self._diagnostics.needs_graph:
            self._diagnostics.write_graph(net, batch)
        objective = discriminator.Objective(
            net, self.logits_expert_is_high, self.disc_loss, self.disc_options
        )
        return objective.update(self._disc_opt, batch, self.demo_minibatch_size)

    def _evaluate(self, venv: VecEnv, n_episodes: int) -> float:
        """Logs the generator's true return, and returns its mean."""
        result = evaluate(self.gen_algo, venv, n_episodes)
        self.logger.record("eval/return_mean", result.mean)
        self.logger.record("eval/return_std", float(result.episodes.returns.std()))
        self.logger.record("eval/timesteps", self.gen_algo.num_timesteps)
        return result.mean

    @override
    def kinds(self) -> dict[str, str]:
        return super().kinds() | {
            "generator": type(self.gen_algo).__name__,
            "discriminator's optimizer": type(self._disc_opt).__name__,
        }

    @override
    def state_dict(self) -> State:
        return super().state_dict() | {
            "reward_net": self._reward_net.state_dict(),
            "disc_opt": self._disc_opt.state_dict(),
            "disc_updates": self._disc_updates,
            "expert": None if self._expert is None else self._expert.state_dict(),
            "gen_samples": self._gen_samples.state_dict(),
            "generator": sb3_state.algorithm_state(self.gen_algo),
            "randomness": sb3_state.random_state(self.gen_algo),
        }

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        self._reward_net.load_state_dict(state["reward_net"])
        optimizers.load_state(self._disc_opt, state["disc_opt"])
        self._disc_updates = int(state["disc_updates"])
        if self._expert is not None and state["expert"] is not None:
            self._expert.load_state_dict(state["expert"])
        self._gen_samples.load_state_dict(state["gen_samples"])
        # The global generators come last: what is above may draw from them.
        sb3_state.load_algorithm_state(self.gen_algo, state["generator"])
        sb3_state.restore_random_state(self.gen_algo, state["randomness"])

    @override
    def restart_episodes(self, seed: int) -> None:
        sb3_state.restart_episodes(self.gen_algo, self.venv, seed)

    @override
    def check_export(self) -> None:
        rebuilding.describe(without_spectral_norm(self.reward_train))

    @override
    def export(self, directory: pathlib.Path) -> None:
        """Writes ``reward_train.pt``, ``reward_test.pt``, ``gen_policy/model.zip``."""
        for name in ("reward_train", "reward_test"):
            net = without_spectral_norm(getattr(self, name))
            save_reward_net(net, directory / f"{name}.pt")
        (directory / "gen_policy").mkdir()
        self.gen_algo.save(directory / "gen_policy" / "model.zip")
