"""Arrays as binary table cells: each cell is a ``.npy`` file, padded to 64 bytes.

The header of the ``.npy`` format (NumPy Enhancement Proposal 1) holds dtype and shape,
so a cell describes itself wherever the table goes (Arrow, Parquet, the Hub) and any
program reads it with ``np.load(io.BytesIO(cell))``. Header and padding keep the data
aligned, so reading is a view of the memory-mapped file and copies nothing.
"""

import functools
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy

from imitation.errors import DataError

Array = np.ndarray

_ALIGNMENT = 64
_KINDS = "biufc"
# Bytes of magic string and version, before the length of the header.
_PREFIX = len(npy.MAGIC_PREFIX) + 2


def pack(arrays: Sequence[Array]) -> pa.LargeBinaryArray:
    """Writes arrays into one Arrow column.

    Args:
        arrays: arrays of numbers, of any shapes.

    Returns:
        A ``large_binary`` column with one cell per array, its buffers owned by Arrow.
    """
    headers = [_header(array.dtype, array.shape) for array in arrays]
    sizes = [
        _padded(len(header) + array.nbytes)
        for header, array in zip(headers, arrays, strict=True)
    ]
    offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    values = np.empty(offsets[-1], dtype=np.uint8)
    for header, array, start, end in zip(
        headers, arrays, offsets[:-1], offsets[1:], strict=True
    ):
        data = start + len(header)
        values[start:data] = np.frombuffer(header, dtype=np.uint8)
        values[data + array.nbytes : end] = 0
        # Copies once, whatever the strides of the source.
        np.ndarray(array.shape, array.dtype, buffer=values, offset=data)[...] = array
    # Arrow's layout of binary columns: validity (None: no nulls), offsets, bytes.
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(values)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(arrays), buffers)


def unpack(cell: pa.Buffer) -> Array:
    """Reads one cell.

    Returns:
        A read-only view of `cell` with the dtype and shape that were stored.

    Raises:
        DataError: the cell is not an array of numbers in the ``.npy`` format, or is
            shorter than its header says.
    """
    view = memoryview(cell)
    # Version 1.0 counts the header in two bytes, later versions in four.
    size_bytes = 2 if len(view) > 6 and view[6] == 1 else 4
    length = int.from_bytes(view[_PREFIX : _PREFIX + size_bytes], "little")
    start = _PREFIX + size_bytes + length
    if start > len(view):
        raise DataError(
            f"a cell of {len(view)} bytes is not a .npy array; the file is damaged or "
            "was written by another program"
        )
    dtype, shape, order = _parsed(bytes(view[:start]))
    if start + dtype.itemsize * math.prod(shape) > len(view):
        raise DataError(
            f"a cell of {len(view)} bytes is too short for {dtype} of shape {shape}; "
            "the file is damaged"
        )
    array: Array = np.ndarray(shape, dtype, buffer=cell, offset=start, order=order)
    # A write into a memory-mapped file would end the process.
    array.flags.writeable = False
    return array


def unpack_list(values: pa.Array) -> Array:
    """Reads one cell of a nested list column, as release 1.0 wrote them.

    Returns:
        A read-only array with the dtype that was stored.

    Raises:
        DataError: the lists are ragged or hold something other than numbers.
    """
    shape = [len(values)]
    while pa.types.is_nested(values.type):
        if not is_list(values.type) or values.null_count:
            raise DataError(f"expected lists of numbers, got {values.type}")
        # Arrow keeps nested lists flat beside their lengths, so equal lengths at
        # every level make the innermost values a reshaped array.
        lengths = np.unique(np.asarray(values.value_lengths()))
        if len(lengths) > 1:
            raise DataError(f"lists of different lengths: {lengths.tolist()}")
        values = values.flatten()
        shape.append(int(lengths[0]) if len(lengths) else 0)
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    if values.null_count or not any(is_kind(values.type) for is_kind in kinds):
        raise DataError(f"expected numbers, got {values.type} with nulls or text")
    array: Array = values.to_numpy(zero_copy_only=False).reshape(shape)
    array.flags.writeable = False
    return array


def is_list(kind: pa.DataType) -> bool:
    """Returns True for columns of lists, of any kind that Arrow has."""
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
    )


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


@functools.lru_cache(maxsize=4096)
def _header(dtype: np.dtype, shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    description = npy.dtype_to_descr(dtype)
    npy.write_array_header_1_0(
        stream, {"descr": description, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


@functools.lru_cache(maxsize=4096)
def _parsed(header: bytes) -> tuple[np.dtype, tuple[int, ...], Any]:
    stream = io.BytesIO(header)
    try:
        version = npy.read_magic(stream)
        read = (
            npy.read_array_header_1_0
            if version == (1, 0)
            else npy.read_array_header_2_0
        )
        shape, fortran_order, dtype = read(stream)
    except ValueError as error:
        raise DataError(f"a cell is not a .npy array: {error}") from error
    if dtype.kind not in _KINDS:
        raise DataError(f"a cell holds {dtype}, expected an array of numbers")
    return dtype, shape, "F" if fortran_order else "C"
