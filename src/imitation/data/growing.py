"""An array that grows at its end and is cut off at its beginning."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class GrowingArray:
    """Rows of one shape; appending n of them costs O(n), however many there are.

    The array behind has room to spare, and is replaced by one of twice the size when
    that is used up. Views of rows keep their content forever.

    Args:
        shape: of one row.
        dtype: of all rows, until wider ones are appended.
    """

    def __init__(self, shape: Sequence[int], dtype: npt.DTypeLike) -> None:
        self._array = np.empty((0, *shape), dtype)
        self._start = self._stop = 0

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return self._array.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """That of all rows."""
        return self._array.dtype

    def view(self) -> np.ndarray:
        """Returns all rows, shape ``(len(self), *shape)``, read-only and not copied."""
        rows = self._array[self._start : self._stop]
        rows.flags.writeable = False
        return rows

    def append(self, rows: np.ndarray) -> None:
        """Appends copies of rows, widening the dtype if it is too narrow for them.

        Args:
            rows: shape ``(n, *shape)``.
        """
        size = len(self) + len(rows)
        dtype = np.result_type(self.dtype, rows.dtype)
        if self._stop + len(rows) > len(self._array) or dtype != self.dtype:
            # Doubling copies each row twice on average. Dropped rows are left behind,
            # so an array that is appended to and dropped from in turns stays small.
            grown = np.empty((2 * size, *self.shape), dtype)
            grown[: len(self)] = self.view()
            self._array, self._start, self._stop = grown, 0, len(self)
        self._array[self._stop : self._stop + len(rows)] = rows
        self._stop += len(rows)

    def drop(self, n_rows: int) -> None:
        """Drops the first rows."""
        self._start += n_rows
