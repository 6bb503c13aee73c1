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
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import gymnasium as gym
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from tqdm import tqdm

from imitation.algorithms import preference_comparisons as parts
from imitation.data import serialize, types
from imitation.errors import ConfigError
from imitation.regularization import regularizers
from imitation.rewards.reward_nets import RewardNet
from imitation.rewards.reward_wrapper import RewardVecEnvWrapper
from imitation.rewards.serialize import save_reward_net
from imitation.scripts.command import RunHandle, Script
from imitation.scripts.config.train_preference_comparisons import (
    TrainPreferenceComparisonsSettings,
)
from imitation.scripts.ingredients import preference_people
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv
from imitation.scripts.ingredients.logging import setup_logging
from imitation.scripts.ingredients.policy_evaluation import eval_policy
from imitation.scripts.ingredients.reward import make_reward_net
from imitation.scripts.ingredients.rl import StepProgress
from imitation.scripts.sacred_adapter import SacredExperiment
from imitation.scripts.settings import ConfigDict, building
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
) -> ConfigDict:
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
    total = settings.num_iterations + 1, "training", "round"
    if settings.trains_agent and settings.total_timesteps:
        total = settings.total_timesteps, "training", "step"
    with (
        make_venv(environment, rng, log_dir=log_dir, post_wrappers=wrappers) as venv,
        progress_bar(*total) as bar,
    ):
        reward_net = make_reward_net(venv, settings.reward, settings.rng("reward"))
        generator: parts.TrajectoryGenerator
        if settings.trains_agent:
            generator = make_agent(
                settings, venv, reward_net, bar, custom_logger, renders=bool(wrappers)
            )
        else:
            generator = load_trajectories(settings, venv, custom_logger)
        made = generator, reward_net, custom_logger, queue_dir
        trainer = _make_trainer(settings, *made)
        if settings.preferences_path is not None:
            trainer.dataset = load_preferences(settings, venv)
        with _keep_aside(settings, generator, log_dir) as after_round:
            results = _train(
                trainer, settings, log_dir / "checkpoints", bar, after_round
            )
    if settings.save_preferences:
        trainer.dataset.save(log_dir / "preferences.pkl")
    if isinstance(generator, parts.AgentTrainer):
        results["imit_stats"] = _evaluate(generator.algorithm, reward_net, settings)
    return results


def save_checkpoint(
    trainer: parts.PreferenceComparisons,
    save_path: AnyPath,
    allow_save_policy: bool | None,
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
        if allow_save_policy and isinstance(agent, parts.AgentTrainer):
            agent.export(directory / "policy")
    if allow_save_policy and not isinstance(agent, parts.AgentTrainer):
        _logger.warning("There is no policy to save: trajectories are from a file")


def save_model(agent_trainer: parts.AgentTrainer, save_path: AnyPath) -> None:
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
    settings: Settings, generator: parts.TrajectoryGenerator, log_dir: pathlib.Path
) -> contextlib.AbstractContextManager[Callable[[int], None]]:
    """Returns what plays episodes after some rounds; nothing without an agent."""
    if not isinstance(generator, parts.AgentTrainer) or not settings.held_out_episodes:
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


