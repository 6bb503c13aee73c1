"""The fragments of episodes that a learned reward likes best and least, in motion.

Held-out episodes hold no pictures. With the seed of an episode and its actions, most
environments repeat it, this time rendering; its observations show whether one did.
Otherwise observations are drawn: images as they are, numbers as line plots.
"""

import contextlib
import dataclasses
import functools
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.preference_comparisons import PreferenceModel
from imitation.algorithms.preference_comparisons.fragments import cut
from imitation.algorithms.preference_comparisons.held_out import HeldOutEpisodes
from imitation.data import rollout, types
from imitation.data.labels import clips
from imitation.envs.rendering import prepare_headless
from imitation.errors import DataError
from imitation.reports import animation
from imitation.rewards.reward_nets import RewardNet
from imitation.util import networks, tensors, vec_envs

Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.uint8]

# Of the animations, in pixels.
WIDTH = 280
# Of an animation; of more, every n-th is shown.
MAX_FRAMES = 40

# Steps per second where the environment does not say.
DRAWN_FPS = 20.0

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RankedFragment:
    """A stretch of an episode."""

    episode: int
    start: int

    stop: int
    """The step after its last."""

    learned_return: float
    """The sum of its learned rewards."""

    true_return: float
    """The sum of its true rewards; NaN if they are not known."""


def learned_rewards(
    net: RewardNet, trajectories: Sequence[types.Trajectory]
) -> list[Floats]:
    """Computes the rewards of all steps, in evaluation mode and without normalizing.

    Args:
        net: a network, or an ensemble, whose mean is taken.
        trajectories: n episodes or fragments.

    Returns:
        For each, rewards of shape ``(T,)``.
    """
    model = PreferenceModel(net)
    rewards = []
    with networks.evaluating(model):
        for trajectory in trajectories:
            transitions = rollout.flatten_trajectories([trajectory])
            found = tensors.safe_to_numpy(model.rewards(transitions).detach())
            # (T,) of a network, (T, members) of an ensemble
            values = np.asarray(found, dtype=np.float64)
            rewards.append(values if values.ndim == 1 else values.mean(axis=1))
    return rewards


def extreme_fragments(
    rewards: Sequence[Floats],
    trajectories: Sequence[types.Trajectory],
    length: int,
    n: int = 3,
) -> tuple[list[RankedFragment], list[RankedFragment]]:
    """Finds the fragments with the highest and the lowest learned returns.

    Of an episode only its best and its worst fragment are considered, so that those
    found are of different episodes.

    Args:
        rewards: learned rewards of each trajectory, see `learned_rewards`.
        trajectories: the episodes.
        length: steps of a fragment; shorter episodes are left out.
        n: how many of either.

    Returns:
        The best, best first, and the worst, worst first.

    Raises:
        DataError: no episode is long enough.
    """
    best: list[RankedFragment] = []
    worst: list[RankedFragment] = []
    pairs = zip(rewards, trajectories, strict=True)
    for episode, (values, trajectory) in enumerate(pairs):
        if len(values) < length:
            continue
        # The return of each fragment, by its first step: shape (T - length + 1,)
        sums = np.convolve(values, np.ones(length), mode="valid")
        for pick, found in ((np.argmax, best), (np.argmin, worst)):
            start = int(pick(sums))
            steps = slice(start, start + length)
            true = math.nan
            if isinstance(trajectory, types.TrajectoryWithRew):
                true = float(trajectory.rews[steps].sum())
            learned = float(values[steps].sum())
            found.append(RankedFragment(episode, start, start + length, learned, true))
    if not best:
        raise DataError(f"no episode has the {length} steps of a fragment")
    best.sort(key=lambda fragment: -fragment.learned_return)
    worst.sort(key=lambda fragment: fragment.learned_return)
    return best[:n], worst[:n]


