"""Demonstrations as an off-policy algorithm stores transitions.

Stable-Baselines3 moves the channels of images to the front, scales continuous actions
to [−1, 1] and gives single numbers an axis of length 1, and tells episodes that a time
limit cut off, which go on for the algorithm, from those that ended.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

import gymnasium as gym
import numpy as np
import torch as th
from stable_baselines3.common.preprocessing import get_action_dim

from imitation.algorithms import base
from imitation.data import tree, types
from imitation.data.flatten import flatten_trajectories
from imitation.errors import DataError, ImitationError
from imitation.util.spaces import Space
from imitation.util.util import get_first_iter_element

NEEDED = ("obs", "acts", "next_obs", "dones")

Obs = TypeVar("Obs", bound=tree.Tree)


class UnsupportedDemonstrationsError(ImitationError, NotImplementedError, TypeError):
    """Demonstrations hold no transitions from one observation to the next."""


@dataclasses.dataclass(frozen=True)
class StoredTransitions:
    """Transitions of an expert, laid out as a replay buffer stores its own."""

    observations: np.ndarray | dict[str, np.ndarray]
    """Shape ``(N, *stored_observation_shape)``, or a dictionary of such."""

    next_observations: np.ndarray | dict[str, np.ndarray]
    """Likewise."""

    actions: np.ndarray
    """Shape ``(N, action_dim)``; those of a box in [−1, 1] between its bounds."""

    dones: np.ndarray
    """1 where an episode came to its end, else 0, shape ``(N,)``, dtype float32."""

    timeouts: np.ndarray
    """1 where a time limit cut it off, else 0, shape ``(N,)``, dtype float32."""

    def __len__(self) -> int:
        """The number of transitions."""
        return len(self.actions)


def stored_transitions(
    demonstrations: base.AnyTransitions,
    observation_space: Space,
    action_space: Space,
    time_limit: int | None = None,
) -> StoredTransitions:
    """Brings demonstrations of any kind into the form of a replay buffer.

    Args:
        demonstrations: trajectories, transitions, or an iterable of batches with the
            keys obs, acts, next_obs and dones. An episode was cut off by a time limit
            if ``truncated`` or the info of its last step, ``"TimeLimit.truncated"``,
            says so; where a trajectory has no such info, if it is as long as
            `time_limit`.
        observation_space: as the algorithm has it: images with channels first.
        action_space: of the environment.
        time_limit: steps after which the environment cuts off an episode, if it does.

    Returns:
        The transitions, in their order.

    Raises:
        UnsupportedDemonstrationsError: there are no next observations.
        DataError: the demonstrations are empty or do not fit the spaces.
    """
    flat = _flattened(demonstrations, time_limit)
    seen = []
    for given in (flat.obs, flat.next_obs):
        # Images come as the environment gives them, and are stored as SB3 wraps them.
        obs = channels_first(tree.unwrap(given), observation_space)
        checked = types.TransitionsMinimal(tree.wrap(obs), flat.acts, flat.infos)
        base.check_demonstrations(checked, observation_space, action_space)
        seen.append(obs)
    acts = flat.acts.reshape(len(flat.acts), get_action_dim(action_space))
    if isinstance(action_space, gym.spaces.Box):
        if not action_space.is_bounded():
            raise DataError(
                f"actions of {action_space} cannot be scaled to [-1, 1], as off-policy "
                "algorithms store them; bound the space"
            )
        low, high = action_space.low.ravel(), action_space.high.ravel()
        # An expert may act beyond the bounds; the environment clips what it gets.
        acts = 2.0 * (np.clip(acts, low, high) - low) / (high - low) - 1.0
        acts = acts.astype(np.float32)
    else:
        acts = acts.astype(action_space.dtype)
    return StoredTransitions(
        observations=seen[0],
        next_observations=seen[1],
        actions=acts,
        dones=flat.dones.astype(np.float32),
        timeouts=flat.truncated.astype(np.float32),
    )


def channels_first(obs: Obs, space: Space) -> Obs:
    """Moves the channels of images to the front where a space has them there.

    Args:
        obs: shape ``(B, ...)``, an array or tensor, or a dictionary of them.
        space: the space that each should fit.

    Returns:
        The same kind; a view where an axis was moved, and `obs` itself where none was.
    """
    if isinstance(obs, Mapping):
        parts = space.spaces if isinstance(space, gym.spaces.Dict) else {}
        moved = {
            key: channels_first(part, parts[key]) if key in parts else part
            for key, part in obs.items()
        }
        return cast(Obs, moved)
    assert isinstance(obs, np.ndarray | th.Tensor)
    shape = space.shape or ()
    # A shape that fits already may be symmetric: it is not to be moved.
    if obs.ndim != 4 or len(shape) != 3 or tuple(obs.shape[1:]) == shape:
        return obs
    if (obs.shape[3], obs.shape[1], obs.shape[2]) != shape:
        return obs  # (B, H, W, C) of another space, which is an error elsewhere
    if isinstance(obs, np.ndarray):
        return cast(Obs, np.moveaxis(obs, 3, 1))
    return cast(Obs, obs.movedim(3, 1))


def _flattened(
    demonstrations: base.AnyTransitions, time_limit: int | None
) -> types.Transitions:
    if isinstance(demonstrations, types.Transitions):
        return demonstrations
    if isinstance(demonstrations, types.TransitionsMinimal) or not isinstance(
        demonstrations, Iterable
    ):
        raise _unsupported(demonstrations)
    first, items = get_first_iter_element(demonstrations)
    if isinstance(first, types.Trajectory):
        trajectories = cast(Iterable[types.Trajectory], items)
        # Without infos, which are joined one by one: only the last ones matter.
        return flatten_trajectories(
            types.Trajectory(
                obs=traj.obs,
                acts=traj.acts,
                infos=None,
                terminal=traj.terminal,
                truncated=_is_cut(traj, time_limit),
            )
            for traj in trajectories
        )
    if isinstance(first, Mapping):
        return _joined(list(cast(Iterable[Mapping[str, object]], items)))
    raise _unsupported(first)


def _is_cut(trajectory: types.Trajectory, time_limit: int | None) -> bool:
    """Returns whether a time limit ended an episode, as far as that can be known."""
    last = {} if trajectory.infos is None else trajectory.infos[-1]
    if trajectory.truncated or "TimeLimit.truncated" in last:
        return trajectory.truncated
    # `truncated` is False as well where nobody knew, such as in data of release 1.0.
    return len(trajectory) == time_limit


def _joined(batches: list[Mapping[str, Any]]) -> types.Transitions:
    """Joins batches of transitions to one."""
    infos: list[Mapping[str, object]] = []
    for batch in batches:
        missing = [key for key in NEEDED if key not in batch]
        if missing:
            raise UnsupportedDemonstrationsError(
                f"batches of demonstrations need the keys {', '.join(NEEDED)}; one "
                f"lacks {', '.join(missing)}"
            )
        infos.extend(batch.get("infos", [{}] * len(batch["acts"])))
    columns: dict[str, Any] = {
        key: tree.concatenate([tree.as_observation(batch[key]) for batch in batches])
        for key in (*NEEDED, "truncated")
        if all(key in batch for batch in batches)  # else `truncated` is of the infos
    }
    for key in columns.keys() & {"dones", "truncated"}:
        columns[key] = columns[key].astype(bool)  # of a loader that makes floats of all
    return types.Transitions(**columns, infos=np.array(infos, dtype=object))


def _unsupported(value: object) -> UnsupportedDemonstrationsError:
    return UnsupportedDemonstrationsError(
        "off-policy imitation needs transitions with next observations: trajectories, "
        f"Transitions or batches with {', '.join(NEEDED)}; got {type(value).__name__}"
    )
