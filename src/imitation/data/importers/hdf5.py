"""Trajectories from HDF5 files: robomimic's layout, and D4RL's.

robomimic: ``data/demo_0/{obs, actions, rewards, dones, next_obs}`` and so on, where
``obs`` and ``next_obs`` are groups of arrays (or arrays), and optional filters
``mask/<name>`` that list demonstrations. ``truncated`` (or ``timeouts``,
``truncations``) beside ``dones`` marks where a time limit ended the episode. D4RL:
arrays of all steps in the root.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from imitation.data.importers.arrays import from_mapping
from imitation.data.importers.episodes import FinalObs, RawEpisode, build, checked
from imitation.data.types import AnyPath, Trajectory
from imitation.errors import DataError, missing_extra, reason

_TRUNCATED = ("truncated", "timeouts", "truncations")


def from_hdf5(
    path: AnyPath, *, mask: str | None = None, final_obs: FinalObs = "error"
) -> list[Trajectory]:
    """Reads demonstrations from an HDF5 file.

    Args:
        path: a file in robomimic's or D4RL's layout.
        mask: read only the demonstrations that robomimic's ``mask/<mask>`` lists.
        final_obs: what to do where ``next_obs`` is missing: see ``episodes.FinalObs``.

    Returns:
        The trajectories, in the order of their numbers. Groups of observations become
        ``DictObs``. ``terminal`` is the last entry of ``dones``, or true without it;
        ``truncated`` that of ``truncated``, or false.

    Raises:
        DataError: the file is missing, damaged or laid out otherwise, or an episode is
            malformed. The message names file, demonstration and key.
        MissingExtraError: h5py is not installed.
    """
    return list(read_hdf5(path, mask=mask, final_obs=final_obs))


def read_hdf5(
    path: AnyPath, *, mask: str | None = None, final_obs: FinalObs = "error"
) -> Iterator[Trajectory]:
    """Like ``from_hdf5``, holding one robomimic episode in memory at a time."""
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise missing_extra("h5py", "hdf5") from error
    name = os.fsdecode(path)
    with _naming(name), h5py.File(name, "r") as file:
        if isinstance(file.get("data"), h5py.Group):
            demos = _chosen(file, mask, name)
            named = (
                (demo, _demo(file["data"], demo, name, final_obs)) for demo in demos
            )
            yield from checked(named, name)
            return
        if mask is not None:
            raise DataError(
                f"{name}: it has no group data, so no masks; leave out mask"
            )
        yield from from_mapping(_flat(file), final_obs=final_obs, source=name)


def _demo(data: Any, demo: str, source: str, final_obs: FinalObs) -> Trajectory:
    group = data[demo]
    for key in ("obs", "actions"):
        if key not in group:
            raise DataError(
                f"{source}: {demo}: it has no {key}; it holds "
                f"{', '.join(group) or 'nothing'}"
            )
    done = _last_flag(group, ("dones",), f"{source}: {demo}")
    truncated = _last_flag(group, _TRUNCATED, f"{source}: {demo}") or False
    raw = RawEpisode(
        name=demo,
        obs=_read(group["obs"]),
        acts=_read(group["actions"]),
        rews=_read(group["rewards"]) if "rewards" in group else None,
        next_obs=_read(group["next_obs"]) if "next_obs" in group else None,
        terminal=done is None or done or truncated,
        truncated=truncated,
    )
    return build(raw, source, final_obs)


def _last_flag(group: Any, names: tuple[str, ...], where: str) -> bool | None:
    """The last entry of the column that has one of the names; None without one."""
    for name in names:
        if name in group:
            column = _read(group[name])
            if len(column) != len(group["actions"]):
                raise DataError(
                    f"{where}: {name} has {len(column)} entries for "
                    f"{len(group['actions'])} actions"
                )
            return bool(column[-1]) if len(column) else None
    return None


def _chosen(file: Any, mask: str | None, source: str) -> list[str]:
    """The names of demonstrations, sorted by number."""

    def by_number(name: str) -> tuple[int, str]:
        # "demo_10" comes after "demo_9", which sorting as text would reverse.
        digits = re.search(r"\d+$", name)
        return (int(digits.group()) if digits else -1, name)

    demos = sorted(file["data"], key=by_number)
    if mask is None:
        return demos
    if f"mask/{mask}" not in file:
        masks = ", ".join(file["mask"]) if "mask" in file else "none"
        raise DataError(f"{source}: it has no mask {mask!r}; it has {masks}")
    listed = {
        entry.decode() if isinstance(entry, bytes) else str(entry)
        for entry in file[f"mask/{mask}"][()]
    }
    unknown = sorted(listed - set(demos))
    if unknown:
        raise DataError(
            f"{source}: mask/{mask} lists {unknown[0]}, which is not in data"
        )
    return [demo for demo in demos if demo in listed]


def _read(node: Any) -> Any:
    """An array, or a dictionary of what a group holds."""
    if hasattr(node, "keys"):
        return {key: _read(node[key]) for key in node}
    return np.asarray(node[()])


def _flat(file: Any) -> dict[str, Any]:
    """The root's arrays, and those one level down as "group/array"."""
    flat: dict[str, Any] = {}
    for key, node in file.items():
        if not hasattr(node, "keys"):
            flat[key] = np.asarray(node[()])
        elif key.endswith(("obs", "observations")):
            flat |= {f"{key}/{name}": _read(part) for name, part in node.items()}
    return flat


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (OSError, KeyError, RuntimeError, TypeError) as error:
        raise DataError(f"cannot read {name} as HDF5: {reason(error)}") from error
