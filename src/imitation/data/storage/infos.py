"""Info dictionaries as JSON text, one string per step.

Writing turns NumPy numbers and arrays into numbers and lists, tuples into lists, and
refuses anything else that JSON has no word for. Reading gives back a lazy sequence that
parses a step when it is asked for. It also reads the text that release 1.0 wrote with
``jsonpickle``, where it describes NumPy data or plain containers, and never builds any
other object that such text names, because that could run code.
"""

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from imitation.data.dict_obs import DictObs
from imitation.data.record import Info
from imitation.data.storage import jsonpickle_text
from imitation.errors import DataError
from imitation.util.artifacts import JSON

_TAG = "py/"
_TRUNCATED = "TimeLimit.truncated"


class JsonInfos(Sequence[Info]):
    """The infos of one episode, parsed one step at a time when they are read.

    Behaves like the documented array of dictionaries: ``infos[-1]["episode"]``,
    ``len(infos)``, iteration, slices (again lazy) and ``np.asarray(infos)``. Every
    access parses anew, so changing a returned dictionary changes nothing else.
    """

    def __init__(self, texts: pa.Array, source: str) -> None:
        """Wraps an Arrow array of JSON texts, one per step; errors name the source."""
        self._texts = texts
        self._source = source

    def __len__(self) -> int:
        """The number of steps."""
        return len(self._texts)

    @overload
    def __getitem__(self, key: int) -> dict[str, JSON]: ...

    @overload
    def __getitem__(self, key: slice) -> "JsonInfos": ...

    def __getitem__(self, key: int | slice) -> "dict[str, JSON] | JsonInfos":
        if isinstance(key, slice):
            # NumPy resolves negative and extended slices, which Arrow does not know.
            steps = np.arange(len(self))[key]
            return JsonInfos(self._texts.take(pa.array(steps)), self._source)
        step = range(len(self))[key]
        return decode(self._texts[step].as_py(), f"{self._source}, step {step}")

    def ends_truncated(self) -> bool:
        """Returns the last info's ``TimeLimit.truncated``, False where it is missing.

        Parses it only if it names the key: data sets are read without their infos,
        which may be large or hold what cannot be read.
        """
        if not len(self) or _TRUNCATED not in self._texts[-1].as_py():
            return False
        return bool(self[-1].get(_TRUNCATED, False))

    def __iter__(self) -> Iterator[dict[str, JSON]]:
        for step, text in enumerate(self._texts.to_pylist()):
            # Most steps have no info: parsing would be the whole cost.
            yield {} if text == "{}" else decode(text, f"{self._source}, step {step}")

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray:
        """An object array of all the dictionaries, shape ``(T,)``."""
        array = np.empty(len(self), dtype=object)
        for step, info in enumerate(self):
            array[step] = info
        return array

    def __reduce__(self) -> tuple[object, ...]:
        # Without this a pickle would hold the whole table that the texts are part of.
        return JsonInfos._from_texts, (self._texts.to_pylist(), self._source)

    @staticmethod
    def _from_texts(texts: list[str], source: str) -> "JsonInfos":
        return JsonInfos(pa.array(texts, pa.large_string()), source)

    def __repr__(self) -> str:
        return f"JsonInfos({len(self)} steps of {self._source})"


def encode(info: Info, source: str) -> str:
    """Writes the info dictionary of one step as JSON.

    Args:
        info: values that JSON has (None, bool, int, finite float, str, lists and
            dictionaries with string keys), NumPy numbers and arrays, tuples, or a
            ``DictObs``.
        source: where it comes from ("episode 3, step 7"), for error messages.

    Returns:
        JSON text; ``decode`` gives back an equal dictionary, with lists for arrays and
        tuples.

    Raises:
        DataError: a value is none of these; the message names its key.
    """
    if not isinstance(info, Mapping):
        raise DataError(
            f"{source}: expected a dictionary of infos, got {type(info).__name__}"
        )
    try:
        return _ENCODER.encode(_plain(info, "infos", source))
    except RecursionError as error:
        raise DataError(
            f"{source}: infos are nested too deeply or hold themselves"
        ) from error


def encode_episode(infos: Iterable[Info], source: str) -> list[str]:
    """Writes the info dictionaries of an episode as JSON.

    Returns:
        What ``encode`` returns for each, found many times faster.

    Raises:
        DataError: as for ``encode``.
    """
    steps = list(infos)
    with contextlib.suppress(TypeError, ValueError, RecursionError):
        if all(type(info) is dict and _has_text_keys(info) for info in steps):
            texts = _encode_together(steps)
            if len(texts) == len(steps):
                return texts
    # Slower, but names the step and key at fault.
    return [encode(info, f"{source}, step {i}") for i, info in enumerate(steps)]


def decode(text: str, source: str) -> dict[str, JSON]:
    """Reads the info dictionary of one step.

    Raises:
        DataError: the text is not a JSON dictionary, or describes a Python object that
            is neither NumPy data nor a plain container.
    """
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{source}: infos are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError(
            f"{source}: expected infos to be a dictionary, got {type(value).__name__}"
        )
    if f'"{_TAG}' in text:
        return dict(jsonpickle_text.read(value, source))
    return value


def _encode_together(steps: list[Info]) -> list[str]:
    """Encodes in one call of the C encoder and cuts the text at separators.

    Gives another number of texts if an info holds the separator or a reserved key.
    """
    if not steps:
        return []
    interleaved: list[object] = [_SEPARATOR] * (2 * len(steps) - 1)
    interleaved[::2] = steps
    encoded = _ENCODER.encode(_SEPARATOR)
    text = _ENCODER.encode(interleaved)
    return [] if f'"{_TAG}' in text else text[1:-1].split(f", {encoded}, ")


def _has_text_keys(value: object) -> bool:
    """Returns True if all dictionaries inside have keys that JSON can hold."""
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                return False
            if type(item) not in _SCALARS and not _has_text_keys(item):
                return False
        return True
    if isinstance(value, list | tuple):
        return all(type(item) in _SCALARS or _has_text_keys(item) for item in value)
    return True


def _numpy_to_plain(value: object) -> JSON:
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        return value.tolist()
    raise TypeError


# ASCII's record separator, which JSON escapes: unlikely in infos, and checked.
_SEPARATOR = "\x1e"
_SCALARS = frozenset({bool, int, float, str, type(None)})
_ENCODER = json.JSONEncoder(allow_nan=False, default=_numpy_to_plain)


def _plain(value: object, key: str, source: str) -> JSON:
    """Converts a value to what the ``json`` module writes without loss."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufO":
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise DataError(
                f"{source}: {key} holds NaN or infinity, which JSON cannot hold; drop "
                "it or all infos"
            )
        if value.dtype.kind != "O":
            return value.tolist()
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(v, f"{key}[{i}]", source) for i, v in enumerate(value)]
    if isinstance(value, DictObs):
        value = value.unwrap()
    if isinstance(value, Mapping):
        _check_keys(value, key, source)
        return {k: _plain(v, f"{key}[{k!r}]", source) for k, v in value.items()}
    shown = repr(value) if isinstance(value, float) else type(value).__name__
    raise DataError(
        f"{source}: {key} is {shown}, which JSON cannot hold; turn it into numbers, "
        "text or lists, or drop it or all infos"
    )


def _check_keys(value: Mapping[object, object], key: str, source: str) -> None:
    for name in value:
        if not isinstance(name, str) or name.startswith(_TAG):
            raise DataError(
                f"{source}: {key} has the key {name!r}; JSON needs keys that are text "
                f"(and {_TAG!r} is reserved), so rename it"
            )
