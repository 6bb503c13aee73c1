"""Pictures of a grid world of known dynamics, which cannot draw itself."""

from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from imitation.algorithms.mce_irl import TabularPolicy
from imitation.algorithms.mce_irl.policy import ObservingPolicy
from imitation.data import rollout
from imitation.reports import animation
from imitation.scripts.demo import frames
from imitation.scripts.ingredients.environment import EnvironmentSettings, make_venv

__all__ = ["film"]

CELL = 80
"""Side of a cell in pixels, before the picture is scaled to its width."""

FPS = 3.0
"""Steps that are shown per second."""

_PLAIN, _BEST, _WORST = "#eef1f4", "#a6d8ba", "#efb3a5"
_INK, _TRAIL, _WALKER = "#57606a", "#7fa9d6", "#0a66b7"


def film(
    policy: rollout.AnyPolicy,
    environment: EnvironmentSettings,
    seed: int,
    *,
    n_steps: int,
) -> animation.Film:
    """Shows how a policy walks.

    Args:
        policy: samples its actions; it acts on observations or on states.
        environment: resolved settings of a grid world of seals.
        seed: decides the actions and where they lead.
        n_steps: how many of them to show.

    Returns:
        The animation.
    """
    rng = np.random.default_rng(seed)
    with make_venv(environment, rng) as venv:
        (world,) = venv.get_attr("unwrapped", [0])
        acting = policy
        if isinstance(policy, TabularPolicy):
            shown = world.observation_matrix
            acting = ObservingPolicy(policy, venv.observation_space, shown)
        pictures = frames.record(acting, venv, rng, n_steps, 1, _Painter(world))
    return animation.encode(pictures, FPS, still=len(pictures) - 1)


class _Painter:
    """Draws the first environment: its rewards, the way so far, the walker."""

    def __init__(self, world: Any) -> None:
        self._board = _board(world)
        self._width = world.width
        self._way: list[tuple[float, float]] = []

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
        return animation.shrink(np.asarray(picture, dtype=np.uint8), frames.WIDTH)


def _board(world: Any) -> Any:
    """The cells in the colours of their rewards, which are written where they differ.

    Args:
        world: has a height, a width and a reward for each state.
    """
    from PIL import Image, ImageDraw, ImageFont

    rewards = np.asarray(world.reward_matrix).reshape(world.height, world.width)
    picture = Image.new("RGB", (world.width * CELL, world.height * CELL), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(CELL * 0.3)
    colours = {float(rewards.min()): _WORST, float(rewards.max()): _BEST}
    for (row, column), reward in np.ndenumerate(rewards):
        x, y = column * CELL, row * CELL
        colour = colours.get(float(reward), _PLAIN)
        draw.rectangle((x + 2, y + 2, x + CELL - 3, y + CELL - 3), fill=colour)
        middle = (x + CELL / 2, y + CELL / 2)
        draw.text(middle, f"{reward:+.0f}", fill=_INK, font=font, anchor="mm")
    return picture
