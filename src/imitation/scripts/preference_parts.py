"""The parts of a training on preferences, built from the settings of the command."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
from stable_baselines3.common.vec_env import VecEnv
from tqdm import tqdm

from imitation.algorithms import preference_comparisons as parts
from imitation.data import serialize, types
from imitation.errors import ConfigError
from imitation.regularization import regularizers
from imitation.rewards.reward_nets import RewardNet
from imitation.scripts.config.train_preference_comparisons import (
    TrainPreferenceComparisonsSettings,
)
from imitation.scripts.ingredients.rl import StepProgress
from imitation.scripts.settings import building
from imitation.util.logger import HierarchicalLogger
from imitation.util.spaces import Space

Settings = TrainPreferenceComparisonsSettings


class WatchedAgent(parts.AgentTrainer):
    """An agent whose steps a progress bar counts, and whose training is not rendered.

    Where environments render, pictures of the whole training would take most of its
    time and memory. So only what is sampled for people to see has pictures, and all of
    it is made afresh, by the agent as it is then.

    Args:
        bar: counts the steps of the training.
        renders: whether the environments are wrapped in `RenderImageInfoWrapper`.
        **kwargs: those of `AgentTrainer`.
    """

    def __init__(self, *, bar: "tqdm[Any]", renders: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._bar = bar
        self._renders = renders

    def train(self, steps: int, **kwargs: Any) -> None:
        """Trains the agent; see `AgentTrainer.train`."""
        if self._renders:
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
    """Makes a new agent, or loads one.

    Raises:
        ConfigError: the algorithm or the exploration do not take their arguments.
        ArtifactError: the agent cannot be read.
    """
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
    """Loads the trajectories to compare fragments of.

    Returns:
        The trajectories; without rewards only where nothing needs them.

    Raises:
        ConfigError: they are of other spaces.
        ArtifactError: they cannot be read, or rewards are missing.
    """
    path = settings.trajectory_path
    assert path is not None
    trajectories: Sequence[types.Trajectory]
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
    """Makes what trains the reward, with its preference model.

    Returns:
        An `EnsembleTrainer` for an ensemble, else a `BasicRewardTrainer`.

    Raises:
        ConfigError: the model or the trainer do not take their arguments.
    """
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
    """Makes what chooses the pairs.

    Returns:
        A `RandomFragmenter`, within an `ActiveSelectionFragmenter` if asked for.

    Raises:
        ConfigError: it does not take its arguments, or the model is of no ensemble.
    """
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
    queue_dir: Path | None,
) -> parts.PreferenceGatherer:
    """Makes what says which fragment is better.

    Raises:
        ConfigError: it does not take its arguments.
    """
    kwargs: dict[str, Any] = {"custom_logger": logger}
    if queue_dir is None:
        kwargs["rng"] = settings.rng("preferences")
    else:
        people = {"queue_dir": queue_dir, "preference_model": model}
        kwargs |= settings.human.gatherer_kwargs() | people
    with building(f"gatherer_cls={settings.gatherer_cls} with gatherer_kwargs"):
        return settings.load_gatherer()(**kwargs | dict(settings.gatherer_kwargs))


def load_preferences(settings: Settings, venv: VecEnv) -> parts.PreferenceDataset:
    """Loads the comparisons to begin with.

    Returns:
        The latest of them, as many as `comparison_queue_size` allows.

    Raises:
        ConfigError: they are of other spaces.
        ArtifactError: they cannot be read.
        DataError: a line is malformed.
    """
    path = settings.preferences_path
    assert path is not None
    if os.path.isdir(path):
        saved = parts.PreferenceDataset.load(path)
        dataset = parts.PreferenceDataset(settings.comparison_queue_size)
        dataset.push([saved[i][0] for i in range(len(saved))], saved.preferences)
    else:
        dataset = parts.import_preferences(path, settings.comparison_queue_size)
    if len(dataset):
        (first, _), _ = dataset[0]
        _check_fits(first, venv, f"preferences_path={path!r}")
    return dataset


def _check_fits(trajectory: types.Trajectory, venv: VecEnv, what: str) -> None:
    """Checks that observations and actions are shaped like those of an environment."""
    for name, space, array in (
        ("observations", venv.observation_space, trajectory.obs),
        ("actions", venv.action_space, trajectory.acts),
    ):
        expected = _shapes(space)
        parts_of = array.unwrap() if isinstance(array, types.DictObs) else {"": array}
        found = {key: part.shape[1:] for key, part in parts_of.items()}
        if found != expected:
            raise ConfigError(
                f"{what} has {name} of shape {_shown(found)}, the environment of "
                f"{_shown(expected)}"
            )


def _shapes(space: Space) -> dict[str, tuple[int, ...] | None]:
    """The shape of a space, or of each part of a dictionary."""
    if isinstance(space, gym.spaces.Dict):
        return {key: part.shape for key, part in space.spaces.items()}
    return {"": space.shape}


def _shown(shapes: Mapping[str, tuple[int, ...] | None]) -> str:
    return str(shapes[""] if shapes.keys() == {""} else dict(shapes))
