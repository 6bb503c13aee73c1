"""Slow versions of what the data layer does with whole vector steps.

Every environment runs alone, one step and one Python object at a time.
"""

from collections import deque
from typing import Any

import numpy as np

from reference.scripted_env import ScriptedEnv, scripted_action


def play_alone(env: ScriptedEnv, n_steps: int) -> list[dict[str, Any]]:
    """Plays an environment by itself until an episode ends after `n_steps` steps.

    Returns:
        One dictionary per episode: ``obs, acts, rews, infos`` as lists, and ``start``
        and ``end``, the number of steps taken before it and up to its end.
    """
    episodes: list[dict[str, Any]] = []
    taken = 0
    while taken < n_steps:
        obs, _ = env.reset()
        episode: dict[str, Any] = {"obs": [obs], "start": taken}
        episode |= {"acts": [], "rews": [], "infos": []}
        ended = False
        while not ended:
            action = scripted_action(env.episode, env.time)
            obs, rew, terminated, truncated, info = env.step(action)
            for name, value in zip(
                ("obs", "acts", "rews", "infos"), (obs, action, rew, info), strict=True
            ):
                episode[name].append(value)
            ended = terminated or truncated
            taken += 1
        episode["end"] = taken
        episodes.append(episode)
    return episodes


def unbiased_episodes(
    envs: list[ScriptedEnv], min_episodes: int, min_timesteps: int
) -> list[dict[str, Any]]:
    """The episodes a rollout must return, in no particular order.

    All environments step together. The condition first holds at the end of some step;
    every episode that had begun before then belongs to the sample.
    """
    alone = [play_alone(env, 400) for env in envs]
    episodes = sorted((e for own in alone for e in own), key=lambda e: e["end"])
    for now in sorted({e["end"] for e in episodes}):
        done = [e for e in episodes if e["end"] <= now]
        n_steps = sum(len(e["acts"]) for e in done)
        if len(done) >= min_episodes and n_steps >= min_timesteps:
            return [e for e in episodes if e["start"] < now]
    raise AssertionError("the reference played too few steps")


def flatten_slowly(trajectories: Any, with_rews: bool) -> dict[str, list[Any]]:
    """One list per field, one transition after the other."""
    out: dict[str, list[Any]] = {"obs": [], "acts": [], "next_obs": []}
    out |= {"dones": [], "infos": [], "rews": []}
    for traj in trajectories:
        for t in range(len(traj.acts)):
            out["obs"].append(traj.obs[t])
            out["next_obs"].append(traj.obs[t + 1])
            out["acts"].append(traj.acts[t])
            out["dones"].append(bool(traj.terminal) and t == len(traj.acts) - 1)
            out["infos"].append({} if traj.infos is None else traj.infos[t])
            if with_rews:
                out["rews"].append(traj.rews[t])
    return out


def discounted_slowly(arr: Any, gamma: float) -> Any:
    """The sum of gamma^t arr[t], from the last step backwards."""
    total = np.zeros(arr.shape[1:])
    for value in arr[::-1]:
        total = value + gamma * total
    return total


class DequeBuffer:
    """A first-in, first-out buffer of single samples."""

    def __init__(self, capacity: int) -> None:
        self.samples: deque[Any] = deque(maxlen=capacity)

    def store(self, samples: Any) -> None:
        self.samples.extend(samples)
