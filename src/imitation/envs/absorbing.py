"""Absorbing states: episodes that end early, made as long as all others.

An episode that ends early tells a learner about the reward: GAIL's is never negative,
so any policy that survives looks good. Kostrikov et al., "Discriminator-Actor-Critic"
(https://arxiv.org/abs/1809.02925), section 4.2, let an environment that terminates go
on in an *absorbing state* instead, whose reward is learned like that of any other::

    terminates       s₀ a₀ s₁ a₁ s₂              becomes  s₀ a₀ s₁ a₁ ✝ · ✝ · ✝ · ✝
    cut at horizon   s₀ a₀ s₁ a₁ s₂ … s_horizon   stays as it is

The absorbing state ✝ takes the place of the last observation of an episode that
*terminated*. It stays until the horizon, whatever the action. An episode that a time
limit *truncated* was going to go on, and has no absorbing state.

An observation says by an indicator whether it is one; `absorbing_space` tells where. In
the absorbing state the indicator is 1 and all else is 0.

`AbsorbingStateWrapper` does this to an environment, `absorb_trajectories` to
demonstrations recorded without it, and `absorbing_rewards.AbsorbingActionMask` keeps a
reward network from telling the two apart by the actions taken in the absorbing state.

Differences from the paper: absorbing steps are taken in the environment, up to the
horizon, instead of being added to a replay buffer, so any algorithm can be used.
Actions in the absorbing state are the policy's own, not zeros; hence the mask.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsFloat, TypeVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from imitation.data import types
from imitation.data.episodes import EMPTY_INFO, infos_array
from imitation.envs.absorbing_observations import (
    INDICATOR,
    absorbing_space,
    with_indicator,
    zeros,
)
from imitation.errors import ConfigError, DataError

__all__ = ["AbsorbingStateWrapper", "absorb_trajectories", "absorbing_space"]

Array = npt.NDArray[Any]
TrajectoryT = TypeVar("TrajectoryT", bound=types.Trajectory)

EPISODE = "episode"
"""Key of what a `Monitor` says in the info of an episode's last step."""


class AbsorbingStateWrapper(
    gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs
):
    """Lets an environment that terminates stay in an absorbing state until a horizon.

    In the absorbing state rewards are zero and actions are ignored. What the
    environment itself truncates ends as before; so if only a time limit does, every
    episode has the same length. It can be a post-wrapper of `make_vec_env`::

        wrap = lambda env, index: AbsorbingStateWrapper(env)
        venv = make_vec_env("CartPole-v1", post_wrappers=[wrap])

    What a `Monitor` beneath says about the episode it saw, which ended earlier, comes
    with the last step; but it says nothing of episodes that a `horizon` below the
    environment's own cuts off. A `RolloutInfoWrapper` has to be put around this one.

    Args:
        env: the environment.
        horizon: the length of every episode in steps; None for the environment's
            registered time limit.

    Raises:
        ConfigError: there is no horizon, or the environment's time limit is below it;
            or the observation space is none that `absorbing_space` takes.
    """

    def __init__(self, env: gym.Env[Any, Any], horizon: int | None = None) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, horizon=horizon)
        super().__init__(env)
        self.horizon = _checked_horizon(env, horizon)
        self.observation_space = absorbing_space(env.observation_space)
        self._is_vector = len(env.observation_space.shape or ()) == 1
        self._t = 0
        self._absorbed = False
        self._episode: dict[str, Any] = {}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts a new episode.

        Args:
            seed: see Gymnasium.
            options: see Gymnasium.

        Returns:
            The first observation, with its indicator, and its info.
        """
        obs, info = self.env.reset(seed=seed, options=options)
        self._t, self._absorbed, self._episode = 0, False, {}
        return self._marked(obs), info

    def step(
        self, action: Any
    ) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Steps the environment, or stays in the absorbing state.

        Args:
            action: what the environment's ``step`` accepts; ignored once absorbed.

        Returns:
            Observation with its indicator, reward, terminated (always False),
            truncated, and info.
        """
        self._t += 1
        is_last = self._t >= self.horizon
        obs: Any = None
        reward: SupportsFloat = 0.0
        info: dict[str, Any] = {}
        if not self._absorbed:
            obs, reward, terminated, truncated, info = self.env.step(action)
            self._absorbed = bool(terminated)
            if self._absorbed:
                # Whoever counts episodes by this entry shall find it where they end.
                self._episode, info = _split(info)
            else:
                is_last = is_last or truncated
        if self._absorbed:
            obs = zeros(self.env.observation_space)
        if is_last:
            info = {**info, **self._episode}
        return self._marked(obs), reward, False, is_last, info

    def _marked(self, obs: Any) -> Any:
        return with_indicator(
            obs, np.array([self._absorbed], np.float32), self._is_vector
        )


