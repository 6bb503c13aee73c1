"""Fragments of episodes in motion, played again in their environment where that works.

Held-out episodes hold no pictures. With the seed of an episode and its actions, most
environments repeat it, this time rendering; the observations tell whether one did.
Otherwise observations are shown: images as they are, numbers as line plots.
"""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.preference_comparisons.fragments import cut
from imitation.algorithms.preference_comparisons.held_out import HeldOutEpisodes
from imitation.data import types
from imitation.data.labels import clips
from imitation.envs.rendering import prepare_headless
from imitation.reports import animation
from imitation.reports.preferences_episodes import RankedFragment
from imitation.util import vec_envs

__all__ = ["film_fragments", "replay"]

Frames = npt.NDArray[np.uint8]

WIDTH = 280
"""Of the animations, in pixels."""

MAX_FRAMES = 40
"""Of an animation; of more, every n-th is shown."""

DRAWN_FPS = 20.0
"""Steps per second where the environment does not say."""

_logger = logging.getLogger(__name__)


def film_fragments(
    episodes: HeldOutEpisodes,
    fragments: Sequence[RankedFragment],
    environment: Mapping[str, Any],
) -> list[animation.Film]:
    """Makes animations of fragments.

    Args:
        episodes: where the fragments lie.
        fragments: what to show, at least one.
        environment: settings of the environment of a run: ``gym_id``, and as far as
            there are such ``max_episode_steps`` and ``env_make_kwargs``.

    Returns:
        An animation of each.
    """
    frames, fps = _played_again(episodes, fragments, environment)
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
    """Plays an episode again and renders some of its steps.

    Args:
        venv: one environment with ``render_mode="rgb_array"``.
        trajectory: the episode.
        seed: what it was reset with.
        start: the first step to show.
        stop: the step after the last one to show.

    Returns:
        RGB frames of the states before each step, ``(stop - start, height, width, 3)``;
        None if the observations are not those of the episode, or no frame was drawn. A
        frame that cannot be drawn, of a state that was never meant to be, is that of
        the step before.
    """
    frames: list[Any] = []
    venv.seed(seed)
    obs: Any = venv.reset()
    for step in range(stop):
        if not _same(obs, trajectory.obs, step):
            return None
        if step >= start:
            frames.append(_picture(venv, frames))
        obs, *_ = venv.step(trajectory.acts[step : step + 1])
    drawn = [frame for frame in frames if frame is not None]
    if not drawn:
        return None
    return np.stack([drawn[0]] * (len(frames) - len(drawn)) + drawn)


def _picture(venv: VecEnv, before: Sequence[Any]) -> Any:
    """What it looks like now; else what it looked like before, or None."""
    # Every renderer has its own words for what it cannot draw.
    with contextlib.suppress(Exception):
        return np.asarray(venv.get_images()[0], dtype=np.uint8)
    return before[-1] if before else None


def _played_again(
    episodes: HeldOutEpisodes,
    fragments: Sequence[RankedFragment],
    environment: Mapping[str, Any],
) -> tuple[list[Frames], float]:
    """The frames of all fragments, and their rate."""
    shown = [
        cut(episodes.trajectories[fragment.episode], fragment.start, fragment.stop)
        for fragment in fragments
    ]
    prepare_headless()
    try:
        with contextlib.closing(_make_venv(environment)) as venv:
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
                    # An empty picture of what has left it, perhaps.
                    found = clips.frames_of(steps)
                frames.append(found)
            return frames, fps
    # Nor can every environment be made, or render, here.
    except Exception as error:
        _logger.info("Fragments are drawn: %s", error)
        return _drawn(shown), DRAWN_FPS


def _make_venv(environment: Mapping[str, Any]) -> VecEnv:
    kwargs = {**environment.get("env_make_kwargs", {}), "render_mode": "rgb_array"}
    return vec_envs.make_vec_env(
        environment["gym_id"],
        rng=np.random.default_rng(0),
        n_envs=1,
        max_episode_steps=environment.get("max_episode_steps"),
        env_make_kwargs=kwargs,
    )


def _drawn(fragments: Sequence[types.Trajectory]) -> list[Frames]:
    """Frames of observations; line plots of a pair are drawn to one scale."""
    frames: list[Frames] = []
    for i in range(0, len(fragments), 2):
        pair = fragments[i], fragments[min(i + 1, len(fragments) - 1)]
        frames += clips.frames_of_pair(*pair)
    return frames[: len(fragments)]


def _same(obs: Any, recorded: types.Observation, step: int) -> bool:
    """Whether an environment's observation is that of a step of an episode."""
    if isinstance(recorded, types.DictObs):
        return all(
            np.allclose(obs[key][0], part[step], rtol=1e-4, atol=1e-5)
            for key, part in recorded.items()
        )
    return np.allclose(obs[0], recorded[step], rtol=1e-4, atol=1e-5)
