"""Labeling in a terminal, for machines without a browser.

The clips play side by side until a key is pressed. If input is not a terminal, as in a
script, an answer is a line with the name of its key; if output is not one, the paths of
the clips are printed.
"""

import contextlib
import io
import os
import select
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from imitation.apps.preferences.half_blocks import Clip, read_clip, side_by_side
from imitation.data.labels.queue import LabelQueue
from imitation.errors import ArtifactError, LabelConflictError, UnknownPairError

# The input is over.
END = "end"

# No key came in time.
NOTHING = "nothing"

# Waits so many seconds (None: for ever) for a key and returns its name.
KeyReader = Callable[[float | None], str]

_ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
_ESCAPE_SECONDS = 0.05

_PREFERENCES = {"left": 1.0, "right": 0.0, "down": 0.5, "s": None}
_HELP = (
    "left or right arrow: that clip is better; down: equal; s: skip; u: undo; "
    "space: replay; q: stop"
)
_MAX_FPS = 12.0
_MAX_COLUMNS = 72
_REST_SECONDS = 0.7


def run(queue: LabelQueue, labeler: str, question: str, out: TextIO) -> bool:
    """Asks about pairs until there are none, or the person stops.

    Keys are read from the process's input.

    Returns:
        True if there are no pairs left; False if the person stopped.

    Raises:
        DataError: the labeler's name is empty or long.
        MissingExtraError: PyAV is not installed, and clips shall play here.
    """
    with key_reader() as read_key:
        dialog = _Dialog(queue, labeler, read_key, out)
        dialog.say(f"{question}\n{_HELP}")
        while pairs := queue.lease(labeler):
            if not dialog.ask(pairs[0].id):
                return False
        dialog.say("There is nothing to label now.")
        return True


class _Dialog:
    """Asks one person."""

    def __init__(
        self, queue: LabelQueue, labeler: str, read_key: KeyReader, out: TextIO
    ) -> None:
        self._queue = queue
        self._labeler = labeler
        self._read_key = read_key
        self._out = out

    def say(self, text: str) -> None:
        """Writes a line."""
        print(text, file=self._out, flush=True)

    def ask(self, pair_id: int) -> bool:
        """Shows a pair until something is decided; False to stop."""
        self.say(f"\nPair {pair_id}, {self._queue.pending()} to go")
        key = self._watch(pair_id)
        while key not in (*_PREFERENCES, "u", "q", END):
            self.say(_HELP)
            key = self._watch(pair_id)
        if key in ("q", END):
            return False
        try:
            if key == "u":
                undone = self._queue.undo(self._labeler).pair_id
                self.say(f"Pair {undone} is back.")
            else:
                self._queue.submit(pair_id, self._labeler, _PREFERENCES[key])
                self.say(f"Pair {pair_id}: {'skip' if key == 's' else key}. Saved.")
        except (LabelConflictError, UnknownPairError) as error:
            self.say(f"Not done: {error}.")
        return True

    def _watch(self, pair_id: int) -> str:
        """Shows the clips again and again until a key comes; returns its name."""
        try:
            paths = [self._queue.clip_path(pair_id, side) for side in (0, 1)]
            if not self._out.isatty() or not sys.stdin.isatty():
                self.say(f"  left:  {paths[0]}\n  right: {paths[1]}")
                return self._read_key(None)
            size = shutil.get_terminal_size()
            columns = min(_MAX_COLUMNS, (size.columns - 3) // 2)
            clips = [read_clip(path, columns, size.lines - 5) for path in paths]
        except ArtifactError as error:
            self.say(f"  {error}")
            return self._read_key(None)
        while (key := self._play(clips)) in ("space", NOTHING):
            pass
        return key

    def _play(self, clips: list[Clip]) -> str:
        """Plays both clips once, the shorter one waiting at its end."""
        step = max(1, round(clips[0].fps / _MAX_FPS))
        end = max(len(clip.frames) for clip in clips) - 1
        key = NOTHING
        for now in [*range(0, end, step), end]:
            left, right = (
                clip.frames[min(now, len(clip.frames) - 1)] for clip in clips
            )
            lines = side_by_side(left, right)
            self.say("\n".join(lines))
            key = self._read_key(_REST_SECONDS if now == end else step / clips[0].fps)
            if key not in (NOTHING, "space"):
                break
            # The next frame is drawn over this one.
            self._out.write(f"\x1b[{len(lines)}A")
            if key == "space":
                break
        return key


@contextlib.contextmanager
def key_reader() -> Iterator[KeyReader]:
    """Yields a reader of the process's input; the terminal is restored afterwards."""
    if not sys.stdin.isatty():
        # Bytes that the locale cannot decode are a wrong key like any other.
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
    """Returns the key that the next line names, whatever the timeout."""
    line = sys.stdin.readline()
    return (line.strip().lower() or "space") if line else END


def _read_key(descriptor: int, timeout: float | None) -> str:
    if not select.select([descriptor], [], [], timeout)[0]:
        return NOTHING
    first = os.read(descriptor, 1)
    if first == b"\x1b":
        # The rest of an arrow's sequence, ESC [ A or ESC O A, comes at once.
        rest = b""
        while len(rest) < 2 and select.select([descriptor], [], [], _ESCAPE_SECONDS)[0]:
            rest += os.read(descriptor, 1)
        return _ARROWS.get(rest[1:], "escape") if rest[:1] in b"[O" else "escape"
    if first in (b"", b"\x04"):
        return END
    return "space" if first == b" " else first.decode("latin-1").lower()