def absorb_trajectories(
    trajectories: Iterable[TrajectoryT],
    horizon: int,
    *,
    terminated: Sequence[bool] | None = None,
    action: npt.ArrayLike | None = None,
) -> list[TrajectoryT]:
    """Does to demonstrations what `AbsorbingStateWrapper` does to their environment.

    Whether an episode terminated, rather than being cut by a time limit, is told by

    1. `terminated`, if given;
    2. else ``"TimeLimit.truncated"`` in the info of its last step, which the vector
       environments of Stable-Baselines3 put there;
    3. else its length: it terminated if it is shorter than `horizon`.

    Fragments that do not hold the end of their episode (``terminal=False``) only get
    the indicator.

    Args:
        trajectories: recorded without absorbing states.
        horizon: the length of every episode in steps.
        terminated: for each trajectory whether its episode terminated.
        action: the action of all absorbing steps, shape ``action_shape``; None for
            zeros.

    Returns:
        New trajectories of the same class. Those of episodes that terminated have
        `horizon` actions, and reward 0 and an empty info where there was none.

    Raises:
        ConfigError: `horizon` is not positive.
        DataError: a trajectory is longer than `horizon`, or has a key "absorbing"
            already; there is not one `terminated` for each, or one is True for a
            fragment; or `action` has another shape.
    """
    if horizon < 1:
        raise ConfigError(f"horizon must be at least 1 step, got {horizon}")
    trajectories = list(trajectories)
    if terminated is not None and len(terminated) != len(trajectories):
        raise DataError(
            f"expected one of terminated for each of {len(trajectories)} trajectories, "
            f"got {len(terminated)}"
        )
    absorbed = []
    for i, trajectory in enumerate(trajectories):
        if len(trajectory) > horizon:
            raise DataError(
                f"trajectory {i} has {len(trajectory)} steps, more than the horizon "
                f"{horizon}; pass the time limit of its environment"
            )
        ended = _terminated(trajectory, horizon)
        if terminated is not None:
            ended = bool(terminated[i])
        if ended and not trajectory.terminal:
            raise DataError(
                f"trajectory {i} is a fragment (terminal=False), which cannot hold the "
                "end of an episode; pass terminated=False for it"
            )
        absorbed.append(_absorb(trajectory, horizon if ended else None, action))
    return absorbed


def _checked_horizon(env: gym.Env[Any, Any], horizon: int | None) -> int:
    limit = None if env.spec is None else env.spec.max_episode_steps
    if horizon is None:
        horizon = limit
    if horizon is None or horizon < 1:
        raise ConfigError(
            f"absorbing states need a horizon of at least 1 step, got {horizon}; pass "
            "horizon, or give the environment a time limit"
        )
    if limit is not None and limit < horizon:
        raise ConfigError(
            f"horizon={horizon} is beyond the environment's time limit of {limit} "
            "steps; raise that by max_episode_steps"
        )
    return horizon


def _terminated(trajectory: types.Trajectory, horizon: int) -> bool:
    """Whether an episode ended by itself, as far as its trajectory tells."""
    if not trajectory.terminal:
        return False
    last = None if trajectory.infos is None else trajectory.infos[-1]
    if isinstance(last, Mapping) and "TimeLimit.truncated" in last:
        return not last["TimeLimit.truncated"]
    return len(trajectory) < horizon


def _absorb(
    trajectory: TrajectoryT, horizon: int | None, action: npt.ArrayLike | None
) -> TrajectoryT:
    """Adds the indicator and, up to a horizon, absorbing steps."""
    length = len(trajectory)
    obs: Any = types.maybe_unwrap_dictobs(trajectory.obs)
    flags = np.zeros((length + 1, 1), np.float32)
    changes: dict[str, Any] = {}
    if horizon is not None:
        extra = horizon - length
        flags = np.zeros((horizon + 1, 1), np.float32)
        flags[length:] = 1
        obs = types.map_maybe_dict(lambda part: _padded(part[:-1], extra + 1), obs)
        changes["acts"] = _padded(trajectory.acts, extra)
        if action is not None:
            changes["acts"][length:] = _checked_action(action, trajectory.acts)
        if trajectory.infos is not None:
            changes["infos"] = _padded_infos(trajectory.infos, extra)
        if isinstance(trajectory, types.TrajectoryWithRew):
            changes["rews"] = _padded(trajectory.rews, extra)
    if isinstance(obs, Mapping) and INDICATOR in obs:
        raise DataError(
            f"observations have the key {INDICATOR!r} already; were absorbing states "
            "added before?"
        )
    is_vector = not isinstance(obs, Mapping) and obs.ndim == 2
    marked = with_indicator(obs, flags, is_vector)
    changes["obs"] = types.maybe_wrap_in_dictobs(marked)
    return dataclasses.replace(trajectory, **changes)


def _padded(array: Array, extra: int) -> Array:
    return np.concatenate([array, np.zeros((extra, *array.shape[1:]), array.dtype)])


def _padded_infos(infos: Sequence[Any] | Array, extra: int) -> Array:
    """Adds empty infos; what a `Monitor` said stays at the end."""
    *before, last = infos
    episode, last = _split(last) if isinstance(last, Mapping) and extra else ({}, last)
    padded = [*before, last, *[EMPTY_INFO] * extra]
    if episode:
        padded[-1] = episode
    return infos_array(padded)


def _split(info: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What belongs to the end of an episode, and the rest."""
    rest = {key: value for key, value in info.items() if key != EPISODE}
    return ({EPISODE: info[EPISODE]} if EPISODE in info else {}), rest


def _checked_action(action: npt.ArrayLike, acts: Array) -> Array:
    array: Array = np.asarray(action)
    if array.shape != acts.shape[1:]:
        raise DataError(
            f"action has shape {array.shape}, those of the trajectories have "
            f"{acts.shape[1:]}"
        )
    return array
