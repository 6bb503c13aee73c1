"""Preference data sets: what they hold, keep, write and refuse."""

import copy
import dataclasses
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from torch.utils import data as th_data

from imitation.algorithms import preference_comparisons as prefs
from imitation.errors import ArtifactError, ConfigError, DataError, UnsafeLoadError
from reference import preferences as ref

RNG = np.random.default_rng(1)


def filled(n: int = 5, max_size: int | None = None, **kwargs: Any) -> Any:
    dataset = prefs.PreferenceDataset(max_size)
    pairs = ref.pairs(RNG, n, **kwargs)
    given = RNG.choice([0, 0.5, 1], size=n).astype(np.float32)
    dataset.push(pairs, given)
    return dataset, pairs, given


def assert_holds(dataset: Any, pairs: Any, given: Any) -> None:
    assert len(dataset) == len(pairs)
    for item, pair, preference in zip(dataset, pairs, given, strict=True):
        assert item == (pair, preference)


@pytest.mark.parametrize("kind", ref.SPACES)
@pytest.mark.parametrize("rewards", [True, False])
def test_holds_what_was_pushed(kind: str, rewards: bool) -> None:
    options: dict[str, Any] = {"space": ref.SPACES[kind], "rewards": rewards}
    dataset, pairs, given = filled(**options, terminal=True)
    more = ref.pairs(RNG, 3, length=2, **options)
    dataset.push(more, np.ones(3, np.float32))
    assert_holds(dataset, [*pairs, *more], [*given, 1, 1, 1])
    assert dataset[-1] == (more[-1], 1)
    with pytest.raises(IndexError):
        dataset[8]


def test_pairs_with_and_without_rewards_in_one_data_set() -> None:
    dataset, pairs, given = filled()
    without = ref.pairs(RNG, 2, rewards=False)
    dataset.push(without, np.zeros(2, np.float32))
    assert_holds(dataset, [*pairs, *without], [*given, 0, 0])


@pytest.mark.parametrize("max_size", [1, 3, 4, 7])
def test_the_oldest_are_dropped(max_size: int) -> None:
    dataset = prefs.PreferenceDataset(max_size)
    pairs: list[Any] = []
    given: list[Any] = []
    for n in (2, 1, 5, 0, 3, 9, 1, 1, 1):
        new = ref.pairs(RNG, n, length=int(RNG.integers(1, 4)))
        marks = RNG.random(n).astype(np.float32)
        dataset.push(new, marks)
        pairs, given = [*pairs, *new][-max_size:], [*given, *marks][-max_size:]
        assert_holds(dataset, pairs, given)


def test_pushing_does_not_copy_what_is_there() -> None:
    dataset, _pairs, _given = filled(200)
    copies = 0
    for _ in range(400):
        before = dataset.arrays().acts
        dataset.push(ref.pairs(RNG, 1), np.zeros(1, np.float32))
        copies += not np.shares_memory(before, dataset.arrays().acts)
    assert copies <= 2, "it doubles"


def test_views_keep_their_content() -> None:
    dataset, _pairs, _given = filled(max_size=5)
    acts = dataset.arrays().acts
    before = acts.copy()
    for _ in range(20):
        dataset.push(ref.pairs(RNG, 2), np.zeros(2, np.float32))
    np.testing.assert_array_equal(acts, before)
    assert not acts.flags.writeable


