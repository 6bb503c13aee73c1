"""Frames of a policy acting, for the report's animations; no display is needed."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from imitation.data import rollout
from imitation.data.policy_calls import evaluating
from imitation.envs.rendering import prepare_headless
from imitation.reports import animation
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv
from imitation.util.seeding import torch_seeded
from imitation.util.threads import training_threads

__all__ = ["Shot", "film", "prepare_headless", "record", "rendered"]

WIDTH = 280
"""Of the animation, in pixels."""

FPS = 16.0
"""Frames per second, about; every n-th step is shown."""


@dataclasses.dataclass(frozen=True)
class Shot:
    """Which part of an episode to show, and how fast."""

    seconds: float
    """How much of it from its start, in the time of the environment."""

    still_second: float
    """The moment to show where nothing can move."""

    slow_motion: int = 1
    """How many times slower than the environment."""


def film(
    policy: rollout.AnyPolicy,
    environment: EnvironmentSettings,
    seed: int,
    *,
    shot: Shot,
) -> animation.Film:
    """Shows the first seconds of an episode.

    Args:
        policy: samples its actions.
        environment: resolved settings.
        seed: decides the start, which is the same for all policies, and the actions.
        shot: what to show.

    Returns:
        The animation.
    """
    kwargs = {**environment.env_make_kwargs, "render_mode": "rgb_array"}
    settings = dataclasses.replace(
        environment, num_vec=1, parallel=False, env_make_kwargs=kwargs
    )
    rng = np.random.default_rng(seed)
    with make_venv(settings, rng) as venv:
        speed = float(venv.get_attr("metadata")[0].get("render_fps", 30))
        every = max(1, round(speed / FPS / shot.slow_motion))
        frames = record(policy, venv, rng, round(shot.seconds * speed), every)
    still = min(round(shot.still_second * speed / every), len(frames) - 1)
    return animation.encode(frames, speed / every / shot.slow_motion, still=still)


def rendered(venv: VecEnv) -> animation.Frame:
    """Returns what the first environment looks like now, as wide as the report's."""
    picture = venv.get_images()[0]
    assert picture is not None, "rendered as rgb_array"
    return animation.shrink(picture, WIDTH)


def record(
    policy: rollout.AnyPolicy,
    venv: VecEnv,
    rng: np.random.Generator,
    n_steps: int,
    every: int = 1,
    draw: Callable[[VecEnv], animation.Frame] = rendered,
) -> list[animation.Frame]:
    """Draws the beginning of an episode.

    Args:
        policy: samples its actions.
        venv: one environment.
        rng: seeds the policy's sampling.
        n_steps: how many steps to make, at most to the end of the episode.
        every: draws one step of so many.
        draw: draws the environment as it is now.
    """
    frames = []
    with evaluating(policy) as networks, training_threads(*networks):
        act = rollout.policy_to_callable(policy, venv, rng=rng)
        obs: Any = venv.reset()
        state, dones = None, np.ones(1, dtype=bool)
        with torch_seeded(rng):
            for step in range(n_steps):
                if step % every == 0:
                    frames.append(draw(venv))
                acts, state = act(obs, state, dones)
                obs, _, dones, _ = venv.step(acts)
                if dones[0]:  # the next frame would be of another episode
                    break
    return frames
