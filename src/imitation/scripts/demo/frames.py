"""Frames of a policy acting, for the report's animations; no display is needed."""

import dataclasses
import os
import sys
from typing import Any

import numpy as np

from imitation.data import rollout
from imitation.data.policy_calls import evaluating
from imitation.reports import animation
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv
from imitation.util.seeding import torch_seeded
from imitation.util.threads import training_threads

__all__ = ["film", "prepare_headless"]

WIDTH = 280
"""Of the animation, in pixels."""

SECONDS = 8.0
"""How long it is, at most."""

FPS = 16.0
"""Frames per second, about; every n-th step is shown."""


def prepare_headless() -> None:
    """Lets pygame draw without a display and without its greeting.

    Affects this process only, and only pygame, which is imported with the first frame.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not has_display:
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def film(
    policy: rollout.AnyPolicy, environment: EnvironmentSettings, seed: int
) -> animation.Film:
    """Shows the first seconds of an episode.

    Args:
        policy: samples its actions.
        environment: resolved settings.
        seed: decides the start, which is the same for all policies, and the actions.

    Returns:
        The animation, at the environment's own speed.
    """
    kwargs = {**environment.env_make_kwargs, "render_mode": "rgb_array"}
    settings = dataclasses.replace(
        environment, num_vec=1, parallel=False, env_make_kwargs=kwargs
    )
    rng = np.random.default_rng(seed)
    with make_venv(settings, rng) as venv:
        speed = float(venv.get_attr("metadata")[0].get("render_fps", 30))
        every = max(1, round(speed / FPS))
        n_steps = round(SECONDS * speed)
        frames = []
        with evaluating(policy) as networks, training_threads(*networks):
            act = rollout.policy_to_callable(policy, venv, rng=rng)
            obs: Any = venv.reset()
            state, dones = None, np.ones(1, dtype=bool)
            with torch_seeded(rng):
                for step in range(n_steps):
                    if step % every == 0:
                        picture = venv.get_images()[0]
                        assert picture is not None, "rendered as rgb_array"
                        frames.append(animation.shrink(picture, WIDTH))
                    acts, state = act(obs, state, dones)
                    obs, _, dones, _ = venv.step(acts)
                    if dones[0]:  # the next frame would be of another episode
                        break
    return animation.encode(frames, speed / every, still=len(frames) // 2)
