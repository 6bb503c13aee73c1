"""Learns the reward of a tabular environment from demonstrations.

Writes ``checkpoints/final/`` with the reward ``reward_net.pt``, the policy ``policy``
and tables of rewards and visits, and ``checkpoints/latest``, from which an interrupted
run is resumed.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imitation.algorithms.mce_irl import MCEIRL
from imitation.data import rollout, types
from imitation.rewards.reward_nets import BasicRewardNet
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.train_mce_irl import TrainMCEIRLSettings
from imitation.scripts.ingredients.demonstrations import reward_stats
from imitation.scripts.ingredients.logging import setup_logging
from imitation.scripts.ingredients.mdp import (
    make_mdp,
    make_state_venv,
    mdp_demonstrations,
)
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.training.checkpoints import Checkpoints
from imitation.util import seeding
from imitation.util.logger import HierarchicalLogger
from imitation.util.progress import progress_bar

_logger = logging.getLogger("imitation.scripts.train_mce_irl")  # also as __main__


def train_mce_irl(
    settings: TrainMCEIRLSettings, run: RunHandle
) -> Mapping[str, Mapping[str, float]]:
    """Learns a reward by maximum causal entropy inverse reinforcement learning.

    Returns:
        ``imit_stats``: statistics of the learned policy's rollouts, with the
        environment's reward; ``expert_stats``: those of the demonstrations, if they
        have rewards; ``irl_stats``: ``iterations`` and ``linf_delta``, the largest
        difference between the visits of policy and demonstrator.
    """
    custom_logger, log_dir = setup_logging(run, settings.logging)
    demonstrations = mdp_demonstrations(
        settings.demonstrations,
        settings.environment,
        settings.mce_irl.discount,
        settings.rng("demonstrations"),
    )
    trainer = _make_trainer(settings, demonstrations, custom_logger)
    directory = log_dir / "checkpoints"
    resume = settings.resume is not None
    done = Checkpoints(trainer, directory).resume() if resume else 0
    with progress_bar(settings.max_iter, "mce_irl", "iteration", initial=done) as bar:
        trainer.train(
            # `train` counts further iterations, the setting all of them.
            settings.max_iter - done,
            lambda _: bar.update(1),
            checkpoint_dir=directory,
            checkpoint_interval=settings.checkpoint_interval,
        )
    _logger.info("Saved reward and policy to %s", directory / "final")
    return _results(trainer, settings, demonstrations)


def _make_trainer(
    settings: TrainMCEIRLSettings,
    demonstrations: Any,
    custom_logger: HierarchicalLogger,
) -> MCEIRL:
    env = make_mdp(settings.environment)
    matrix = getattr(env, "observation_matrix", None)
    observed: Any = env.observation_space if matrix is not None else env.state_space
    with seeding.torch_seeded(settings.rng("reward")):
        reward_net = BasicRewardNet(
            observed,
            env.action_space,
            use_action=False,
            hid_sizes=settings.reward.hid_sizes,
        )
    return MCEIRL(
        demonstrations,
        env,
        reward_net,
        settings.rng("policy"),
        custom_logger=custom_logger,
        **settings.mce_irl.arguments(),
    )


def _results(
    trainer: MCEIRL,
    settings: TrainMCEIRLSettings,
    demonstrations: Sequence[types.Trajectory] | np.ndarray[Any, Any],
) -> dict[str, Mapping[str, float]]:
    rng = settings.rng("evaluation")
    # Tabular policies act on states, not on observations.
    venv = make_state_venv(settings.environment, rng)
    n_episodes = settings.policy_evaluation.n_episodes_eval
    trajectories = rollout.generate_trajectories(
        trainer.policy, venv, rollout.make_min_episodes(n_episodes), rng
    )
    venv.close()
    results: dict[str, Mapping[str, float]] = {
        "imit_stats": rollout.rollout_stats(trajectories)
    }
    # An occupancy measure has no episodes, and so no returns.
    known = () if isinstance(demonstrations, np.ndarray) else demonstrations
    if expert_stats := reward_stats(known):
        results["expert_stats"] = expert_stats
    tables = trainer.tables()
    delta = np.abs(tables.occupancy - tables.demo_occupancy).max()
    return {
        **results,
        "irl_stats": {
            "iterations": trainer.progress,
            "linf_delta": float(delta),
        },
    }


train_mce_irl_ex = SacredExperiment(
    Script(
        name="train_mce_irl",
        doc="Learns the reward of a tabular environment from demonstrations.",
        settings_cls=TrainMCEIRLSettings,
        commands={"train_mce_irl": train_mce_irl},
    )
)

main_console = train_mce_irl_ex.main_console


if __name__ == "__main__":
    main_console()
