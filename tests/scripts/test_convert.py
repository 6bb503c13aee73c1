"""The commands ``imitation convert`` and ``convert_trajs``."""

import os
import pathlib
import pickle

import numpy as np
import pytest

from imitation.data import importers, serialize, types
from imitation.errors import ArtifactError, DataError
from imitation.scripts import convert, convert_trajs

EPISODE = types.TrajectoryWithRew(
    np.arange(8, dtype=np.float32).reshape(4, 2),
    np.array([0, 1, 1]),
    [{"a": i} for i in range(3)],
    True,
    np.ones(3),
)
NO_INFOS = types.TrajectoryWithRew(EPISODE.obs, EPISODE.acts, None, True, EPISODE.rews)


@pytest.fixture(autouse=True)
def _own_storage(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


def test_convert_says_what_it_wrote(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("a.npz", obs=np.zeros((5, 2)), acts=np.zeros(5, int), dones=np.eye(5)[1])
    assert convert.main(["a.npz", "new", "--final-obs", "repeat"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "npz -> hf: 2 episodes, 5 steps written to new",
        "  obs: float64[2] a step",
        "  acts: int64[] a step",
        "  rewards: no",
    ]
    assert [len(episode) for episode in serialize.load("new")] == [2, 3]


def test_convert_to_minari_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    serialize.save("set", [EPISODE, EPISODE])
    assert convert.main(["set", "my/set-v0", "--to", "minari"]) == 0
    assert "hf -> minari: 2 episodes, 6 steps" in capsys.readouterr().out
    assert convert.main(["my/set-v0", "back", "--from", "minari"]) == 0
    assert list(serialize.load("back")) == [NO_INFOS, NO_INFOS]


def test_convert_in_place_and_without_infos() -> None:
    serialize.save("set", [EPISODE])
    assert convert.main(["set", "set"]) == 2
    assert list(serialize.load("set")) == [EPISODE]
    assert convert.main(["set", "set", "--overwrite", "--drop-infos"]) == 0
    assert list(serialize.load("set")) == [NO_INFOS]


def test_convert_never_overwrites_other_things(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serialize.save("set", [EPISODE])
    (tmp_path / "notes.txt").write_text("mine")
    assert convert.main(["set", "notes.txt"]) == 2
    assert "exists already; choose another path" in capsys.readouterr().err
    assert convert.main(["set", ".", "--overwrite"]) == 2
    assert sorted(os.listdir()) == ["notes.txt", "set"]


def test_convert_asks_before_unpickling(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([EPISODE]))
    assert convert.main(["a.pkl", "new"]) == 2
    error = capsys.readouterr().err
    assert "--allow-pickle" in error
    assert len(error.splitlines()) == 1
    assert convert.main(["a.pkl", "new", "--allow-pickle"]) == 0
    assert list(serialize.load("new")) == [EPISODE]


def test_convert_help_says_what_pickles_can_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        convert.main(["--help"])
    assert caught.value.code == 0
    help_text = " ".join(capsys.readouterr().out.split())
    assert "can run any code" in help_text
    for kind in importers.FORMATS:
        assert kind in help_text


@pytest.mark.parametrize("name", ["A.pkl", "A.npz", "A.foo"])
def test_convert_trajs_in_place(tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps([EPISODE]))
    assert convert_trajs.update_traj_file_in_place(name) == tmp_path.joinpath(
        "A"
    ).relative_to(tmp_path)
    assert list(serialize.load("A")) == [EPISODE]
    assert sorted(os.listdir()) == ["A", name]


def test_convert_trajs_refuses(tmp_path: pathlib.Path) -> None:
    (tmp_path / "A").write_bytes(pickle.dumps([EPISODE]))
    with pytest.raises(DataError, match="no extension to drop"):
        convert_trajs.update_traj_file_in_place("A")
    with pytest.raises(ArtifactError, match="no such file"):
        convert_trajs.update_traj_file_in_place("B.pkl")
    (tmp_path / "A.pkl").write_bytes(pickle.dumps([EPISODE]))
    with pytest.raises(DataError, match="A is a file, expected a directory"):
        convert_trajs.update_traj_file_in_place("A.pkl")


def test_convert_trajs_command(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("A.pkl", "B.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps([EPISODE]))
    monkeypatch.setattr("sys.argv", ["convert_trajs", "A.pkl", "B.pkl"])
    convert_trajs.main()
    assert capsys.readouterr().out == "A.pkl -> A\nB.pkl -> B\n"
    assert list(serialize.load("B")) == [EPISODE]
    monkeypatch.setattr("sys.argv", ["convert_trajs", "C.pkl"])
    with pytest.raises(SystemExit) as caught:
        convert_trajs.main()
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
