"""Tests of recording videos, read back frame by frame."""

import pathlib
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from imitation.util.video_wrapper import VideoWrapper

av = pytest.importorskip("av")


class BrightnessEnv(gym.Env):
    """Renders its step count as brightness, 40 levels a step; four steps an episode."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012  # Gymnasium's own convention
    observation_space = gym.spaces.Discrete(10)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode
        self.size = (33, 47)  # odd: the encoder needs padding
        self.frame: object = None
        self.t = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return 0, {"options": options}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.t += 1
        return self.t, 1.0, self.t == 4, False, {}

    def render(self) -> Any:
        if self.frame is not None:
            return self.frame
        return np.full((*self.size, 3), 40 * (self.t + 1), np.uint8)


def read_brightness(path: pathlib.Path) -> list[int]:
    """Returns the mean brightness of each frame in units of 40 levels."""
    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 20
    assert frames[0].shape == (34, 48, 3)
    return [round(float(frame.mean()) / 40) for frame in frames]


def run_episodes(env: gym.Env, n_episodes: int) -> None:
    for _ in range(n_episodes):
        env.reset(seed=1)
        done = False
        while not done:
            _, _, done, _, _ = env.step(0)


def test_single_video_holds_all_episodes(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "new" / "videos"
    env = VideoWrapper(BrightnessEnv(), directory)
    run_episodes(env, 2)
    assert list(directory.glob("*.mp4")) == []  # appears only when it is whole
    env.close()
    env.close()
    assert [path.name for path in directory.iterdir()] == ["video.000000.mp4"]
    frames = read_brightness(directory / "video.000000.mp4")
    assert frames == [1, 2, 3, 4, 5] * 2
    assert env.episode_id == 2


def test_a_video_for_each_episode(tmp_path: pathlib.Path) -> None:
    env = VideoWrapper(BrightnessEnv(), tmp_path, single_video=False)
    run_episodes(env, 2)
    assert (tmp_path / "video.000000.mp4").exists()
    env.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["video.000000.mp4", "video.000001.mp4"]
    for name in names:
        assert read_brightness(tmp_path / name) == [1, 2, 3, 4, 5]


def test_does_not_change_what_the_environment_returns(tmp_path: pathlib.Path) -> None:
    env = VideoWrapper(BrightnessEnv(), tmp_path)
    assert env.reset(seed=1, options={"a": 1}) == (0, {"options": {"a": 1}})
    assert env.step(0) == (1, 1.0, False, False, {})
    env.close()


def test_nothing_recorded_nothing_written(tmp_path: pathlib.Path) -> None:
    VideoWrapper(BrightnessEnv(), tmp_path).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("render_mode", [None, "human", "rgb_array_list"])
def test_needs_rgb_array(render_mode: str | None, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="needs an environment with render_mode='rgb"):
        VideoWrapper(BrightnessEnv(render_mode), tmp_path)


def test_needs_pyav(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'imitation\[video\]'"):
        VideoWrapper(BrightnessEnv(), tmp_path)


@pytest.mark.parametrize(
    "frame",
    [
        [1],
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
    ids=["list", "gray", "rgba", "float"],
)
def test_frames_must_be_rgb(
    frame: list[int] | np.ndarray, tmp_path: pathlib.Path
) -> None:
    env = BrightnessEnv()
    env.frame = frame
    with pytest.raises(ValueError, match=r"render\(\) must return"):
        VideoWrapper(env, tmp_path).reset()
    assert list(tmp_path.iterdir()) == []


def test_frames_must_keep_their_shape(tmp_path: pathlib.Path) -> None:
    env = BrightnessEnv()
    wrapped = VideoWrapper(env, tmp_path)
    wrapped.reset()
    env.size = (20, 20)
    with pytest.raises(ValueError, match=r"of shape \(33, 47, 3\) as before"):
        wrapped.step(0)
    wrapped.close()
    assert read_brightness(tmp_path / "video.000000.mp4") == [1]