def film_fragments(
    episodes: HeldOutEpisodes,
    fragments: Sequence[RankedFragment],
    environment: Mapping[str, Any],
) -> list[animation.Film]:
    """Makes an animation of each fragment.

    Args:
        episodes: the episodes of the fragments.
        fragments: at least one.
        environment: settings of the environment of a run: ``gym_id``, and as far as
            there are such ``max_episode_steps`` and ``env_make_kwargs``.
    """
    frames, fps = _rendered(episodes, fragments, environment)
    films = []
    for pictures in frames:
        every = -(-len(pictures) // MAX_FRAMES)
        small = [animation.shrink(picture, WIDTH) for picture in pictures[::every]]
        middle = len(small) // 2
        films.append(animation.encode(small, fps / every, still=middle))
    return films


def replay(
    venv: VecEnv, trajectory: types.Trajectory, seed: int, start: int, stop: int
) -> Frames | None:
    """Replays an episode and renders some of its steps.

    Args:
        venv: one environment with ``render_mode="rgb_array"``.
        trajectory: the episode.
        seed: of its reset.
        start: the first step to show.
        stop: the step after the last one to show.

    Returns:
        RGB frames of the states before each step, ``(stop - start, height, width, 3)``;
        None if the observations are not those of the episode, or no frame was drawn. A
        frame that cannot be drawn, of a state that was never meant to be, is that of
        the step before.
    """
    frames: list[Frames | None] = []
    venv.seed(seed)
    obs: Any = venv.reset()
    for step in range(stop):
        if not _same(obs, trajectory.obs, step):
            return None
        if step >= start:
            frames.append(frames[-1] if frames else None)
            # Renderers fail in their own ways at what they cannot draw.
            with contextlib.suppress(Exception):
                frames[-1] = np.asarray(venv.get_images()[0], dtype=np.uint8)
        obs, *_ = venv.step(trajectory.acts[step : step + 1])
    drawn = [frame for frame in frames if frame is not None]
    if not drawn:
        return None
    # Only the first ones can be missing: later ones repeat the frame before.
    return np.stack([drawn[0]] * (len(frames) - len(drawn)) + drawn)


def _rendered(
    episodes: HeldOutEpisodes,
    fragments: Sequence[RankedFragment],
    environment: Mapping[str, Any],
) -> tuple[list[Frames], float]:
    """Returns the frames of all fragments, and their rate."""
    shown = [
        cut(episodes.trajectories[fragment.episode], fragment.start, fragment.stop)
        for fragment in fragments
    ]
    prepare_headless()
    try:
        made = vec_envs.make_vec_env(
            environment["gym_id"],
            rng=np.random.default_rng(0),
            n_envs=1,
            max_episode_steps=environment.get("max_episode_steps"),
            env_make_kwargs={
                **environment.get("env_make_kwargs", {}),
                "render_mode": "rgb_array",
            },
        )
        with contextlib.closing(made) as venv:
            venv.reset()
            venv.get_images()
            metadata: Mapping[str, Any] = venv.get_attr("metadata")[0]
            fps = float(metadata.get("render_fps", DRAWN_FPS))
            frames = []
            for fragment, steps in zip(fragments, shown, strict=True):
                seed = int(episodes.seeds[fragment.episode])
                whole = episodes.trajectories[fragment.episode]
                where = fragment.start, fragment.stop
                found = None if seed < 0 else replay(venv, whole, seed, *where)
                if found is None or (found == found[0]).all():
                    # A picture that never changes: its subject may have left it.
                    found = clips.frames_of(steps)
                frames.append(found)
            return frames, fps
    # Not every environment can be made here, or render.
    except Exception as error:
        _logger.info("Fragments are drawn: %s", error)
        drawn: list[Frames] = []
        for i in range(0, len(shown), 2):  # line plots of a pair share their scale
            drawn += clips.frames_of_pair(shown[i], shown[min(i + 1, len(shown) - 1)])
        return drawn[: len(shown)], DRAWN_FPS


def _same(obs: Any, recorded: types.Observation, step: int) -> bool:
    """Returns whether an environment's observation is that of a step of an episode."""
    # Simulators repeat an episode to rounding, not always bit for bit.
    close = functools.partial(np.allclose, rtol=1e-4, atol=1e-5)
    if isinstance(recorded, types.DictObs):
        return all(close(obs[k][0], part[step]) for k, part in recorded.items())
    return bool(close(obs[0], recorded[step]))
