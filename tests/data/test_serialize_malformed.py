"""What saving and loading refuse, each with one line that a user can act on."""

import dataclasses
import json
import os
import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pytest

from imitation.data import serialize, types
from imitation.errors import ArtifactError, DataError, UnsafeLoadError

TABLE = "data-00000-of-00001.arrow"


def episode(**changes: Any) -> types.Trajectory:
    plain = types.Trajectory(
        np.zeros((3, 2), np.float32), np.zeros(2, np.int64), None, True
    )
    return dataclasses.replace(plain, **changes)


def with_rewards() -> types.Trajectory:
    plain = episode()
    return types.TrajectoryWithRew(plain.obs, plain.acts, None, True, np.zeros(2))


def dict_obs(*keys: str) -> types.DictObs:
    return types.DictObs({key: np.zeros((3, 2)) for key in keys})


def with_info(**info: Any) -> types.Trajectory:
    return episode(infos=[{}, info])


SAVES: dict[str, tuple[Any, str]] = {
    "no trajectories": ([], "at least one trajectory"),
    "not a trajectory": ([episode(), {"obs": 1}], "episode 1: expected a Traj.* dict"),
    "transitions": (
        [types.TransitionsMinimal(np.zeros(1), np.zeros(1), np.array([{}]))],
        "episode 0: expected a Trajectory, got TransitionsMinimal",
    ),
    "rewards in the first only": (
        [with_rewards(), episode()],
        "Some trajectories have rewards but not all: episode 0 has .*episode 1 has no",
    ),
    "rewards in the second only": (
        [episode(), with_rewards()],
        "Some trajectories have rewards but not all",
    ),
    "shape of obs": (
        [episode(), episode(), episode(obs=np.zeros((3, 5), np.float32))],
        r"episode 2: obs is float32\[5\] .* episode 0 it is float32\[2\]",
    ),
    "dtype of obs": (
        [episode(), episode(obs=np.zeros((3, 2)))],
        r"episode 1: obs is float64\[2\] .* float32\[2\]",
    ),
    "byte order of obs": (
        [episode(), episode(obs=np.zeros((3, 2), ">f4"))],
        "episode 1: obs is >f4",
    ),
    "shape of acts": (
        [episode(), episode(acts=np.zeros((2, 1), np.int64))],
        r"episode 1: acts is int64\[1\]",
    ),
    "dtype of acts": ([episode(), episode(acts=np.zeros(2))], "episode 1: acts"),
    "dict and array": (
        [episode(), episode(obs=dict_obs("a"))],
        "episode 1 has acts, obs/a, but episode 0 has acts, obs;",
    ),
    "keys of obs": (
        [episode(obs=dict_obs("a", "b")), episode(obs=dict_obs("a", "c"))],
        "episode 1 has acts, obs/a, obs/c",
    ),
    "shape of one key": (
        [
            episode(obs=dict_obs("a")),
            episode(obs=types.DictObs({"a": np.zeros((3, 4))})),
        ],
        "episode 1: obs/a is",
    ),
    "a key that is no text": (
        [episode(obs=types.DictObs({7: np.zeros((3, 2))}))],  # type: ignore[dict-item]  # wrong on purpose
        "observations have the key 7, a int",
    ),
    "object in infos": (
        [episode(), with_info(env=object())],
        r"episode 1, step 1: infos\['env'\] is object",
    ),
    "nested object in infos": (
        [with_info(a={"b": [1, {2, 3}]})],
        r"episode 0, step 1: infos\['a'\]\['b'\]\[1\] is set",
    ),
    "bytes in infos": ([with_info(raw=b"x")], r"infos\['raw'\] is bytes"),
    "NaN in infos": ([with_info(loss=float("nan"))], r"infos\['loss'\] is nan"),
    "infinity in a NumPy number": (
        [with_info(loss=np.float32("inf"))],
        r"infos\['loss'\] holds NaN or infinity",
    ),
    "NaN in an array": (
        [with_info(obs=np.array([1.0, np.nan]))],
        r"infos\['obs'\] holds NaN or infinity",
    ),
    "complex in infos": ([with_info(z=1j)], r"infos\['z'\] is complex"),
    "number as key": ([episode(infos=[{}, {3: 1}])], "has the key 3"),
    "nested number as key": (
        [with_info(ids={"x": {7: 1}})],
        r"infos\['ids'\]\['x'\] has the key 7",
    ),
    "reserved key": (
        [episode(infos=[{}, {"py/object": 1}])],
        "has the key 'py/object'",
    ),
    "infos that are no dictionaries": (
        [episode(infos=[1, 2])],
        "step 0: expected a dict",
    ),
}


