"""Expert demonstrations, generated, from disk or from the data hub."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from imitation.data import huggingface_utils, rollout, serialize, types
from imitation.errors import ArtifactError, ConfigError
from imitation.scripts.ingredients.environment import (
    EnvironmentSettings,
    make_rollout_venv,
)
from imitation.scripts.ingredients.expert import ExpertSettings, get_expert_policy
from imitation.scripts.settings import Config, Presets, Settings, When, setting

_HUB = When("source", ("huggingface",))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemonstrationsSettings(Settings):
    """The source of the demonstrations."""

    prefix = "demonstrations."

    named_configs: ClassVar[Presets] = {
        "fast": {"n_expert_demos": 10},
    }

    source: str = setting("generated", choices=("local", "huggingface", "generated"))
    """generated: rollouts of the expert; local: a data set at `path`; huggingface: the
    data set <organization>/<algo_name>-<environment> of the hub."""

    path: str | None = setting(None, applies=When("source", ("local",)))
    """Directory of a saved data set, for the source local."""

    loader_kwargs: Config = setting({"split": "train"}, applies=_HUB)
    """Keyword arguments of ``datasets.load_dataset``, for the source huggingface."""

    organization: str = setting("HumanCompatibleAI", applies=_HUB)
    """Owner of the hub's data set."""

    algo_name: str = setting("ppo", applies=_HUB)
    """First part of the name of the hub's data set."""

    n_expert_demos: int | None = setting(None, more_than=0)
    """Number of trajectories; None is all there are, and 50 generated ones."""

    def resolved(self) -> "DemonstrationsSettings":
        """Fills in how many demonstrations to generate."""
        if self.source == "generated" and self.n_expert_demos is None:
            return dataclasses.replace(self, n_expert_demos=50)
        return self

    def check(self) -> None:
        """Raises a ConfigError unless a local data set is there."""
        if self.source == "local" and not os.path.exists(self.local_path):
            raise ConfigError(f"demonstrations.path={self.path!r} does not exist")

    @property
    def local_path(self) -> str:
        """The path of the local data set; train_rl's ``final`` is ``final.npz``."""
        if self.path is None:
            raise ConfigError(
                "demonstrations.source=local needs demonstrations.path, "
                "the directory of a saved data set"
            )
        # The documented commands name rollouts/final, without the suffix.
        if not os.path.exists(self.path) and os.path.exists(self.path + ".npz"):
            return self.path + ".npz"
        return self.path


def get_expert_trajectories(
    settings: DemonstrationsSettings,
    expert: ExpertSettings,
    environment: EnvironmentSettings,
    rng: np.random.Generator,
) -> Sequence[types.Trajectory]:
    """Loads or generates the demonstrations.

    Returns:
        The trajectories, ``settings.n_expert_demos`` of them if that is set.

    Raises:
        ConfigError: there are fewer than asked for, or a needed setting is missing.
        ArtifactError: the data set cannot be read.
    """
    trajectories: Sequence[types.Trajectory]
    if settings.source == "local":
        trajectories = serialize.load(settings.local_path)
    elif settings.source == "huggingface":
        import datasets

        name = environment.env_name.replace("/", "-")
        repository = f"{settings.organization}/{settings.algo_name}-{name}"
        try:
            dataset = datasets.load_dataset(repository, **settings.loader_kwargs)
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"cannot load the data set {repository} from the hub: {error}; "
                "demonstrations.source=generated uses the expert instead"
            ) from error
        trajectories = huggingface_utils.TrajectoryDatasetSequence(dataset)
    else:
        trajectories = _generate(settings, expert, environment, rng)
    return take(trajectories, settings.n_expert_demos, settings.source)


def take(
    trajectories: Sequence[types.Trajectory], n_demos: int | None, source: str
) -> Sequence[types.Trajectory]:
    """Takes the first `n_demos` trajectories, or all of them."""
    if n_demos is not None and len(trajectories) < n_demos:
        raise ConfigError(
            f"Want to use n_expert_demos={n_demos} trajectories, but only "
            f"{len(trajectories)} are available via {source}."
        )
    # Vector environments finish more episodes than asked for.
    return trajectories if n_demos is None else trajectories[:n_demos]


def with_expert_stats(
    imit_stats: Mapping[str, float], expert_trajs: Sequence[types.Trajectory]
) -> dict[str, Mapping[str, float]]:
    """Makes the result of a command that learned from demonstrations.

    Returns:
        ``imit_stats``, and the statistics of the demonstrations as ``expert_stats`` if
        they have rewards. These are the environment's, so that there are always
        ``monitor_return_*`` to compare with.
    """
    stats = reward_stats(expert_trajs)
    if not stats:
        return {"imit_stats": imit_stats}
    returns = {f"monitor_{k}": v for k, v in stats.items() if k.startswith("return_")}
    return {"imit_stats": imit_stats, "expert_stats": {**returns, **stats}}


def reward_stats(trajectories: Sequence[types.Trajectory]) -> Mapping[str, float]:
    """Computes the statistics of trajectories.

    Returns:
        See `rollout.rollout_stats`; nothing if there are none, or one has no rewards.
    """
    rewarded = [t for t in trajectories if isinstance(t, types.TrajectoryWithRew)]
    if not rewarded or len(rewarded) < len(trajectories):
        return {}
    return rollout.rollout_stats(rewarded)


def _generate(
    settings: DemonstrationsSettings,
    expert: ExpertSettings,
    environment: EnvironmentSettings,
    rng: np.random.Generator,
) -> Sequence[types.Trajectory]:
    if settings.n_expert_demos is None:
        raise ConfigError(
            "n_expert_demos must be specified when generating demos. "
            "Set demonstrations.n_expert_demos"
        )
    with make_rollout_venv(environment, rng) as venv:
        return rollout.rollout(
            get_expert_policy(venv, expert),
            venv,
            rollout.make_sample_until(min_episodes=settings.n_expert_demos),
            rng,
        )
