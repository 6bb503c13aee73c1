"""The wrapper that keeps what every step looks like."""

import pickle
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from imitation.data import rollout
from imitation.data.labels import clips
from imitation.envs.rendering import PackedImage, RenderImageInfoWrapper
from imitation.errors import ConfigError, DataError
from imitation.util.util import make_vec_env


class Painted(gym.Env[Any, Any]):
    """Renders the number of its steps as a brightness."""

    observation_space = gym.spaces.Box(0, 255, (1,))
    action_space = gym.spaces.Discrete(2)

    def __init__(
        self, render_mode: str | None = "rgb_array", shape: Any = (8, 12, 3)
    ) -> None:
        self.render_mode = render_mode
        self.shape = shape
        self.steps = 0

    def reset(self, **_: Any) -> Any:
        self.steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        return np.zeros(1, np.float32), 0.0, self.steps == 3, False, {"own": self.steps}

    def render(self) -> Any:
        return np.full(self.shape, 10 * self.steps, np.uint8)


@pytest.mark.parametrize(("scale", "shape"), [(1.0, (8, 12, 3)), (0.5, (4, 6, 3))])
def test_each_step_has_the_picture_after_it(scale: float, shape: Any) -> None:
    env = RenderImageInfoWrapper(Painted(), scale)
    env.reset()
    for step in (1, 2, 3):
        info = env.step(0)[4]
        assert info["own"] == step
        picture = np.asarray(info["rendered_img"])
        assert picture.shape == info["rendered_img"].shape == shape
        assert picture.dtype == np.uint8 and (picture == 10 * step).all()


def test_it_can_be_switched_off() -> None:
    env = RenderImageInfoWrapper(Painted())
    env.reset()
    env.enabled = False
    assert env.step(0)[4] == {"own": 1}
    env.enabled = True
    assert "rendered_img" in env.step(0)[4]


def test_trajectories_of_a_vector_environment_become_clips() -> None:
    venv = make_vec_env(
        "CartPole-v1",
        rng=np.random.default_rng(0),
        n_envs=2,
        post_wrappers=[lambda env, _: RenderImageInfoWrapper(env, 0.25)],
        env_make_kwargs={"render_mode": "rgb_array"},
    )
    rng = np.random.default_rng(0)
    [first, *_] = rollout.rollout(
        None,
        venv,
        rollout.make_min_episodes(1),
        rng=rng,
        unwrap=False,
        exclude_infos=False,
    )
    frames = clips.frames_of(first)
    assert frames.shape == (len(first), 100, 150, 3)
    assert len(np.unique(frames, axis=0)) > 1
    venv.close()


def test_packed_images_are_small_and_travel() -> None:
    pixels = np.zeros((400, 600, 3), np.uint8)
    pixels[100:150] = 7
    packed = PackedImage(pixels)
    assert len(pickle.dumps(packed)) < pixels.nbytes / 50
    other = pickle.loads(pickle.dumps(packed))
    np.testing.assert_array_equal(np.asarray(other), pixels)
    assert other == packed and hash(other) == hash(packed)
    assert packed != PackedImage(pixels + 1) and packed != 3
    assert np.asarray(packed, dtype=np.float32).dtype == np.float32
    assert "400, 600, 3" in repr(packed)
    # What asarray gives may be written to.
    np.asarray(packed)[0] = 1


@pytest.mark.parametrize("mode", [None, "human", "ansi"])
def test_environments_that_render_no_array_are_told(mode: str | None) -> None:
    with pytest.raises(ConfigError, match="render_mode='rgb_array'"):
        RenderImageInfoWrapper(Painted(mode))


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, float("nan")])
def test_scale_is_checked(scale: float) -> None:
    with pytest.raises(ConfigError, match="scale must lie in"):
        RenderImageInfoWrapper(Painted(), scale)


def test_pictures_of_another_shape_are_told() -> None:
    env = RenderImageInfoWrapper(Painted(shape=(8, 8)))
    env.reset()
    with pytest.raises(DataError, match=r"got \(8, 8\)"):
        env.step(0)
