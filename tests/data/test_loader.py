from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch as th

from imitation.data import types
from imitation.data.loader import BatchLoader, samples_at_a_time
from imitation.errors import ConfigError, DataError


def transitions(n: int = 100, dict_obs: bool = False) -> Any:
    obs: Any = np.arange(n * 3, dtype=np.float32).reshape(n, 3)
    acts = np.arange(n)
    infos = np.array([{"i": i} for i in range(n)])
    if dict_obs:
        obs = types.DictObs({"a": obs, "b": acts.astype(np.uint8)[:, None]})
    return types.Transitions(
        obs=obs, acts=acts, infos=infos, next_obs=obs, dones=np.zeros(n, dtype=bool)
    )


def test_an_epoch_holds_every_sample_once() -> None:
    batches: Any = list(
        BatchLoader(transitions(), 32, drop_last=False, rng=np.random.default_rng(0))
    )
    assert [len(batch["acts"]) for batch in batches] == [32, 32, 32, 4]
    acts = th.cat([batch["acts"] for batch in batches])
    assert sorted(acts.tolist()) == list(range(100))
    assert acts.tolist() != list(range(100))


@pytest.mark.parametrize("dict_obs", [False, True])
def test_rows_of_all_fields_belong_together(dict_obs: Any) -> None:
    data = transitions(dict_obs=dict_obs)
    batch: Any
    for batch in BatchLoader(data, 7, rng=np.random.default_rng(0)):
        which = batch["acts"].numpy()
        obs = batch["obs"]["a"] if dict_obs else batch["obs"]
        np.testing.assert_array_equal(obs[:, 0], which * 3)
        np.testing.assert_array_equal([info["i"] for info in batch["infos"]], which)
        assert batch["dones"].dtype == th.bool
        if dict_obs:
            assert batch["obs"]["b"].dtype == th.uint8


def test_without_shuffling_the_order_is_that_of_the_data() -> None:
    batches: Any = BatchLoader(transitions(), 10, shuffle=False)
    acts = th.cat([batch["acts"] for batch in batches])
    assert acts.tolist() == list(range(100))
    assert len(batches) == 10


def test_drop_last_is_the_default() -> None:
    loader = BatchLoader(transitions(), 32)
    assert len(loader) == len(list(loader)) == 3


def test_the_generator_decides_the_order() -> None:
    def epochs(seed: Any) -> Any:
        loader = BatchLoader(transitions(), 10, rng=np.random.default_rng(seed))
        return [[batch["acts"].tolist() for batch in loader] for _ in range(2)]

    assert epochs(0) == epochs(0)
    assert epochs(0) != epochs(1)
    assert epochs(0)[0] != epochs(0)[1]


@pytest.mark.parametrize("stop_after", [0, 1, 5, 9, 10, 13])
def test_an_interrupted_epoch_continues_with_the_same_batches(stop_after: int) -> None:
    def endless(loader: Any) -> Iterator[Any]:
        while True:
            yield from loader

    whole = endless(BatchLoader(transitions(), 10, rng=np.random.default_rng(0)))
    expected = [next(whole)["acts"].tolist() for _ in range(25)]

    first = BatchLoader(transitions(), 10, rng=np.random.default_rng(0))
    source = endless(first)
    seen = [next(source)["acts"].tolist() for _ in range(stop_after)]
    state = first.state_dict()

    second = BatchLoader(transitions(), 10, rng=np.random.default_rng(99))
    second.load_state_dict(state)
    source = endless(second)
    seen += [next(source)["acts"].tolist() for _ in range(25 - stop_after)]
    assert seen == expected


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    big = [
        b["acts"].tolist()
        for b in BatchLoader(transitions(), 8, rng=np.random.default_rng(0))
    ]
    monkeypatch.setattr("imitation.data.loader.CHUNK_SAMPLES", 9)
    small = [
        b["acts"].tolist()
        for b in BatchLoader(transitions(), 8, rng=np.random.default_rng(0))
    ]
    monkeypatch.setattr("imitation.data.loader.CHUNK_BYTES", 1)
    single = [
        b["acts"].tolist()
        for b in BatchLoader(transitions(), 8, rng=np.random.default_rng(0))
    ]
    assert big == small == single


def test_large_samples_are_held_few_at_a_time() -> None:
    obs = np.broadcast_to(np.zeros(1, np.uint8), (50, 1 << 20))
    data = types.TransitionsMinimal(obs, np.zeros(50), np.full(50, {}, dtype=object))
    assert samples_at_a_time(data, ("obs",)) == 16
    assert samples_at_a_time(data, ("acts",)) == 50


def test_batches_are_the_callers_to_change() -> None:
    data = transitions()
    batch: Any
    for batch in BatchLoader(data, 10, shuffle=False):
        batch["obs"].zero_()
    assert data.obs[1, 0] == 3


def test_only_the_asked_for_keys_are_gathered() -> None:
    batch = next(iter(BatchLoader(transitions(), 10, keys=("obs", "acts"))))
    assert set(batch) == {"obs", "acts"}


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_size_must_be_positive(size: int) -> None:
    with pytest.raises(ConfigError, match=rf"batch_size={size} must be positive"):
        BatchLoader(transitions(), size)


def test_too_little_data_is_an_error() -> None:
    with pytest.raises(DataError, match=r"Number of transitions .* 100 is smaller"):
        BatchLoader(transitions(), 101)


def test_arrays_of_a_foreign_byte_order_are_converted() -> None:
    data = transitions()
    swapped = types.Transitions(
        obs=data.obs.astype(">f4"),
        acts=data.acts.astype(">i8"),
        infos=data.infos,
        next_obs=data.next_obs.astype(">f4"),
        dones=data.dones,
    )
    one: Any
    other: Any
    for one, other in zip(
        BatchLoader(swapped, 8, rng=np.random.default_rng(0)),
        BatchLoader(data, 8, rng=np.random.default_rng(0)),
        strict=True,
    ):
        assert th.equal(one["obs"], other["obs"])
        assert th.equal(one["acts"], other["acts"])
