"""A wrapper that keeps a picture of every step, for people to judge.

A trajectory of thousands of steps holds thousands of pictures, so they are kept
compressed: a few kilobytes instead of one or two megabytes each.
"""

import os
import sys
import zlib

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from imitation.data.labels.clips import RENDERED_KEY
from imitation.errors import ConfigError, DataError
from imitation.util.spaces import Env, StepResult, Wrapper

Frame = npt.NDArray[np.uint8]


def prepare_headless() -> None:
    """Makes pygame draw without a display and without its greeting.

    Affects this process only, and only pygame, which is imported with the first frame.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not has_display:
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


class PackedImage:
    """A compressed picture; `np.asarray` gives its pixels.

    Args:
        pixels: RGB, shape (height, width, 3), uint8.
    """

    def __init__(self, pixels: Frame) -> None:
        self.shape: tuple[int, ...] = pixels.shape
        self._packed = zlib.compress(pixels.tobytes(), level=1)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray:
        flat = np.frombuffer(zlib.decompress(self._packed), dtype=np.uint8)
        return flat.reshape(self.shape).astype(dtype or np.uint8)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PackedImage):
            return NotImplemented
        return self.shape == other.shape and self._packed == other._packed

    def __hash__(self) -> int:
        return hash((self.shape, self._packed))

    def __repr__(self) -> str:
        return f"PackedImage(shape={self.shape}, bytes={len(self._packed)})"


class RenderImageInfoWrapper(Wrapper):
    """Puts ``env.render()`` after each step into ``info["rendered_img"]``.

    Args:
        env: environment with ``render_mode="rgb_array"``.
        scale: the size of the pictures relative to what the environment renders, in
            (0, 1]. Half is enough to judge most tasks, in a quarter of the memory.

    Attributes:
        enabled: set it to False to skip steps that nobody will look at.

    Raises:
        ConfigError: the environment has another render mode, or the scale is wrong.
    """

    def __init__(self, env: Env, scale: float = 1.0) -> None:
        super().__init__(env)
        if env.render_mode != "rgb_array":
            raise ConfigError(
                "RenderImageInfoWrapper needs an environment with "
                f"render_mode='rgb_array', got {env.render_mode!r}; pass "
                "render_mode='rgb_array' to gymnasium.make, or "
                "env_make_kwargs={'render_mode': 'rgb_array'} to make_vec_env"
            )
        if not 0 < scale <= 1:
            raise ConfigError(f"scale must lie in (0, 1], got {scale}")
        self.scale = scale
        self.enabled = True

    @override
    def step(self, action: object) -> StepResult:
        obs, reward, terminated, truncated, info = self.env.step(action)
        if self.enabled:
            # A new dictionary, because the environment may reuse its own.
            info = {**info, RENDERED_KEY: PackedImage(self._picture())}
        return obs, reward, terminated, truncated, info

    def _picture(self) -> Frame:
        frame: object = self.env.render()
        if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3:
            raise DataError(
                "render() must return an array of shape (height, width, 3), got "
                f"{getattr(frame, 'shape', type(frame).__name__)}"
            )
        if self.scale == 1:
            return frame
        from PIL import Image

        height, width, _ = frame.shape
        size = (max(1, round(width * self.scale)), max(1, round(height * self.scale)))
        # BOX averages areas, so thin lines fade instead of vanishing.
        small = Image.fromarray(frame).resize(size, Image.Resampling.BOX)
        return np.asarray(small, dtype=np.uint8)