@pytest.mark.parametrize("case", SAVES)
@pytest.mark.parametrize("existing", [False, True])
def test_save_refuses_and_writes_nothing(
    tmp_path: pathlib.Path, case: Any, existing: bool
) -> None:
    trajectories, message = SAVES[case]
    if existing:
        serialize.save(tmp_path / "set", [with_info(kept=True)])
    with pytest.raises(DataError, match=message) as caught:
        serialize.save(tmp_path / "set", trajectories)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == (["set"] if existing else [])
    if existing:
        infos = serialize.load(tmp_path / "set")[0].infos
        assert infos is not None
        assert infos[1] == {"kept": True}


def _notes(path: pathlib.Path) -> None:
    path.mkdir()
    (path / "thesis.txt").write_text("years of work")


def _data_set_with_notes(path: pathlib.Path) -> None:
    serialize.save(path, [episode()])
    (path / "README.md").write_text("notes")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda path: path.write_text("x"), "is a file, expected a directory"),
        (_notes, "holds thesis.txt"),
        (_data_set_with_notes, "holds README.md"),
        (lambda path: (path / "state").mkdir(parents=True), "holds state;"),
    ],
    ids=["file", "directory of other things", "data set and notes", "subdirectory"],
)
def test_save_never_deletes_what_is_not_a_data_set(
    tmp_path: pathlib.Path, prepare: Any, message: str
) -> None:
    prepare(tmp_path / "mine")
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*"))
    with pytest.raises(DataError, match=message):
        serialize.save(tmp_path / "mine", [episode()])
    assert sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*")) == before


def _saved(path: pathlib.Path, edit: Callable[[pathlib.Path], Any]) -> None:
    serialize.save(path, [episode(), with_info(a=1)])
    edit(path)


def _hf(path: pathlib.Path, **columns: Any) -> None:
    datasets.Dataset.from_dict(columns).save_to_disk(str(path))


def _rewrite(path: pathlib.Path, **values: Any) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | values))


def _truncate(path: pathlib.Path, keep: Callable[[int], int]) -> None:
    os.truncate(path, keep(path.stat().st_size))


def _second_batch_lost(path: pathlib.Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialize, "_BATCH_ROWS", 1)
        serialize.save(path, [episode(), episode()])
    content = (path / TABLE).read_bytes()
    batch = (len(content) - content.index(b"\x93NUMPY")) // 2
    for cut in range(batch, len(content)):
        if content[cut : cut + 4] == b"\xff\xff\xff\xff":
            (path / TABLE).write_bytes(content[:cut])
            return
    raise AssertionError("no second record batch")


def _splits(path: pathlib.Path) -> None:
    one = datasets.Dataset.from_dict({"obs": [1]})
    datasets.DatasetDict({"expert": one, "novice": one}).save_to_disk(str(path))


LIST = [[[0.0], [1.0]]]
INFOS = [["{}"]]

