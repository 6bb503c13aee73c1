"""Policies that ask a person at the terminal for each action.

They serve as experts wherever a policy does, above all in DAgger. In a vector of
environments the person is asked once per environment and told which one it is.
"""

import abc
import collections
import contextlib
import tempfile
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from typing_extensions import override

from imitation.errors import ConfigError, ImitationError
from imitation.policies import base
from imitation.util import util
from imitation.util.spaces import Env, Space

# Keys for the 18 Atari actions: directions around S, with Shift to fire as well.
ATARI_ACTION_NAMES_TO_KEYS = {
    "NOOP": "1",
    "FIRE": "2",
    "UP": "w",
    "RIGHT": "d",
    "LEFT": "a",
    "DOWN": "x",
    "UPRIGHT": "e",
    "UPLEFT": "q",
    "DOWNRIGHT": "c",
    "DOWNLEFT": "z",
    "UPFIRE": "W",
    "RIGHTFIRE": "D",
    "LEFTFIRE": "A",
    "DOWNFIRE": "X",
    "UPRIGHTFIRE": "E",
    "UPLEFTFIRE": "Q",
    "DOWNRIGHTFIRE": "C",
    "DOWNLEFTFIRE": "Z",
}

# Backends of Matplotlib that cannot show a figure in a window.
_FILE_BACKENDS = {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}


class DiscreteInteractivePolicy(base.NonTrainablePolicy, abc.ABC):
    """Shows each observation to a person and reads the action's key from stdin.

    Args:
        observation_space: the space of one observation, not a dictionary.
        action_space: a discrete space.
        action_keys_names: from the key to type to the action's name. The position in
            the mapping is the action, counted from the space's first one.
        clear_screen_on_query: whether to clear the terminal before each question.
    """

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        action_keys_names: collections.OrderedDict[str, str],
        clear_screen_on_query: bool = True,
    ) -> None:
        super().__init__(observation_space, action_space)
        assert isinstance(action_space, gym.spaces.Discrete), (
            f"expected a Discrete action space, got {action_space}"
        )
        assert len(action_keys_names) == action_space.n, (
            f"expected one key for each of {action_space.n} actions, "
            f"got {len(action_keys_names)}"
        )
        names = list(action_keys_names.values())
        assert len(set(names)) == len(names), f"action names repeat: {names}"
        self.action_keys_names = action_keys_names
        self.clear_screen_on_query = clear_screen_on_query
        first = int(action_space.start)
        self._key_to_action = {k: first + i for i, k in enumerate(action_keys_names)}

    @override
    def _choose_actions(self, observations: list[base.SingleObs]) -> list[base.Action]:
        n_envs = len(observations)
        return [
            self._query(obs, f"Environment {i + 1} of {n_envs}" if n_envs > 1 else "")
            for i, obs in enumerate(observations)
        ]

    @override
    def _choose_action(self, obs: base.SingleObs) -> base.Action:
        return self._query(obs, title="")

    def _query(self, obs: base.SingleObs, title: str) -> int:
        """Shows an observation and asks until the answer is a key of an action."""
        if isinstance(obs, dict):
            raise ConfigError(
                "Dictionary observations are not supported here; "
                "wrap the environment so that it shows one array"
            )
        if self.clear_screen_on_query:
            util.clear_screen()
        with self._rendered(obs, title) as note:
            lines = [line for line in (title, note) if line]
            actions = (f"  {k}: {name}" for k, name in self.action_keys_names.items())
            question = "\n".join([*lines, "Actions:", *actions, "Your action: "])
            answer = _read_line(question)
            while answer not in self._key_to_action:
                keys = ", ".join(self.action_keys_names)
                answer = _read_line(f"No action has key {answer!r}. One of {keys}: ")
        return self._key_to_action[answer]

    @contextlib.contextmanager
    def _rendered(self, obs: np.ndarray, title: str) -> Iterator[str]:
        """Shows an observation `[*obs]` during a block.

        `title` names the environment; it is empty if there is only one.

        Yields:
            A line to print above the question, possibly empty.
        """
        self._render(obs)
        yield ""

    @abc.abstractmethod
    def _render(self, obs: np.ndarray) -> None:
        """Shows the observation of one environment, `[*obs]`, to the person."""


