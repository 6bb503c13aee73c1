"""Tests of finding, reading, grouping and linking run directories."""

import json
import os
import pathlib
from typing import Any

import pytest

from imitation.errors import ArtifactError
from imitation.util import sacred as sacred_util
from imitation.util.sacred_file_parsing import (
    find_sacred_runs,
    group_runs_by_algo_and_env,
)


def write_run(
    directory: pathlib.Path,
    command: str = "bc",
    gym_id: str = "CartPole-v1",
    status: str = "COMPLETED",
) -> dict[str, Any]:
    directory.mkdir(parents=True)
    run = {"command": command, "status": status, "result": str(directory.name)}
    config = {"environment": {"gym_id": gym_id}, "seed": 1}
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "run.json").write_text(json.dumps(run))
    return run


class FakeRun:
    """What `build_sacred_symlink` needs of a live run."""

    def __init__(self, directory: pathlib.Path | None) -> None:
        from sacred.observers import FileStorageObserver, MongoObserver

        observer = FileStorageObserver(directory or "unused")
        observer.dir = None if directory is None else str(directory)
        self.observers = [object.__new__(MongoObserver), observer]


def test_load_from_dir(tmp_path: pathlib.Path) -> None:
    run = write_run(tmp_path / "1")
    dicts = sacred_util.SacredDicts.load_from_dir(tmp_path / "1")
    assert dicts == (tmp_path / "1", dicts.config, run)
    assert dicts.config["seed"] == 1
    assert sacred_util.SacredDicts.load_from_dir(os.fsencode(dicts.sacred_dir)) == dicts


@pytest.mark.parametrize("name", ["config.json", "run.json"])
@pytest.mark.parametrize("content", [None, "", '{"command": "b', "[1]", "\xff"])
def test_broken_json_gets_one_clear_error(
    name: str, content: str | None, tmp_path: pathlib.Path
) -> None:
    write_run(tmp_path / "1")
    path = tmp_path / "1" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ArtifactError, match=name) as caught:
        sacred_util.SacredDicts.load_from_dir(tmp_path / "1")
    assert "\n" not in str(caught.value)


def test_filter_subdirs(tmp_path: pathlib.Path) -> None:
    for name in ("b/2", "a/1", "b/1"):
        write_run(tmp_path / name)
    (tmp_path / "a" / "no_run").mkdir()
    (tmp_path / "a" / "no_run" / "run.json").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    expected = [tmp_path / name for name in ("a/1", "b/1", "b/2")]
    assert sacred_util.filter_subdirs(tmp_path) == expected
    assert sacred_util.filter_subdirs(tmp_path / "a" / "1") == [tmp_path / "a" / "1"]
    named_one = sacred_util.filter_subdirs(tmp_path, lambda path: path.name == "1")
    assert named_one == expected[:2]


def test_nested_directories(tmp_path: pathlib.Path) -> None:
    write_run(tmp_path / "1")
    write_run(tmp_path / "1" / "x" / "2")
    with pytest.raises(ValueError, match="Found nested directories"):
        sacred_util.filter_subdirs(tmp_path)
    both = sacred_util.filter_subdirs(tmp_path, nested_ok=True)
    assert both == [tmp_path / "1", tmp_path / "1" / "x" / "2"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a", {"b": {"c": 1}}), ("a.b.c", 1), ("a.x", 9), ("a.b.c.d", 9), ("", 9)],
)
def test_dict_get_nested(key: str, expected: dict[str, dict[str, int]] | int) -> None:
    value = sacred_util.dict_get_nested({"a": {"b": {"c": 1}}}, key, default=9)
    assert value == expected


def test_dict_get_nested_options() -> None:
    assert sacred_util.dict_get_nested({"a": {"b": 1}}, "a/b", sep="/") == 1
    assert sacred_util.dict_get_nested({"a": None}, "a", default=9) is None
    assert sacred_util.dict_get_nested({}, "a") is None


def test_symlink_is_relative_and_can_be_built_again(tmp_path: pathlib.Path) -> None:
    for number in ("1", "2", "2"):
        sacred_dir = tmp_path / "root" / "sacred" / number
        sacred_dir.mkdir(parents=True, exist_ok=True)
        log_dir = tmp_path / "root" / "log"
        sacred_util.build_sacred_symlink(log_dir, FakeRun(sacred_dir))
        target = os.readlink(log_dir / "sacred")
        assert target == os.path.join("..", "sacred", number)
    assert os.listdir(log_dir) == ["sacred"]
    (tmp_path / "root").rename(tmp_path / "moved")
    link = tmp_path / "moved" / "log" / "sacred"
    assert link.resolve() == tmp_path / "moved" / "sacred" / "2"


def test_symlink_does_not_overwrite_data(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sacred").mkdir()
    with pytest.raises(ValueError, match="in the way"):
        sacred_util.build_sacred_symlink(tmp_path, FakeRun(tmp_path / "x"))


def test_run_without_directory(tmp_path: pathlib.Path) -> None:
    assert sacred_util.get_sacred_dir_from_run(FakeRun(None)) is None
    with pytest.warns(RuntimeWarning, match="Couldn't find the run's sacred directory"):
        sacred_util.build_sacred_symlink(tmp_path, FakeRun(None))
    assert os.listdir(tmp_path) == []


def test_find_and_group_runs(tmp_path: pathlib.Path) -> None:
    first = write_run(tmp_path / "train_imitation" / "1")
    second = write_run(tmp_path / "train_imitation" / "2", "dagger", "X-v0", "FAILED")
    third = write_run(tmp_path / "train_imitation" / "3")
    assert [run for _, run in find_sacred_runs(tmp_path)] == [first, second, third]
    completed = list(find_sacred_runs(tmp_path, only_completed_runs=True))
    assert [run for _, run in completed] == [first, third]
    assert all(config["seed"] == 1 for config, _ in completed)
    bc_runs = {"CartPole-v1": [first, third]}
    assert group_runs_by_algo_and_env(tmp_path) == {
        "bc": bc_runs,
        "dagger": {"X-v0": [second]},
    }
    assert group_runs_by_algo_and_env(str(tmp_path), True) == {"bc": bc_runs}


def test_missing_directory_and_foreign_runs(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArtifactError, match="expected a directory of sacred runs"):
        list(find_sacred_runs(tmp_path / "none"))
    write_run(tmp_path / "1")
    (tmp_path / "1" / "config.json").write_text("{}")
    assert len(list(find_sacred_runs(tmp_path))) == 1
    with pytest.raises(ArtifactError, match=r"'environment\.gym_id' in config"):
        group_runs_by_algo_and_env(tmp_path)
