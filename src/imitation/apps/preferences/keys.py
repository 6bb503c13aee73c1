"""Single keys from a terminal, or their names line by line from a script."""

import contextlib
import io
import os
import select
import sys
from collections.abc import Callable, Iterator

__all__ = ["END", "NOTHING", "KeyReader", "key_reader"]

END = "end"
"""The input is over."""

NOTHING = "nothing"
"""No key came in time."""

KeyReader = Callable[[float | None], str]
"""Waits so many seconds (None: for ever) for a key and returns its name."""

_ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
_ESCAPE_SECONDS = 0.05


@contextlib.contextmanager
def key_reader() -> Iterator[KeyReader]:
    """Yields a reader of the process's input; the terminal is restored afterwards."""
    if not sys.stdin.isatty():
        # What is no text of the locale is a wrong key like any other.
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")
        yield _read_line
        return
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield lambda timeout: _read_key(descriptor, timeout)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _read_line(timeout: float | None) -> str:
    """The key that the next line names, whatever the timeout."""
    line = sys.stdin.readline()
    return (line.strip().lower() or "space") if line else END


def _read_key(descriptor: int, timeout: float | None) -> str:
    if not select.select([descriptor], [], [], timeout)[0]:
        return NOTHING
    first = os.read(descriptor, 1)
    if first == b"\x1b":
        return _read_escape(descriptor)
    if first in (b"", b"\x04"):
        return END
    return "space" if first == b" " else first.decode("latin-1").lower()


def _read_escape(descriptor: int) -> str:
    """The rest of an arrow's sequence, ESC [ A or ESC O A."""
    sequence = b""
    while len(sequence) < 2 and select.select([descriptor], [], [], _ESCAPE_SECONDS)[0]:
        sequence += os.read(descriptor, 1)
    return _ARROWS.get(sequence[1:], "escape") if sequence[:1] in b"[O" else "escape"
