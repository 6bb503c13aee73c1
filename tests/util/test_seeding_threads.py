import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch as th
from torch.nn import Conv2d, Linear

from imitation.errors import ConfigError
from imitation.util import seeding
from imitation.util.threads import training_threads


def test_make_rng_takes_generators_seeds_and_none() -> None:
    rng = np.random.default_rng(0)
    assert seeding.make_rng(rng) is rng
    assert seeding.make_rng(3).random() == np.random.default_rng(3).random()
    assert seeding.make_rng().random() != seeding.make_rng().random()


@pytest.mark.parametrize("bad", [np.random.RandomState(0), "0", 1.5])
def test_make_rng_refuses_other_kinds(bad: Any) -> None:
    with pytest.raises(TypeError, match="default_rng"):
        seeding.make_rng(bad)


def test_make_seeds() -> None:
    one = seeding.make_seeds(np.random.default_rng(0))
    many = seeding.make_seeds(np.random.default_rng(0), 3)
    assert isinstance(one, int) and one == many[0]
    assert len(set(many)) == 3 and all(0 <= seed < 2**31 for seed in many)
    assert seeding.make_seeds(np.random.default_rng(0), 0) == []


def test_torch_seeded_is_reproducible_and_leaves_the_caller_alone() -> None:
    before = th.get_rng_state()
    with seeding.torch_seeded(np.random.default_rng(1)):
        first = th.rand(3)
    assert th.equal(th.get_rng_state(), before)
    with seeding.torch_seeded(np.random.default_rng(1)):
        assert th.equal(th.rand(3), first)


def test_restoring_another_kind_of_state_is_refused() -> None:
    state = seeding.rng_state(np.random.Generator(np.random.MT19937(0)))
    with pytest.raises(ValueError, match="MT19937"):
        seeding.restore_rng(np.random.default_rng(0), state)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = th.get_num_threads()
    th.set_num_threads(2)
    yield
    th.set_num_threads(before)


def test_small_networks_train_on_one_thread(
    two_threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("IMITATION_NUM_THREADS", raising=False)
    with training_threads(th.nn.Linear(4, 4)) as count:
        assert count == th.get_num_threads() == 1
    assert th.get_num_threads() == 2


@pytest.mark.parametrize("net", [th.nn.Linear(2000, 2000), th.nn.Conv2d(1, 1, 3)])
def test_large_and_convolutional_networks_keep_the_callers_threads(
    two_threads: Any, monkeypatch: pytest.MonkeyPatch, net: Conv2d | Linear
) -> None:
    monkeypatch.delenv("IMITATION_NUM_THREADS", raising=False)
    with training_threads(net) as count:
        assert count == th.get_num_threads() == 2


def test_the_environment_variable_wins_and_is_restored(
    two_threads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMITATION_NUM_THREADS", "3")
    with pytest.raises(RuntimeError), training_threads(th.nn.Linear(4, 4)) as count:
        assert count == th.get_num_threads() == 3
        raise RuntimeError
    assert th.get_num_threads() == 2


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_a_bad_thread_count_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("IMITATION_NUM_THREADS", text)
    with (
        pytest.raises(ConfigError, match="IMITATION_NUM_THREADS"),
        training_threads(th.nn.Linear(1, 1)),
    ):
        pass


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_generators_are_made_from_their_saved_state(kind: str) -> None:
    rng = np.random.Generator(getattr(np.random, kind)(5))
    rng.random(3)
    state = json.loads(json.dumps(seeding.rng_state(rng)))
    assert seeding.rng_from_state(state).random() == rng.random()


@pytest.mark.parametrize("kind", [None, "Generator", "os", "XYZ"])
def test_states_of_unknown_generators_are_refused(kind: str | None) -> None:
    with pytest.raises(ValueError, match="NumPy has no generator"):
        seeding.rng_from_state({"bit_generator": kind})


def test_seeding_does_not_touch_unused_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> float:
        with seeding.torch_seeded(np.random.default_rng(0)):
            return th.rand(1).item()

    before = drawn()
    # Stands in for a machine with GPUs: asking one for its state would fail here.
    monkeypatch.setattr(th.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(th.cuda, "is_initialized", lambda: False)
    assert drawn() == before