class WatchedAgent(parts.AgentTrainer):
    """An agent whose steps a progress bar counts, and whose training is not rendered.

    Where environments render, pictures of the whole training would take most of its
    time and memory. So only what is sampled for people to see has pictures, and all of
    it is made afresh, by the agent as it is then.
    """

    def __init__(self, *, bar: "tqdm[Any]", renders: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._bar = bar
        self._renders = renders

    def train(self, steps: int, **kwargs: object) -> None:
        """Trains the agent; see `AgentTrainer.train`."""
        if self._renders:
            # An attribute of RenderImageInfoWrapper in each environment.
            self.venv.set_attr("enabled", False)
        super().train(steps, callback=StepProgress(self._bar), **kwargs)
        if self._renders:
            # Steps without pictures; people are shown fresh ones.
            self.buffering_wrapper.pop_trajectories()
            self.venv.set_attr("enabled", True)


def make_agent(
    settings: Settings,
    venv: VecEnv,
    reward_net: RewardNet,
    bar: "tqdm[Any]",
    logger: HierarchicalLogger,
    *,
    renders: bool,
) -> WatchedAgent:
    """Makes a new agent, or loads one."""
    algorithm = settings.make_agent(venv)
    with building("AgentTrainer with trajectory_generator_kwargs"):
        return WatchedAgent(
            bar=bar,
            renders=renders,
            algorithm=algorithm,
            reward_fn=reward_net,
            venv=venv,
            rng=settings.rng("trajectories"),
            exploration_frac=settings.exploration_frac,
            custom_logger=logger,
            **settings.trajectory_generator_kwargs,
        )


def load_trajectories(
    settings: Settings, venv: VecEnv, logger: HierarchicalLogger
) -> parts.TrajectoryDataset:
    """Loads the trajectories to compare fragments of."""
    path = settings.trajectory_path
    assert path is not None
    trajectories: Sequence[types.Trajectory]
    # People need no rewards, and old data sets may have none.
    if issubclass(settings.load_gatherer(), parts.SyntheticGatherer):
        trajectories = serialize.load_with_rewards(path)
    else:
        trajectories = serialize.load(path)
    _check_fits(trajectories[0], venv, f"trajectory_path={path!r}")
    return parts.TrajectoryDataset(
        cast("Sequence[types.TrajectoryWithRew]", trajectories),
        settings.rng("trajectories"),
        logger,
    )


def make_reward_trainer(
    settings: Settings, reward_net: RewardNet, logger: HierarchicalLogger
) -> parts.BasicRewardTrainer:
    """Makes what trains the reward, with its preference model."""
    with building("PreferenceModel with preference_model_kwargs"):
        model = parts.PreferenceModel(reward_net, **settings.preference_model_kwargs)
    regularizer = None
    if settings.reward_weight_decay is not None:
        with building("the regularizer with reward_weight_decay"):
            regularizer = regularizers.WeightDecayRegularizer.create(
                initial_lambda=settings.reward_weight_decay
            )
    with building("the reward trainer with reward_trainer_kwargs"):
        return settings.load_reward_trainer()(
            model,
            parts.CrossEntropyRewardLoss(),
            settings.rng("reward training"),
            custom_logger=logger,
            regularizer_factory=regularizer,
            **settings.reward_trainer_kwargs,
        )


def make_fragmenter(
    settings: Settings, model: parts.PreferenceModel, logger: HierarchicalLogger
) -> parts.Fragmenter:
    """Makes what chooses the pairs, by the members' disagreement if asked to."""
    with building("RandomFragmenter with fragmenter_kwargs"):
        fragmenter = parts.RandomFragmenter(
            settings.rng("fragments"),
            custom_logger=logger,
            **settings.fragmenter_kwargs,
        )
    if not settings.active_selection:
        return fragmenter
    return parts.ActiveSelectionFragmenter(
        model,
        fragmenter,
        settings.active_selection_oversampling,
        settings.uncertainty_on,
        logger,
    )


def make_gatherer(
    settings: Settings,
    model: parts.PreferenceModel,
    logger: HierarchicalLogger,
    queue_dir: pathlib.Path | None,
) -> parts.PreferenceGatherer:
    """Makes what says which fragment is better."""
    kwargs: ConfigDict = {"custom_logger": logger}
    if queue_dir is None:
        kwargs["rng"] = settings.rng("preferences")
    else:
        people = {"queue_dir": queue_dir, "preference_model": model}
        kwargs |= settings.human.gatherer_kwargs() | people
    with building(f"gatherer_cls={settings.gatherer_cls} with gatherer_kwargs"):
        return settings.load_gatherer()(**kwargs | dict(settings.gatherer_kwargs))


def load_preferences(settings: Settings, venv: VecEnv) -> parts.PreferenceDataset:
    """Loads the comparisons to begin with, the latest that fit into the queue."""
    path = settings.preferences_path
    assert path is not None
    if os.path.isdir(path):
        saved = parts.PreferenceDataset.load(path)
        # Pushed anew, as the saved queue may have been longer than this one.
        dataset = parts.PreferenceDataset(settings.comparison_queue_size)
        dataset.push([saved[i][0] for i in range(len(saved))], saved.preferences)
    else:
        dataset = parts.import_preferences(path, settings.comparison_queue_size)
    if len(dataset):
        # Pairs of fragments, and the preference: one fragment tells the shapes.
        (first, _), _ = dataset[0]
        _check_fits(first, venv, f"preferences_path={path!r}")
    return dataset


def _check_fits(trajectory: types.Trajectory, venv: VecEnv, what: str) -> None:
    """Checks that observations and actions are shaped like those of an environment."""
    for name, space, array in (
        ("observations", venv.observation_space, trajectory.obs),
        ("actions", venv.action_space, trajectory.acts),
    ):
        expected: object = space.shape
        if isinstance(space, gym.spaces.Dict):
            expected = {key: part.shape for key, part in space.spaces.items()}
        found: object
        # The first axis of the arrays is time.
        if isinstance(array, types.DictObs):
            found = {key: part.shape[1:] for key, part in array.unwrap().items()}
        else:
            found = array.shape[1:]
        if found != expected:
            raise ConfigError(
                f"{what} has {name} of shape {found}, the environment of {expected}"
            )


def _make_trainer(
    settings: Settings,
    generator: parts.TrajectoryGenerator,
    reward_net: RewardNet,
    custom_logger: HierarchicalLogger,
    queue_dir: pathlib.Path | None,
) -> parts.PreferenceComparisons:
    reward_trainer = make_reward_trainer(settings, reward_net, custom_logger)
    model = reward_trainer.preference_model
    return parts.PreferenceComparisons(
        generator,
        reward_net,
        settings.num_iterations,
        fragmenter=make_fragmenter(settings, model, custom_logger),
        preference_gatherer=make_gatherer(settings, model, custom_logger, queue_dir),
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
    trainer: parts.PreferenceComparisons,
    settings: Settings,
    directory: pathlib.Path,
    bar: "tqdm[Any]",
    also: Callable[[int], None],
) -> ConfigDict:

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
    # Data sets hold only so many steps; an agent plays as many as are asked for.
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
    # Measuring must not change the statistics that the reward is normalized by.
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
    )
)

main_console = train_preference_comparisons_ex.main_console


if __name__ == "__main__":
    main_console()
