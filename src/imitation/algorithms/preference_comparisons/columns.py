"""Arrays that grow at their end and are cut off at their beginning."""

from typing import Any

import numpy as np
import numpy.typing as npt

from imitation.errors import DataError

__all__ = ["Column"]

Array = npt.NDArray[Any]


class Column:
    """Rows of one shape and kind of number.

    Adding n rows costs O(n) on average, whatever is there: the array behind has room
    to spare, and is replaced by one of twice the size when that is used up. Views of
    rows keep their content for ever.

    Args:
        name: what to call it in errors.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._array: Array | None = None
        self._start = self._stop = 0

    def __len__(self) -> int:
        return self._stop - self._start

    def view(self) -> Array:
        """All rows, not to be changed."""
        assert self._array is not None, "it holds no rows yet"
        rows = self._array[self._start : self._stop]
        rows.flags.writeable = False
        return rows

    def check(self, rows: Array) -> None:
        """Checks that rows fit those that are there.

        Raises:
            DataError: they have another shape, or another kind of numbers.
        """
        if self._array is None:
            return
        if rows.shape[1:] != self._array.shape[1:]:
            raise DataError(
                f"fragments have {self.name} of shape {rows.shape[1:]}, those there of "
                f"shape {self._array.shape[1:]}"
            )
        if rows.dtype.kind != self._array.dtype.kind:
            raise DataError(
                f"fragments have {self.name} of dtype {rows.dtype}, those there of "
                f"dtype {self._array.dtype}"
            )

    def append(self, rows: Array) -> None:
        """Adds rows, widening the dtype if it is too narrow for them.

        Args:
            rows: shape ``(n, ...)``; they are copied.
        """
        self.check(rows)
        dtype = rows.dtype
        if self._array is not None:
            dtype = np.result_type(self._array.dtype, dtype)
        stop = self._stop + len(rows)
        if self._array is None or stop > len(self._array) or dtype != self._array.dtype:
            self._move(2 * (len(self) + len(rows)), rows.shape[1:], dtype)
        assert self._array is not None
        self._array[self._stop : self._stop + len(rows)] = rows
        self._stop += len(rows)

    def drop(self, n_rows: int) -> None:
        """Forgets the first rows."""
        self._start += n_rows

    def _move(
        self, capacity: int, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        """Moves all rows to the beginning of a new array."""
        new = np.empty((capacity, *shape), dtype)
        if self._array is not None:
            new[: len(self)] = self._array[self._start : self._stop]
        self._array = new
        self._start, self._stop = 0, len(self)
