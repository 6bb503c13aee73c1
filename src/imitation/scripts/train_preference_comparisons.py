"""Learns a reward from comparisons of fragments, and a policy from the reward.

Writes ``checkpoints/{<iteration>,final}/`` with the reward ``reward_net.pt`` and the
policy ``policy/model.zip``, and ``checkpoints/latest``, from which an interrupted run
is resumed; ``held_out``, episodes for ``imitation report`` to judge the reward by; and
``preferences.pkl``, a directory, if asked to. With ``gatherer=human`` people are asked:
``label_queue`` holds what ``imitation label`` shows them.
"""

import contextlib
import functools
import logging
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from tqdm import tqdm

from imitation.algorithms.preference_comparisons import (
    AgentTrainer,
    PreferenceComparisons,
    TrajectoryGenerator,
)
from imitation.errors import ConfigError
from imitation.rewards.reward_nets import RewardNet
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.rewards.serialize import save_reward_net
from imitation.scripts import preference_parts
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.train_preference_comparisons import (
    TrainPreferenceComparisonsSettings,
)
from imitation.scripts.ingredients import preference_people
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv
from imitation.scripts.ingredients.logging import setup_logging
from imitation.scripts.ingredients.policy_evaluation import eval_policy
from imitation.scripts.ingredients.reward import make_reward_net
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.util import artifacts
from imitation.util.logger import HierarchicalLogger
from imitation.util.paths import AnyPath
from imitation.util.progress import progress_bar
from imitation.util.vec_envs import PostWrapper

Settings = TrainPreferenceComparisonsSettings

# Also as __main__.
_logger = logging.getLogger("imitation.scripts.train_preference_comparisons")


def train_preference_comparisons(
    settings: TrainPreferenceComparisonsSettings, run: RunHandle
) -> dict[str, Any]:
    """Trains a reward model using preference comparisons.

    Returns:
        ``reward_loss`` and ``reward_accuracy`` of the last training of the reward; and,
        if an agent was trained, ``imit_stats``: statistics of its rollouts, of which
        ``return_*`` are of the learned reward and ``monitor_return_*`` of the
        environment's.
    """
    custom_logger, log_dir = setup_logging(run, settings.logging)
    environment, wrappers, queue_dir = _ask_people(settings, log_dir)
    rng = settings.rng("training")
    with (
        make_venv(environment, rng, log_dir=log_dir, post_wrappers=wrappers) as venv,
        _progress(settings) as bar,
    ):
        reward_net = make_reward_net(venv, settings.reward, settings.rng("reward"))
        generator: TrajectoryGenerator
        if settings.trains_agent:
            generator = preference_parts.make_agent(
                settings, venv, reward_net, bar, custom_logger, renders=bool(wrappers)
            )
        else:
            generator = preference_parts.load_trajectories(
                settings, venv, custom_logger
            )
        trainer = _make_trainer(
            settings, generator, reward_net, custom_logger, queue_dir
        )
        if settings.preferences_path is not None:
            trainer.dataset = preference_parts.load_preferences(settings, venv)
        with _keep_aside(settings, generator, log_dir) as after_round:
            results = _train(
                trainer, settings, log_dir / "checkpoints", bar, after_round
            )
    if settings.save_preferences:
        trainer.dataset.save(log_dir / "preferences.pkl")
    if isinstance(generator, AgentTrainer):
        results["imit_stats"] = _evaluate(generator.algorithm, reward_net, settings)
    return results


def save_checkpoint(
    trainer: PreferenceComparisons, save_path: AnyPath, allow_save_policy: bool | None
) -> None:
    """Saves the reward as ``reward_net.pt``, and the policy as ``policy/model.zip``.

    Args:
        trainer: what has learned them.
        save_path: the directory to write.
        allow_save_policy: whether to save the policy; nothing but a warning if there is
            none.
    """
    agent = trainer.trajectory_generator
    with artifacts.replacing_directory(save_path) as directory:
        save_reward_net(trainer.model, directory / "reward_net.pt")
        if allow_save_policy and isinstance(agent, AgentTrainer):
            agent.export(directory / "policy")
    if allow_save_policy and not isinstance(agent, AgentTrainer):
        _logger.warning("There is no policy to save: trajectories are from a file")


def save_model(agent_trainer: AgentTrainer, save_path: AnyPath) -> None:
    """Saves the algorithm of an agent as ``model.zip``."""
    agent_trainer.export(save_path)


