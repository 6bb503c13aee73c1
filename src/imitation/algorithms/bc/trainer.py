"""The trainer of behavioral cloning."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import torch as th
from stable_baselines3.common import utils as sb3_utils
from stable_baselines3.common import vec_env
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from typing_extensions import override

from imitation.algorithms import base
from imitation.algorithms.bc import setup
from imitation.algorithms.bc.logs import BCLogger, RolloutStatsComputer
from imitation.algorithms.bc.losses import BehaviorCloningLossCalculator
from imitation.algorithms.bc.run import (
    Call,
    Learner,
    Pending,
    Schedule,
    TrainingRun,
    TrainOptions,
)
from imitation.algorithms.bc.validation import (
    EarlyStopping,
    Validator,
    split_demonstrations,
)
from imitation.data import loader, types
from imitation.errors import ArtifactError, ConfigError, reason
from imitation.training import state_files
from imitation.training.checkpoints import Checkpoints
from imitation.training.trainer import State
from imitation.util import artifacts, networks, optimizers, policy_io, seeding, threads
from imitation.util import logger as imit_logger
from imitation.util.paths import AnyPath, parse_path
from imitation.util.spaces import Space


class BC(base.DemonstrationAlgorithm[types.TransitionsMinimal]):
    """Behavioral cloning: supervised learning on expert observation-action pairs.

    Args:
        observation_space: the observation space of the environment.
        action_space: the action space of the environment.
        rng: decides the initial weights of the default policy, the order of the data,
            the validation split and everything torch draws during training.
        policy: a Stable-Baselines3 policy; None builds a `FeedForward32Policy`, behind
            a convolutional network for images.
        demonstrations: what to learn from; see `set_demonstrations`.
        batch_size: samples in each optimizer step.
        minibatch_size: samples per forward pass; gradients are accumulated until
            `batch_size` samples have been seen. Must divide `batch_size`; None means
            `batch_size`.
        optimizer_cls: the optimizer; Adam and AdamW run fused.
        optimizer_kwargs: its arguments, except ``weight_decay``.
        ent_weight: weight of the entropy bonus.
        l2_weight: weight of half the sum of squared parameters.
        device: where the policy is trained.
        custom_logger: where to log to; None makes a new logger.
        lr_schedule: the learning rate as a function of the share of training that
            remains, from 1 to 0; None keeps the optimizer's.
        max_grad_norm: clip the gradient to this Euclidean norm; None does not clip.
        val_fraction: share of the demonstrations (whole trajectories, if they come as
            such) held out and measured after every epoch, in [0, 1).

    Raises:
        ValueError: ``weight_decay`` is in `optimizer_kwargs`, the batch size is not a
            multiple of the minibatch size, a value is out of range, or a discrete space
            does not start at 0.
    """

    kind = "bc"
    digits = 8

    def __init__(
        self,
        *,
        observation_space: Space,
        action_space: Space,
        rng: np.random.Generator | None = None,
        policy: ActorCriticPolicy | None = None,
        demonstrations: base.AnyTransitions | None = None,
        batch_size: int = 32,
        minibatch_size: int | None = None,
        optimizer_cls: type[th.optim.Optimizer] = th.optim.Adam,
        optimizer_kwargs: Mapping[str, object] | None = None,
        ent_weight: float = 1e-3,
        l2_weight: float = 0.0,
        device: str | th.device = "auto",
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        lr_schedule: Schedule | None = None,
        max_grad_norm: float | None = None,
        val_fraction: float = 0.0,
    ) -> None:
        self.batch_size = batch_size
        self.minibatch_size = batch_size if minibatch_size is None else minibatch_size
        setup.check_settings(
            self.batch_size, self.minibatch_size, val_fraction, max_grad_norm
        )
        setup.check_spaces(observation_space, action_space)
        self.observation_space = observation_space
        self.action_space = action_space
        self.rng = seeding.make_rng(rng)
        # Rollouts for the log draw from a generator of their own, so that logging
        # changes neither the order of the data nor a resumed run.
        self._rollout_rng = seeding.make_rng(seeding.make_seeds(self.rng))
        self._split_seed = seeding.make_seeds(self.rng)
        self.val_fraction = val_fraction
        self.max_grad_norm = max_grad_norm
        self.lr_schedule = lr_schedule
        if policy is None:
            policy = setup.default_policy(observation_space, action_space, self.rng)
        assert policy.observation_space == observation_space, (
            "observation spaces differ"
        )
        assert policy.action_space == action_space, "action spaces differ"
        # Before the optimizer is made, which holds on to the parameters it is given.
        self._policy = policy.to(sb3_utils.get_device(device))
        self.loss_calculator = BehaviorCloningLossCalculator(ent_weight, l2_weight)
        self._optimizer_kwargs = dict(optimizer_kwargs or {})
        self.optimizer = setup.make_optimizer(
            optimizer_cls, policy.parameters(), optimizer_kwargs
        )
        self._demo_loader: Iterable[types.TransitionMapping] | None = None
        self._validator: Validator | None = None
        self._call = Call(finished=True)
        self._pending: Pending | None = None
        super().__init__(demonstrations=demonstrations, custom_logger=custom_logger)
        self._bc_logger = BCLogger(self.logger)

    @property
    @override
    def policy(self) -> ActorCriticPolicy:
        return self._policy

    @property
    def device(self) -> th.device:
        """The device that the policy is trained on."""
        return self._policy.device

    @override
    def set_demonstrations(self, demonstrations: base.AnyTransitions) -> None:
        """Sets the data to learn from.

        Args:
            demonstrations: trajectories, transitions, or an iterable of batches
                (mappings with ``obs`` and ``acts``) of `minibatch_size` rows each.

        Raises:
            ValueError: the data do not fit the spaces, are not finite, are too few for
                one minibatch, or cannot be split for validation.
            TypeError: the demonstrations are of an unsupported kind.
        """
        self._validator = None
        if self.val_fraction > 0:
            # Always the same split of the same data, so that a resumed run holds out
            # the same.
            split_rng = seeding.make_rng(self._split_seed)
            demonstrations, held_out = split_demonstrations(
                demonstrations, self.val_fraction, split_rng
            )
            base.check_demonstrations(
                held_out, self.observation_space, self.action_space
            )
            self._validator = Validator(held_out, self.loss_calculator)
        data = base.transitions_of(demonstrations, pairs_only=True)
        if isinstance(data, types.TransitionsMinimal):
            base.check_demonstrations(data, self.observation_space, self.action_space)
            self._demo_loader = loader.BatchLoader(
                data, self.minibatch_size, rng=self.rng, keys=("obs", "acts")
            )
        else:
            spaces = (self.observation_space, self.action_space)
            self._demo_loader = base.CheckedBatches(data, self.minibatch_size, spaces)

    def train(
        self,
        *,
        n_epochs: int | None = None,
        n_batches: int | None = None,
        on_epoch_end: Callable[[], None] | None = None,
        on_batch_end: Callable[[], None] | None = None,
        log_interval: int = 500,
        log_rollouts_venv: vec_env.VecEnv | None = None,
        log_rollouts_n_episodes: int = 5,
        progress_bar: bool = True,
        reset_tensorboard: bool = False,
        early_stopping: EarlyStopping | None = None,
        checkpoint_dir: AnyPath | None = None,
        checkpoint_interval: int = 1000,
        resume: bool = False,
    ) -> None:
        """Trains for some epochs (passes over the data) or batches.

        Args:
            n_epochs: how many epochs; give exactly one of `n_epochs` and `n_batches`.
            n_batches: how many batches, possibly ending within an epoch.
            on_epoch_end: called after each full epoch.
            on_batch_end: called after each optimizer step.
            log_interval: log every so many batches, starting with the first.
            log_rollouts_venv: where to measure returns for the log; None does not.
            log_rollouts_n_episodes: episodes to average over; none unless positive.
            progress_bar: whether to show one.
            reset_tensorboard: start the plots at x = 0 again.
            early_stopping: when to stop early; needs `val_fraction` > 0.
            checkpoint_dir: where to keep ``latest`` (everything needed to continue),
                ``best`` (the policy that did best on held-out data) and ``final`` (the
                last policy).
            checkpoint_interval: batches between two states.
            resume: continue the call that the checkpoint was taken in (or, without a
                checkpoint, the one that the state given to `load` or `load_state` was
                saved in), given the same arguments; the result is bit-identical to an
                uninterrupted run. Does nothing if that call had ended, and starts anew
                when there is nothing to continue.

        Raises:
            ValueError: not exactly one of `n_epochs` and `n_batches` is given, or
                another argument does not fit.
            AssertionError: there are no demonstrations, or an epoch had no batches.
        """
        assert self._demo_loader is not None, "set demonstrations before training"
        if checkpoint_interval < 1:
            raise ConfigError(
                f"checkpoint_interval must be at least 1, got {checkpoint_interval}"
            )
        options = TrainOptions(
            n_epochs=n_epochs,
            n_batches=n_batches,
            on_epoch_end=on_epoch_end,
            on_batch_end=on_batch_end,
            log_interval=log_interval,
            progress_bar=progress_bar,
            early_stopping=early_stopping,
        )
        saver = Checkpoints(self, checkpoint_dir, state_every=checkpoint_interval)
        if reset_tensorboard:
            self._bc_logger.reset_tensorboard_steps()
        # DAgger replaces the logger between two calls.
        self._bc_logger.logger = self.logger
        torch_rng = self._start(options, saver, resume)
        if self._call.finished:
            return
        run = TrainingRun(
            trainer=self,
            learner=Learner(
                self._policy, self.optimizer, self.loss_calculator, self.max_grad_norm
            ),
            minibatches=self._demo_loader,
            accumulate=self.batch_size // self.minibatch_size,
            options=options,
            call=self._call,
            validator=self._validator,
            bc_logger=self._bc_logger,
            rollouts=RolloutStatsComputer(log_rollouts_venv, log_rollouts_n_episodes),
            rollout_rng=self._rollout_rng,
            lr_schedule=self.lr_schedule,
            saver=saver,
        )
        with self._training(torch_rng):
            run()

    @override
    def export(self, directory: pathlib.Path) -> None:
        policy_io.write_policy(self._policy, directory)

    @override
    def save_parts(self, directory: pathlib.Path) -> None:
        # The class and the arguments of the policy, from which `load` builds it.
        policy_io.save_policy(self._policy, directory / "policy")

    @override
    def state_dict(self) -> State:
        # A state that was loaded and not continued yet stands for the call it is of.
        batches = self._demo_loader
        call = self._pending or Pending(
            call=self._call,
            batches_done=self.progress,
            batches=(
                batches.state_dict()
                if isinstance(batches, loader.BatchLoader)
                else None
            ),
            validator=self._validator.state_dict() if self._validator else None,
            torch_rng=seeding.torch_rng_state(self.device),
        )
        return super().state_dict() | {
            "settings": self._settings(),
            "policy": self._policy.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rollout_rng": seeding.rng_state(self._rollout_rng),
            "torch_rng": call.torch_rng,
            "batches": call.batches,
            "logger": self._bc_logger.state_dict(),
            "validator": call.validator,
            "progress": call.batches_done,
            "call": dataclasses.asdict(call.call),
        }

    @override
    def restore(self, state: State) -> None:
        mine = self._settings()
        for name in ("batch_size", "minibatch_size", "val_fraction", "optimizer_cls"):
            if state["settings"][name] != mine[name]:
                raise ArtifactError(
                    f"the state was saved with {name}={state['settings'][name]}, this "
                    f"trainer has {mine[name]}; use the same, or BC.load"
                )
        pending = Pending(
            call=Call(**state["call"]),
            batches_done=int(state["progress"]),
            batches=state["batches"],
            validator=state["validator"],
            torch_rng=state["torch_rng"],
        )
        self._policy.load_state_dict(state["policy"])
        optimizers.load_state(self.optimizer, state["optimizer"])
        super().restore(state)
        seeding.restore_rng(self._rollout_rng, state["rollout_rng"])
        self._bc_logger.load_state_dict(state["logger"])
        self._pending = pending

    @classmethod
    def load(
        cls,
        path: AnyPath,
        *,
        demonstrations: base.AnyTransitions | None = None,
        device: str | th.device = "auto",
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        lr_schedule: Schedule | None = None,
    ) -> "BC":
        """Builds a trainer from what `save` wrote.

        Args:
            path: the saved directory.
            demonstrations: the data, which are not part of a checkpoint.
            device: where to train.
            custom_logger: where to log to; None makes a new logger.
            lr_schedule: the learning rate schedule, if the trainer had one.

        Returns:
            A trainer; ``train(..., resume=True)`` continues an unfinished call.

        Raises:
            ArtifactError: there is no checkpoint, or it is damaged.
        """
        directory = parse_path(path)
        state = state_files.load_state(directory, cls.kind)
        policy = policy_io.load_policy(directory / "policy", device)
        try:
            trainer = cls.from_state(
                state,
                policy,
                device=device,
                custom_logger=custom_logger,
                lr_schedule=lr_schedule,
            )
        except (ArtifactError, AttributeError, LookupError, TypeError) as error:
            raise ArtifactError(
                f"{directory} is damaged or from another version: {reason(error)}"
            ) from error
        if demonstrations is not None:
            trainer.set_demonstrations(demonstrations)
        return trainer

    @classmethod
    def from_state(
        cls,
        state: State,
        policy: BasePolicy,
        *,
        device: str | th.device = "auto",
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        lr_schedule: Schedule | None = None,
    ) -> "BC":
        """Builds a trainer from a `state_dict` and a policy of its shape; see `load`.

        Raises:
            ArtifactError: the state is damaged, or `lr_schedule` is missing.
        """
        assert isinstance(policy, ActorCriticPolicy)
        settings = dict(state["settings"])
        if settings.pop("has_lr_schedule") and lr_schedule is None:
            raise ArtifactError("the trainer had an lr_schedule: pass it to load")
        optimizer_cls = artifacts.resolve_class(settings.pop("optimizer_cls"))
        split_seed = settings.pop("split_seed")
        trainer = cls(
            observation_space=policy.observation_space,
            action_space=policy.action_space,
            rng=seeding.rng_from_state(state["rng"]),
            policy=policy,
            optimizer_cls=optimizer_cls,
            device=device,
            custom_logger=custom_logger,
            lr_schedule=lr_schedule,
            **settings,
        )
        trainer._split_seed = split_seed
        trainer.load_state_dict(state)
        return trainer

    def _start(
        self, options: TrainOptions, saver: Checkpoints, resume: bool
    ) -> Mapping[str, th.Tensor] | None:
        """Starts a call of `train`, or resumes one; returns its torch state then."""
        if resume:
            saver.resume()
        pending, self._pending = self._pending, None
        fresh = Call(n_epochs=options.n_epochs, n_batches=options.n_batches)
        if not resume or pending is None or pending.is_empty:
            self._call, self.progress = fresh, 0
            if self._validator is not None:
                self._validator.reset()
            return None
        if pending.call.length != fresh.length:
            raise ConfigError(
                f"the checkpoint is of a call with {pending.call.length}, this one "
                f"has {fresh.length}; pass the same, or resume=False to start again"
            )
        self._call, self.progress = pending.call, pending.batches_done
        if self._validator is not None and pending.validator is not None:
            self._validator.load_state_dict(pending.validator)
        if not self._call.finished:
            if pending.batches is None or not isinstance(
                self._demo_loader, loader.BatchLoader
            ):
                raise ConfigError(
                    "resuming needs demonstrations as trajectories or transitions; an "
                    "iterable of batches cannot be continued in the middle"
                )
            self._demo_loader.load_state_dict(pending.batches)
        return pending.torch_rng

    @contextlib.contextmanager
    def _training(self, torch_rng: Mapping[str, th.Tensor] | None) -> Iterator[None]:
        """Training mode, a fitting thread count, and torch's randomness from `rng`."""
        with (
            threads.training_threads(self._policy),
            networks.training(self._policy),
            seeding.forked_torch_rng(),
        ):
            if torch_rng is None:
                th.manual_seed(seeding.make_seeds(self.rng))
            else:
                seeding.restore_torch_rng(torch_rng, self.device)
            yield

    def _settings(self) -> State:
        """The constructor arguments that a checkpoint keeps."""
        return {
            "batch_size": self.batch_size,
            "minibatch_size": self.minibatch_size,
            "optimizer_cls": artifacts.class_path(type(self.optimizer)),
            "optimizer_kwargs": self._optimizer_kwargs,
            "ent_weight": self.loss_calculator.ent_weight,
            "l2_weight": self.loss_calculator.l2_weight,
            "max_grad_norm": self.max_grad_norm,
            "val_fraction": self.val_fraction,
            "split_seed": self._split_seed,
            "has_lr_schedule": self.lr_schedule is not None,
        }


def reconstruct_policy(
    policy_path: AnyPath,
    device: th.device | str = "auto",
    *,
    allow_pickle: bool = False,
) -> ActorCriticPolicy:
    """Loads a policy saved by `imitation.util.util.save_policy`.

    Args:
        policy_path: the saved directory, or a file of release 1.0.
        device: where to put the policy.
        allow_pickle: also read a file of release 1.0, which runs whatever code its
            author put there.

    Returns:
        The policy.

    Raises:
        ArtifactError: there is no policy, it is damaged, or needs `allow_pickle`.
    """
    policy = policy_io.load_policy(policy_path, device, allow_pickle=allow_pickle)
    assert isinstance(policy, ActorCriticPolicy), type(policy)
    return policy
