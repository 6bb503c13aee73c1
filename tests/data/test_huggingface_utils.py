"""Trajectories as HuggingFace data sets: in memory, on the Hub, of release 1.0."""

import pathlib
from typing import Any

import datasets
import numpy as np
import pytest

from imitation.data import huggingface_utils, rollout, serialize, types
from imitation.errors import DataError

Sequence = huggingface_utils.TrajectoryDatasetSequence


def episodes(with_dict: bool = False) -> list[types.TrajectoryWithRew]:
    rng = np.random.default_rng(0)
    result = []
    for length in (3, 1, 4):
        obs = rng.random((length + 1, 2)).astype(np.float32)
        frames = rng.integers(0, 255, (length + 1, 4, 4, 3), dtype=np.uint8)
        result.append(
            types.TrajectoryWithRew(
                obs=types.DictObs({"state": obs, "image": frames})
                if with_dict
                else obs,
                acts=rng.integers(0, 2, length, dtype=np.int32),
                infos=[{"step": i} for i in range(length)],
                terminal=length > 1,
                rews=rng.random(length).astype(np.float32),
            )
        )
    return result


@pytest.mark.parametrize("with_dict", [False, True])
def test_dataset_in_memory(with_dict: bool) -> None:
    info = datasets.DatasetInfo(description="mine", license="MIT")
    dataset = huggingface_utils.trajectories_to_dataset(episodes(with_dict), info)
    assert (dataset.info.description, dataset.info.license) == ("mine", "MIT")
    sequence = Sequence(dataset)
    assert sequence.dataset is dataset
    assert list(sequence) == episodes(with_dict)


@pytest.mark.parametrize("with_dict", [False, True])
def test_dict_of_columns(with_dict: bool) -> None:
    columns = huggingface_utils.trajectories_to_dict(episodes(with_dict))
    obs = {"obs/state", "obs/image"} if with_dict else {"obs"}
    assert set(columns) == obs | {"acts", "infos", "terminal", "truncated", "rews"}
    np.testing.assert_array_equal(columns["rews"][2], episodes()[2].rews)
    assert columns["infos"][1] == ['{"step": 0}']
    assert columns["terminal"] == [True, False, True]
    # It can be used to construct a data set, and that can be read.
    sequence = Sequence(datasets.Dataset.from_dict(columns))
    assert list(sequence) == episodes(with_dict)
    assert sequence[0].acts.dtype == np.int32


def test_dict_without_infos_or_rewards() -> None:
    plain = [types.Trajectory(e.obs, e.acts, None, True) for e in episodes()]
    columns = huggingface_utils.trajectories_to_dict(plain)
    assert columns["infos"][0] == ["{}"] * 3
    assert "rews" not in columns


@pytest.mark.parametrize("with_dict", [False, True])
def test_through_the_hub_format(tmp_path: pathlib.Path, with_dict: bool) -> None:
    """What ``push_to_hub`` uploads and ``load_dataset`` reads: Parquet."""
    serialize.save(tmp_path / "set", episodes(with_dict))
    datasets.load_from_disk(str(tmp_path / "set")).to_parquet(tmp_path / "a.parquet")
    loaded = datasets.load_dataset(
        "parquet",
        data_files={"train": str(tmp_path / "a.parquet")},
        cache_dir=str(tmp_path / "cache"),
    )
    sequence: Any = Sequence(loaded["train"])
    assert list(sequence) == episodes(with_dict)
    assert rollout.rollout_stats(sequence)["n_traj"] == 3
    with pytest.raises(DataError, match=r"one split, got a dictionary .*'train'"):
        Sequence(loaded)


def test_operations_on_data_sets(tmp_path: pathlib.Path) -> None:
    serialize.save(tmp_path / "set", episodes())
    dataset = datasets.load_from_disk(str(tmp_path / "set"))
    first, second, third = episodes()
    assert list(Sequence(dataset.select([2, 0]))) == [third, first]
    both = datasets.concatenate_datasets([dataset, dataset.select([1])])
    assert list(Sequence(both)) == [first, second, third, second]
    long = dataset.filter(lambda infos: len(infos) > 1, input_columns="infos")
    assert list(Sequence(long)) == [first, third]
    assert list(Sequence(dataset.with_format("numpy"))) == [first, second, third]
    # A copy that HuggingFace writes can be loaded.
    long.save_to_disk(str(tmp_path / "long"))
    assert list(serialize.load(tmp_path / "long")) == [first, third]


def test_data_sets_of_release_1(tmp_path: pathlib.Path) -> None:
    """Nested lists and jsonpickle text, as release 1.0.1 wrote them (measured)."""
    number = (
        '{"r": {"py/reduce": [{"py/function": "numpy._core.multiarray.scalar"}, '
        '{"py/tuple": [{"py/reduce": [{"py/type": "numpy.dtype"}, {"py/tuple": ["f4", '
        'false, true]}, {"py/tuple": [3, "<", null, null, null, -1, -1, 0]}]}, '
        '{"py/b64": "AADAPw=="}]}]}}'
    )
    value = datasets.Value
    features = {
        "obs": datasets.List(datasets.List(value("float32"))),
        "acts": datasets.List(value("int32")),
        "infos": datasets.List(value("string")),
        "terminal": value("bool"),
        "rews": datasets.List(value("float64")),
    }
    row = {
        "obs": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]],
        "acts": [1, 0],
        "infos": ["{}", number],
        "terminal": True,
        "rews": [0.5, 1.0],
    }
    dataset = datasets.Dataset.from_list([row, row], datasets.Features(features))
    dataset.save_to_disk(str(tmp_path / "old"))
    loaded: Any = serialize.load_with_rewards(tmp_path / "old")[1]
    expected = types.TrajectoryWithRew(
        obs=np.arange(6, dtype=np.float32).reshape(3, 2),
        acts=np.array([1, 0], np.int32),
        infos=[{}, {"r": 1.5}],
        terminal=True,
        rews=np.array([0.5, 1.0]),
    )
    assert loaded == expected
    assert (loaded.obs.dtype, loaded.acts.dtype) == (np.float32, np.int32)
    serialize.save(tmp_path / "new", serialize.load(tmp_path / "old"))
    assert list(serialize.load(tmp_path / "new")) == [expected, expected]


@pytest.mark.parametrize("convert", ["trajectories_to_dict", "trajectories_to_dataset"])
def test_conversion_refuses(convert: str) -> None:
    function = getattr(huggingface_utils, convert)
    plain = types.Trajectory(np.zeros((2, 2), np.float32), np.zeros(1), None, True)
    for trajectories, message in (
        ([], "at least one trajectory"),
        ([plain, *episodes()], "Some trajectories have rewards but not all"),
        ([*episodes(), *episodes(with_dict=True)], "episode 3 has acts, obs/image"),
        ([3], "episode 0: expected a Trajectory, got int"),
    ):
        with pytest.raises(DataError, match=message):
            function(trajectories)


@pytest.mark.parametrize("thing", [[1], "name", None])
def test_sequence_of_something_else(thing: list[int] | str | None) -> None:
    with pytest.raises(DataError, match=r"expected a datasets.Dataset, got"):
        Sequence(thing)
