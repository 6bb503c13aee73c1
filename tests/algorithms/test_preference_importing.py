"""Preferences from JSON lines and arrays: what is read, and what is refused."""

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from imitation.algorithms import preference_comparisons as prefs
from imitation.data import serialize
from imitation.data.storage import episode_files
from imitation.errors import ArtifactError, DataError
from reference import preferences as ref

RNG = np.random.default_rng(0)
TRAJECTORIES = [ref.trajectory(RNG, n, terminal=n == 9) for n in (5, 9)]


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    serialize.save(tmp_path / "episodes", TRAJECTORIES)
    (tmp_path / "single").mkdir()
    episode_files.write_episode(tmp_path / "single" / "one.npz", TRAJECTORIES[0])
    np.savez(
        tmp_path / "arrays.npz",
        obs=np.concatenate([t.obs[:-1] for t in TRAJECTORIES]),
        next_obs=np.concatenate([t.obs[1:] for t in TRAJECTORIES]),
        acts=np.concatenate([t.acts for t in TRAJECTORIES]),
        episode_ends=np.array([5, 14]),
    )
    return tmp_path


def entry(first: Any, second: Any, preference: Any = 1.0, **more: Any) -> str:
    line = {"first": first, "second": second, "preference": preference, **more}
    return json.dumps(line)


def at(file: str = "episodes", **where: Any) -> dict[str, Any]:
    return {"file": file, **where}


def read(directory: pathlib.Path, *lines: str, **kwargs: Any) -> Any:
    path = directory / "preferences.jsonl"
    path.write_text("\n".join(lines))
    return prefs.import_preferences(path, **kwargs)


def test_fragments_and_preferences(directory: pathlib.Path) -> None:
    dataset = read(
        directory,
        entry(at(trajectory=1, start=2, stop=5), at(stop=3), 0.25, labeler="Ada"),
        "",
        entry(at("single/one.npz", start=2), at(trajectory=1, start=6), "first"),
        entry(at(), at(), "equal"),
        entry(at(), at(), "second"),
        entry(at("arrays.npz", trajectory=1), at("arrays.npz"), 1),
    )
    assert dataset.preferences.tolist() == [0.25, 1.0, 0.5, 0.0, 1.0]
    long, short = TRAJECTORIES[1], TRAJECTORIES[0]
    (first, second), _ = dataset[0]
    np.testing.assert_array_equal(first.obs, long.obs[2:6])
    np.testing.assert_array_equal(first.rews, long.rews[2:5])
    np.testing.assert_array_equal(second.acts, short.acts[:3])
    (first, second), _ = dataset[1]
    np.testing.assert_array_equal(first.obs, short.obs[2:])
    assert not first.terminal and second.terminal
    (first, second), _ = dataset[4]
    np.testing.assert_array_equal(first.obs, long.obs)
    assert type(first).__name__ == "Trajectory", "nothing is known of its rewards"


def test_the_queue_keeps_the_latest(directory: pathlib.Path) -> None:
    lines = [entry(at(), at(), i / 10) for i in range(10)]
    dataset = read(directory, *lines, max_size=3)
    np.testing.assert_allclose(dataset.preferences, [0.7, 0.8, 0.9])


WRONG: dict[str, tuple[str, str]] = {
    "not JSON": ("{", "not JSON"),
    "a list": ("[]", "expected an object, got list"),
    "no first": (json.dumps({"second": at()}), "expected 'first' to be an object"),
    "no file": (entry({"trajectory": 0}, at()), "with a 'file'"),
    "a number": (entry(at(), 3), "expected 'second' to be an object"),
    "no such file": (entry(at("absent"), at()), "absent"),
    "above": (entry(at("../episodes"), at()), "below the directory of"),
    "absolute": (entry(at("/etc/passwd"), at()), "below the directory of"),
    "no such trajectory": (
        entry(at(trajectory=2), at()),
        "episodes has 2 trajectories, no number 2",
    ),
    "negative": (entry(at(trajectory=-1), at()), "no number -1"),
    "text": (entry(at(trajectory="1"), at()), "'trajectory' to be an integer"),
    "too long": (entry(at(stop=6), at()), "has 5 steps, expected 0 <= start < stop"),
    "empty": (entry(at(start=3, stop=3), at()), "got 3 and 3"),
    "before": (entry(at(start=-2), at()), "got -2 and 5"),
    "half a step": (entry(at(start=0.5), at()), "'start' to be an integer, got 0.5"),
    "no preference": (entry(at(), at(), None), "'preference' to be a number"),
    "a word": (entry(at(), at(), "left"), "one of first, equal, second, got 'left'"),
    "true": (entry(at(), at(), True), "'preference' to be a number"),
    "too much": (entry(at(), at(), 1.5), r"'preference' in \[0, 1\], got 1.5"),
    "NaN": (entry(at(), at(), float("nan")), r"'preference' in \[0, 1\], got nan"),
}


@pytest.mark.parametrize("name", WRONG)
def test_malformed_lines(directory: pathlib.Path, name: str) -> None:
    line, message = WRONG[name]
    pattern = rf"preferences\.jsonl, line 2: .*{message}"
    with pytest.raises((DataError, ArtifactError), match=pattern):
        read(directory, entry(at(), at()), line)


def test_rewards_of_only_one_fragment(directory: pathlib.Path) -> None:
    with pytest.raises(DataError, match=r"line 1: .*rewards"):
        read(directory, entry(at(), at("arrays.npz")))


def test_nothing_to_read(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArtifactError, match="cannot read"):
        prefs.import_preferences(tmp_path / "absent.jsonl")
    with pytest.raises(DataError, match="holds no comparisons"):
        read(tmp_path, "", "")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError, match="cannot read"):
        prefs.import_preferences(tmp_path / "binary.jsonl")