@pytest.mark.parametrize("kind", ref.SPACES)
@pytest.mark.parametrize("n", [0, 4])
def test_save_and_load(tmp_path: pathlib.Path, kind: str, n: int) -> None:
    dataset, pairs, given = filled(n, 7, space=ref.SPACES[kind])
    dataset.save(tmp_path / "preferences.pkl")
    loaded: Any = prefs.PreferenceDataset.load(tmp_path / "preferences.pkl")
    assert_holds(loaded, pairs, given)
    assert loaded.preferences.shape == (n,) and loaded.preferences.dtype == np.float32
    assert loaded.max_size == 7
    for copied in (loaded, copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
        copied.push(pairs, given)
        assert len(copied) == min(7, 2 * n)
    if n:
        assert loaded[0][0][0].obs.dtype == pairs[0][0].obs.dtype
        assert loaded[0][0][0].rews.dtype == pairs[0][0].rews.dtype


def test_how_episodes_ended_is_kept(tmp_path: pathlib.Path) -> None:
    dataset: Any = prefs.PreferenceDataset()
    cut, ended, unfinished = (
        dataclasses.replace(one(), terminal=terminal, truncated=truncated)
        for terminal, truncated in ((True, True), (True, False), (False, False))
    )
    pairs = [(cut, ended), (unfinished, cut)]
    dataset.push(pairs, np.ones(2, np.float32))
    assert_holds(dataset, pairs, [1, 1])
    dataset.save(tmp_path / "preferences")
    assert_holds(prefs.PreferenceDataset.load(tmp_path / "preferences"), pairs, [1, 1])
    state = dataset.state_dict()
    del state["truncated"]  # as in files written before it was known
    dataset.load_state_dict(state)
    assert [f.terminal for (pair, _) in dataset for f in pair] == [
        True,
        True,
        False,
        True,
    ]
    assert not any(f.truncated for (pair, _) in dataset for f in pair)


def test_collation_for_a_data_loader() -> None:
    dataset, pairs, given = filled()
    loader: Any = th_data.DataLoader(
        dataset, batch_size=2, collate_fn=prefs.preference_collate_fn
    )
    batches = list(loader)
    assert [pair for batch, _ in batches for pair in batch] == pairs
    collated = np.concatenate([preferences for _, preferences in batches])
    assert collated.dtype == np.float32
    np.testing.assert_array_equal(collated, given)


def one(**kwargs: Any) -> Any:
    return ref.trajectory(RNG, **kwargs)


FLOATS = np.ones(1, np.float32)


@pytest.mark.parametrize(
    ("pairs", "given", "error", "message"),
    [
        ([(one(), one())], np.ones(2, np.float32), DataError, "Unexpected preferences"),
        ([(one(), one())], np.float32(1), DataError, "Unexpected preferences shape"),
        ([(one(), one())], np.ones(1), DataError, "preferences should have dtype"),
        ([(one(), one())], 2 * FLOATS, DataError, r"probabilities in \[0, 1\]"),
        ([(one(), one())], -FLOATS, DataError, r"probabilities in \[0, 1\]"),
        ([(one(), one())], np.nan * FLOATS, DataError, r"probabilities in \[0, 1\]"),
        ([(one(), one(rewards=False))], FLOATS, AssertionError, "only one of its"),
        ([(one(), one(space=ref.DICT_SPACE))], FLOATS, DataError, "the same keys"),
        ([(one(), one(space=ref.IMAGE_SPACE))], FLOATS, DataError, "of one shape"),
        ([(one(space=ref.DICT_SPACE),) * 2], FLOATS, DataError, "those there of"),
        ([(one(space=ref.IMAGE_SPACE),) * 2], FLOATS, DataError, "of shape"),
    ],
)
def test_refused_pushes_change_nothing(
    pairs: Any, given: Any, error: type[Exception], message: str
) -> None:
    dataset, held, before = filled(2)
    with pytest.raises(error, match=message):
        dataset.push(pairs, given)
    assert_holds(dataset, held, before)


def test_another_kind_of_numbers_is_refused() -> None:
    dataset, pairs, given = filled(1)
    other = [
        tuple(type(f)(f.obs.astype(int), f.acts, None, False, f.rews) for f in pair)
        for pair in pairs
    ]
    with pytest.raises(DataError, match=r"obs of shape .* and dtype int64, those"):
        dataset.push(other, given)


@pytest.mark.parametrize("max_size", [0, -3])
def test_max_size_must_be_positive(max_size: int) -> None:
    with pytest.raises(ConfigError, match="max_size must be positive"):
        prefs.PreferenceDataset(max_size)


def test_nothing_to_load(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ArtifactError, match="no checkpoint"):
        prefs.PreferenceDataset.load(tmp_path / "absent")


@pytest.mark.parametrize("column", ["acts", "rews", "lengths", "terminal", "obs"])
def test_damaged_data_sets(tmp_path: pathlib.Path, column: str) -> None:
    dataset, _, _ = filled()
    state = dataset.state_dict()
    part = state["obs"][""] if column == "obs" else state[column]
    damaged = dict(state)
    damaged[column] = {"": part[:-1]} if column == "obs" else part[:-1]
    dataset.state_dict = lambda: damaged
    dataset.save(tmp_path / "damaged")
    with pytest.raises(ArtifactError, match="damaged is not a whole preference"):
        prefs.PreferenceDataset.load(tmp_path / "damaged")


def test_pickles_only_if_asked(tmp_path: pathlib.Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UnsafeLoadError, match="allow_pickle=True"):
        prefs.PreferenceDataset.load(path)
    assert not (tmp_path / "ran").exists()
    with (
        pytest.warns(DeprecationWarning, match="save the data set again"),
        pytest.raises(ArtifactError, match="not a preference data set"),
    ):
        prefs.PreferenceDataset.load(path, allow_pickle=True)
    path.write_bytes(b"nothing")
    with (
        pytest.warns(DeprecationWarning),
        pytest.raises(ArtifactError, match="cannot unpickle"),
    ):
        prefs.PreferenceDataset.load(path, allow_pickle=True)


def test_release_1_0_pickles(tmp_path: pathlib.Path) -> None:
    """Instances of release 1.0 have these attributes, the last one in float64."""
    _, pairs, given = filled()
    old = prefs.PreferenceDataset.__new__(prefs.PreferenceDataset)
    old.__dict__.update(
        fragments1=[first for first, _ in pairs],
        fragments2=[second for _, second in pairs],
        max_size=None,
        preferences=given.astype(np.float64),
    )
    (tmp_path / "old.pkl").write_bytes(pickle.dumps(old))
    with pytest.warns(DeprecationWarning, match=r"old\.pkl"):
        loaded = prefs.PreferenceDataset.load(tmp_path / "old.pkl", allow_pickle=True)
    assert_holds(loaded, pairs, given)


KILLED = """
import itertools, sys
import numpy as np
from imitation.algorithms.preference_comparisons import PreferenceDataset
from reference import preferences as ref

rng, dataset = np.random.default_rng(0), PreferenceDataset()
for n in itertools.count(1):
    dataset.push(ref.pairs(rng, 1, length=500), np.ones(1, np.float32))
    dataset.save(sys.argv[1])
    print(n, flush=True)
"""


@pytest.mark.slow
def test_kill_while_saving_leaves_a_whole_data_set(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "preferences"
    root = pathlib.Path(__file__).parents[1]
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(root)},
        ) as process:
            assert process.stdout is not None
            saved = int(process.stdout.readline())
            time.sleep(RNG.random())
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
        saved = int(rest[-1]) if rest else saved
        assert len(prefs.PreferenceDataset.load(path)) >= saved
