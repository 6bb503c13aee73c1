"""Trains a policy on how likely its steps are among demonstrations.

Writes ``checkpoints/{<steps, 12 digits>,final}/`` with the reward ``density`` and the
policy ``policy/model.zip``, and ``checkpoints/latest``, from which an interrupted run
is resumed.
"""

import logging
from collections.abc import Mapping, Sequence

from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.density import DensityAlgorithm
from imitation.data import types
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.train_density import TrainDensitySettings
from imitation.scripts.ingredients.demonstrations import (
    with_expert_stats,
)
from imitation.scripts.ingredients.environment import make_venv
from imitation.scripts.ingredients.logging import setup_logging
from imitation.scripts.ingredients.policy_evaluation import eval_policy
from imitation.scripts.ingredients.rl import StepProgress
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.util.logger import HierarchicalLogger
from imitation.util.progress import progress_bar

_logger = logging.getLogger("imitation.scripts.train_density")  # also as __main__


def train_density(
    settings: TrainDensitySettings, run: RunHandle
) -> Mapping[str, Mapping[str, float]]:
    """Fits a density to demonstrations and trains a policy on its logarithm.

    Returns:
        ``imit_stats``: statistics of the trained policy's rollouts, of which
        ``return_*`` are of the learned reward and ``monitor_return_*`` of the
        environment's; ``expert_stats``: those of the demonstrations, if they have
        rewards.
    """
    custom_logger, log_dir = setup_logging(run, settings.logging)
    expert_trajs = settings.load_demonstrations()
    with (
        make_venv(
            settings.environment, settings.rng("training"), log_dir=log_dir
        ) as venv,
        progress_bar(settings.total_timesteps, "train_density", "step") as bar,
    ):
        trainer = _make_trainer(settings, venv, expert_trajs, custom_logger)
        # Fits the density alone; the agent learns from it below.
        trainer.train()
        trainer.train_policy(
            settings.total_timesteps,
            callback=StepProgress(bar),
            checkpoint_dir=log_dir / "checkpoints",
            checkpoint_interval=settings.checkpoint_interval or 0,
            resume=settings.resume is not None,
        )
    _logger.info("Saved density and policy to %s", log_dir / "checkpoints" / "final")
    return with_expert_stats(_evaluate(trainer, settings), expert_trajs)


def _make_trainer(
    settings: TrainDensitySettings,
    venv: VecEnv,
    expert_trajs: Sequence[types.Trajectory],
    custom_logger: HierarchicalLogger,
) -> DensityAlgorithm:
    algo = settings.make_agent(venv)
    return DensityAlgorithm(
        demonstrations=expert_trajs,
        venv=venv,
        rng=settings.rng("density"),
        rl_algo=algo,
        custom_logger=custom_logger,
        allow_variable_horizon=settings.allow_variable_horizon,
        normalize_reward=settings.normalize_reward,
        **settings.density.arguments(),
    )


def _evaluate(
    trainer: DensityAlgorithm, settings: TrainDensitySettings
) -> Mapping[str, float]:
    """The statistics of the trained policy, with the learned reward as its reward."""
    assert trainer.rl_algo is not None
    rng = settings.rng("evaluation")
    with make_venv(settings.environment, rng) as venv:
        rewarded = trainer.with_reward(venv)
        return eval_policy(trainer.rl_algo, rewarded, settings.policy_evaluation, rng)


train_density_ex = SacredExperiment(
    Script(
        name="train_density",
        doc="Trains a policy on how likely its steps are among demonstrations.",
        settings_cls=TrainDensitySettings,
        commands={"train_density": train_density},
    )
)

main_console = train_density_ex.main_console


if __name__ == "__main__":
    main_console()
