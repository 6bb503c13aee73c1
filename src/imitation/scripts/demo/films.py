"""Films of a policy acting, for the report; neither a display nor a window is needed.

Most environments render themselves; grid worlds of known dynamics are painted here.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.mce_irl import TabularPolicy
from imitation.algorithms.mce_irl.policy import ObservingPolicy
from imitation.data import rollout
from imitation.data.acting import evaluating
from imitation.reports import animation
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv
from imitation.util.seeding import torch_seeded
from imitation.util.threads import training_threads

# Of the films, in pixels.
WIDTH = 280

# Frames per second, about; every n-th step is shown.
FPS = 16.0

# Side of a grid world's cell in pixels, before the picture is scaled to its width.
CELL = 80

# Steps of a grid world shown per second.
GRID_FPS = 3.0

_PLAIN, _BEST, _WORST = "#eef1f4", "#a6d8ba", "#efb3a5"
_INK, _TRAIL, _WALKER = "#57606a", "#7fa9d6", "#0a66b7"


@dataclasses.dataclass(frozen=True)
class Shot:
    """The part of an episode to show, and its speed."""

    seconds: float
    """Its length from the start of the episode, in the time of the environment."""

    still_second: float
    """The moment to show where nothing can move."""

    slow_motion: int = 1
    """A factor by which it is slower than the environment."""


def film(
    policy: rollout.AnyPolicy,
    environment: EnvironmentSettings,
    seed: int,
    *,
    shot: Shot,
) -> animation.Film:
    """Films the first seconds of an episode.

    The seed decides the start, which is the same for all policies, and the actions.
    """

    def rendered(venv: VecEnv) -> animation.Frame:
        picture = venv.get_images()[0]
        assert picture is not None, "rendered as rgb_array"
        return animation.shrink(picture, WIDTH)

    kwargs = {**environment.env_make_kwargs, "render_mode": "rgb_array"}
    settings = dataclasses.replace(
        environment, num_vec=1, parallel=False, env_make_kwargs=kwargs
    )
    rng = np.random.default_rng(seed)
    with make_venv(settings, rng) as venv:
        speed = float(venv.get_attr("metadata")[0].get("render_fps", 30))
        every = max(1, round(speed / FPS / shot.slow_motion))
        n_steps = round(shot.seconds * speed)
        frames = _record(policy, venv, rng, n_steps, every, rendered)
    still = min(round(shot.still_second * speed / every), len(frames) - 1)
    return animation.encode(frames, speed / every / shot.slow_motion, still=still)


def film_grid(
    policy: rollout.AnyPolicy,
    environment: EnvironmentSettings,
    seed: int,
    *,
    n_steps: int,
) -> animation.Film:
    """Films how a policy walks in a grid world of seals.

    The policy acts on observations or on states.
    """
    rng = np.random.default_rng(seed)
    with make_venv(environment, rng) as venv:
        (world,) = venv.get_attr("unwrapped", [0])
        acting = policy
        if isinstance(policy, TabularPolicy):
            shown = world.observation_matrix
            acting = ObservingPolicy(policy, venv.observation_space, shown)
        frames = _record(acting, venv, rng, n_steps, 1, _Painter(world))
    return animation.encode(frames, GRID_FPS, still=len(frames) - 1)


def _record(
    policy: rollout.AnyPolicy,
    venv: VecEnv,
    rng: np.random.Generator,
    n_steps: int,
    every: int,
    draw: Callable[[VecEnv], animation.Frame],
) -> list[animation.Frame]:
    """Draws every so many steps of the first environment's first episode."""
    frames = []
    # Without dropout and the like, as in an evaluation.
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


class _Painter:
    """Draws a grid world: its rewards, the way so far, the walker."""

    def __init__(self, world: Any) -> None:
        from PIL import Image, ImageDraw, ImageFont

        self._width = world.width
        self._way: list[tuple[float, float]] = []
        # (states,) to (rows, columns)
        rewards = np.asarray(world.reward_matrix).reshape(world.height, world.width)
        size = (world.width * CELL, world.height * CELL)
        self._board = Image.new("RGB", size, "white")
        draw, font = ImageDraw.Draw(self._board), ImageFont.load_default(CELL * 0.3)
        colors = {float(rewards.min()): _WORST, float(rewards.max()): _BEST}
        for (row, column), reward in np.ndenumerate(rewards):
            x, y = column * CELL, row * CELL
            color = colors.get(float(reward), _PLAIN)
            draw.rectangle((x + 2, y + 2, x + CELL - 3, y + CELL - 3), fill=color)
            middle = (x + CELL / 2, y + CELL / 2)
            draw.text(middle, f"{reward:+.0f}", fill=_INK, font=font, anchor="mm")

    def __call__(self, venv: VecEnv) -> animation.Frame:
        from PIL import ImageDraw

        row, column = divmod(int(venv.get_attr("state", [0])[0]), self._width)
        x, y = (column + 0.5) * CELL, (row + 0.5) * CELL
        self._way.append((x, y))
        picture = self._board.copy()
        draw = ImageDraw.Draw(picture)
        if len(self._way) > 1:
            draw.line(self._way, fill=_TRAIL, width=CELL // 10, joint="curve")
        draw.circle((x, y), CELL * 0.28, fill=_WALKER, outline="white", width=4)
        return animation.shrink(np.asarray(picture, dtype=np.uint8), WIDTH)
