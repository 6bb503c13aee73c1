"""Uses RL to train a policy from scratch, saving rollouts and policy.

This can be used to train a policy on a ground-truth reward, as a source of synthetic
expert demonstrations, or on a learned reward, to solve a task or to judge the reward.

Writes ``policies/{step,final}/model.zip`` and ``rollouts/final.npz`` (a data set
directory) under the run directory.
"""

import logging
import pathlib
import warnings
from collections.abc import Mapping

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from imitation.data import rollout, serialize
from imitation.scripts.checkpoints import PolicyCheckpoints, ProgressBar
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.train_rl import TrainRLSettings
from imitation.scripts.ingredients.environment import make_rollout_venv, make_venv
from imitation.scripts.ingredients.learned_reward import replace_reward
from imitation.scripts.ingredients.logging import setup_logging
from imitation.scripts.ingredients.policy_evaluation import eval_policy
from imitation.scripts.ingredients.rl import load_rl_algo_from_path, make_rl_algo
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.util.threads import training_threads

_logger = logging.getLogger("imitation.scripts.train_rl")  # also as __main__

__all__ = ["main_console", "train_rl", "train_rl_ex"]


def train_rl(settings: TrainRLSettings, run: RunHandle) -> Mapping[str, float]:
    """Trains a policy with reinforcement learning and saves it with rollouts.

    Args:
        settings: resolved settings.
        run: the run that this is part of.

    Returns:
        The statistics of `rollout_stats` for the final policy, of the environment's
        own reward.
    """
    custom_logger, log_dir = setup_logging(run, settings.logging)
    environment = settings.environment
    with make_venv(environment, settings.rng("training"), log_dir=log_dir) as venv:
        callbacks: list[BaseCallback] = [ProgressBar(settings.total_timesteps)]
        train_venv = _train_venv(venv, settings, callbacks)
        checkpoints = PolicyCheckpoints(
            log_dir / "policies",
            settings.policy_save_interval,
            train_venv if isinstance(train_venv, VecNormalize) else None,
        )
        newest = checkpoints.newest() if settings.resume is not None else None
        rl_algo = _make_or_resume(train_venv, settings, checkpoints, newest)
        rl_algo.set_logger(custom_logger)
        if newest is None:
            rl_algo.num_timesteps = 0  # A loaded agent remembers its own training.
        remaining = settings.total_timesteps - rl_algo.num_timesteps
        if remaining > 0:
            with training_threads(rl_algo.policy):
                rl_algo.learn(
                    remaining,
                    callback=[checkpoints, *callbacks],
                    reset_num_timesteps=newest is None,
                )
        if settings.policy_save_final:
            checkpoints.save(rl_algo, "final")
            _logger.info("Saved the policy to %s", checkpoints.directory / "final")
    if settings.rollout_save_final:
        _save_rollouts(rl_algo, settings, log_dir / "rollouts" / "final.npz")
    with make_venv(environment, settings.rng("evaluation")) as venv:
        return eval_policy(
            rl_algo, venv, settings.policy_evaluation, settings.rng("evaluation order")
        )


def _train_venv(
    venv: VecEnv, settings: TrainRLSettings, callbacks: list[BaseCallback]
) -> VecEnv:
    """Replaces and normalises the reward, if asked to.

    A callback that logs the replaced reward is added to `callbacks`.
    """
    reward_type = settings.reward_type
    if reward_type is not None:
        venv = rewarded = replace_reward(
            venv, reward_type, settings.reward_path, settings.load_reward_kwargs
        )
        callbacks.append(rewarded.make_log_callback())
    if not settings.normalize_reward:
        return venv
    if reward_type == "RewardNet_normalized":
        warnings.warn(
            "Applying normalization to already normalized reward function. Set "
            "normalize_reward=False to train on the reward as it was saved",
            RuntimeWarning,
            stacklevel=2,
        )
    kwargs = {"norm_obs": False, "norm_reward": True, **settings.normalize_kwargs}
    return VecNormalize(venv, **kwargs)


def _make_or_resume(
    venv: VecEnv,
    settings: TrainRLSettings,
    checkpoints: PolicyCheckpoints,
    newest: pathlib.Path | None,
) -> BaseAlgorithm:
    """A new agent, a saved one, or the last checkpoint of the run to resume."""
    seed = settings.make_seed("agent")
    if newest is not None:
        checkpoints.restore_normalization(newest)
        # Another seed: the agent must not repeat the choices of its first steps.
        seed = settings.make_seed(f"agent from {newest.name}")
        return load_rl_algo_from_path(str(newest), venv, settings.rl, seed)
    if settings.agent_path is not None:
        return load_rl_algo_from_path(settings.agent_path, venv, settings.rl, seed)
    return make_rl_algo(venv, settings.rl, settings.policy, seed)


def _save_rollouts(
    rl_algo: BaseAlgorithm, settings: TrainRLSettings, path: pathlib.Path
) -> None:
    """Rolls the policy out and saves the episodes with their original rewards."""
    sample_until = rollout.make_sample_until(
        settings.rollout_save_n_timesteps, settings.rollout_save_n_episodes
    )
    rng = settings.rng("rollouts")
    with make_rollout_venv(settings.environment, rng) as venv:
        rl_algo.set_env(venv)
        rollout_venv = rl_algo.get_env()
        assert rollout_venv is not None
        trajectories = rollout.rollout(rl_algo, rollout_venv, sample_until, rng)
    serialize.save(path, trajectories)


train_rl_ex = SacredExperiment(
    Script(
        name="train_rl",
        doc="Trains a policy with RL, saving the policy and rollouts.",
        settings_cls=TrainRLSettings,
        commands={"train_rl": train_rl},
        default_command="train_rl",
    )
)

main_console = train_rl_ex.main_console


if __name__ == "__main__":
    main_console()
