"""Round trips, laziness and atomicity of saved trajectories."""

import io
import json
import os
import pathlib
import pickle
from typing import Any

import datasets
import hypothesis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from imitation.data import serialize, types
from imitation.data.huggingface_utils import TrajectoryDatasetSequence
from imitation.errors import ArtifactError, DataError

DTYPES = ("u1", "i1", "<i4", ">i4", "i8", "f2", "f4", "f8", "?", "c8")
INFO_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b c", "ü", ""]), inner, max_size=2)
    ),
    max_leaves=4,
)
INFOS = st.dictionaries(st.sampled_from(["r", "l", "é"]), INFO_VALUES, max_size=2)


def _arrays(dtype: str, item_shape: tuple[int, ...], length: int) -> Any:
    return st_np.arrays(
        np.dtype(dtype),
        (length, *item_shape),
        elements={"allow_nan": False} if np.dtype(dtype).kind in "fc" else None,
    )


@st.composite
def data_sets(draw: Any) -> Any:
    """Trajectories of random lengths in one random pair of spaces."""
    keys = draw(st.sampled_from([None, ("state",), ("state", "an image/0", "")]))
    space = st.tuples(
        st.sampled_from(DTYPES), st_np.array_shapes(min_dims=0, min_side=0, max_side=3)
    )
    obs_spaces = {key: draw(space) for key in keys or ("obs",)}
    acts_dtype, acts_shape = draw(space)
    has_rewards, rews_dtype = draw(st.booleans()), draw(st.sampled_from(["f4", "f8"]))
    result: Any = []
    for length in draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)):
        arrays = {
            key: draw(_arrays(dtype, shape, length + 1))
            for key, (dtype, shape) in obs_spaces.items()
        }
        parts = (
            types.DictObs(arrays) if keys else arrays["obs"],
            draw(_arrays(acts_dtype, acts_shape, length)),
            draw(st.none() | st.lists(INFOS, min_size=length, max_size=length)),
            draw(st.booleans()),
        )
        if has_rewards:
            rews = draw(_arrays(rews_dtype, (), length))
            result.append(types.TrajectoryWithRew(*parts, rews))
        else:
            result.append(types.Trajectory(*parts))
    return result


def episode(
    length: int = 5, seed: int = 0, infos: Any = None
) -> types.TrajectoryWithRew:
    rng = np.random.default_rng(seed)
    return types.TrajectoryWithRew(
        obs=rng.random((length + 1, 3)).astype(np.float32),
        acts=rng.integers(0, 2, length),
        infos=infos,
        terminal=bool(seed % 2),
        rews=rng.random(length),
    )


def assert_identical(one: types.Trajectory, other: types.Trajectory) -> None:
    assert one == other
    for a, b in zip(_leaves(one), _leaves(other), strict=True):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def _leaves(trajectory: types.Trajectory) -> list[np.ndarray]:
    obs = trajectory.obs
    leaves = list(obs.values()) if isinstance(obs, types.DictObs) else [obs]
    return [
        *leaves,
        trajectory.acts,
        *([trajectory.rews] if hasattr(trajectory, "rews") else []),
    ]


@hypothesis.given(data_sets())
@hypothesis.settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)
def test_round_trip_is_exact(tmp_path: pathlib.Path, trajectories: Any) -> None:
    serialize.save(tmp_path / "set", trajectories)
    loaded = serialize.load(tmp_path / "set")
    assert len(loaded) == len(trajectories)
    for before, after in zip(trajectories, loaded, strict=True):
        assert type(before) is type(after)
        assert_identical(before, after)
    # What was loaded can be saved over its own source.
    serialize.save(tmp_path / "set", loaded)
    assert list(serialize.load(tmp_path / "set")) == list(loaded) == trajectories


def test_a_non_contiguous_array_round_trips(tmp_path: pathlib.Path) -> None:
    obs = np.asfortranarray(np.arange(24.0).reshape(6, 4))[:, ::-1]
    acts = np.arange(10)[::2]
    serialize.save(tmp_path / "set", [types.Trajectory(obs, acts, None, True)])
    (loaded,) = serialize.load(tmp_path / "set")
    np.testing.assert_array_equal(loaded.obs, obs)
    np.testing.assert_array_equal(loaded.acts, acts)


def test_sequence_protocol(tmp_path: pathlib.Path) -> None:
    episodes = [episode(length, seed=length) for length in (1, 2, 3, 4)]
    serialize.save(str(tmp_path / "set").encode(), episodes)
    loaded: Any = serialize.load(tmp_path / "set")
    assert loaded[-1] == episodes[-1]
    assert loaded[np.int64(1)] == episodes[1]
    assert loaded[1:3] == episodes[1:3]
    assert loaded[::-1] == episodes[::-1]
    assert list(reversed(loaded)) == episodes[::-1]
    assert episodes[2] in loaded
    assert "4 trajectories" in repr(loaded)
    for index in (4, -5):
        with pytest.raises(IndexError):
            loaded[index]


def test_rows_span_record_batches(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serialize, "_BATCH_ROWS", 3)
    episodes = [episode(2, seed) for seed in range(8)]
    serialize.save(tmp_path / "set", iter(episodes))
    assert list(serialize.load(tmp_path / "set")) == episodes
    with pa.memory_map(str(tmp_path / "set" / "data-00000-of-00001.arrow")) as file:
        assert len(list(pa.ipc.open_stream(file))) == 3


