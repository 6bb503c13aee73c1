"""Files of releases before 1.0, with permission."""

import pathlib
import pickle
from typing import Any

import numpy as np
import pytest

from imitation.data import serialize, types
from imitation.errors import ArtifactError


def episodes(with_rewards: bool) -> list[types.Trajectory]:
    result: list[types.Trajectory] = []
    for length in (3, 1, 4):
        obs = np.arange(length * 2 + 2, dtype=np.float32).reshape(-1, 2)
        infos = np.array([{"step": i} for i in range(length)])
        parts = (obs, np.arange(length), infos, length != 1)
        result.append(
            types.TrajectoryWithRew(*parts, np.linspace(0, 1, length))
            if with_rewards
            else types.Trajectory(*parts)
        )
    return result


def write_npz(path: Any, trajectories: Any) -> None:
    """The layout that release 1.0.1 reads (measured)."""
    columns: dict[str, Any] = {
        "obs": np.concatenate([t.obs for t in trajectories]),
        "acts": np.concatenate([t.acts for t in trajectories]),
        "infos": np.concatenate([t.infos for t in trajectories]),
        "terminal": np.array([t.terminal for t in trajectories]),
        "indices": np.cumsum([len(t) for t in trajectories])[:-1],
    }
    if isinstance(trajectories[0], types.TrajectoryWithRew):
        columns["rews"] = np.concatenate([t.rews for t in trajectories])
    np.savez(path, **columns)


@pytest.mark.parametrize("with_rewards", [False, True])
@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
def test_load_with_permission(
    tmp_path: pathlib.Path, suffix: str, with_rewards: bool
) -> None:
    path = tmp_path / f"old{suffix}"
    expected = episodes(with_rewards)
    if suffix == ".npz":
        write_npz(path, expected)
    else:
        path.write_bytes(pickle.dumps(expected))
    with pytest.warns(DeprecationWarning, match="convert it with `imitation convert`"):
        loaded = serialize.load(path, allow_pickle=True)
    assert loaded == expected


def test_load_with_rewards_needs_them(tmp_path: pathlib.Path) -> None:
    for with_rewards in (True, False):
        path = tmp_path / f"{with_rewards}.pkl"
        path.write_bytes(pickle.dumps(episodes(with_rewards)))
    with pytest.warns(DeprecationWarning):
        loaded = serialize.load_with_rewards(tmp_path / "True.pkl", allow_pickle=True)
    assert loaded == episodes(with_rewards=True)
    with (
        pytest.warns(DeprecationWarning),
        pytest.raises(ArtifactError, match="of type `TrajectoryWithRew`, but found"),
    ):
        serialize.load_with_rewards(tmp_path / "False.pkl", allow_pickle=True)


def test_npz_without_infos(tmp_path: pathlib.Path) -> None:
    trajectory: Any = episodes(with_rewards=False)[0]
    np.savez(
        tmp_path / "old.npz",
        obs=trajectory.obs,
        acts=trajectory.acts,
        infos=np.array(None),
        terminal=np.array([True]),
        indices=np.array([], np.int64),
    )
    with pytest.warns(DeprecationWarning):
        (loaded,) = serialize.load(tmp_path / "old.npz", allow_pickle=True)
    assert loaded.infos is None
