"""Tiny environments of a fixed horizon for adversarial imitation."""

from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.data import types

HORIZON = 8


class TinyEnv(gym.Env[Any, Any]):
    """Random observations; the reward says how well the action names their sign.

    Args:
        obs_kind: "box", "dict" or "image" (channels last, bytes).
        act_kind: "box" (of two actions, bounds other than 1) or "discrete".
        horizon: steps until a time limit ends the episode; None draws it anew for each
            episode.
    """

    def __init__(
        self,
        obs_kind: str = "box",
        act_kind: str = "discrete",
        horizon: int | None = HORIZON,
    ) -> None:
        self.obs_kind, self.act_kind, self.horizon = obs_kind, act_kind, horizon
        box: Any = gym.spaces.Box(-1, 1, shape=(3,), dtype=np.float32)
        image = gym.spaces.Box(0, 255, shape=(36, 36, 2), dtype=np.uint8)
        self.observation_space = {
            "box": box,
            "image": image,
            "dict": gym.spaces.Dict({"vector": box, "second": box}),
        }[obs_kind]
        low, high = np.array([-2, 0.5], np.float32), np.array([1, 3], np.float32)
        self.action_space = {
            "box": gym.spaces.Box(low, high),
            "discrete": gym.spaces.Discrete(2),
        }[act_kind]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.time = 0
        self.length = self.horizon or int(self.np_random.integers(3, 9))
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        first = float(np.ravel(action)[0])
        if self.act_kind == "discrete":
            reward = float((first > 0.5) == (self.where[0] > 0))
        else:
            reward = -abs(first - float(self.where[0]))
        self.time += 1
        return self.observe(), reward, False, self.time == self.length, {}

    def action_masks(self) -> Any:
        """For MaskablePPO: one of the two actions is forbidden now and then."""
        return np.array([True, self.time % 3 != 0])

    def observe(self) -> Any:
        self.where = self.np_random.uniform(-1, 1, size=3).astype(np.float32)
        if self.obs_kind == "image":
            image = np.full((36, 36, 2), 128 + int(100 * self.where[0]), np.int64)
            image[:, :, 1] += int(20 * self.where[1])
            return image.astype(np.uint8)
        if self.obs_kind == "dict":
            return {"vector": self.where, "second": -self.where[::-1].copy()}
        return self.where


def expert_action(env: TinyEnv) -> Any:
    """The best action."""
    if env.act_kind == "discrete":
        return int(env.where[0] > 0)
    return np.array([env.where[0], 1.0], np.float32)


def make_venv(
    obs_kind: str = "box",
    act_kind: str = "discrete",
    n_envs: int = 2,
    horizon: int | None = HORIZON,
    seed: int = 0,
) -> DummyVecEnv:
    """Makes seeded tiny environments."""
    venv = DummyVecEnv([lambda: TinyEnv(obs_kind, act_kind, horizon)] * n_envs)
    venv.seed(seed)
    return venv


def expert_trajectories(
    n: int = 8, obs_kind: str = "box", act_kind: str = "discrete", seed: int = 100
) -> list[types.TrajectoryWithRew]:
    """Plays the best actions."""
    trajectories = []
    for episode in range(n):
        env = TinyEnv(obs_kind, act_kind)
        obs, _ = env.reset(seed=seed + episode)
        all_obs, acts, rews, ended = [obs], [], [], False
        while not ended:
            acts.append(expert_action(env))
            obs, reward, _, ended, _ = env.step(acts[-1])
            all_obs.append(obs)
            rews.append(reward)
        stacked: Any
        if obs_kind == "dict":
            stacked = types.DictObs.from_obs_list(all_obs)
        else:
            stacked = np.stack(all_obs)
        trajectories.append(
            types.TrajectoryWithRew(
                obs=stacked,
                acts=np.stack([np.asarray(a) for a in acts]),
                infos=None,
                terminal=True,
                rews=np.array(rews),
            )
        )
    return trajectories
