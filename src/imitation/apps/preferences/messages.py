"""The messages between the page and the server, as checked JSON."""

import unicodedata
from typing import Annotated, Literal

import pydantic

from imitation.data.labels.queue import Verdict

Choice = Literal["first", "second", "equal", "skip"]

# The preference that each choice stands for.
CHOICES: dict[Choice, float | None] = {
    "first": 1.0,
    "second": 0.0,
    "equal": 0.5,
    "skip": None,
}

_NAMES = {preference: choice for choice, preference in CHOICES.items()}


def _clean_name(name: str) -> str:
    # One spelling of a name: "é" is typed as one character or as two.
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name or not name.isprintable():
        raise ValueError("expected a name of printable characters")
    return name


# Up to 2**53 the page's numbers, which are doubles, are exact.
_Number = Annotated[int, pydantic.Field(ge=1, lt=2**53)]
# A person's name.
LabelerName = Annotated[
    str,
    pydantic.Field(min_length=1, max_length=64),
    pydantic.AfterValidator(_clean_name),
]


class _Message(pydantic.BaseModel):
    """A request's body: exactly these fields, of exactly these types."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class LeaseIn(_Message):
    """A labeler asks for pairs."""

    labeler: LabelerName
    n: Annotated[int, pydantic.Field(ge=1, le=8)] = 1


class AnswerIn(_Message):
    """A labeler judges a pair."""

    pair: _Number
    labeler: LabelerName
    choice: Choice
    key: Annotated[str, pydantic.Field(min_length=8, max_length=64)]


class UndoIn(_Message):
    """A labeler takes a verdict back; the latest one without a number."""

    labeler: LabelerName
    verdict: _Number | None = None


def verdict_out(verdict: Verdict) -> dict[str, object]:
    """Returns a verdict as the page knows it."""
    return {
        "verdict": verdict.id,
        "pair": verdict.pair_id,
        "choice": _NAMES[verdict.preference],
        "time": verdict.time,
    }
