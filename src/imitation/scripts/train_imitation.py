"""Trains behavioral cloning, DAgger, SQIL or IQ-Learn on demonstrations of an expert.

``bc``, ``sqil`` and ``iq_learn`` write ``checkpoints/latest`` on the way and
``final.th``, the policy; ``iq_learn`` also ``reward.pt``; ``dagger`` keeps its
demonstrations and checkpoints in ``scratch/``.
"""

import contextlib
import dataclasses
import logging
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.dagger import SimpleDAggerTrainer
from imitation.algorithms.expert_replay.trainer import ExpertReplayTrainer
from imitation.algorithms.iq_learn import IQLearn
from imitation.algorithms.sqil import SQIL
from imitation.data import types
from imitation.rewards.serialize import save_reward_net
from imitation.scripts import settings as typed
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.train_imitation import TrainImitationSettings
from imitation.scripts.ingredients.bc import make_bc
from imitation.scripts.ingredients.demonstrations import (
    with_expert_stats,
)
from imitation.scripts.ingredients.environment import make_venv
from imitation.scripts.ingredients.expert import get_expert_policy
from imitation.scripts.ingredients.logging import setup_logging
from imitation.scripts.ingredients.policy_evaluation import eval_policy
from imitation.scripts.ingredients.rl import StepProgress
from imitation.scripts.ingredients.sqil import (
    ExpertReplaySettings,
    algorithm_arguments,
)
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.scripts.settings import Config
from imitation.util import util
from imitation.util.logger import HierarchicalLogger
from imitation.util.progress import progress_bar

Stats = Mapping[str, Mapping[str, float]]
T = TypeVar("T", bound=ExpertReplayTrainer)

_logger = logging.getLogger("imitation.scripts.train_imitation")  # also as __main__


def bc(settings: TrainImitationSettings, run: RunHandle) -> Stats:
    """Trains behavioral cloning on demonstrations.

    Returns:
        ``imit_stats``: statistics of the trained policy's rollouts; ``expert_stats``:
        those of the demonstrations, if they have rewards.
    """
    return _imitate(settings, run, _train_bc)


def dagger(settings: TrainImitationSettings, run: RunHandle) -> Stats:
    """Trains DAgger with an expert that labels what the learner sees.

    Returns:
        ``imit_stats``: statistics of the trained policy's rollouts; ``expert_stats``:
        those of the expert's own rollouts.
    """
    custom_logger, log_dir = setup_logging(run, settings.logging)
    scratch_dir = log_dir / "scratch"
    with make_venv(
        settings.environment, settings.rng("training"), log_dir=log_dir
    ) as venv:
        trainer = _make_dagger(venv, settings, custom_logger, scratch_dir)
        trainer.train(
            settings.dagger.total_timesteps,
            rollout_round_min_episodes=settings.dagger.rollout_round_min_episodes,
            rollout_round_min_timesteps=settings.dagger.rollout_round_min_timesteps,
            bc_train_kwargs={
                **settings.bc.train_kwargs,
                "early_stopping": settings.bc.early_stopping,
            },
            resume=settings.resume is not None,
        )
        trainer.save_trainer()
    _save(trainer.policy, log_dir)
    stats = _evaluate(trainer.policy, settings, None)
    with make_venv(settings.environment, settings.rng("training")) as venv:
        expert_policy = get_expert_policy(venv, settings.expert)
    # The expert itself: what DAgger collects is in part the learner's doing.
    expert_stats = _evaluate(expert_policy, settings, None)
    return {"imit_stats": stats, "expert_stats": expert_stats}


def sqil(settings: TrainImitationSettings, run: RunHandle) -> Stats:
    """Trains soft Q imitation learning on demonstrations.

    Returns:
        See `bc`.
    """

    def train(settings: TrainImitationSettings, given: _Given) -> BasePolicy:
        own = settings.sqil
        with _expert_replay(SQIL, own, own.sac_kwargs, settings, given) as trainer:
            _train_online(trainer, own, settings, given.log_dir)
        return trainer.policy

    return _imitate(settings, run, train)


def iq_learn(settings: TrainImitationSettings, run: RunHandle) -> Stats:
    """Trains IQ-Learn on demonstrations, with the environment or without.

    Returns:
        See `bc`.
    """
    return _imitate(settings, run, _train_iq_learn)


@dataclasses.dataclass(frozen=True)
class _Given:
    """The inputs of a training on demonstrations."""

    expert_trajs: Sequence[types.Trajectory]
    custom_logger: HierarchicalLogger
    log_dir: pathlib.Path


def _imitate(
    settings: TrainImitationSettings,
    run: RunHandle,
    train: Callable[[TrainImitationSettings, _Given], BasePolicy],
) -> Stats:
    """Trains a policy on demonstrations, saves it and evaluates it."""
    custom_logger, log_dir = setup_logging(run, settings.logging)
    given = _Given(settings.load_demonstrations(), custom_logger, log_dir)
    policy = train(settings, given)
    _save(policy, log_dir)
    stats = _evaluate(policy, settings, log_dir)
    return with_expert_stats(stats, given.expert_trajs)


