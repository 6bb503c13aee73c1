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

Observations get an indicator, 1 in the absorbing state, where all else is 0, and 0
elsewhere. Vectors get it as one more feature. Other observations become a dictionary
with an array of shape ``(1,)`` under "absorbing", beside the parts of a dictionary or
beside the whole observation under "obs".

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
from typing_extensions import override

from imitation.data import tree, types
from imitation.data.episodes import EMPTY_INFO
from imitation.data.record import as_infos
from imitation.errors import ConfigError, DataError
from imitation.util.spaces import Env, Info, Space, StepResult, Wrapper

Array = np.ndarray
TrajectoryT = TypeVar("TrajectoryT", bound=types.Trajectory)

# Key of the indicator in dictionary observations.
INDICATOR = "absorbing"

# Key of observations that are neither vectors nor dictionaries.
OBS = "obs"

# Key of the record of a `Monitor` in the info of an episode's last step.
EPISODE = "episode"


class AbsorbingStateWrapper(Wrapper, gym.utils.RecordConstructorArgs):
    """Keeps a terminated environment in an absorbing state until a horizon.

    In the absorbing state rewards are zero and actions are ignored. What the
    environment itself truncates ends as before; so if only a time limit does, every
    episode has the same length. It can be a post-wrapper of `make_vec_env`::

        wrap = lambda env, index: AbsorbingStateWrapper(env)
        venv = make_vec_env("CartPole-v1", post_wrappers=[wrap])

    The record of a `Monitor` beneath, whose episode ended earlier, comes with the last
    step; there is none for episodes that a `horizon` below the environment's own cuts
    off. A `RolloutInfoWrapper` has to be put around this one.

    Args:
        env: the environment.
        horizon: the length of every episode in steps; None for the environment's
            registered time limit.

    Raises:
        ConfigError: there is no horizon, the environment's time limit is below it, or
            `absorbing_space` does not support the observation space.
    """

    def __init__(self, env: Env, horizon: int | None = None) -> None:
        # So that the spec of the wrapped environment can rebuild the wrapper.
        gym.utils.RecordConstructorArgs.__init__(self, horizon=horizon)
        super().__init__(env)
        self.horizon = _checked_horizon(env, horizon)
        self.observation_space = absorbing_space(env.observation_space)
        self._is_vector = len(env.observation_space.shape or ()) == 1
        self._t = 0
        self._absorbed = False
        self._episode: Info = {}

    @override
    def reset(
        self, *, seed: int | None = None, options: Info | None = None
    ) -> tuple[Any, Info]:
        obs, info = self.env.reset(seed=seed, options=options)
        self._t, self._absorbed, self._episode = 0, False, {}
        return self._marked(obs), info

    @override
    def step(self, action: object) -> StepResult:
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
        info: Info = {}
        if not self._absorbed:
            obs, reward, terminated, truncated, info = self.env.step(action)
            self._absorbed = bool(terminated)
            if self._absorbed:
                # Callers that count episodes by this entry expect it at their end.
                self._episode, info = _split(info)
            else:
                is_last = is_last or truncated
        if self._absorbed:
            obs = _zeros(self.env.observation_space)
        if is_last:
            info = {**info, **self._episode}
        # Truncated, not terminated: algorithms that bootstrap value the absorbing state
        # as if it went on after the horizon, as in section 4.2 of the paper.
        return self._marked(obs), reward, False, is_last, info

    def _marked(self, obs: Any) -> Any:
        return _with_indicator(
            obs, np.array([self._absorbed], np.float32), self._is_vector
        )


