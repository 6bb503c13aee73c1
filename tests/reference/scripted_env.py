"""An environment whose every observation says where it comes from."""

from typing import Any

import gymnasium as gym
import numpy as np


class ScriptedEnv(gym.Env[Any, Any]):
    """Episodes of random lengths; observations hold (environment, episode, step).

    The reward of a step is ``env_id + episode / 10 + step / 100 + action / 1000``.
    Episodes end by termination and by truncation in turn. Images are too small for
    convolutions; their range, which is not 0 to 255, tells Stable-Baselines3 so.
    """

    def __init__(self, env_id: int, seed: int, kind: str = "array") -> None:
        self.env_id = env_id
        self.kind = kind
        self.lengths = np.random.default_rng([seed, env_id]).integers(1, 9, size=1000)
        self.episode = -1
        self.time = 0
        where: Any = gym.spaces.Box(-1, 1000, shape=(3,), dtype=np.int32)
        image = gym.spaces.Box(0, 250, shape=(4, 5, 3), dtype=np.uint8)
        self.observation_space = {
            "array": where,
            "image": image,
            "dict": gym.spaces.Dict({"where": where, "image": image}),
        }[kind]
        self.action_space = gym.spaces.Discrete(5)

    def observe(self, episode: int, time: int) -> Any:
        where = np.array([self.env_id, episode, time], dtype=np.int32)
        image = np.full((4, 5, 3), (self.env_id + 7 * episode + time) % 250, np.uint8)
        both = {"where": where, "image": image}
        return {"array": where, "image": image, "dict": both}[self.kind]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.episode += 1
        self.time = 0
        return self.observe(self.episode, 0), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        ended = self.time == self.lengths[self.episode]
        by_time = bool(self.episode % 2)
        rew = self.env_id + self.episode / 10 + self.time / 100 + int(action) / 1000
        info = {"who": self.env_id, "episode_number": self.episode, "t": self.time}
        obs = self.observe(self.episode, self.time)
        return obs, rew, bool(ended and not by_time), bool(ended and by_time), info


def scripted_action(episode: int, time: int) -> int:
    """What the tests' policy does after observing this."""
    return (3 * episode + time) % 5


def scripted_policy(obs: Any) -> Any:
    """The same for a batch of array or dictionary observations."""
    where = obs["where"] if isinstance(obs, dict) else obs
    return (3 * where[:, 1] + where[:, 2]) % 5
