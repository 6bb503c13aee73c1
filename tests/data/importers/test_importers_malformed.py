"""Malformed demonstrations: what is refused, naming source, episode and key."""

import os
import pathlib
from collections.abc import Callable
from typing import Any

import datasets
import gymnasium as gym
import h5py
import minari
import numpy as np
import pytest
from minari.data_collector import EpisodeBuffer

from imitation.data import importers, serialize, types
from imitation.errors import ArtifactError, DataError
from imitation.scripts import convert

ZEROS = np.zeros
RAGGED = [[1.0], [1.0, 2.0]]


@pytest.fixture(autouse=True)
def _own_minari_storage(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


def nan(*shape: int) -> np.ndarray:
    array = ZEROS(shape)
    array[-1] = np.nan
    return array


ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "lists: no episodes": ({"obs": [], "acts": []}, "holds no episodes"),
    "lists: fewer acts": (
        {"obs": [ZEROS(3), ZEROS(3)], "acts": [ZEROS(2)]},
        "obs is a list of 2 episodes, but acts is a list of 1",
    ),
    "lists: acts end to end": (
        {"obs": [ZEROS(3)], "acts": 3},
        "obs is a list of 1 episodes, but acts is a int",
    ),
    "lists: no last observation": (
        {"obs": [ZEROS(2)], "acts": [ZEROS(2)]},
        "episode 0: obs and acts both have 2 entries.*final_obs='repeat'",
    ),
    "lists: unknown final_obs": (
        {"obs": [ZEROS(2)], "acts": [ZEROS(2)], "final_obs": "keep"},
        'final_obs must be "error", "repeat" or "drop", got \'keep\'',
    ),
    "lists: wrong length": (
        {"obs": [ZEROS(3), ZEROS(9)], "acts": [ZEROS(2)] * 2},
        "episode 1: obs has 9 entries for 2 acts; expected 3",
    ),
    "lists: no step left": (
        {"obs": [ZEROS(1)], "acts": [ZEROS(1)], "final_obs": "drop"},
        "episode 0: has one action, so final_obs='drop' leaves none",
    ),
    "lists: no steps": (
        {"obs": [ZEROS(1)], "acts": [ZEROS(0)]},
        "episode 0: acts is empty",
    ),
    "lists: NaN in obs": (
        {"obs": [ZEROS(3), nan(3, 2)], "acts": [ZEROS(2)] * 2},
        "episode 1: obs holds NaN or infinity at step 2",
    ),
    "lists: infinity in acts": (
        {"obs": [ZEROS(3)], "acts": [[0, np.inf]]},
        "episode 0: acts holds NaN or infinity at step 1",
    ),
    "lists: NaN in rews": (
        {"obs": [ZEROS(3)], "acts": [ZEROS(2)], "rews": [nan(2)]},
        "episode 0: rews holds NaN",
    ),
    "lists: ragged": (
        {"obs": [[*RAGGED, [0.0]]], "acts": [ZEROS(2)]},
        "episode 0: obs is ragged",
    ),
    "lists: text": (
        {"obs": [ZEROS(3)], "acts": [["left", "right"]]},
        "episode 0: acts has dtype <U5",
    ),
    "lists: objects": (
        {"obs": [np.array([None] * 3)], "acts": [ZEROS(2)]},
        "episode 0: obs has dtype object",
    ),
    "lists: one number": (
        {"obs": [1.0], "acts": [ZEROS(2)]},
        "episode 0: obs is one number",
    ),
    "lists: short rews": (
        {"obs": [ZEROS(3)], "acts": [ZEROS(2)], "rews": [ZEROS(1)]},
        r"episode 0: rews has shape \(1,\), expected \(2,\)",
    ),
    "lists: rews of the first only": (
        {"obs": [ZEROS(3)] * 2, "acts": [ZEROS(2)] * 2, "rews": [ZEROS(2), None]},
        "Some trajectories have rewards but not all",
    ),
    "lists: shape of obs": (
        {"obs": [ZEROS((3, 2)), ZEROS((3, 4))], "acts": [ZEROS(2)] * 2},
        r"episode 1: obs is float64\[4\]",
    ),
    "lists: dtype of acts": (
        {"obs": [ZEROS(3)] * 2, "acts": [ZEROS(2), ZEROS(2, int)]},
        r"episode 1: acts is int64\[\]",
    ),
    "lists: keys of obs": (
        {"obs": [{"a": ZEROS(3)}, {"b": ZEROS(3)}], "acts": [ZEROS(2)] * 2},
        "episode 1 has acts, obs/b, but episode 0 has acts, obs/a",
    ),
    "lists: nested keys": (
        {"obs": [{"a": {"b": ZEROS(3)}}], "acts": [ZEROS(2)]},
        "episode 0: obs/a is a nested dictionary",
    ),
    "lists: no keys": (
        {"obs": [{}], "acts": [ZEROS(2)]},
        "episode 0: obs has no keys",
    ),
    "lists: keys of different lengths": (
        {"obs": [{"a": ZEROS(3), "b": ZEROS(2)}], "acts": [ZEROS(2)]},
        "episode 0: the keys of obs differ in length",
    ),
    "lists: other keys in next_obs": (
        {
            "obs": [{"a": ZEROS(2)}],
            "acts": [ZEROS(2)],
            "next_obs": [{"b": ZEROS(2)}],
        },
        "episode 0: obs has obs/a, but next_obs has obs/b",
    ),
    "lists: other dtype in next_obs": (
        {"obs": [ZEROS(2)], "acts": [ZEROS(2)], "next_obs": [ZEROS(2, int)]},
        r"episode 0: next_obs is int64\[2\], but obs is float64\[2\]",
    ),
    "lists: dones of every step": (
        {"obs": [ZEROS(3)], "acts": [ZEROS(2)], "dones": [[False, True]]},
        "episode 0: dones must be one bool for each episode",
    ),
    "lists: timeouts of steps": (
        {"obs": [ZEROS(3)], "acts": [ZEROS(2)], "timeouts": [[False, True]]},
        "episode 0: timeouts must be one bool for each episode",
    ),
    "lists: episode_ends": (
        {"obs": [ZEROS(3)], "acts": [ZEROS(2)], "episode_ends": [2]},
        "episode_ends goes with arrays of all steps",
    ),
    "flat: no ends": (
        {"obs": ZEROS(3), "acts": ZEROS(3)},
        "cannot tell where episodes end",
    ),
    "flat: no steps": (
        {"obs": ZEROS(0), "acts": ZEROS(0), "dones": ZEROS(0)},
        "holds no episodes",
    ),
    "flat: longer obs": (
        {"obs": ZEROS(4), "acts": ZEROS(3), "dones": ZEROS(3)},
        "obs has 4 entries, but acts has 3",
    ),
    "flat: short key": (
        {"obs": {"a": ZEROS(3), "b": ZEROS(2)}, "acts": ZEROS(3), "dones": ZEROS(3)},
        "obs/b has 2 entries, but acts has 3",
    ),
    "flat: short dones": (
        {"obs": ZEROS(3), "acts": ZEROS(3), "dones": ZEROS(2)},
        r"dones has shape \(2,\), expected \(3,\)",
    ),
    "flat: dones that are no flags": (
        {"obs": ZEROS(3), "acts": ZEROS(3), "dones": np.array([0, 0.5, 1])},
        "dones must be 0 or 1",
    ),
    "flat: acts in a list": (
        {"obs": ZEROS(3), "acts": [1, 2, 3], "dones": ZEROS(3)},
        "expected arrays of all steps .*got a list of 3",
    ),
    "flat: decreasing ends": (
        {"obs": ZEROS(3), "acts": ZEROS(3), "episode_ends": [2, 1, 3]},
        "episode_ends must increase and end at the number of steps, 3",
    ),
    "flat: ends too early": (
        {"obs": ZEROS(3), "acts": ZEROS(3), "episode_ends": [2]},
        "episode_ends must increase and end at the number of steps, 3",
    ),
    "flat: ends of another kind": (
        {"obs": ZEROS(3), "acts": ZEROS(3), "episode_ends": [1.5]},
        "episode_ends must be a list of integers",
    ),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(case: Any) -> None:
    arguments, message = ARRAYS[case]
    with pytest.raises(DataError, match=f"^mine: .*{message}|^{message}") as caught:
        importers.from_arrays(**arguments, source="mine")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"actions": ZEROS(3)}, "no obs or observations; it holds actions"),
        ({"obs": ZEROS(3)}, "no acts or actions; it holds obs"),
        ({}, "it holds nothing"),
        (
            {"obs": ZEROS(3), "observations": ZEROS(3), "acts": ZEROS(3)},
            "obs and observations mean the same",
        ),
        ({"obs": ZEROS(3), "obs/a": ZEROS(3)}, "it has both obs and obs/"),
    ],
)
def test_mappings(data: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^mine: .*{message}"):
        importers.from_mapping(data, source="mine")


def _npz(**arrays: Any) -> Callable[[pathlib.Path], None]:
    def write(path: pathlib.Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)

    return write


def _truncated(write: Callable[[pathlib.Path], None]) -> Callable[[pathlib.Path], None]:
    def shortened(path: pathlib.Path) -> None:
        write(path)
        os.truncate(path, path.stat().st_size // 2)

    return shortened


def _robomimic(edit: Callable[[Any], Any]) -> Callable[[pathlib.Path], None]:
    def write(path: pathlib.Path) -> None:
        with h5py.File(path, "w") as file:
            for i in range(2):
                demo = file.create_group(f"data/demo_{i}")
                demo["obs/state"] = demo["next_obs/state"] = ZEROS((4, 2))
                demo["actions"], demo["rewards"] = ZEROS((4, 1)), ZEROS(4)
                demo["dones"] = np.array([0, 0, 0, 1])
            edit(file)

    return write


def _replaced(name: str, value: Any) -> Callable[[Any], None]:
    def edit(file: Any) -> None:
        del file[name]
        file[name] = value

    return edit


def _removed(name: str) -> Callable[[Any], None]:
    return lambda file: file.__delitem__(name)


def _hdf5(**arrays: Any) -> Callable[[pathlib.Path], None]:
    def write(path: pathlib.Path) -> None:
        with h5py.File(path, "w") as file:
            for name, value in arrays.items():
                file[name] = value

    return write


def _text(path: pathlib.Path) -> None:
    path.write_text("obs,acts\n1,2\n")


FLAT = {"obs": ZEROS(3), "acts": ZEROS(3), "dones": np.eye(3)[2], "next_obs": ZEROS(3)}

FILES: dict[str, tuple[Callable[[pathlib.Path], Any], str]] = {
    "missing": (lambda path: None, "no such file"),
    "empty": (lambda path: path.touch(), "is empty"),
    "text": (_text, "not a file of demonstrations"),
    "empty directory": (lambda path: path.mkdir(), "is empty"),
    "other directory": (
        lambda path: (path / "notes").mkdir(parents=True),
        "holds notes",
    ),
    "npz: truncated": (_truncated(_npz(**FLAT)), "cannot read .* as .npz"),
    "npz: objects": (
        _npz(**FLAT | {"obs": np.array([None] * 3)}),
        "obs holds Python objects",
    ),
    "npz: no acts": (_npz(obs=ZEROS(3)), "no acts or actions; it holds obs"),
    "npz: NaN": (
        _npz(**FLAT | {"acts": nan(3)}),
        "episode 0: acts holds NaN or infinity at step 2",
    ),
    "npz: no last observation": (
        _npz(obs=ZEROS(3), acts=ZEROS(3), dones=ZEROS(3)),
        "episode 0: .*the observation after the last action is missing",
    ),
    "hdf5: truncated": (_truncated(_robomimic(len)), "cannot read .* as HDF5"),
    "hdf5: nothing known": (
        _hdf5(x=ZEROS(3)),
        "no obs or observations; it holds x",
    ),
    "hdf5: wrong length": (
        _hdf5(observations=ZEROS(3), actions=ZEROS(2), terminals=ZEROS(2)),
        "obs has 3 entries, but acts has 2",
    ),
    "robomimic: no demonstrations": (
        _robomimic(lambda file: [file["data"].clear()]),
        "holds no episodes",
    ),
    "robomimic: no actions": (
        _robomimic(_removed("data/demo_1/actions")),
        "demo_1: it has no actions; it holds dones, next_obs, obs, rewards",
    ),
    "robomimic: no obs": (
        _robomimic(_removed("data/demo_0/obs")),
        "demo_0: it has no obs",
    ),
    "robomimic: empty obs": (
        _robomimic(_removed("data/demo_0/obs/state")),
        "demo_0: obs has no keys",
    ),
    "robomimic: no next_obs": (
        _robomimic(_removed("data/demo_1/next_obs")),
        "demo_1: obs and acts both have 4 entries",
    ),
    "robomimic: other length": (
        _robomimic(_replaced("data/demo_1/obs/state", ZEROS((3, 2)))),
        "demo_1: obs has 3 entries for 4 acts",
    ),
    "robomimic: NaN": (
        _robomimic(_replaced("data/demo_1/obs/state", nan(4, 2))),
        "demo_1: obs/state holds NaN or infinity at step 3",
    ),
    "robomimic: short dones": (
        _robomimic(_replaced("data/demo_1/dones", ZEROS(3))),
        "demo_1: dones has 3 entries for 4 actions",
    ),
    "robomimic: rewards of another shape": (
        _robomimic(_replaced("data/demo_0/rewards", ZEROS((4, 2)))),
        r"demo_0: rews has shape \(4, 2\)",
    ),
    "robomimic: rewards of one only": (
        _robomimic(_removed("data/demo_1/rewards")),
        "demo_0 has some, demo_1 has none",
    ),
    "robomimic: other space": (
        _robomimic(_replaced("data/demo_1/actions", ZEROS((4, 2)))),
        r"demo_1: acts is float64\[2\] a step, but in demo_0",
    ),
    "robomimic: text": (
        _robomimic(_replaced("data/demo_1/actions", ["go"] * 4)),
        "demo_1: acts has dtype object",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_files(
    tmp_path: pathlib.Path, case: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write, message = FILES[case]
    source = tmp_path / "mine"
    write(source)
    with pytest.raises((DataError, ArtifactError), match=message) as caught:
        importers.import_trajectories(source)
    assert str(source) in str(caught.value)
    assert "\n" not in str(caught.value)
    # The command says the same in one line and writes nothing.
    assert convert.main([str(source), str(tmp_path / "new")]) == 2
    printed = capsys.readouterr()
    assert str(caught.value) in printed.err
    assert printed.out == ""
    assert not [n for n in os.listdir(tmp_path) if n not in ("mine", "minari")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "csv"}, "unknown format 'csv'; choose one of hf, minari"),
        ({"mask": "valid"}, "it has no mask 'valid'; it has train"),
        ({"mask": "train"}, "mask/train lists demo_7, which is not in data"),
        ({"split": "train"}, "split='train' goes with the format hf, but"),
    ],
)
def test_options(tmp_path: pathlib.Path, options: dict[str, Any], message: str) -> None:
    _robomimic(_masked)(tmp_path / "a.hdf5")
    with pytest.raises(DataError, match=message):
        importers.import_trajectories(tmp_path / "a.hdf5", **options)


def _masked(file: Any) -> None:
    file["mask/train"] = [b"demo_0", b"demo_7"]


def test_mask_of_a_flat_file(tmp_path: pathlib.Path) -> None:
    _hdf5(**FLAT)(tmp_path / "a.hdf5")
    with pytest.raises(DataError, match="no group data, so no masks"):
        importers.from_hdf5(tmp_path / "a.hdf5", mask="train")


def test_splits(tmp_path: pathlib.Path) -> None:
    episode = types.Trajectory(ZEROS(2), ZEROS(1), None, True)
    serialize.save(tmp_path / "set", [episode])
    dataset = datasets.load_from_disk(str(tmp_path / "set"))
    both = datasets.DatasetDict({"a": dataset, "b": dataset})
    both.save_to_disk(str(tmp_path / "both"))
    for options, path, message in (
        ({}, "both", "has the splits a, b; choose one of them, got None"),
        ({"split": "c"}, "both", "has the splits a, b; choose one of them, got 'c'"),
        ({"split": "a"}, "set", "has no splits; leave out split='a'"),
    ):
        with pytest.raises(DataError, match=message):
            importers.from_huggingface(tmp_path / path, **options)


REWARDED = types.TrajectoryWithRew(ZEROS(2), ZEROS(1), None, True, ZEROS(1))
BOX = gym.spaces.Box(-1, 1, (2,))
PAIR = gym.spaces.Tuple([gym.spaces.Discrete(2), gym.spaces.Discrete(2)])
PAIRS = (ZEROS(2, np.int64), ZEROS(2, np.int64))


def _write_minari(observations: Any, actions: Any, spaces: tuple[Any, Any]) -> None:
    ends = np.array([False, True])
    buffer = EpisodeBuffer(
        id=0,
        observations=observations,
        actions=actions,
        rewards=ZEROS(2),
        terminations=ends,
        truncations=~ends,
    )
    minari.create_dataset_from_buffers(
        "bad-v0", [buffer], observation_space=spaces[0], action_space=spaces[1]
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("observations", "actions", "spaces", "message"),
    [
        (ZEROS((3, 2)), PAIRS, (BOX, PAIR), "episode 0: actions are tuples"),
        (PAIRS, ZEROS((2, 2)), (PAIR, BOX), "episode 0: observations are tuples"),
        (
            {"a": {"b": ZEROS((3, 2))}},
            ZEROS((2, 2)),
            (gym.spaces.Dict(a=gym.spaces.Dict(b=BOX)), BOX),
            "episode 0: obs/a is a nested dictionary",
        ),
        (
            ZEROS((3, 2)),
            {"a": ZEROS((2, 2))},
            (BOX, gym.spaces.Dict(a=BOX)),
            "episode 0: actions are a dictionary",
        ),
        (
            ZEROS((2, 2)),
            ZEROS((2, 2)),
            (BOX, BOX),
            "episode 0: obs and acts both have 2",
        ),
        (nan(3, 2), ZEROS((2, 2)), (BOX, BOX), "episode 0: obs holds NaN"),
    ],
    ids=["tuple acts", "tuple obs", "nested obs", "dict acts", "length", "NaN"],
)
def test_minari(observations: Any, actions: Any, spaces: Any, message: str) -> None:
    _write_minari(observations, actions, spaces)
    with pytest.raises(DataError, match=f"^bad-v0: {message}"):
        importers.from_minari("bad-v0")


@pytest.mark.parametrize(
    ("spaces", "message"),
    [
        ({"observation_space": gym.spaces.Discrete(2)}, "obs is float64.. a step"),
        ({"action_space": gym.spaces.Discrete(2)}, "acts is float64.. a step"),
        ({"observation_space": BOX}, "obs is float64.. a step, .* fit the space Box"),
        ({"observation_space": gym.spaces.Dict(a=BOX)}, "spaces are for obs/a, acts"),
        ({"env": "CartPole-v1"}, "obs is float64.. a step"),
    ],
)
def test_export_to_other_spaces(
    tmp_path: pathlib.Path, spaces: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        importers.export_minari([REWARDED], "a-v0", **spaces)
    assert not (tmp_path / "minari").exists()


def test_damaged_minari(tmp_path: pathlib.Path) -> None:
    episode = types.TrajectoryWithRew(ZEROS(2), ZEROS(1), None, True, ZEROS(1))
    path = importers.export_minari([episode], "set-v0")
    file = path / "data" / "main_data.hdf5"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(DataError, match="cannot read set-v0 as a Minari data set"):
        importers.from_minari("set-v0")
    file.unlink()
    with pytest.raises(DataError, match="cannot read set-v0 as a Minari data set"):
        importers.from_minari("set-v0")
    (path / "data" / "metadata.json").write_text("{")
    with pytest.raises(DataError, match="cannot read set-v0 as a Minari data set"):
        importers.from_minari("set-v0")
    with pytest.raises(DataError, match="is not a Minari data set: it has no data/"):
        importers.from_minari(tmp_path)


def test_minari_downloads_nothing() -> None:
    for read in (importers.from_minari, importers.import_trajectories):
        with pytest.raises(DataError, match="run: minari download D4RL/door/human-v2"):
            read("D4RL/door/human-v2")


PLAIN = types.Trajectory(ZEROS(2), ZEROS(1), None, True)
OTHER = types.TrajectoryWithRew(ZEROS((2, 3)), ZEROS(1), None, True, ZEROS(1))


@pytest.mark.parametrize(
    ("trajectories", "dataset_id", "message"),
    [
        ([], "a-v0", "holds no episodes"),
        ([PLAIN], "a-v0", "episode 0 has no rewards, which Minari requires"),
        ([REWARDED, PLAIN], "a-v0", "Some trajectories have rewards but not all"),
        ([REWARDED, OTHER], "a-v0", "episode 1: obs is"),
        ([REWARDED], "a", "'a' is not a Minari id"),
        ([REWARDED], "a b-v0", "'a b-v0' is not a Minari id"),
        ([REWARDED], "../a-v0", "is not a Minari id"),
        ([REWARDED], "taken-v0", "taken-v0 exists already"),
    ],
)
def test_export(
    tmp_path: pathlib.Path, trajectories: list[Any], dataset_id: str, message: str
) -> None:
    importers.export_minari([REWARDED], "taken-v0")
    before = sorted((tmp_path / "minari").rglob("*"))
    with pytest.raises(DataError, match=message):
        importers.export_minari(trajectories, dataset_id)
    assert sorted((tmp_path / "minari").rglob("*")) == before
    assert importers.from_minari("taken-v0") == [REWARDED]
