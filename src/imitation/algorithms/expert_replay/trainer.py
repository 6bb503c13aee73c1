"""The trainer that SQIL and IQ-Learn have in common."""

import abc
import contextlib
import numbers
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium as gym
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.algorithms import base
from imitation.algorithms.expert_replay.buffers import (
    SQILDictReplayBuffer,
    SQILReplayBuffer,
)
from imitation.data import types
from imitation.errors import ConfigError, ImitationError, reason
from imitation.training import sb3_state
from imitation.training.checkpoints import Checkpoints
from imitation.training.sb3_learning import (
    SaveBetweenRollouts,
    as_callbacks,
    optimizers_of,
)
from imitation.training.trainer import State
from imitation.util import logger as imit_logger
from imitation.util import optimizers, seeding
from imitation.util.paths import AnyPath
from imitation.util.threads import training_threads

SUITABLE = "SoftQ or DQN for discrete actions, SAC, TD3 or DDPG for continuous ones"

# Errors of constructors of algorithms about their arguments.
UNFIT = (AssertionError, AttributeError, KeyError, RuntimeError, TypeError, ValueError)

# The least values of arguments that constructors do not check.
LEAST = {
    "batch_size": 1,
    "buffer_size": 1,
    "gradient_steps": -1,
    "learning_starts": 0,
    "target_update_interval": 1,
}


