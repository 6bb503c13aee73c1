"""People who compare clips, and episodes that judge the reward they taught."""

import contextlib
import dataclasses
import importlib.util
import logging
import shlex
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np

from imitation.algorithms.preference_comparisons import (
    AgentTrainer,
    BestAgent,
    HeldOutPlayer,
)
from imitation.data.labels.queue import LabelQueue
from imitation.envs.episode_seeds import EpisodeSeedWrapper
from imitation.envs.rendering import RenderImageInfoWrapper, prepare_headless
from imitation.errors import missing_extra
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv
from imitation.scripts.label import QUEUE_DIR
from imitation.scripts.settings import ConfigDict, Settings, When, setting
from imitation.util import seeding
from imitation.util.spaces import Env
from imitation.util.vec_envs import PostWrapper, find_env_spec

# Where in a run's directory the held-out episodes are.
HELD_OUT_DIR = "held_out"

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeopleSettings(Settings):
    """The way in which people are asked to compare clips."""

    prefix = "human."

    mode: Literal["sync", "async"] = setting("sync")
    """sync waits until every pair has been compared; async trains meanwhile on what has
    been said."""

    fps: float = setting(30.0, more_than=0)
    """Frames per second of the clips."""

    timeout: float | None = setting(None, more_than=0)
    """Seconds after which an iteration goes on with the answers there are; None waits
    for ever."""

    min_answers: int = setting(1, more_than=0, applies=When("mode", ("async",)))
    """With async, how many answers to wait for at first."""

    frame_size: int = setting(300, more_than=0)
    """Pixels of the longer side to which rendered frames are reduced."""

    def check(self) -> None:
        """Raises a MissingExtraError unless clips can be written."""
        if importlib.util.find_spec("av") is None:
            raise missing_extra("av", "apps")

    def gatherer_kwargs(self) -> ConfigDict:
        """Returns the arguments of `HumanGatherer` among these settings."""
        names = ("mode", "fps", "timeout", "min_answers")
        return {name: getattr(self, name) for name in names}


def announce(run_dir: Path) -> Path:
    """Makes the label queue of a run, and says how to answer.

    Returns:
        The directory of the queue, where ``imitation label`` looks for it.
    """
    queue_dir = run_dir / QUEUE_DIR
    # The file has to exist before `imitation label` looks for it.
    LabelQueue(queue_dir).close()
    command = shlex.join(["imitation", "label", str(run_dir)])
    print(f"To compare clips, type in another terminal: {command}", flush=True)
    return queue_dir


def rendered(
    environment: EnvironmentSettings, settings: PeopleSettings
) -> tuple[EnvironmentSettings, list[PostWrapper]]:
    """Makes environments keep what each step looks like, if they can.

    Returns:
        The settings and wrappers with which the environments render; the settings as
        they are and no wrappers if they cannot, which is logged.
    """
    # Before the first frame: pygame, imported with it, reads the variables once.
    prepare_headless()
    # Not for the evaluation: only what people compare is worth rendering.
    kwargs = {**environment.env_make_kwargs, "render_mode": "rgb_array"}
    frame = _try_to_render(environment.gym_id, kwargs)
    if frame is None:
        _logger.warning(
            "%s does not render pictures here; clips plot its observations",
            environment.gym_id,
        )
        return environment, []
    # Shape (height, width, 3); small frames are not enlarged.
    scale = min(1.0, settings.frame_size / max(frame.shape[:2]))
    changed = dataclasses.replace(environment, env_make_kwargs=kwargs)
    return changed, [lambda env, _: RenderImageInfoWrapper(env, scale)]


def _try_to_render(gym_id: str, kwargs: ConfigDict) -> np.ndarray | None:
    """The first picture of an environment; None if there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            env: Env = gym.make(find_env_spec(gym_id), **kwargs)
            try:
                # Gymnasium refuses to render an environment before its first reset.
                env.reset(seed=0)
                frame: Any = env.render()
            finally:
                env.close()
        # Every renderer has its own words for a missing display, driver or package.
        except Exception as error:
            _logger.debug("%s cannot render: %s", gym_id, error)
            return None
    good = isinstance(frame, np.ndarray) and frame.ndim == 3 and frame.shape[2] == 3
    return frame if good else None


@contextlib.contextmanager
def keep_aside(
    trainer: AgentTrainer,
    environment: EnvironmentSettings,
    run_dir: Path,
    *,
    n_episodes: int,
    n_rounds: int,
    keep_best: bool,
    rng: np.random.Generator,
) -> Iterator[Callable[[int], None]]:
    """Makes what plays episodes, at least `n_episodes` in `n_rounds` of a training.

    Yields:
        To be called with the number of each round that has ended, from 0; the last call
        restores the best agent if `keep_best`.
    """
    # Few and in this process: they play a handful of episodes after each round.
    apart = dataclasses.replace(environment, num_vec=2, parallel=False)
    tell_seeds: PostWrapper = lambda env, _: EpisodeSeedWrapper(env)  # noqa: E731
    with make_venv(apart, rng, post_wrappers=[tell_seeds]) as venv:
        seed = seeding.make_seeds(rng)
        player = (BestAgent if keep_best else HeldOutPlayer)(
            trainer, venv, run_dir / HELD_OUT_DIR, n_rounds, n_episodes, seed=seed
        )
        yield player
        if isinstance(player, BestAgent):
            player.forget()
