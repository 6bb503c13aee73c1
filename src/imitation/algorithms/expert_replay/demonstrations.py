"""Demonstrations as an off-policy algorithm stores transitions.

Stable-Baselines3 moves the channels of images to the front, scales continuous actions
to [−1, 1] and gives single numbers an axis of length 1, and tells episodes that a time
limit cut off, which go on for the algorithm, from those that ended.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.preprocessing import get_action_dim

from imitation.algorithms import base
from imitation.data import types
from imitation.data.flatten import flatten_trajectories
from imitation.errors import DataError, ImitationError
from imitation.util import tensors
from imitation.util.spaces import Space
from imitation.util.util import get_first_iter_element

__all__ = [
    "StoredTransitions",
    "UnsupportedDemonstrationsError",
    "channels_first",
    "stored_transitions",
]

Array = npt.NDArray[Any]
NEEDED = ("obs", "acts", "next_obs", "dones")


class UnsupportedDemonstrationsError(ImitationError, NotImplementedError, TypeError):
    """Demonstrations hold no transitions from one observation to the next."""


@dataclasses.dataclass(frozen=True)
class StoredTransitions:
    """Transitions of an expert, laid out as a replay buffer stores its own."""

    observations: Array | dict[str, Array]
    """Shape ``(N, *stored_observation_shape)``, or a dictionary of such."""

    next_observations: Array | dict[str, Array]
    """Likewise."""

    actions: Array
    """Shape ``(N, action_dim)``; those of a box in [−1, 1] between its bounds."""

    dones: Array
    """1 where an episode came to its end, else 0, shape ``(N,)``, dtype float32."""

    timeouts: Array
    """1 where that was a time limit's doing, else 0, shape ``(N,)``, dtype float32."""

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
            if the info of its last step says so by ``"TimeLimit.truncated"``; where a
            trajectory's info does not mention it, if it is as long as `time_limit`.
        observation_space: as the algorithm has it: images with channels first.
        action_space: of the environment.
        time_limit: steps after which the environment cuts off an episode, if it does.

    Returns:
        The transitions, in their order.

    Raises:
        UnsupportedDemonstrationsError: there are no next observations.
        DataError: the demonstrations are empty or do not fit the spaces.
    """
    flat, cut = _flattened(demonstrations, time_limit)
    observations, next_observations = (
        channels_first(types.maybe_unwrap_dictobs(obs), observation_space)
        for obs in (flat.obs, flat.next_obs)
    )
    for obs in (observations, next_observations):
        wrapped: Any = types.maybe_wrap_in_dictobs(obs)
        checked = types.TransitionsMinimal(wrapped, flat.acts, flat.infos)
        base.check_demonstrations(checked, observation_space, action_space)
    return StoredTransitions(
        observations=observations,
        next_observations=next_observations,
        actions=_stored_actions(flat.acts, action_space),
        dones=flat.dones.astype(np.float32),
        timeouts=cut.astype(np.float32),
    )


def channels_first(obs: Any, space: Space) -> Any:
    """Moves the channels of images to the front where a space has them there.

    Args:
        obs: shape ``(B, ...)``, an array or tensor, or a dictionary of them.
        space: the space that each shall fit.

    Returns:
        The same kind; a view where an axis was moved, and `obs` itself where none was.
    """
    if isinstance(obs, Mapping):
        parts = space.spaces if isinstance(space, gym.spaces.Dict) else {}
        return {
            key: channels_first(part, parts[key]) if key in parts else part
            for key, part in obs.items()
        }
    shape = space.shape or ()
    if len(shape) != 3 or tuple(obs.shape[1:]) == shape or obs.ndim != 4:
        return obs
    if (obs.shape[3], obs.shape[1], obs.shape[2]) != shape:
        return obs
    return np.moveaxis(obs, 3, 1) if isinstance(obs, np.ndarray) else obs.movedim(3, 1)


def _stored_actions(acts: Array, space: Space) -> Array:
    """Flattens actions, and scales those of a box to [−1, 1]."""
    flat = acts.reshape(len(acts), get_action_dim(space))
    if not isinstance(space, gym.spaces.Box):
        return flat.astype(space.dtype)
    low, high = space.low.ravel(), space.high.ravel()
    if not space.is_bounded():
        raise DataError(
            f"actions of {space} cannot be scaled to [-1, 1], as off-policy algorithms "
            "store them; bound the space"
        )
    # An expert may act beyond the bounds; the environment clips what it gets.
    scaled: Array = 2.0 * (np.clip(flat, low, high) - low) / (high - low) - 1.0
    return scaled.astype(np.float32)


def _flattened(
    demonstrations: base.AnyTransitions, time_limit: int | None
) -> tuple[types.Transitions, Array]:
    """Transitions, and which of them a time limit made the last of their episode."""
    if isinstance(demonstrations, types.Transitions):
        return demonstrations, demonstrations.dones & _said_cut(demonstrations.infos)
    if isinstance(demonstrations, types.TransitionsMinimal) or not isinstance(
        demonstrations, Iterable
    ):
        raise _unsupported(demonstrations)
    first, items = get_first_iter_element(demonstrations)
    if isinstance(first, types.Trajectory):
        trajectories: list[Any] = list(items)
        # Without infos, which are read one by one: only the last ones matter.
        flat = flatten_trajectories(
            types.Trajectory(traj.obs, traj.acts, None, traj.terminal)
            for traj in trajectories
        )
        ends = np.cumsum([len(traj) for traj in trajectories]) - 1
        cut = np.zeros(len(flat), dtype=bool)
        cut[ends] = [_was_cut(traj, time_limit) for traj in trajectories]
        return flat, cut
    if isinstance(first, Mapping):
        batches: list[Any] = list(items)
        flat = _joined(batches)
        return flat, flat.dones & _said_cut(flat.infos)
    raise _unsupported(first)


def _was_cut(trajectory: types.Trajectory, time_limit: int | None) -> bool:
    """Whether a time limit ended an episode, as far as its trajectory tells."""
    if not trajectory.terminal:
        return False
    last = {} if trajectory.infos is None else trajectory.infos[-1]
    if "TimeLimit.truncated" in last:
        return bool(last["TimeLimit.truncated"])
    return time_limit is not None and len(trajectory) == time_limit


def _said_cut(infos: Iterable[Any]) -> Array:
    return np.array(
        [bool(info.get("TimeLimit.truncated", False)) for info in infos], dtype=bool
    )


def _joined(batches: list[Mapping[str, Any]]) -> types.Transitions:
    """One batch of all batches."""
    for batch in batches:
        missing = [key for key in NEEDED if key not in batch]
        if missing:
            raise UnsupportedDemonstrationsError(
                f"batches of demonstrations need the keys {', '.join(NEEDED)}; one "
                f"lacks {', '.join(missing)}"
            )
    infos: Any = []
    for batch in batches:
        infos.extend(batch.get("infos", [{}] * len(batch["acts"])))
    columns = {key: _joined_column([b[key] for b in batches]) for key in NEEDED}
    columns["dones"] = columns["dones"].astype(bool)
    return types.Transitions(**columns, infos=infos)


def _joined_column(parts: list[Any]) -> Any:
    first = types.maybe_unwrap_dictobs(parts[0])
    if isinstance(first, Mapping):
        unwrapped: list[Any] = [types.maybe_unwrap_dictobs(part) for part in parts]
        return types.DictObs(
            {key: _joined_column([part[key] for part in unwrapped]) for key in first}
        )
    return np.concatenate([tensors.safe_to_numpy(part) for part in parts])


def _unsupported(value: object) -> UnsupportedDemonstrationsError:
    return UnsupportedDemonstrationsError(
        "off-policy imitation needs transitions with next observations: trajectories, "
        f"Transitions or batches with {', '.join(NEEDED)}; got {type(value).__name__}"
    )