class ExpertReplayTrainer(base.DemonstrationAlgorithm[types.Transitions]):
    """Trains an off-policy algorithm on replay that is half the expert's.

    Args:
        venv: the environments to train in.
        demonstrations: trajectories, transitions, or batches with next observations;
            None to pass them to `set_demonstrations` before training.
        policy: a policy class of the algorithm or its name, such as "MlpPolicy".
        rl_algo_class: the algorithm.
        custom_logger: where to log to; None makes a new logger.
        rl_kwargs: further arguments of the algorithm.

    Raises:
        ValueError: `rl_kwargs` holds an argument that the trainer fills in, or a number
            out of its range.
        ConfigError: the algorithm does not take its arguments or the environment.
    """

    kind = "expert replay"
    digits = 12

    venv: VecEnv
    rl_algo: OffPolicyAlgorithm

    def __init__(
        self,
        *,
        venv: VecEnv,
        demonstrations: base.AnyTransitions | None,
        policy: str | type[BasePolicy],
        rl_algo_class: type[OffPolicyAlgorithm],
        custom_logger: imit_logger.HierarchicalLogger | None = None,
        rl_kwargs: Mapping[str, object] | None = None,
    ) -> None:
        kwargs = dict(rl_kwargs or {})
        _check_rl_kwargs(self.name, kwargs)
        self.venv = venv
        self.rl_algo = _make_algorithm(rl_algo_class, policy, venv, kwargs)
        # The seed of `rl_kwargs` decides this, too: episodes after a save.
        self.rng = seeding.make_rng(self.rl_algo.seed)
        self.method = "train"
        """The method whose steps are the `progress`: what only it can continue."""
        super().__init__(demonstrations=demonstrations, custom_logger=custom_logger)
        # With a `tensorboard_log`, SB3 creates a logger of its own in `learn`.
        if custom_logger is not None or self.rl_algo.tensorboard_log is None:
            self.rl_algo.set_logger(self._logger)

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Name of the algorithm in messages and logs."""

    @property
    @override
    def logger(self) -> imit_logger.HierarchicalLogger:
        return self._logger

    @logger.setter
    def logger(self, value: imit_logger.HierarchicalLogger) -> None:
        self._logger = value
        self.rl_algo.set_logger(value)

    @property
    @override
    def policy(self) -> BasePolicy:
        return self.rl_algo.policy

    @property
    def replay_buffer(self) -> SQILReplayBuffer:
        """The learner's transitions and the expert's."""
        buffer = self.rl_algo.replay_buffer
        assert isinstance(buffer, SQILReplayBuffer)
        return buffer

    @property
    def has_demonstrations(self) -> bool:
        """True if there is an expert to imitate."""
        return hasattr(self.replay_buffer, "expert_buffer")

    def set_demonstrations(self, demonstrations: base.AnyTransitions) -> None:
        """Replaces the demonstrations.

        Args:
            demonstrations: see `stored_transitions`, which is told the time limit of
                `venv`.

        Raises:
            NotImplementedError: they hold no next observations.
            DataError: they do not fit the spaces.
        """
        try:
            specs = self.venv.get_attr("spec")
        except (AttributeError, NotImplementedError):  # not made of gymnasium's
            specs = []
        limits = {getattr(spec, "max_episode_steps", None) for spec in specs}
        self.replay_buffer.set_demonstrations(
            demonstrations, time_limit=limits.pop() if len(limits) == 1 else None
        )

    def train(
        self,
        *,
        total_timesteps: int,
        tb_log_name: str | None = None,
        checkpoint_dir: AnyPath | None = None,
        checkpoint_interval: int = 0,
        resume: bool = False,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        **kwargs: Any,
    ) -> None:
        """Trains in the environments; half of each batch is the learner's own.

        Args:
            total_timesteps: environment steps; with `resume` those of the interrupted
                call count.
            tb_log_name: name of the run where `rl_kwargs` gives a ``tensorboard_log``
                and there is no `custom_logger`; None is the `name` of the algorithm.
            checkpoint_dir: the state to resume from goes to its ``latest``; None
                saves none.
            checkpoint_interval: environment steps between states; 0 saves only the
                last.
            resume: continue from the state in `checkpoint_dir`, if there is one.
            callback: of the algorithm's ``learn``.
            reset_num_timesteps: restart the count of steps and the schedules.
            **kwargs: further arguments of the algorithm's ``learn``, such as
                ``log_interval`` and ``progress_bar``.

        Raises:
            ConfigError: there are no demonstrations, or nowhere to resume from.
            ArtifactError: the state is of another trainer.
        """
        saver = self.begin("train", checkpoint_dir, checkpoint_interval, resume)
        # Not `algo.num_timesteps`, which may count steps of earlier calls.
        left = total_timesteps - self.progress
        if left > 0:
            with self.fast_updates():
                self.rl_algo.learn(
                    total_timesteps=left,
                    callback=[
                        *as_callbacks(callback),
                        SaveBetweenRollouts(self, saver),
                    ],
                    tb_log_name=tb_log_name or self.name,
                    reset_num_timesteps=reset_num_timesteps and not self.progress,
                    **kwargs,
                )
        saver.finish()

    @override
    def kinds(self) -> dict[str, str]:
        return {"trainer": self.name, "algorithm": type(self.rl_algo).__name__}

    @override
    def state_dict(self) -> State:
        return super().state_dict() | {
            "method": self.method,
            "algorithm": sb3_state.algorithm_state(self.rl_algo),
            "randomness": sb3_state.random_state(self.rl_algo),
        }

    @override
    def restore(self, state: State) -> None:
        super().restore(state)
        self.method = str(state["method"])
        sb3_state.load_algorithm_state(self.rl_algo, state["algorithm"])
        sb3_state.restore_random_state(self.rl_algo, state["randomness"])

    @override
    def export(self, directory: pathlib.Path) -> None:
        (directory / "policy").mkdir()
        self.rl_algo.save(directory / "policy" / "model.zip")

    @override
    def restart_episodes(self, seed: int) -> None:
        self.replay_buffer.cut_episodes()
        sb3_state.restart_episodes(self.rl_algo, self.venv, seed)

    @contextlib.contextmanager
    def fast_updates(self) -> Iterator[None]:
        """Uses fused optimizers and a fitting number of threads within a block."""
        fused = optimizers.fused(optimizers_of(self.rl_algo))
        with training_threads(self.policy), fused:
            yield

    def begin(
        self,
        method: str,
        checkpoint_dir: AnyPath | None,
        state_every: int,
        resume: bool,
    ) -> Checkpoints:
        """Begins a call of a training method, or continues an interrupted one.

        Afterwards `progress` is what was done of it. A state that another method left
        is where this one begins.

        Args:
            method: its name.
            checkpoint_dir: where states are, or None.
            state_every: progress between states; 0 saves only the last.
            resume: load the newest state, if there is one.

        Returns:
            What saves the states of the call.

        Raises:
            ConfigError: there are no demonstrations, or nowhere to resume from.
            ArtifactError: the state is of another trainer.
        """
        if not self.has_demonstrations:
            raise ConfigError(
                f"{self.name} has no demonstrations: pass them to the constructor or "
                "call set_demonstrations() before train()"
            )
        if resume and checkpoint_dir is None:
            raise ConfigError("resume=True needs checkpoint_dir, where the state is")
        resumed = resume and Checkpoints(self, checkpoint_dir, export_every=-1).resume()
        if not resumed or self.method != method:
            self.progress = 0
        self.method = method
        return Checkpoints(
            self, checkpoint_dir, export_every=-1, state_every=state_every
        )


def _check_rl_kwargs(name: str, kwargs: Mapping[str, object]) -> None:
    for key in ("replay_buffer_class", "replay_buffer_kwargs"):
        if key in kwargs:
            raise ConfigError(
                f"{name} uses a custom replay buffer: '{key}' not allowed."
            )
    if kwargs.get("n_steps", 1) != 1:
        raise ConfigError(
            f"{name} learns from single transitions: n_steps must be 1, got "
            f"{kwargs['n_steps']}"
        )
    for key, least in LEAST.items():
        value = kwargs.get(key, least)
        if not (isinstance(value, numbers.Integral) and int(value) >= least):
            raise ConfigError(f"{key} must be an integer ≥ {least}, got {value!r}")
    for key in ("gamma", "tau"):
        value = kwargs.get(key, 1.0)
        if not (isinstance(value, numbers.Real) and 0 <= float(value) <= 1):
            raise ConfigError(f"{key} must be a number in [0, 1], got {value!r}")
    if kwargs.get("train_freq") == 0:
        raise ConfigError("train_freq must be positive, got 0")


def _make_algorithm(
    rl_algo_class: type[OffPolicyAlgorithm],
    policy: str | type[BasePolicy],
    venv: VecEnv,
    kwargs: Mapping[str, Any],
) -> OffPolicyAlgorithm:
    is_dict = isinstance(venv.observation_space, gym.spaces.Dict)
    make: Any = rl_algo_class
    name = getattr(rl_algo_class, "__name__", str(rl_algo_class))
    if isinstance(make, type) and not issubclass(make, OffPolicyAlgorithm):
        raise ConfigError(
            f"rl_algo_class={name} is not an off-policy algorithm of "
            f"Stable-Baselines3; pass {SUITABLE}"
        )
    try:
        made = make(
            policy=policy,
            env=venv,
            replay_buffer_class=SQILDictReplayBuffer if is_dict else SQILReplayBuffer,
            # They follow in `set_demonstrations`, with the time limit of `venv`.
            replay_buffer_kwargs={"demonstrations": None},
            **kwargs,
        )
    except ImitationError:
        raise
    except UNFIT as error:
        if "action spaces" in str(error):
            raise ConfigError(
                f"rl_algo_class={name} cannot act in {venv.action_space}; pass "
                f"{SUITABLE}"
            ) from error
        raise ConfigError(
            f"rl_algo_class={name} does not take its policy or rl_kwargs: "
            f"{reason(error)}"
        ) from error
    assert isinstance(made, OffPolicyAlgorithm)
    return made
