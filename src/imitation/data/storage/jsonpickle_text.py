"""Reading what release 1.0 wrote with ``jsonpickle``, without building objects.

``jsonpickle`` is JSON in which ``py/...`` keys tell its decoder what to call. Here
nothing is called: descriptions of NumPy numbers and arrays and of tuples and sets are
read as data, and every other description is refused. NumPy data come in two forms,
because ``sacred`` registers handlers for them: ``py/object`` is what release 1.0 wrote
from its command line, ``py/reduce`` what it wrote from a program.
"""

import base64
import math
import re
import zlib

import numpy as np

from imitation.errors import DataError
from imitation.util.artifacts import JSON

_TAG = "py/"
_DTYPE = re.compile(r"[biufc]\d+")
_DTYPE_NAME = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)|complex(64|128)")


def read(value: JSON, source: str) -> JSON:
    """Converts parsed text to data.

    Returns:
        `value` with NumPy numbers as Python numbers, arrays as arrays, and tuples and
        sets as lists.

    Raises:
        DataError: it describes another Python object, or is malformed.
    """
    return _Reader(source).read(value)


class _Reader:
    """Reads one text.

    The text refers back to earlier objects by their position (``py/id``), so containers
    and objects are numbered in the order in which they begin.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._objects: list[JSON] = []

    def read(self, node: JSON) -> JSON:
        if isinstance(node, list):
            slot = self._next_slot()
            self._objects[slot] = [self.read(value) for value in node]
            return self._objects[slot]
        if not isinstance(node, dict):
            return node
        tag = next((key for key in node if key.startswith(_TAG)), None)
        if tag is None:
            slot = self._next_slot()
            self._objects[slot] = {key: self.read(v) for key, v in node.items()}
            return self._objects[slot]
        return self._read_tagged(tag, node[tag], node)

    def _read_tagged(self, tag: str, content: JSON, node: dict[str, JSON]) -> JSON:
        try:
            if tag in ("py/tuple", "py/set"):
                return [self.read(value) for value in content]
            if tag == "py/b64":
                return base64.b64decode(content)
            if tag == "py/id":
                return self._objects[content]
            if tag == "py/reduce":
                return self._read_numpy(content)
            if tag == "py/object" and str(content).startswith("numpy."):
                return self._read_handled(content, node)
        except (
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            zlib.error,
        ) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{self._source}: cannot read infos written by release 1.0: {error}"
            ) from error
        raise self._refusal(f"{tag} {content!r}")

    def _read_numpy(self, content: list[JSON]) -> JSON:
        # Before its parts are read, as jsonpickle numbers an object before its
        # contents.
        slot = self._next_slot()
        function = content[0].get("py/function") or content[0].get("py/type")
        # NumPy 2 renamed numpy.core; old texts name it as it was.
        name = str(function).replace("numpy.core.", "numpy._core.")
        value: JSON
        if name == "numpy.dtype":
            value = self._read_dtype(content)
        elif name == "numpy._core.multiarray.scalar":
            dtype, data = self.read(content[1])
            value = np.frombuffer(data, self._checked(dtype))[0].item()
        elif name == "numpy._core.multiarray._reconstruct":
            _, shape, dtype, fortran_order, data = self.read(content[2])
            flat = np.frombuffer(data, self._checked(dtype))
            value = flat.reshape(shape, order="F" if fortran_order else "C")
        else:
            raise self._refusal(f"{function}")
        self._objects[slot] = value
        return value

    def _read_handled(self, name: str, node: dict[str, JSON]) -> JSON:
        """Reads a number or an array that a handler of ``jsonpickle`` wrote."""
        if not _DTYPE_NAME.fullmatch(str(node.get("dtype"))):
            raise self._refusal(f"{name} of {node.get('dtype')!r}")
        dtype = np.dtype(node["dtype"]).newbyteorder(node.get("byteorder", "="))
        slot = self._next_slot()
        if name == "numpy.ndarray":
            value = self._read_array(node, dtype)
        else:
            value = dtype.type(self.read(node["value"])).item()
        self._objects[slot] = value
        return value

    def _read_array(self, node: dict[str, JSON], dtype: np.dtype) -> JSON:
        if "base" in node:  # a view of another array
            base = self.read(node["base"])
            # np.ndarray checks that shape, offset and strides stay within the buffer.
            whole = np.frombuffer(base.tobytes(order="A"), base.dtype)
            strides = node.get("strides")
            return np.ndarray(
                node["shape"], base.dtype, whole, node.get("offset", 0), strides
            ).copy()
        values = self.read(node["values"])
        if isinstance(values, str):  # a compressed buffer
            # Never more than the array needs: a few bytes can unpack to gigabytes, and
            # a limit of 0 means none.
            size = max(1, math.prod(node["shape"]) * dtype.itemsize)
            unpacked = zlib.decompressobj().decompress(base64.b64decode(values), size)
            flat = np.frombuffer(unpacked[:size], dtype)
        else:
            flat = np.asarray(values, dtype)
        shape = node.get("shape", flat.shape)
        return flat.reshape(shape, order="F" if node.get("order") == "F" else "C")

    def _read_dtype(self, content: list[JSON]) -> np.dtype:
        code, state = self.read(content[1])[0], self.read(content[2])
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise self._refusal(f"numpy.dtype {code!r}")
        return np.dtype(code).newbyteorder(state[1])

    def _checked(self, dtype: JSON) -> np.dtype:
        if not isinstance(dtype, np.dtype):
            raise self._refusal(f"numpy data of {dtype!r}")
        return dtype

    def _next_slot(self) -> int:
        self._objects.append(None)
        return len(self._objects) - 1

    def _refusal(self, what: str) -> DataError:
        return DataError(
            f"{self._source}: the infos describe a Python object ({what}), which is "
            "never built because that could run code; drop the infos with "
            "`imitation convert SOURCE DEST --drop-infos`"
        )