def absorb_trajectories(
    trajectories: Iterable[TrajectoryT],
    horizon: int,
    *,
    terminated: Sequence[bool] | None = None,
    action: npt.ArrayLike | None = None,
) -> list[TrajectoryT]:
    """Adds absorbing states as `AbsorbingStateWrapper` adds them to an environment.

    Whether an episode terminated, rather than being cut by a time limit, is told by

    1. `terminated`, if given;
    2. else `truncated`, or ``"TimeLimit.truncated"`` in the info of its last step;
    3. else, if it has neither, its length: it terminated if shorter than `horizon`.

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
        `horizon` actions, and reward 0 and an empty info where there was none. Whole
        episodes are truncated, as those in the wrapped environment are.

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


def _checked_horizon(env: Env, horizon: int | None) -> int:
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
    """Returns whether an episode terminated, as far as its trajectory tells."""
    if not trajectory.terminal or trajectory.truncated:
        return False
    # False may only be the default of `truncated`; here the info decides.
    last = None if trajectory.infos is None else trajectory.infos[-1]
    if isinstance(last, Mapping) and "TimeLimit.truncated" in last:
        return True
    return len(trajectory) < horizon


def _absorb(
    trajectory: TrajectoryT, horizon: int | None, action: npt.ArrayLike | None
) -> TrajectoryT:
    """Adds the indicator and, up to a horizon, absorbing steps."""
    length = len(trajectory)
    obs: Any = types.maybe_unwrap_dictobs(trajectory.obs)
    flags = np.zeros((length + 1, 1), np.float32)
    changes: Info = {"truncated": trajectory.terminal}
    if horizon is not None:
        extra = horizon - length
        flags = np.zeros((horizon + 1, 1), np.float32)
        flags[length:] = 1
        # The absorbing state replaces the last observation: one more than `extra`.
        obs = tree.map(lambda part: _padded(part[:-1], extra + 1), obs)
        changes["acts"] = _padded(trajectory.acts, extra)
        if action is not None:
            if np.shape(action) != trajectory.acts.shape[1:]:
                raise DataError(
                    f"action has shape {np.shape(action)}, those of the trajectories "
                    f"have {trajectory.acts.shape[1:]}"
                )
            changes["acts"][length:] = action
        if trajectory.infos is not None:
            *before, last = trajectory.infos
            episode: Info = {}
            if extra and isinstance(last, Mapping):
                # The record of a `Monitor` stays at the end.
                episode, last = _split(last)
            padded = [*before, last, *[EMPTY_INFO] * extra]
            if episode:
                padded[-1] = episode
            changes["infos"] = as_infos(padded)
        if isinstance(trajectory, types.TrajectoryWithRew):
            changes["rews"] = _padded(trajectory.rews, extra)
    if isinstance(obs, Mapping) and INDICATOR in obs:
        raise DataError(
            f"observations have the key {INDICATOR!r} already; were absorbing states "
            "added before?"
        )
    is_vector = not isinstance(obs, Mapping) and obs.ndim == 2
    marked = _with_indicator(obs, flags, is_vector)
    changes["obs"] = types.maybe_wrap_in_dictobs(marked)
    return dataclasses.replace(trajectory, **changes)


def _padded(array: Array, extra: int) -> Array:
    return np.concatenate([array, np.zeros((extra, *array.shape[1:]), array.dtype)])


def _split(info: Mapping[str, object]) -> tuple[Info, Info]:
    """Splits an info into what belongs to the end of an episode, and the rest."""
    rest = {key: value for key, value in info.items() if key != EPISODE}
    return ({EPISODE: info[EPISODE]} if EPISODE in info else {}), rest


def absorbing_space(space: Space) -> Space:
    """Returns the observation space of an environment with absorbing states.

    Args:
        space: a Box, Discrete, MultiDiscrete or MultiBinary space, or a dictionary.

    Returns:
        For vectors, the same kind of space with one more feature; for others, a
        dictionary with the key "absorbing". Boxes are widened to contain zeros.

    Raises:
        ConfigError: the space is of another kind, does not contain zeros, or is a
            dictionary with the key "absorbing".
    """
    match space:
        case gym.spaces.Dict():
            if INDICATOR in space.spaces:
                raise ConfigError(
                    f"observations have the key {INDICATOR!r} already; was the "
                    "environment wrapped before?"
                )
            parts = [(k, _containing_zeros(part)) for k, part in space.spaces.items()]
        case gym.spaces.Box(shape=(_,)):
            box = _containing_zeros(space)
            low, high = np.append(box.low, 0), np.append(box.high, 1)  # type: ignore[attr-defined]  # a box
            # np.append promotes to float64, so the dtype is restored.
            return gym.spaces.Box(
                low.astype(space.dtype),
                high.astype(space.dtype),
                dtype=space.dtype.type,
            )
        case gym.spaces.MultiDiscrete(shape=(_,)):
            start = np.append(_containing_zeros(space).start, 0)  # type: ignore[attr-defined]  # it stays of its kind
            return gym.spaces.MultiDiscrete(
                np.append(space.nvec, 2), dtype=space.dtype.type, start=start
            )
        case gym.spaces.MultiBinary(shape=(n,)):
            return gym.spaces.MultiBinary(n + 1)
        case _:
            parts = [(OBS, _containing_zeros(space))]
    flag = gym.spaces.Box(0, 1, (1,), np.float32)
    return gym.spaces.Dict([*parts, (INDICATOR, flag)])


def _containing_zeros(space: Space) -> Space:
    """Widens a box to contain zeros, and refuses other spaces that do not."""
    if isinstance(space, gym.spaces.Box):
        low, high = np.minimum(space.low, 0), np.maximum(space.high, 0)
        if (low == space.low).all() and (high == space.high).all():
            return space
        return gym.spaces.Box(low, high, dtype=space.dtype.type)
    kinds = (gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary)
    if not isinstance(space, kinds) or not space.contains(_zeros(space)):
        raise ConfigError(
            f"absorbing states need boxes, or discrete observations that may be zero, "
            f"got {space}; change the observations by a wrapper beneath"
        )
    return space


def _zeros(space: Space) -> Any:
    """Returns the observation of the absorbing state, without its indicator."""
    if isinstance(space, gym.spaces.Dict):
        return {key: _zeros(part) for key, part in space.spaces.items()}
    return np.zeros(space.shape or (), space.dtype)


def _with_indicator(obs: Any, flags: Array, is_vector: bool) -> Any:
    """Adds indicators to observations.

    Args:
        obs: one observation or a batch, ``(..., *observation_shape)``; a dictionary of
            arrays if the space is one.
        flags: the indicators, shape ``(..., 1)``, float32.
        is_vector: whether the observation space is one of vectors.

    Returns:
        Elements of the `absorbing_space`, as a plain dictionary where it is one.
    """
    if is_vector:
        return np.concatenate([obs, flags.astype(obs.dtype)], axis=-1)
    parts = obs if isinstance(obs, Mapping) else {OBS: obs}
    return {**parts, INDICATOR: flags}
