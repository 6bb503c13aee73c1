"""Arrays that grow at their end: what they hold, how often they move."""

from typing import Any

import numpy as np

from imitation.data.growing import GrowingArray


def test_each_row_is_moved_a_constant_number_of_times() -> None:
    growing = GrowingArray((3,), np.float32)
    row = np.ones((1, 3), np.float32)
    addresses = set()
    for i in range(1000):
        growing.append(row * i)
        addresses.add(growing.view().__array_interface__["data"][0])
    np.testing.assert_array_equal(growing.view()[:, 0], np.arange(1000))
    assert growing.view().shape == (len(growing), 3) == (1000, 3)
    assert len(addresses) <= 12, "log2(1000) + 1 growths"


def test_appending_does_not_move_what_is_there() -> None:
    growing = GrowingArray((2,), np.float64)
    growing.append(np.zeros((1000, 2)))
    moves = 0
    for _ in range(2000):
        old = growing.view()
        growing.append(np.ones((10, 2)))
        moves += not np.shares_memory(old, growing.view())
    assert moves <= 6, "it doubles"


def test_what_is_dropped_from_keeps_its_size() -> None:
    growing: Any = GrowingArray((), np.int64)
    for i in range(500):
        growing.append(np.full(10, i))
        growing.drop(max(0, len(growing) - 50))
    assert growing.view().tolist() == np.repeat(np.arange(495, 500), 10).tolist()
    assert growing.view().base is not None and len(growing.view().base) <= 200


def test_wider_rows_widen_the_dtype() -> None:
    growing: Any = GrowingArray((), np.float32)
    growing.append(np.array([1], np.float32))
    before = growing.view()
    growing.append(np.array([1 / 3]))
    assert growing.dtype == np.float64 and growing.view().tolist() == [1, 1 / 3]
    growing.append(np.array([2], np.float32))
    assert growing.dtype == np.float64
    assert before.tolist() == [1] and not before.flags.writeable
