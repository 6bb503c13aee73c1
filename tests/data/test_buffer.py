from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from stable_baselines3.common.vec_env import DummyVecEnv

from imitation.data import buffer, rollout, types
from reference.episodes import DequeBuffer
from reference.scripted_env import ScriptedEnv


def rows(start: int, n: int) -> dict[str, Any]:
    number = np.arange(start, start + n)
    return {"a": number.astype(np.float32), "b": np.stack([number, -number], axis=1)}


def make(capacity: int, **kwargs: Any) -> buffer.Buffer:
    shapes, dtypes = {"a": (), "b": (2,)}, {"a": np.float32, "b": np.int64}
    return buffer.Buffer(capacity, shapes, dtypes, **kwargs)


def contents(stored: Any) -> set[float]:
    """What sampling can return, found by sampling often."""
    sample = stored.sample(60 * stored.capacity, np.random.default_rng(0))
    assert np.array_equal(sample["b"], np.stack([sample["a"], -sample["a"]], axis=1))
    assert sample["a"].dtype == np.float32 and sample["b"].dtype == np.int64
    return set(sample["a"].tolist())


@hypothesis_settings(max_examples=50, deadline=None, derandomize=True)
@given(
    capacity=st.integers(1, 9),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=12),
)
def test_holds_what_a_deque_holds(capacity: int, sizes: list[int]) -> None:
    """First in, first out, however often the ring wraps around."""
    ring, slow = make(capacity), DequeBuffer(capacity)
    start = 0
    for n in sizes:
        data = rows(start, n)
        ring.store(data, truncate_ok=True)
        slow.store(data["a"].tolist())
        start += n
        assert ring.size() == len(slow.samples)
    assert contents(ring) == set(slow.samples)


def test_s20_sampling_is_seeded_and_ignores_numpys_global_state() -> None:
    def sample(seed: int, global_seed: int) -> Any:
        np.random.seed(global_seed)
        ring = make(100, rng=np.random.default_rng(seed))
        ring.store(rows(0, 100))
        before = np.random.get_state(legacy=False)["state"]["key"].tolist()
        drawn = ring.sample(50)["a"]
        assert np.random.get_state(legacy=False)["state"]["key"].tolist() == before
        return drawn

    assert np.array_equal(sample(0, global_seed=1), sample(0, global_seed=2))
    assert not np.array_equal(sample(0, global_seed=1), sample(1, global_seed=1))
    ring = make(100)
    ring.store(rows(0, 100))
    one, two = (ring.sample(50, np.random.default_rng(5))["a"] for _ in range(2))
    assert np.array_equal(one, two)


def test_sampling_is_uniform() -> None:
    ring = make(10)
    ring.store(rows(0, 10))
    counts = np.bincount(
        ring.sample(10_000, np.random.default_rng(0))["a"].astype(int), minlength=10
    )
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(900)


def test_samples_are_copies() -> None:
    ring = make(1)
    ring.store(rows(0, 1))
    ring.sample(1)["a"][0] = 99
    assert ring.sample(1)["a"][0] == 0


def test_from_data() -> None:
    assert buffer.Buffer.from_data(rows(0, 5)).capacity == 5
    roomy = buffer.Buffer.from_data(rows(0, 5), 8)
    assert (roomy.capacity, roomy.size()) == (8, 5)
    assert roomy.sample_shapes == {"a": (), "b": (2,)}
    small = buffer.Buffer.from_data(rows(0, 5), 2, truncate_ok=True)
    assert contents(small) == {3, 4}


def test_num_samples() -> None:
    assert buffer.num_samples(rows(0, 3)) == 3
    for data in ({}, {"a": np.zeros(2), "b": np.zeros(3)}):
        with pytest.raises(ValueError, match="expected arrays of one length"):
            buffer.num_samples(data)


FULL = rows(0, 3)
MALFORMED = {
    "missing key": ({"a": FULL["a"]}, r"Missing keys \['b'\]"),
    "unexpected key": ({**FULL, "c": FULL["a"]}, r"unexpected keys \['c'\]"),
    "empty": (rows(0, 0), "empty data"),
    "lengths differ": ({**FULL, "a": FULL["a"][:2]}, "expected arrays of one length"),
    "too many": (rows(0, 5), "Not enough capacity to store data: 5 > 4"),
    "wrong shape": ({**FULL, "b": FULL["a"]}, "Wrong data shape for b"),
    "lossy dtype": ({**FULL, "b": FULL["b"] / 2}, "Wrong data dtype for b: float64"),
}


