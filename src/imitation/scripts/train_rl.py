"""Uses RL to train a policy from scratch, saving rollouts and policy.

This can be used to train a policy on a ground-truth reward, as a source of synthetic
expert demonstrations, or on a learned reward, to solve a task or to judge the reward.

Writes ``policies/{step,final}/model.zip``, ``rollouts/final.npz`` (a data set
directory) and ``checkpoints/latest``, from which an interrupted run is resumed.
"""

import logging
import pathlib
import warnings
from collections.abc import Mapping

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from imitation.data import rollout, serialize
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.train_rl import TrainRLSettings
from imitation.scripts.ingredients.environment import make_rollout_venv, make_venv
from imitation.scripts.ingredients.logging import setup_logging
from imitation.scripts.ingredients.policy_evaluation import eval_policy
from imitation.scripts.ingredients.reward import replace_reward
from imitation.scripts.ingredients.rl import StepProgress
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.training.checkpoints import FINAL, Checkpoints
from imitation.training.rl import RLTrainer
from imitation.util.progress import progress_bar

_logger = logging.getLogger("imitation.scripts.train_rl")  # also as __main__


def train_rl(settings: TrainRLSettings, run: RunHandle) -> Mapping[str, float]:
    """Trains a policy with reinforcement learning and saves it with rollouts.

    Returns:
        The statistics of `rollout_stats` for the final policy, of the environment's
        own reward.
    """
    custom_logger, log_dir = setup_logging(run, settings.logging)
    environment = settings.environment
    with (
        make_venv(environment, settings.rng("training"), log_dir=log_dir) as venv,
        progress_bar(settings.total_timesteps, "training", "step") as bar,
    ):
        callbacks: list[BaseCallback] = [StepProgress(bar)]
        train_venv = _train_venv(venv, settings, callbacks)
        rl_algo = settings.make_agent(train_venv)
        rl_algo.set_logger(custom_logger)
        trainer = RLTrainer(rl_algo, rng=settings.rng("episodes after states"))
        # Apart from the policies, whose folder has its documented layout.
        states = Checkpoints(
            trainer,
            log_dir / "checkpoints",
            export_every=-1,
            state_every=settings.state_interval or 0,
        )
        if settings.resume is not None:
            states.resume()
        # 0 exports at the end only, a negative number never.
        last = 0 if settings.policy_save_final else -1
        exports = Checkpoints(
            trainer,
            log_dir / "policies",
            export_every=max(last, settings.policy_save_interval),
            state_every=-1,
        )
        trainer.train(
            settings.total_timesteps, callbacks, exports=exports, states=states
        )
        states.finish()
        if settings.policy_save_final:
            exports.finish()
            _logger.info("Saved the policy to %s", log_dir / "policies" / FINAL)
    if settings.rollout_save_final:
        _save_rollouts(rl_algo, settings, log_dir / "rollouts" / "final.npz")
    # A generator of its own: saving rollouts or not does not change the result.
    with make_venv(environment, settings.rng("evaluation")) as venv:
        return eval_policy(
            rl_algo, venv, settings.policy_evaluation, settings.rng("evaluation order")
        )


def _train_venv(
    venv: VecEnv, settings: TrainRLSettings, callbacks: list[BaseCallback]
) -> VecEnv:
    """Replaces and normalizes the reward, if asked to.

    A callback that logs the replaced reward is added to `callbacks`.
    """
    reward_type = settings.reward_type
    if reward_type is not None:
        venv = rewarded = replace_reward(
            venv, reward_type, settings.reward_path, settings.load_reward_kwargs
        )
        # Below VecNormalize, so that the log shows the reward before it is scaled.
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
    # Rewards only: the policy is saved, and used, without VecNormalize's statistics.
    kwargs = {"norm_obs": False, "norm_reward": True, **settings.normalize_kwargs}
    return VecNormalize(venv, **kwargs)


def _save_rollouts(
    rl_algo: BaseAlgorithm, settings: TrainRLSettings, path: pathlib.Path
) -> None:
    """Rolls the policy out and saves the episodes with their original rewards."""
    sample_until = rollout.make_sample_until(
        settings.rollout_save_n_timesteps, settings.rollout_save_n_episodes
    )
    rng = settings.rng("rollouts")
    with make_rollout_venv(settings.environment, rng) as venv:
        # Neither replaced nor normalized rewards: demonstrations hold the true ones.
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
    )
)

main_console = train_rl_ex.main_console


if __name__ == "__main__":
    main_console()