def test_arrays_are_aligned_read_only_views_of_the_file(tmp_path: pathlib.Path) -> None:
    serialize.save(tmp_path / "set", [episode(1001, seed) for seed in range(3)])
    before = pa.total_allocated_bytes()
    loaded = serialize.load(tmp_path / "set")
    arrays = [array for i in range(3) for array in _leaves(loaded[i])]
    # Nothing was copied: Arrow holds bytes of the list of infos at most.
    assert pa.total_allocated_bytes() - before < 100
    for array in arrays:
        assert not array.flags.owndata
        assert array.flags.aligned
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_opening_reads_no_column(tmp_path: pathlib.Path) -> None:
    """The bytes of the arrays may be garbage until a row is asked for."""
    frames = np.zeros((100, 64, 64, 4), np.uint8)
    long = types.Trajectory(frames, np.zeros(99, np.int64), None, True)
    serialize.save(tmp_path / "set", [long, long])
    table = tmp_path / "set" / "data-00000-of-00001.arrow"
    content = bytearray(table.read_bytes())
    start = content.index(b"\x93NUMPY")
    content[start : start + 6] = b"broken"
    table.write_bytes(content)
    loaded = serialize.load(tmp_path / "set")
    assert len(loaded) == 2
    assert loaded[1] == long
    with pytest.raises(DataError, match=r"^episode 0: obs: .*not a \.npy array"):
        loaded[0]


def test_one_row_of_many_costs_only_itself(tmp_path: pathlib.Path) -> None:
    """Resident memory grows with what is read, not with the data set."""
    frames = np.ones((64, 128, 128, 4), np.uint8)
    big = [types.Trajectory(frames, np.zeros(63, np.int64), None, True)] * 40
    serialize.save(tmp_path / "set", big)
    before = _resident_file_bytes()
    loaded: Any = serialize.load(tmp_path / "set")
    assert loaded[20].obs.min() == 1
    assert _resident_file_bytes() - before < 2 * frames.nbytes
    assert all(one.obs.min() == 1 for one in loaded)
    assert _resident_file_bytes() - before > 39 * frames.nbytes


def _resident_file_bytes() -> int:
    status = pathlib.Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssFile"))
    return int(line.split()[1]) * 1024


def test_infos_are_lazy_and_documented(tmp_path: pathlib.Path) -> None:
    infos = [{"step": i, "pos": np.float32(0.5), "v": np.arange(2)} for i in range(4)]
    serialize.save(tmp_path / "set", [episode(4, infos=np.array(infos))])
    loaded: Any = serialize.load(tmp_path / "set")[0].infos
    assert len(loaded) == 4
    assert loaded[-1] == {"step": 3, "pos": 0.5, "v": [0, 1]}
    assert [info["step"] for info in loaded] == [0, 1, 2, 3]
    assert [info["step"] for info in loaded[1:3]] == [1, 2]
    assert np.asarray(loaded).dtype == object
    assert pickle.loads(pickle.dumps(loaded))[0]["step"] == 0
    with pytest.raises(IndexError):
        loaded[4]


def test_the_directory_is_a_huggingface_data_set(tmp_path: pathlib.Path) -> None:
    trajectory = episode(4, infos=[{"a": 1}] * 4)
    serialize.save(tmp_path / "set", [trajectory])
    dataset = datasets.load_from_disk(str(tmp_path / "set"))
    fields = ["obs", "acts", "infos", "terminal", "truncated", "rews"]
    assert dataset.column_names == fields
    row = dataset[0]
    # The cells are .npy files that anything reads.
    np.testing.assert_array_equal(np.load(io.BytesIO(row["obs"])), trajectory.obs)
    assert [json.loads(text) for text in row["infos"]] == [{"a": 1}] * 4
    assert row["terminal"] is False
    assert ".npy" in dataset.info.description
    card = json.loads((tmp_path / "set" / "imitation.json").read_text())
    assert card == {
        "format": "imitation trajectories",
        "format_version": 2,
        "episodes": 1,
        "steps": 4,
        "rewards": True,
        "spaces": {
            "obs": {"dtype": "<f4", "shape": [3]},
            "acts": {"dtype": "<i8", "shape": []},
        },
    }


def test_load_with_rewards(tmp_path: pathlib.Path) -> None:
    with_rewards = episode()
    serialize.save(tmp_path / "with", [with_rewards])
    assert list(serialize.load_with_rewards(tmp_path / "with")) == [with_rewards]
    assert isinstance(serialize.load(tmp_path / "with"), TrajectoryDatasetSequence)
    without = types.Trajectory(with_rewards.obs, with_rewards.acts, None, True)
    serialize.save(tmp_path / "without", [without])
    with pytest.raises(ArtifactError, match="of type `TrajectoryWithRew`, but found"):
        serialize.load_with_rewards(tmp_path / "without")


def test_saving_replaces_a_data_set_and_its_readers_keep_theirs(
    tmp_path: pathlib.Path,
) -> None:
    old, new = episode(3, seed=1), episode(4, seed=2)
    serialize.save(tmp_path / "set", [old])
    reader = serialize.load(tmp_path / "set")
    serialize.save(tmp_path / "set", [new])
    assert list(reader) == [old]
    assert list(serialize.load(tmp_path / "set")) == [new]
    assert os.listdir(tmp_path) == ["set"]


def test_saving_into_an_empty_directory(tmp_path: pathlib.Path) -> None:
    serialize.save(tmp_path, [episode()])
    assert len(serialize.load(tmp_path)) == 1


@pytest.mark.parametrize("steps", [[], [True], [1, 2]])
def test_equal_data_gives_an_equal_table(
    tmp_path: pathlib.Path, steps: list[Any] | list[bool] | list[int]
) -> None:
    """Nothing but the fingerprint is random: padding holds no stray memory."""
    for name in "ab":
        serialize.save(tmp_path / name, [episode(7, infos=[{"s": steps}] * 7)])
    for file in ("data-00000-of-00001.arrow", "dataset_info.json", "imitation.json"):
        assert (tmp_path / "a" / file).read_bytes() == (
            tmp_path / "b" / file
        ).read_bytes()