LOADS: dict[str, tuple[Callable[[pathlib.Path], Any], str]] = {
    "missing": (lambda p: None, "no such file"),
    "empty file": (lambda p: p.write_bytes(b""), "is not a data set"),
    "text file": (lambda p: p.write_text("hello"), "is not a data set"),
    "HDF5 file": (
        lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n"),
        "imitation.data.importers.import_trajectories",
    ),
    "empty directory": (lambda p: p.mkdir(), "no dataset_info.json .it is empty"),
    "directory of other things": (_notes, "no dataset_info.json .it holds thesis.txt"),
    "dictionary of splits": (_splits, "dictionary of data sets; load .*mine/expert"),
    "no state": (
        lambda p: _saved(p, lambda p: (p / "state.json").unlink()),
        "no state.json",
    ),
    "state that is not JSON": (
        lambda p: _saved(p, lambda p: (p / "state.json").write_text("{")),
        "cannot read the data set",
    ),
    "state without files": (
        lambda p: _saved(p, lambda p: (p / "state.json").write_text("{}")),
        "cannot read the data set",
    ),
    "info that is not JSON": (
        lambda p: _saved(p, lambda p: (p / "dataset_info.json").write_text("[")),
        "cannot read the data set",
    ),
    "no table": (
        lambda p: _saved(p, lambda p: (p / TABLE).unlink()),
        "cannot read the data set",
    ),
    "empty table": (
        lambda p: _saved(p, lambda p: (p / TABLE).write_bytes(b"")),
        "cannot read the data set",
    ),
    "table that is text": (
        lambda p: _saved(p, lambda p: (p / TABLE).write_text("x" * 99)),
        "cannot read the data set",
    ),
    "table cut in the schema": (
        lambda p: _saved(p, lambda p: _truncate(p / TABLE, lambda n: 64)),
        "cannot read the data set",
    ),
    "table cut in the data": (
        lambda p: _saved(p, lambda p: _truncate(p / TABLE, lambda n: n * 2 // 3)),
        "cannot read the data set",
    ),
    "table cut between batches": (_second_batch_lost, "1 episodes, expected 2; it was"),
    "newer format": (
        lambda p: _saved(p, lambda p: _rewrite(p / "imitation.json", format_version=9)),
        "format version 9 is newer than 2.*upgrade",
    ),
    "card that is not JSON": (
        lambda p: _saved(p, lambda p: (p / "imitation.json").write_text("no")),
        "imitation.json as JSON",
    ),
    "card that is a list": (
        lambda p: _saved(p, lambda p: (p / "imitation.json").write_text("[]")),
        "imitation.json is not a JSON object",
    ),
    "version that is text": (
        lambda p: _saved(
            p, lambda p: _rewrite(p / "imitation.json", format_version="x")
        ),
        "cannot read the data set",
    ),
    "other columns": (
        lambda p: _hf(p, text=["a"], label=[1]),
        "no column acts, obs, terminal, only label, text",
    ),
    "no acts": (lambda p: _hf(p, obs=LIST, terminal=[True]), "no column acts, only"),
    "text as obs": (
        lambda p: _hf(p, obs=["x"], acts=LIST, terminal=[True]),
        "column obs has the type string, expected",
    ),
    "text as terminal": (
        lambda p: _hf(p, obs=LIST, acts=LIST, terminal=["yes"]),
        "column terminal has the type string, expected bool",
    ),
    "text as infos": (
        lambda p: _hf(p, obs=LIST, acts=LIST, terminal=[True], infos=["{}"]),
        "column infos has the type string",
    ),
}


@pytest.mark.parametrize("case", LOADS)
def test_load_refuses_with_one_line(tmp_path: pathlib.Path, case: Any) -> None:
    prepare, message = LOADS[case]
    prepare(tmp_path / "mine")
    for allow_pickle in (False, True):
        with pytest.raises(ArtifactError, match=message) as caught:
            serialize.load(tmp_path / "mine", allow_pickle=allow_pickle)
        assert str(tmp_path / "mine") in str(caught.value)
        assert "\n" not in str(caught.value)


ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "ragged lists": (
        {"obs": [[[0.0], [1.0, 2.0]]]},
        r"episode 0: obs: lists of different lengths: \[1, 2\]",
    ),
    "null step": ({"obs": [[[0.0], None]]}, "episode 0: obs: expected lists"),
    "null row": ({"acts": [None, [[1.0]]], "obs": LIST * 2}, "episode 0: acts is null"),
    "null number": ({"obs": [[[0.0], [None]]]}, "episode 0: obs: expected numbers"),
    "text in lists": ({"obs": [[["a"], ["b"]]]}, "obs: expected numbers, got string"),
    "bytes that are no array": ({"obs": [b"\x00" * 80]}, "obs: .*not a .npy array"),
    "empty bytes": ({"obs": [b""]}, "obs: a cell of 0 bytes is not a .npy array"),
    "too few obs": ({"obs": [[[0.0]]]}, "episode 0: expected one more observations"),
    "too few infos": ({"infos": [["{}", "{}"]]}, "infos when present must be present"),
    "integer rewards": ({"rews": [[1]]}, "rewards dtype int64 not a float"),
    "null terminal": (
        {"terminal": [None, True], "obs": LIST * 2, "acts": [[[1.0]]] * 2},
        "episode 0: terminal is null",
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_reading_a_malformed_row_names_the_episode(
    tmp_path: pathlib.Path, case: Any
) -> None:
    columns, message = ROWS[case]
    rows: Any = len(columns.get("obs", LIST))
    plain = {"obs": LIST, "acts": [[[1.0]]], "infos": INFOS, "terminal": [True]}
    _hf(tmp_path / "set", **{k: v * rows for k, v in plain.items()} | columns)
    loaded = serialize.load(tmp_path / "set")
    with pytest.raises(DataError, match=message):
        loaded[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "infos are not JSON"),
        ("{", "infos are not JSON"),
        ("[]", "expected infos to be a dictionary, got list"),
        ("[" * 100_000, "infos are not JSON"),
    ],
    ids=["empty", "truncated", "list", "deep"],
)
def test_reading_malformed_infos_names_the_step(
    tmp_path: pathlib.Path, text: Any, message: str
) -> None:
    row = {"obs": LIST, "acts": [[[1.0]]], "infos": [[text]], "terminal": [True]}
    _hf(tmp_path / "set", **row)
    infos: Any = serialize.load(tmp_path / "set")[0].infos
    with pytest.raises(DataError, match=f"^episode 0, step 0: {message}"):
        infos[0]


class _Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, ("exploded",)


def _pickle(path: pathlib.Path) -> None:
    path.write_bytes(pickle.dumps([_Bomb()]))


def _npz(path: pathlib.Path) -> None:
    with path.open("wb") as file:
        np.savez(file, infos=np.array([_Bomb()], dtype=object))


@pytest.mark.parametrize("write", [_pickle, _npz])
def test_nothing_is_unpickled_unless_allowed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "old")
    for read in (serialize.load, serialize.load_with_rewards):
        with pytest.raises(UnsafeLoadError, match="can run any code") as caught:
            read(tmp_path / "old")
        assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["old"]


