"""A wrapper that records an environment's rendered frames as H.264 video."""

import contextlib
import pathlib
from fractions import Fraction
from typing import Any

import numpy as np
from typing_extensions import override

from imitation.errors import ConfigError, DataError, missing_extra
from imitation.util.artifacts import replacing_file
from imitation.util.spaces import Env, Info, StepResult, Wrapper

_DEFAULT_FPS = 30


class VideoRecorder:
    """Encodes frames to one MP4 file, which appears whole when it is closed.

    Args:
        path: the file.
        fps: frames per second.

    Raises:
        ModuleNotFoundError: PyAV is not installed.
    """

    def __init__(self, path: pathlib.Path, fps: float) -> None:
        self.path = path
        self._av = _import_av()
        self._rate = Fraction(fps).limit_denominator(1000)
        self._shape: tuple[int, ...] | None = None  # (height, width, 3)
        self._container: Any = None
        self._stream: Any = None
        self._file = contextlib.ExitStack()

    def add_frame(self, frame: np.ndarray) -> None:
        """Appends a frame.

        Args:
            frame: RGB, shape (height, width, 3), uint8, the same shape every time.

        Raises:
            ValueError: the frame has another shape or dtype.
        """
        if self._shape is None:
            _check_frame(frame)
            self._open(frame.shape)
        elif frame.shape != self._shape or frame.dtype != np.uint8:
            raise DataError(
                f"expected uint8 frames of shape {self._shape} as before, got "
                f"{frame.dtype} {frame.shape}"
            )
        # The encoder halves the resolution of color, so sides must be even.
        height, width, _ = frame.shape
        padded = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        video_frame = self._av.VideoFrame.from_ndarray(padded, format="rgb24")
        self._container.mux(self._stream.encode(video_frame))

    def _open(self, shape: tuple[int, ...]) -> None:
        """Opens a temporary file beside the final one."""
        self._shape = shape
        height, width, _ = shape
        temporary = self._file.enter_context(replacing_file(self.path))
        self._container = self._av.open(
            # Browsers can start before they have the whole file.
            str(temporary),
            mode="w",
            format="mp4",
            options={"movflags": "faststart"},
        )
        self._stream = self._container.add_stream("libx264", rate=self._rate)
        self._stream.height = height + height % 2
        self._stream.width = width + width % 2
        self._stream.pix_fmt = "yuv420p"

    def close(self) -> None:
        """Finishes the file and puts it in place; without frames there is none."""
        if self._container is None:
            return
        with self._file:
            with self._container as container:
                container.mux(self._stream.encode(None))
            self._container = None


class VideoWrapper(Wrapper):
    """Records a frame after every reset and step.

    Videos are `directory/video.{episode:06d}.mp4`, at the environment's `render_fps`.

    Args:
        env: environment with `render_mode="rgb_array"`.
        directory: where the videos go, created if need be.
        single_video: whether to concatenate all episodes to one video, that of episode
            0; otherwise each episode has one.

    Raises:
        ValueError: the environment has another render mode.
        ModuleNotFoundError: PyAV is not installed.
    """

    episode_id: int
    video_recorder: VideoRecorder | None
    single_video: bool
    directory: pathlib.Path

    def __init__(
        self,
        env: Env,
        directory: pathlib.Path,
        single_video: bool = True,
    ) -> None:
        super().__init__(env)
        if env.render_mode != "rgb_array":
            raise ConfigError(
                "VideoWrapper needs an environment with render_mode='rgb_array', got "
                f"{env.render_mode!r}; pass render_mode='rgb_array' to gymnasium.make, "
                "or env_make_kwargs={'render_mode': 'rgb_array'} to make_vec_env"
            )
        _import_av()
        self.episode_id = 0
        self.video_recorder = None
        self.single_video = single_video
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    @override
    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Any, Info]:
        result = self.env.reset(seed=seed, options=options)
        if self.video_recorder is None or not self.single_video:
            self._finish_video()
            path = self.directory / f"video.{self.episode_id:06d}.mp4"
            fps = self.env.metadata.get("render_fps", _DEFAULT_FPS)
            self.video_recorder = VideoRecorder(path, fps)
        self.episode_id += 1
        self._record_frame()
        return result

    @override
    def step(self, action: object) -> StepResult:
        result = self.env.step(action)
        self._record_frame()
        return result

    @override
    def close(self) -> None:
        self._finish_video()
        super().close()

    def _record_frame(self) -> None:
        assert self.video_recorder is not None, "step before reset"
        frame: Any = self.env.render()
        self.video_recorder.add_frame(frame)

    def _finish_video(self) -> None:
        if self.video_recorder is not None:
            self.video_recorder.close()
            self.video_recorder = None


def _import_av() -> Any:
    try:
        import av
    except ModuleNotFoundError as error:
        raise missing_extra("av", "video") from error
    return av


def _check_frame(frame: object) -> None:
    """Checks that a frame is an RGB image."""
    if not isinstance(frame, np.ndarray):
        raise DataError(
            f"render() must return an RGB array, got {type(frame).__name__}"
        )
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise DataError(
            "render() must return a uint8 array of shape (height, width, 3), got "
            f"{frame.dtype} {frame.shape}"
        )
