"""The layouts in which functions of (state, action, next state) may come.

All become one matrix whose row ``a * S + s`` belongs to action a in state s: actions
first, because sums and maxima over few actions are fast over whole rows of states.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch as th

from imitation.errors import DataError

Array: TypeAlias = np.ndarray

# A function of (state, action, next state) in one of the layouts of `as_rows`. scipy's
# sparse matrices have no types to speak of, so this cannot be a union.
Matrix: TypeAlias = Any

# Share of non-zero values up to which products with sparse matrices are faster.
MAX_DENSITY = 0.2

# Numbers of float64 in a cache line.
LINE = 8

# Numbers, 2 MiB, by which the memory of a dense matrix is larger than it.
SPARE = 2**18

LAYOUTS = (
    "an array or torch tensor of shape (S, A, S), a sparse one of that shape or of "
    "shape (S * A, S) with row s * A + a, or a list of A sparse matrices (S, S)"
)


def is_dense(rows: Matrix) -> bool:
    """Returns whether the result of `as_rows` is an array, not a sparse matrix."""
    return isinstance(rows, np.ndarray)


def as_rows(matrix: Matrix, name: str, sparse: bool | None = None) -> Matrix:
    """Brings a function of (state, action, next state) into one layout.

    Args:
        matrix: of S states and A actions: an array or torch tensor of shape
            ``(S, A, S)``; a sparse matrix of scipy or torch, of that shape or of shape
            ``(S * A, S)`` with row ``s * A + a``; or a list of A matrices of shape
            ``(S, S)``, dense or sparse.
        name: its name in errors.
        sparse: whether to return a sparse matrix; None does for sparse input, and for
            arrays that are mostly zero.

    Returns:
        float64 of shape ``(A * S, S)`` with row ``a * S + s``: a contiguous array or a
        ``scipy.sparse.csr_array``.

    Raises:
        DataError: the matrix has another layout or is not of real numbers.
    """
    from scipy import sparse as sp

    if isinstance(matrix, th.Tensor):
        matrix = _from_torch(matrix)
    if isinstance(matrix, Sequence) and not isinstance(matrix, str):
        rows = _stacked(matrix, name)
    elif sp.issparse(matrix):
        rows = _from_sparse(matrix, name)
    else:
        return _from_array(real(np.asarray(matrix), name), name, sparse)
    return rows.toarray() if sparse is False else rows


def _from_array(array: Array, name: str, sparse: bool | None) -> Matrix:
    from scipy import sparse as sp

    if array.ndim != 3 or array.shape[0] != array.shape[2] or 0 in array.shape:
        raise _wrong_shape(name, array.shape)
    by_action = array.transpose(1, 0, 2)  # (A, S, S)
    n_rows, n_states = array.shape[1] * array.shape[0], array.shape[2]
    if sparse is not False:
        present = np.ascontiguousarray(by_action != 0).reshape(-1)
        if sparse or np.count_nonzero(present) <= MAX_DENSITY * present.size:
            # Flat indices into (A, S, S).
            row, column = np.divmod(np.flatnonzero(present), n_states)
            action, state = np.divmod(row, n_states)
            values = by_action[action, state, column].astype(np.float64)
            # Rows are sorted, as flatnonzero goes through them in order: CSR's indptr.
            ends = np.searchsorted(row, np.arange(n_rows + 1))
            return sp.csr_array((values, column, ends), shape=(n_rows, n_states))
    # Start with a cache line. NumPy starts large arrays 16 bytes after one, where every
    # wide load of a product with a vector touches two lines: a quarter slower. The
    # spare numbers are never touched; they make glibc keep memory of this size for the
    # next arrays (mallopt's threshold is dynamic) instead of fetching it page by page.
    memory = np.empty(n_rows * n_states + SPARE)
    start = -(memory.ctypes.data // memory.itemsize) % LINE
    dense = memory[start : start + n_rows * n_states].reshape(n_rows, n_states)
    dense.reshape(by_action.shape)[...] = by_action
    return dense


def _from_sparse(matrix: Matrix, name: str) -> Matrix:
    from scipy import sparse as sp

    shape = matrix.shape
    coo = matrix.tocoo()
    if len(shape) == 3 and shape[0] == shape[2] and 0 not in shape:
        n_states, n_actions = shape[:2]
        state, action, column = coo.coords
    elif len(shape) == 2 and 0 not in shape and shape[0] % shape[1] == 0:
        n_states, n_actions = shape[1], shape[0] // shape[1]
        state, action = np.divmod(coo.coords[0], n_actions)
        column = coo.coords[1]
    else:
        raise _wrong_shape(name, shape)
    row = action.astype(np.int64) * n_states + state
    values = real(coo.data, name).astype(np.float64)
    shape = (n_actions * n_states, n_states)
    return sp.csr_array(sp.coo_array((values, (row, column)), shape=shape))


def _stacked(matrices: Sequence[Matrix], name: str) -> Matrix:
    from scipy import sparse as sp

    parts = [_from_torch(m) if isinstance(m, th.Tensor) else m for m in matrices]
    parts = [m if sp.issparse(m) else np.asarray(m) for m in parts]
    shapes = {m.shape for m in parts}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 2 or shape[0] != shape[1]:
        found = ", ".join(sorted({str(m.shape) for m in parts})) or "an empty list"
        raise DataError(
            f"{name}: expected a list of one square matrix per action, got {found}"
        )
    for part in parts:
        real(part, name)
    return sp.csr_array(sp.vstack([sp.csr_array(m, dtype=np.float64) for m in parts]))


def _from_torch(tensor: th.Tensor) -> Matrix:
    from scipy import sparse as sp

    tensor = tensor.detach().cpu()
    if tensor.layout == th.strided:
        return tensor.numpy()
    if tensor.layout != th.sparse_coo:
        tensor = tensor.to_sparse()
    tensor = tensor.coalesce()
    indices = tuple(tensor.indices().numpy())
    return sp.coo_array((tensor.values().numpy(), indices), shape=tuple(tensor.shape))


def real(values: Matrix, name: str) -> Matrix:
    """Returns an array or sparse matrix, after checking that its numbers are real."""
    if values.dtype.kind not in "fiub":
        raise DataError(f"{name} has the type {values.dtype}, expected real numbers")
    return values


def _wrong_shape(name: str, shape: tuple[int, ...]) -> DataError:
    return DataError(f"{name} has shape {tuple(shape)}, expected {LAYOUTS}")