class ImageObsDiscreteInteractivePolicy(DiscreteInteractivePolicy):
    """Draws image observations in a window and reads the action's key from stdin.

    Draws grayscale and RGB images, with channels first or last; of stacked frames the
    last one. Without a display, it writes the image to a temporary PNG file, which the
    question names.
    """

    @override
    def _render(self, obs: np.ndarray) -> None:
        import matplotlib.pyplot as plt  # slow, and only people need it

        image = latest_frame(obs)
        high = 255 if np.issubdtype(image.dtype, np.integer) else 1
        plt.imshow(image, cmap="gray", vmin=0, vmax=high)
        plt.axis("off")

    @contextlib.contextmanager
    @override
    def _rendered(self, obs: np.ndarray, title: str) -> Iterator[str]:
        import matplotlib as mpl
        import matplotlib.pyplot as plt

        figure = plt.figure()
        try:
            self._render(obs)
            figure.suptitle(title)
            if mpl.get_backend().lower() not in _FILE_BACKENDS:
                plt.show(block=False)
                plt.pause(0.1)  # the window draws itself in its event loop
                yield ""
                return
            with tempfile.NamedTemporaryFile(suffix=".png") as file:
                figure.savefig(file.name)
                yield f"Observation: {file.name}"
        finally:
            plt.close(figure)


class AtariInteractivePolicy(ImageObsDiscreteInteractivePolicy):
    """Asks a person to play an Atari game.

    Args:
        env: the game, or a vector of environments of one game.
        *args: passed to `ImageObsDiscreteInteractivePolicy` after the action keys.
        **kwargs: likewise.

    Raises:
        ValueError: the environment does not name its actions as Atari games do.
    """

    def __init__(self, env: Env | VecEnv, *args: Any, **kwargs: Any) -> None:
        keys_names = collections.OrderedDict(
            (ATARI_ACTION_NAMES_TO_KEYS[name], name) for name in _action_names(env)
        )
        super().__init__(
            env.observation_space, env.action_space, keys_names, *args, **kwargs
        )


def latest_frame(obs: np.ndarray) -> np.ndarray:
    """Finds the newest picture in an image observation.

    Args:
        obs: `[height, width]`, `[height, width, channels]`,
            `[channels, height, width]`, or such images stacked along a first axis. The
            smallest dimension is the channels. If it is divisible by three it holds RGB
            frames, otherwise grayscale ones, oldest first.

    Returns:
        `[height, width]` or `[height, width, 3]`, in the dtype of `obs`.

    Raises:
        ValueError: the observation is not an image.
    """
    if obs.ndim == 4:
        obs = obs[-1]
    if obs.ndim == 2:
        return obs
    if obs.ndim != 3:
        raise ConfigError(f"expected an image with 2 to 4 axes, got shape {obs.shape}")
    if np.argmin(obs.shape) == 0:
        obs = np.moveaxis(obs, 0, -1)
    # Stacked along the channels the newest frame comes last, in VecFrameStack.
    return obs[..., -3:] if obs.shape[-1] % 3 == 0 else obs[..., -1]


def _action_names(env: Env | VecEnv) -> list[str]:
    try:
        if isinstance(env, VecEnv):
            (names,) = env.env_method("get_action_meanings", indices=[0])
        else:
            names = env.get_wrapper_attr("get_action_meanings")()
    except AttributeError as error:
        raise ConfigError(
            "expected an Atari environment with get_action_meanings(), "
            f"got {env}; use ImageObsDiscreteInteractivePolicy with your own keys"
        ) from error
    unknown = set(names) - ATARI_ACTION_NAMES_TO_KEYS.keys()
    if unknown:
        raise ConfigError(f"no keys for the actions {sorted(unknown)} of {env}")
    return list(names)


def _read_line(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError as error:
        raise ImitationError(
            "expected the key of an action on stdin, which is closed; run this in a "
            "terminal, or use an expert that is a policy"
        ) from error
