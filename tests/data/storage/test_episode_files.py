"""Episode files: exact, atomic, free of pickles, and clear about what is broken."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from imitation.data import types
from imitation.data.storage import episode_files
from imitation.errors import ArtifactError, DataError


def episode(
    obs: Any, acts: Any, rews: Any = None, terminal: Any = True
) -> types.Trajectory | types.TrajectoryWithRew:
    if rews is None:
        return types.Trajectory(obs, acts, infos=None, terminal=terminal)
    return types.TrajectoryWithRew(obs, acts, None, terminal, rews)


def arrays(*shape: Any, dtype: Any) -> Any:
    return (np.arange(np.prod(shape)) % 251).reshape(shape).astype(dtype)


EPISODES = {
    "vector": episode(
        arrays(4, 3, dtype=np.float32),
        arrays(3, dtype=np.int64),
        arrays(3, dtype=np.float32),
    ),
    "image": episode(
        arrays(4, 8, 8, 3, dtype=np.uint8),
        arrays(3, 2, dtype=np.float64),
        arrays(3, dtype=np.float64),
        terminal=False,
    ),
    "no rewards": episode(arrays(2, dtype=np.int16), arrays(1, dtype=np.int8)),
    "dict": episode(
        types.DictObs(
            {
                "b/ä": arrays(3, 2, dtype=np.float16),
                "a": arrays(3, 4, 4, 1, dtype=np.uint8),
            }
        ),
        arrays(2, 1, dtype=bool),
        arrays(2, dtype=np.float32),
    ),
}


@pytest.mark.parametrize("name", EPISODES)
def test_round_trip_is_exact(tmp_path: pathlib.Path, name: Any) -> None:
    written = EPISODES[name]
    path = tmp_path / "new" / "episode.npz"
    episode_files.write_episode(path, written)
    read: Any = episode_files.read_episode(path)
    assert read == written
    assert read.obs.dtype == written.obs.dtype
    assert read.acts.dtype == written.acts.dtype
    if isinstance(written, types.TrajectoryWithRew):
        assert read.rews.dtype == written.rews.dtype
    if isinstance(written.obs, types.DictObs):
        assert list(read.obs.keys()) == list(written.obs.keys())
    assert episode_files.is_episode(path)
    assert [p.name for p in path.parent.iterdir()] == ["episode.npz"]


def test_plain_numpy_can_read_it(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "episode.npz"
    episode_files.write_episode(path, EPISODES["vector"])
    with np.load(path, allow_pickle=False) as archive:
        assert json.loads(str(archive["header"]))["format"] == "imitation.episode"
        np.testing.assert_array_equal(archive["obs"], EPISODES["vector"].obs)


def test_infos_are_dropped(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "episode.npz"
    infos = [{"unstorable": object()}] * 3
    with_infos = types.Trajectory(np.zeros((4, 1)), np.zeros(3), infos, True)
    episode_files.write_episode(path, with_infos)
    assert episode_files.read_episode(path).infos is None


def header(**changes: Any) -> np.ndarray:
    return np.array(
        json.dumps(
            {
                "format": "imitation.episode",
                "format_version": 1,
                "terminal": True,
                "obs_keys": None,
                **changes,
            }
        )
    )


OBS, ACTS = np.zeros((3, 2)), np.zeros(2)
MALFORMED = {
    "no header": ({"obs": OBS, "acts": ACTS}, ArtifactError, "header"),
    "not JSON": (
        {"header": np.array("{"), "obs": OBS, "acts": ACTS},
        ArtifactError,
        "complete episode",
    ),
    "another format": (
        {"header": header(format="x"), "obs": OBS, "acts": ACTS},
        ArtifactError,
        "its format is 'x'",
    ),
    "a newer version": (
        {"header": header(format_version=2), "obs": OBS, "acts": ACTS},
        ArtifactError,
        "expected 'imitation.episode' 1",
    ),
    "no acts": ({"header": header(), "obs": OBS}, DataError, "acts"),
    "wrong lengths": (
        {"header": header(), "obs": OBS[:2], "acts": ACTS},
        DataError,
        "expected one more observations",
    ),
    "a missing key": (
        {"header": header(obs_keys=["a", "b"]), "obs_0": OBS, "acts": ACTS},
        DataError,
        "obs_1",
    ),
    "integer rewards": (
        {"header": header(), "obs": OBS, "acts": ACTS, "rews": np.zeros(2, int)},
        DataError,
        "not a float",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_file_is_named(tmp_path: pathlib.Path, name: Any) -> None:
    content: Any
    content, error, message = MALFORMED[name]
    path = tmp_path / "broken.npz"
    np.savez(path, **content)
    with pytest.raises(error, match=message) as caught:
        episode_files.read_episode(path)
    assert str(path) in str(caught.value)


def test_pickled_arrays_are_not_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, header=header(), obs=OBS, acts=np.array([{}, {}]))
    with pytest.raises(ArtifactError, match="allow_pickle=False"):
        episode_files.read_episode(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_truncated_file(tmp_path: pathlib.Path, share: float) -> None:
    path = tmp_path / "episode.npz"
    episode_files.write_episode(path, EPISODES["image"])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert not episode_files.is_episode(path)
    with pytest.raises(ArtifactError, match="not a complete episode"):
        episode_files.read_episode(path)


def test_flipped_bit_is_noticed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "episode.npz"
    episode_files.write_episode(path, EPISODES["image"])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not a complete episode"):
        episode_files.read_episode(path)


def test_missing_file_and_other_kinds(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArtifactError, match="No such file"):
        episode_files.read_episode(tmp_path / "nothing.npz")
    np.save(tmp_path / "array.npy", OBS)
    with pytest.raises(ArtifactError, match="not a complete episode"):
        episode_files.read_episode(tmp_path / "array.npy")
    assert not episode_files.is_episode(tmp_path)
    assert not episode_files.is_episode(tmp_path / "array.npy")