def _ask_people(
    settings: Settings, log_dir: pathlib.Path
) -> tuple[EnvironmentSettings, list[PostWrapper], pathlib.Path | None]:
    """Returns environments that render and a queue, if people are asked."""
    if not settings.asks_people:
        return settings.environment, [], None
    queue_dir = preference_people.announce(log_dir)
    if not settings.trains_agent:
        return settings.environment, [], queue_dir
    environment, wrappers = preference_people.rendered(
        settings.environment, settings.human
    )
    return environment, wrappers, queue_dir


def _keep_aside(
    settings: Settings, generator: TrajectoryGenerator, log_dir: pathlib.Path
) -> contextlib.AbstractContextManager[Callable[[int], None]]:
    """Returns what plays episodes after some rounds; nothing without an agent."""
    if not isinstance(generator, AgentTrainer) or not settings.held_out_episodes:
        return contextlib.nullcontext(lambda number: None)
    return preference_people.keep_aside(
        generator,
        settings.environment,
        log_dir,
        n_episodes=settings.held_out_episodes,
        n_rounds=settings.num_iterations + 1,
        keep_best=settings.keep_best_agent,
        rng=settings.rng("held-out episodes"),
    )


def _progress(settings: Settings) -> "tqdm[Any]":
    """A bar of the agent's steps, or of rounds where there is no agent."""
    if settings.trains_agent and settings.total_timesteps:
        return progress_bar(settings.total_timesteps, "training", "step")
    return progress_bar(settings.num_iterations + 1, "training", "round")


def _make_trainer(
    settings: Settings,
    generator: TrajectoryGenerator,
    reward_net: RewardNet,
    custom_logger: HierarchicalLogger,
    queue_dir: pathlib.Path | None,
) -> PreferenceComparisons:
    reward_trainer = preference_parts.make_reward_trainer(
        settings, reward_net, custom_logger
    )
    model = reward_trainer.preference_model
    return PreferenceComparisons(
        generator,
        reward_net,
        settings.num_iterations,
        fragmenter=preference_parts.make_fragmenter(settings, model, custom_logger),
        preference_gatherer=preference_parts.make_gatherer(
            settings, model, custom_logger, queue_dir
        ),
        reward_trainer=reward_trainer,
        comparison_queue_size=settings.comparison_queue_size,
        fragment_length=settings.fragment_length,
        transition_oversampling=settings.transition_oversampling,
        initial_comparison_frac=settings.initial_comparison_frac,
        initial_epoch_multiplier=settings.initial_epoch_multiplier,
        custom_logger=custom_logger,
        allow_variable_horizon=settings.allow_variable_horizon,
        query_schedule=settings.query_schedule,
    )


def _train(
    trainer: PreferenceComparisons,
    settings: Settings,
    directory: pathlib.Path,
    bar: "tqdm[Any]",
    also: Callable[[int], None],
) -> dict[str, Any]:

    def after_round(number: int) -> None:
        also(number)
        if bar.total == settings.num_iterations + 1:  # there are no steps to count
            bar.update(number + 1 - bar.n)

    try:
        results = trainer.train(
            settings.total_timesteps,
            settings.total_comparisons,
            after_round,
            checkpoint_dir=directory,
            checkpoint_interval=settings.checkpoint_interval,
            state_interval=settings.state_interval or 0,
            resume=settings.resume is not None,
        )
    except RuntimeError as error:
        if settings.trains_agent or not str(error).startswith("Asked for"):
            raise
        raise ConfigError(
            f"{error} in trajectory_path={settings.trajectory_path!r}; lower "
            "total_comparisons, fragment_length or transition_oversampling"
        ) from error
    if not len(trainer.dataset):
        _logger.warning("Nobody compared anything: the reward is as it was at first")
    if settings.checkpoint_interval >= 0:
        _logger.info("Saved the reward to %s", directory / "final")
    return dict(results)


def _evaluate(
    algorithm: BaseAlgorithm, reward_net: RewardNet, settings: Settings
) -> Mapping[str, float]:
    """The statistics of the trained policy, with the learned reward as its reward."""
    rng = settings.rng("evaluation")
    reward_fn = functools.partial(reward_net.predict_processed, update_stats=False)
    with make_venv(settings.environment, rng) as venv:
        rewarded = RewardVecEnvWrapper(venv, reward_fn)
        return eval_policy(algorithm, rewarded, settings.policy_evaluation, rng)


train_preference_comparisons_ex = SacredExperiment(
    Script(
        name="train_preference_comparisons",
        doc="Learns a reward from comparisons, and a policy from the reward.",
        settings_cls=TrainPreferenceComparisonsSettings,
        commands={"train_preference_comparisons": train_preference_comparisons},
        default_command="train_preference_comparisons",
    )
)

main_console = train_preference_comparisons_ex.main_console


if __name__ == "__main__":
    main_console()