def _train_bc(settings: TrainImitationSettings, given: _Given) -> BasePolicy:
    with make_venv(settings.environment, settings.rng("training")) as venv:
        trainer = make_bc(
            venv,
            given.expert_trajs,
            given.custom_logger,
            settings.rng("bc"),
            settings.bc,
            settings.policy,
        )
        # BC needs no environment but for measuring on the way.
        wants_returns = "log_rollouts_n_episodes" in settings.bc.train_kwargs
        trainer.train(
            **settings.bc.train_kwargs,
            log_rollouts_venv=venv if wants_returns else None,
            early_stopping=settings.bc.early_stopping,
            checkpoint_dir=given.log_dir / "checkpoints",
            checkpoint_interval=settings.bc.checkpoint_interval,
            resume=settings.resume is not None,
        )
    return trainer.policy


def _train_iq_learn(settings: TrainImitationSettings, given: _Given) -> BasePolicy:
    own = settings.iq_learn
    with _expert_replay(IQLearn, own, {}, settings, given) as trainer:
        if own.offline_updates > 0:
            trainer.train_offline(
                n_updates=own.offline_updates,
                checkpoint_dir=given.log_dir / "checkpoints",
                checkpoint_interval=own.checkpoint_interval,
                resume=settings.resume is not None,
                progress_bar=bool(own.train_kwargs.get("progress_bar", False)),
            )
        else:
            _train_online(trainer, own, settings, given.log_dir)
        save_reward_net(trainer.reward_net, given.log_dir / "reward.pt")
    return trainer.policy


@contextlib.contextmanager
def _expert_replay(
    trainer_cls: type[T],
    own: ExpertReplaySettings,
    sac_kwargs: Config,
    settings: TrainImitationSettings,
    given: _Given,
) -> Iterator[T]:
    """Yields a trainer of SQIL or IQ-Learn in its environments."""
    rng, seed = settings.rng("training"), settings.make_seed("agent")
    with make_venv(settings.environment, rng, log_dir=given.log_dir) as venv:
        arguments = algorithm_arguments(
            venv, settings.rl, settings.policy, own.learners, sac_kwargs, seed
        )
        with typed.building(f"{own.prefix[:-1]} with rl.rl_kwargs and policy_kwargs"):
            trainer = trainer_cls(
                venv=venv,
                demonstrations=given.expert_trajs,
                custom_logger=given.custom_logger,
                **arguments,
            )
        yield trainer


def _train_online(
    trainer: ExpertReplayTrainer,
    own: ExpertReplaySettings,
    settings: TrainImitationSettings,
    log_dir: pathlib.Path,
) -> None:
    """Trains in the environments, with our progress bar, saving states on the way."""
    kwargs = dict(own.train_kwargs)
    # Stable-Baselines3's own bar starts again from 0 in each call of `learn`.
    hidden = not kwargs.pop("progress_bar", False)
    with progress_bar(own.total_timesteps, "training", "step", disable=hidden) as bar:
        trainer.train(
            total_timesteps=own.total_timesteps,
            checkpoint_dir=log_dir / "checkpoints",
            checkpoint_interval=own.checkpoint_interval,
            resume=settings.resume is not None,
            callback=[StepProgress(bar)],
            **kwargs,
        )


def _save(policy: BasePolicy, log_dir: pathlib.Path) -> None:
    util.save_policy(policy, log_dir / "final.th")
    _logger.info("Saved the policy to %s", log_dir / "final.th")


def _evaluate(
    policy: BasePolicy,
    settings: TrainImitationSettings,
    log_dir: pathlib.Path | None,
) -> Mapping[str, float]:
    """The statistics of a policy in the same environments for every policy."""
    rng = settings.rng("evaluation")
    with make_venv(settings.environment, rng, log_dir=log_dir) as venv:
        return eval_policy(policy, venv, settings.policy_evaluation, rng)


def _make_dagger(
    venv: VecEnv,
    settings: TrainImitationSettings,
    custom_logger: HierarchicalLogger,
    scratch_dir: pathlib.Path,
) -> SimpleDAggerTrainer:
    """A new trainer, or the one that an interrupted run left in its directory."""
    expert_policy = get_expert_policy(venv, settings.expert)
    # A run that was killed in its first round has nothing to load.
    if settings.resume is not None and (scratch_dir / "checkpoint-latest.pt").exists():
        return SimpleDAggerTrainer.load(
            scratch_dir,
            venv=venv,
            expert_policy=expert_policy,
            custom_logger=custom_logger,
            lr_schedule=settings.bc.schedule,
        )
    offline = settings.dagger.use_offline_rollouts
    return SimpleDAggerTrainer(
        venv=venv,
        scratch_dir=scratch_dir,
        expert_policy=expert_policy,
        expert_trajs=settings.load_demonstrations() if offline else None,
        beta_schedule=settings.dagger.schedule(),
        bc_trainer=make_bc(
            venv,
            None,
            custom_logger,
            settings.rng("bc"),
            settings.bc,
            settings.policy,
        ),
        custom_logger=custom_logger,
        rng=settings.rng("dagger"),
    )


train_imitation_ex = SacredExperiment(
    Script(
        name="train_imitation",
        doc="Trains behavioral cloning (bc), DAgger (dagger), SQIL (sqil) or IQ-Learn "
        "(iq_learn) on an expert.",
        settings_cls=TrainImitationSettings,
        commands={"bc": bc, "dagger": dagger, "sqil": sqil, "iq_learn": iq_learn},
    )
)

main_console = train_imitation_ex.main_console


if __name__ == "__main__":
    main_console()