@pytest.mark.parametrize(("data", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_data_is_refused_and_nothing_stored(data: Any, message: str) -> None:
    ring = make(4)
    with pytest.raises(ValueError, match=message):
        ring.store(data)
    assert ring.size() == 0
    with pytest.raises(ValueError, match="Buffer is empty"):
        ring.sample(1)


def test_malformed_constructions() -> None:
    with pytest.raises(KeyError, match="sample_shape and dtypes keys don't match"):
        buffer.Buffer(1, {"a": ()}, {"b": np.float32})
    with pytest.raises(ValueError, match="capacity must be positive"):
        make(0)
    with pytest.raises(ValueError, match="No keys in data"):
        buffer.Buffer.from_data({})
    with pytest.raises(ValueError, match="empty data"):
        buffer.Buffer.from_data(rows(0, 0))
    with pytest.raises(ValueError, match="Not enough capacity"):
        buffer.Buffer.from_data(rows(0, 5), 2)


# ---- ReplayBuffer


def scripted(kind: Any) -> tuple[DummyVecEnv, types.TransitionsWithRew]:
    venv = DummyVecEnv([lambda i=i: ScriptedEnv(i, 0, kind) for i in range(3)])  # type: ignore[misc]  # a default, not an argument
    return venv, rollout.generate_transitions(None, venv, 40)


def as_set(batch: types.Transitions) -> set[bytes]:
    """Every transition as bytes, infos apart."""
    arrays = [batch.acts, batch.dones]
    for obs in (batch.obs, batch.next_obs):
        arrays += obs.values() if isinstance(obs, types.DictObs) else [obs]
    flat = [np.ascontiguousarray(array).reshape(len(batch), -1) for array in arrays]
    return {b"".join(array[i].tobytes() for array in flat) for i in range(len(batch))}


@pytest.mark.parametrize("kind", ["array", "image", "dict"])
def test_replay_buffer_holds_the_last_transitions(kind: str) -> None:
    venv, batch = scripted(kind)
    by_space = buffer.ReplayBuffer(25, venv)
    assert by_space.capacity == 25 and by_space.size() == 0
    by_space.store(batch[:20])
    by_space.store(batch[20:])
    from_data = buffer.ReplayBuffer.from_data(batch, 25, truncate_ok=True)
    for stored in (by_space, from_data):
        assert stored.size() == 25
        sample = stored.sample(1500, np.random.default_rng(0))
        assert type(sample) is types.Transitions
        assert as_set(sample) == as_set(batch[15:])
        assert sample.obs.dtype == batch.obs.dtype
        assert sample.infos[0]["t"] > 0
    assert buffer.ReplayBuffer.from_data(batch).capacity == 40


def test_replay_buffer_is_seeded() -> None:
    _, batch = scripted("array")
    one, two = (
        buffer.ReplayBuffer.from_data(batch, rng=np.random.default_rng(3)).sample(10)
        for _ in range(2)
    )
    assert one == two
    assert one != buffer.ReplayBuffer.from_data(batch).sample(10)


def test_replay_buffer_capacity() -> None:
    _, batch = scripted("array")
    with pytest.raises(ValueError, match="Not enough capacity"):
        buffer.ReplayBuffer.from_data(batch, 5)
    with pytest.raises(ValueError, match="Not enough capacity"):
        buffer.ReplayBuffer.from_data(batch[:5], 5).store(batch, truncate_ok=False)
    with pytest.raises(ValueError, match="Wrong data shape for obs"):
        buffer.ReplayBuffer.from_data(scripted("image")[1]).store(batch)


def test_replay_buffer_needs_shapes_or_an_environment() -> None:
    venv = DummyVecEnv([lambda: gym.make("CartPole-v1")])
    shapes: dict[str, Any] = {
        "obs_shape": (4,),
        "act_shape": (),
        "obs_dtype": np.float32,
        "act_dtype": np.int64,
    }
    for name, value in shapes.items():
        with pytest.raises(ValueError, match=f"Specified {name} and environment"):
            buffer.ReplayBuffer(1, venv, **{name: value})
        with pytest.raises(
            ValueError, match="Shape or dtype missing and no environment specified"
        ):
            buffer.ReplayBuffer(1, **{**shapes, name: None})
    assert buffer.ReplayBuffer(1, **shapes).capacity == 1
