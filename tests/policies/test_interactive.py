"""A person as a policy: questions, answers, images, vectors of environments."""

import collections
import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import pytest
from stable_baselines3.common import vec_env

from imitation.data import rollout
from imitation.errors import ImitationError
from imitation.policies import interactive

KEYS = collections.OrderedDict([("l", "left"), ("n", "nothing"), ("r", "right")])
BOX = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
ACTIONS = gym.spaces.Discrete(3)


class _Recorder(interactive.DiscreteInteractivePolicy):
    """Keeps what it was asked to show."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.shown: list[Any] = []

    def _render(self, obs: Any) -> None:
        self.shown.append(obs)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets a test type lines into stdin."""

    def type_lines(*lines: Any) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{x}\n" for x in lines)))

    return type_lines


def _policy(**kwargs: Any) -> Any:
    return _Recorder(BOX, ACTIONS, KEYS, clear_screen_on_query=False, **kwargs)


@pytest.mark.parametrize(("key", "action"), [("l", 0), ("n", 1), ("r", 2), (" r ", 2)])
def test_a_key_gives_its_action(
    typed: Any, capsys: pytest.CaptureFixture[str], key: str, action: int
) -> None:
    typed(key)
    policy = _policy()
    obs = np.array([[0.5, -0.5]], np.float32)
    acts, _ = policy.predict(obs)
    np.testing.assert_array_equal(acts, [action])
    np.testing.assert_array_equal(policy.shown, obs)
    out = capsys.readouterr().out
    assert all(f"{key}: {name}" in out for key, name in KEYS.items())
    assert "Environment" not in out


