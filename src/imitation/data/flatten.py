"""From trajectories to one batch of transitions.

Every array of every trajectory is copied exactly once, into its place in the batch.
Also importable from ``imitation.data.rollout``, the documented path.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from imitation.data import types
from imitation.data.episodes import EMPTY_INFO
from imitation.errors import DataError

Array = np.ndarray


def flatten_trajectories(
    trajectories: Iterable[types.Trajectory],
) -> types.Transitions:
    """Flattens trajectories into one batch of transitions, in their order.

    ``dones`` is True only for the last step of a trajectory with ``terminal=True``, and
    ``truncated`` only for one that was also truncated. A trajectory without infos
    contributes ``EMPTY_INFO``, one empty dict that all such transitions share and that
    refuses to be changed.

    Args:
        trajectories: at least one; all of the same observation and action shape.

    Returns:
        A batch of as many transitions as there are actions. Dtypes are those of the
        trajectories (NumPy's promotion decides if they differ).

    Raises:
        DataError: there is no trajectory, or their shapes or keys differ.
    """
    # Made of arrays that the trajectories' own constructors have checked.
    return types.Transitions.unchecked(**_flattened(list(trajectories)))


def flatten_trajectories_with_rew(
    trajectories: Iterable[types.TrajectoryWithRew],
) -> types.TransitionsWithRew:
    """Flattens trajectories with rewards into one batch, in their order.

    Args:
        trajectories: at least one; all of the same observation and action shape.

    Returns:
        As ``flatten_trajectories``, with the reward of each transition.

    Raises:
        DataError: as for ``flatten_trajectories``, or a trajectory has no rewards.
    """
    trajs = list(trajectories)
    for index, traj in enumerate(trajs):
        if not isinstance(traj, types.TrajectoryWithRew):
            raise DataError(
                f"trajectory {index} has no rewards ({type(traj).__name__}); pass "
                "TrajectoryWithRew or call flatten_trajectories."
            )
    rews = [traj.rews for traj in trajs]
    flat = _flattened(trajs)
    return types.TransitionsWithRew.unchecked(**flat, rews=_joined("rews", rews))


def flatten_pairs(
    trajectories: Iterable[types.Trajectory],
) -> types.TransitionsMinimal:
    """Flattens trajectories into pairs of observation and action.

    For algorithms that need no more: it takes half the memory of
    ``flatten_trajectories``, which counts for images.

    Args:
        trajectories: at least one; all of the same observation and action shape.

    Returns:
        A batch of as many pairs as there are actions.

    Raises:
        DataError: there is no trajectory, or their shapes or keys differ.
    """
    trajs = list(trajectories)
    ends = _ends(trajs)
    return types.TransitionsMinimal(
        obs=_joined_obs([traj.obs for traj in trajs], slice(None, -1)),
        acts=_joined("acts", [traj.acts for traj in trajs]),
        infos=_joined_infos(trajs, ends),
    )


def _ends(trajs: Sequence[types.Trajectory]) -> Array:
    """Returns the end of each trajectory in the batch, exclusive."""
    if not trajs:
        raise DataError("expected at least one trajectory to flatten, got none.")
    return np.cumsum([len(traj) for traj in trajs])


def _flattened(trajs: Sequence[types.Trajectory]) -> dict[str, Any]:
    ends = _ends(trajs)
    dones = np.zeros(ends[-1], dtype=bool)
    dones[ends - 1] = [traj.terminal for traj in trajs]
    truncated = np.zeros_like(dones)  # of whole trajectories, so only at their ends
    truncated[ends - 1] = [traj.truncated for traj in trajs]
    return {
        "obs": _joined_obs([traj.obs for traj in trajs], slice(None, -1)),
        "next_obs": _joined_obs([traj.obs for traj in trajs], slice(1, None)),
        "acts": _joined("acts", [traj.acts for traj in trajs]),
        "dones": dones,
        "truncated": truncated,
        "infos": _joined_infos(trajs, ends),
    }


def _joined_obs(parts: list[types.Observation], steps: slice) -> types.Observation:
    first = _keys(parts[0])
    for index, part in enumerate(parts):
        if _keys(part) != first:
            raise DataError(
                f"trajectory {index} has observation keys {_keys(part)}, the first "
                f"{first}; all need the same space."
            )
    arrays = [p for p in parts if isinstance(p, np.ndarray)]
    if arrays:
        return _joined("obs", [array[steps] for array in arrays])
    dicts = [p for p in parts if isinstance(p, types.DictObs)]
    return types.DictObs(
        {
            k: _joined(f"obs[{k!r}]", [d.get(k)[steps] for d in dicts])
            for k in dicts[0].shape
        }
    )


def _keys(obs: types.Observation) -> list[str] | None:
    return sorted(obs.keys()) if isinstance(obs, types.DictObs) else None


def _joined(name: str, parts: list[Array]) -> Array:
    shapes = [part.shape[1:] for part in parts]
    if shapes.count(shapes[0]) < len(shapes):
        index = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
        raise DataError(
            f"trajectory {index} has {name} of shape {shapes[index]}, the first "
            f"{shapes[0]}; all need the same space."
        )
    return np.concatenate(parts)


def _joined_infos(trajs: Sequence[types.Trajectory], ends: Array) -> Array:
    if all(traj.infos is None for traj in trajs):
        # The one empty info for every transition, without memory for each of them.
        return np.broadcast_to(np.array(EMPTY_INFO, dtype=object), (int(ends[-1]),))
    infos = np.empty(ends[-1], dtype=object)
    for traj, end in zip(trajs, ends, strict=True):
        part = EMPTY_INFO if traj.infos is None else traj.infos
        # Only an array can be copied without making a list of its items.
        is_one = isinstance(part, np.ndarray | Mapping)
        infos[end - len(traj) : end] = part if is_one else list(part)
    return infos
