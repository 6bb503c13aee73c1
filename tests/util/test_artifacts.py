import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch as th
from torch import nn

from imitation.errors import ArtifactError
from imitation.util import artifacts


def leftovers(folder: pathlib.Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]


@pytest.mark.parametrize("before", ["nothing", "file", "directory"])
def test_replacing_directory_replaces_an_older_one_or_a_file(
    tmp_path: pathlib.Path, before: str
) -> None:
    target = tmp_path / "deep" / "artifact"
    if before != "nothing":
        target.parent.mkdir()
    if before == "file":
        target.write_text("old")
    if before == "directory":
        target.mkdir()
        (target / "stale").write_text("old")
        (target / "fresh").write_text("old")
    with artifacts.replacing_directory(target) as directory:
        (directory / "fresh").write_text("new")
    assert [path.name for path in target.iterdir()] == ["fresh"]
    assert leftovers(target.parent) == []


@pytest.mark.parametrize("replacing", ["replacing_directory", "replacing_file"])
def test_a_failed_write_leaves_the_old(tmp_path: pathlib.Path, replacing: str) -> None:
    target = tmp_path / "artifact"
    target.write_text("old")
    with (
        pytest.raises(RuntimeError, match="full"),
        getattr(artifacts, replacing)(target) as temporary,
    ):
        if temporary.is_dir():
            (temporary / "half").write_text("new")
        else:
            temporary.write_text("half")
        raise RuntimeError("disk full")
    assert target.read_text() == "old"
    assert leftovers(tmp_path) == []


def test_replacing_file_accepts_bytes_paths(tmp_path: pathlib.Path) -> None:
    with artifacts.replacing_file(os.fsencode(tmp_path / "x")) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "x").read_text() == "new"


WRITER = """
import pathlib, sys
from imitation.util import artifacts
target = pathlib.Path(sys.argv[1])
number = 0
while True:
    number += 1
    with artifacts.replacing_directory(target) as directory:
        for part in range(4):
            (directory / str(part)).write_text(str(number) * 1000)
    print(number, flush=True)
"""


def test_a_kill_leaves_a_whole_directory(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "artifact")],
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            process.wait()
        parts = sorted((tmp_path / "artifact").iterdir())
        assert len(parts) == 4
        assert len({part.read_text() for part in parts}) == 1
    with artifacts.replacing_directory(tmp_path / "artifact") as directory:
        (directory / "0").write_text("last")
    assert leftovers(tmp_path) == []


def test_what_others_are_writing_is_left_alone(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "artifact"
    with artifacts.replacing_file(target) as first:
        first.write_text("first")
        with artifacts.replacing_file(target) as second:
            second.write_text("second")
        assert first.exists()
    assert target.read_text() == "first"


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int32).reshape(2, 3),
        np.array(True),
        np.zeros((0, 3), dtype=np.float16),
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.array([1, 2], dtype=np.uint16),
    ],
)
def test_tensors_round_trip_exactly(tmp_path: pathlib.Path, array: np.ndarray) -> None:
    array.flags.writeable = False
    artifacts.write_tensors(tmp_path / "t", {"a": array, "b": th.as_tensor([1.0])})
    read = artifacts.read_tensors(tmp_path / "t")
    np.testing.assert_array_equal(read["a"].numpy(), array)
    assert read["a"].numpy().dtype == array.dtype


def test_tensors_that_share_storage_are_written(tmp_path: pathlib.Path) -> None:
    base = th.arange(4.0)
    artifacts.write_tensors(tmp_path / "t", {"whole": base, "part": base[1:3]})
    read = artifacts.read_tensors(tmp_path / "t")
    assert read["part"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("content", [None, b"", b"not json {", b"\xff\xfe"])
def test_a_bad_json_file_is_one_clear_line(
    tmp_path: pathlib.Path, content: bytes | None
) -> None:
    path = tmp_path / "artifact.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"cannot read .*artifact\.json") as info:
        artifacts.read_json(path)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("content", [None, b"", b"\x80\x04pickle", b"\x00" * 100])
def test_a_bad_tensor_file_is_one_clear_line(
    tmp_path: pathlib.Path, content: bytes | None
) -> None:
    path = tmp_path / "w.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"cannot read .*w\.safetensors"):
        artifacts.read_tensors(path)


def test_a_truncated_tensor_file_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "w.safetensors"
    artifacts.write_tensors(path, {"a": np.arange(1000.0)})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactError):
        artifacts.read_tensors(path)


class Mine(nn.Module):
    pass


def test_classes_are_resolved_from_an_allow_list() -> None:
    assert artifacts.resolve_class(artifacts.class_path(nn.ReLU)) is nn.ReLU
    assert artifacts.resolve_class(artifacts.class_path(th.optim.Adam)) is th.optim.Adam


@pytest.mark.parametrize(
    "path",
    [
        "os:system",
        "subprocess:Popen",
        "torch.nn.modules.activation:__import__",
        "torch.nn.modules.activation:nonsense",
        "imitation.nowhere:Class",
        "torch.nn.modules.activation_evil:X",
        "imitation.util.artifacts:class_path",
        "imitation.util.artifacts:os.system",
        "",
        ":",
    ],
)
def test_other_names_are_refused(path: str) -> None:
    with pytest.raises(ArtifactError):
        artifacts.resolve_class(path)


def test_users_register_their_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "_REGISTERED", {})
    path = artifacts.class_path(Mine)
    with pytest.raises(ArtifactError, match="register_class"):
        artifacts.resolve_class(path)
    assert artifacts.register_class(Mine) is Mine
    assert artifacts.resolve_class(path) is Mine


def test_a_directory_of_something_else_is_not_deleted(tmp_path: pathlib.Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "thesis.tex").write_text("years of work")
    with (
        pytest.raises(ArtifactError, match=r"holds thesis\.tex"),
        artifacts.replacing_directory(tmp_path / "results") as directory,
    ):
        (directory / "policy").write_text("x")
    with pytest.raises(ArtifactError, match="is a directory, expected a file"):
        artifacts.write_json(tmp_path / "results", {})
    assert (tmp_path / "results" / "thesis.tex").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_classes_that_a_trusted_module_only_imports_are_refused() -> None:
    with pytest.raises(ArtifactError, match="not a class defined there"):
        artifacts.resolve_class("imitation.util.video_wrapper:Fraction")