LEGACY: dict[str, tuple[bytes, str]] = {
    "truncated": (pickle.dumps([episode()])[:-10], "cannot unpickle"),
    "unknown class": (b"\x80\x04cno_such_module\nThing\n.", "cannot unpickle"),
    "no list": (pickle.dumps({"a": 1}), "holds a dict, expected a list"),
    "no trajectories": (pickle.dumps([1, 2]), "something other than trajectories"),
    "truncated archive": (b"PK\x03\x04" + b"\x00" * 50, "cannot read"),
}


@pytest.mark.parametrize("case", LEGACY)
@pytest.mark.filterwarnings("ignore:Loading the old file:DeprecationWarning")
def test_damaged_legacy_files(tmp_path: pathlib.Path, case: Any) -> None:
    content, message = LEGACY[case]
    (tmp_path / "old.pkl").write_bytes(content)
    with pytest.raises(ArtifactError, match=message) as caught:
        serialize.load(tmp_path / "old.pkl", allow_pickle=True)
    assert "old.pkl" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Loading the old file:DeprecationWarning")
def test_plain_npz_is_not_a_legacy_file(tmp_path: pathlib.Path) -> None:
    np.savez(tmp_path / "a.npz", obs=np.zeros(3), acts=np.zeros(3))
    with pytest.raises(ArtifactError, match=r"no indices, infos, terminal.*importers"):
        serialize.load(tmp_path / "a.npz", allow_pickle=True)