def test_asks_again_until_the_key_is_valid(
    typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("x", "", "L", "r")
    policy = _policy()
    acts, _ = policy.predict(np.zeros((1, 2), np.float32))
    assert acts == [2]
    assert len(policy.shown) == 1, "the observation is shown once per question"
    out = capsys.readouterr().out
    assert [out.count(f"No action has key {k!r}") for k in ("x", "", "L")] == [1] * 3
    assert "One of l, n, r:" in out


def test_asks_once_per_environment_and_names_it(
    typed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("r", "l", "n")
    policy = _policy()
    obs = np.arange(6, dtype=np.float32).reshape(3, 2) / 10
    acts, _ = policy.predict(obs)
    np.testing.assert_array_equal(acts, [2, 0, 1])
    np.testing.assert_array_equal(policy.shown, obs)
    out = capsys.readouterr().out
    places = [out.index(f"Environment {i} of 3") for i in (1, 2, 3)]
    assert places == sorted(places)


def test_actions_count_from_the_start_of_the_space(typed: Any) -> None:
    typed("r")
    policy = _Recorder(BOX, gym.spaces.Discrete(3, start=5), KEYS)
    policy.clear_screen_on_query = False
    assert policy.predict(np.zeros((1, 2), np.float32))[0] == [7]


def test_closed_stdin_says_what_to_do(typed: Any) -> None:
    typed()
    with pytest.raises(ImitationError, match=r"stdin, which is closed; run this in"):
        _policy().predict(np.zeros((1, 2), np.float32))


def test_dictionary_observations_are_refused(typed: Any) -> None:
    space = gym.spaces.Dict({"a": BOX})
    typed("l")
    policy = _Recorder(space, ACTIONS, KEYS)
    with pytest.raises(ValueError, match="Dictionary observations are not supported"):
        policy.predict({"a": np.zeros((1, 2), np.float32)})


@pytest.mark.parametrize(
    ("space", "keys", "complaint"),
    [
        (gym.spaces.Discrete(2), KEYS, "one key for each of 2 actions, got 3"),
        (gym.spaces.Discrete(4), KEYS, "one key for each of 4 actions, got 3"),
        (BOX, KEYS, "expected a Discrete action space"),
        (
            gym.spaces.Discrete(2),
            collections.OrderedDict(a="same", b="same"),
            "action names repeat",
        ),
    ],
)
def test_keys_have_to_match_the_actions(space: Any, keys: Any, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        _Recorder(BOX, space, keys)


def test_clears_the_screen_before_each_question(
    typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared = []
    monkeypatch.setattr(
        "imitation.policies.interactive.util.clear_screen",
        lambda: cleared.append(len(policy.shown)),
    )
    typed("l", "l")
    policy: Any = _Recorder(BOX, ACTIONS, KEYS)
    policy.predict(np.zeros((2, 2), np.float32))
    assert cleared == [0, 1]


def _image(height: Any, width: Any, fill: Any, dtype: Any = np.uint8) -> Any:
    return np.full((height, width), fill, dtype)


GRAY = [_image(8, 9, i) for i in range(4)]


@pytest.mark.parametrize(
    ("obs", "expected"),
    [
        pytest.param(GRAY[0], GRAY[0], id="grayscale without channels"),
        pytest.param(GRAY[1][..., None], GRAY[1], id="grayscale, channels last"),
        pytest.param(GRAY[1][None], GRAY[1], id="grayscale, channels first"),
        pytest.param(np.stack(GRAY, -1), GRAY[3], id="four frames, channels last"),
        pytest.param(np.stack(GRAY, 0), GRAY[3], id="four frames, channels first"),
        pytest.param(
            np.stack(GRAY[:3], -1), np.stack(GRAY[:3], -1), id="RGB, channels last"
        ),
        pytest.param(
            np.stack(GRAY[:3], 0), np.stack(GRAY[:3], -1), id="RGB, channels first"
        ),
        pytest.param(
            np.stack([*GRAY[:3], *GRAY[1:]], -1),
            np.stack(GRAY[1:], -1),
            id="two RGB frames, channels last",
        ),
        pytest.param(
            np.stack([*GRAY[:3], *GRAY[1:]], 0),
            np.stack(GRAY[1:], -1),
            id="two RGB frames, channels first",
        ),
        pytest.param(
            np.stack([np.stack(GRAY[:3], -1), np.stack(GRAY[1:], -1)]),
            np.stack(GRAY[1:], -1),
            id="two RGB frames on their own axis",
        ),
    ],
)
def test_latest_frame_of_every_layout(obs: Any, expected: Any) -> None:
    frame = interactive.latest_frame(obs)
    np.testing.assert_array_equal(frame, expected)
    assert frame.dtype == obs.dtype


def test_latest_frame_of_a_vector_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"2 to 4 axes, got shape \(5,\)"):
        interactive.latest_frame(np.zeros(5))


def test_images_are_drawn_and_closed_without_a_display(
    typed: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: Any = []
    original = plt.imshow
    monkeypatch.setattr(
        plt, "imshow", lambda image, **kw: drawn.append(image) or original(image, **kw)
    )
    space = gym.spaces.Box(0, 255, (4, 36, 36), np.uint8)
    policy = interactive.ImageObsDiscreteInteractivePolicy(
        space, ACTIONS, KEYS, clear_screen_on_query=False
    )
    typed("n", "r")
    batch = np.random.default_rng(0).integers(0, 255, (2, 4, 36, 36), np.uint8)
    acts, _ = policy.predict(batch)
    np.testing.assert_array_equal(acts, [1, 2])
    np.testing.assert_array_equal(drawn, batch[:, -1])
    assert capsys.readouterr().out.count(".png") == 2
    assert not plt.get_fignums()


def test_channels_last_environments_can_give_transposed_observations(
    typed: Any,
) -> None:
    """SB3 transposes images for its networks, so a policy may see either layout."""
    space = gym.spaces.Box(0, 255, (36, 40, 3), np.uint8)
    policy = interactive.ImageObsDiscreteInteractivePolicy(
        space, ACTIONS, KEYS, clear_screen_on_query=False
    )
    typed("l")
    assert policy.predict(np.zeros((1, 36, 40, 3), np.uint8))[0] == [0]


class _Atari(gym.Env):
    """What an Atari game says of its actions."""

    observation_space = gym.spaces.Box(0, 255, (40, 40, 3), np.uint8)

    def __init__(
        self, names: Any = tuple(interactive.ATARI_ACTION_NAMES_TO_KEYS)
    ) -> None:
        self.names = list(names)
        self.action_space = gym.spaces.Discrete(len(self.names))

    def get_action_meanings(self) -> Any:
        return self.names


def test_atari_has_one_distinct_key_per_action() -> None:
    keys = interactive.ATARI_ACTION_NAMES_TO_KEYS
    assert len(keys) == 18
    assert len(set(keys.values())) == 18


@pytest.mark.parametrize(
    "wrap",
    [
        lambda env: env,
        lambda env: gym.wrappers.TimeLimit(env, 10),
        lambda env: vec_env.DummyVecEnv([lambda: gym.wrappers.TimeLimit(env, 10)]),
        lambda env: vec_env.VecTransposeImage(vec_env.DummyVecEnv([lambda: env])),
    ],
)
def test_atari_policy_takes_names_through_wrappers(
    typed: Any, wrap: Callable[..., Any]
) -> None:
    env = wrap(_Atari(["NOOP", "RIGHT", "RIGHTFIRE"]))
    policy = interactive.AtariInteractivePolicy(env, clear_screen_on_query=False)
    assert policy.observation_space == env.observation_space
    typed("D", "d")
    shape = env.observation_space.shape
    acts, _ = policy.predict(np.zeros((2, *shape), np.uint8))
    np.testing.assert_array_equal(acts, [2, 1])


@pytest.mark.parametrize(
    ("env", "complaint"),
    [
        (gym.make("CartPole-v1"), "expected an Atari environment"),
        (
            vec_env.DummyVecEnv([lambda: gym.make("CartPole-v1")]),
            "expected an Atari environment",
        ),
        (_Atari(["NOOP", "JUMP"]), r"no keys for the actions \['JUMP'\]"),
    ],
)
def test_atari_policy_needs_atari_actions(env: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        interactive.AtariInteractivePolicy(env)


def test_importing_the_module_loads_no_plotting_and_no_game() -> None:
    code = (
        "import sys, imitation.policies.interactive; "
        "print([m for m in ('matplotlib', 'shimmy', 'ale_py') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == "[]"


class _Pictures(gym.Env):
    """Two steps of pictures with three actions."""

    observation_space = gym.spaces.Box(0, 255, (36, 40, 3), np.uint8)
    action_space = ACTIONS

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self.observation_space.sample(), 0.0, self.steps == 2, False, {}


@pytest.mark.parametrize("transposed", [False, True])
def test_a_person_demonstrates_in_a_vector_of_image_environments(
    typed: Any, capsys: pytest.CaptureFixture[str], transposed: bool
) -> None:
    venv: Any = vec_env.DummyVecEnv([_Pictures, _Pictures])
    if transposed:
        venv = vec_env.VecTransposeImage(venv)
    policy = interactive.ImageObsDiscreteInteractivePolicy(
        venv.observation_space, ACTIONS, KEYS, clear_screen_on_query=False
    )
    typed("l", "n", "r", "l")
    episodes = rollout.generate_trajectories(
        policy, venv, rollout.make_min_episodes(2), np.random.default_rng(0)
    )
    acts = sorted(episode.acts.tolist() for episode in episodes)
    assert acts == [[0, 2], [1, 0]]
    assert capsys.readouterr().out.count("Environment 2 of 2") == 2
