"""Labeling in a terminal: a real one, and lines of a script."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pytest

from imitation.apps.preferences import half_blocks
from imitation.data.labels.queue import LabelQueue
from imitation.errors import ArtifactError

MakeQueue = Callable[..., LabelQueue]
COMMAND = [sys.executable, "-m", "imitation.scripts.label"]


def test_script_labels_by_lines(make_queue: MakeQueue) -> None:
    queue = make_queue(6)
    lines = "left\nRIGHT\n\nwhat\ndown\ns\nu\nu\nleft\nright\nq\nleft\n"
    done = subprocess.run(
        [*COMMAND, str(queue.directory), "--terminal", "--labeler", "ann"],
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [(v.pair_id, v.preference) for v in queue.verdicts("ann")] == [
        (1, 1.0),
        (2, 0.0),
        (3, 1.0),
        (4, 0.0),
    ]
    assert str(queue.directory / "a.mp4") in done.stdout
    assert done.stdout.endswith("4 answers stored, 2 pairs to go\n")


def test_end_of_input_stops_and_the_end_of_the_queue_too(
    make_queue: MakeQueue,
) -> None:
    queue = make_queue(1)
    for given, text in [("", "0 answers"), ("down\n", "nothing to label now")]:
        done = subprocess.run(
            [*COMMAND, str(queue.directory), "--terminal"],
            input=given,
            capture_output=True,
            text=True,
            check=True,
        )
        assert text in done.stdout
    assert [a.preference for a in queue.answers()] == [0.5]


def test_bytes_that_are_no_text_are_no_key(make_queue: MakeQueue) -> None:
    queue = make_queue(1)
    done = subprocess.run(
        [*COMMAND, str(queue.directory), "--terminal"],
        input=b"\xff\xfe\ndown\n",
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert not done.stderr
    assert [a.preference for a in queue.answers()] == [0.5]


class Terminal:
    """A pseudo-terminal with the command in it."""

    def __init__(self, *command: str) -> None:
        self.screen, inner = pty.openpty()
        environment = {**os.environ, "COLUMNS": "80", "LINES": "24"}
        self.process = subprocess.Popen(
            command, stdin=inner, stdout=inner, stderr=inner, env=environment
        )
        os.close(inner)
        self.text = ""

    def wait_for(self, pattern: str) -> None:
        """Reads until something new on the screen matches."""
        end = time.monotonic() + 60
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, self.text[-500:]
            if select.select([self.screen], [], [], 0.1)[0]:
                self.text += os.read(self.screen, 65536).decode("utf-8", "replace")
        self.text = ""

    def press(self, keys: bytes) -> None:
        os.write(self.screen, keys)


def test_person_labels_by_single_keys(make_queue: MakeQueue) -> None:
    queue = make_queue(4)
    directory = str(queue.directory)
    terminal = Terminal(*COMMAND, directory, "--terminal", "--labeler", "ann")
    terminal.wait_for(r"\x1b\[38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m▀+")
    terminal.press(b"\x1b[D")
    terminal.wait_for("Pair 1: left. Saved")
    terminal.press(b" ")
    terminal.press(b"\x1bOC")
    terminal.wait_for("Pair 2: right. Saved")
    terminal.press(b"u")
    terminal.wait_for("Pair 2 is back")
    terminal.press(b"\x1b[B")
    terminal.wait_for("Pair 2: down. Saved")
    terminal.press(b"s")
    terminal.wait_for("Pair 3: skip. Saved")
    terminal.press(b"q")
    terminal.wait_for("2 answers stored, 1 pairs to go")
    assert terminal.process.wait(timeout=30) == 0
    os.close(terminal.screen)
    stored = [(v.pair_id, v.preference) for v in queue.verdicts("ann")]
    assert stored == [(1, 1.0), (2, 0.5), (3, None)]


def test_picture_names_each_run_of_colours_once() -> None:
    frame = np.zeros((2, 3, 3), dtype=np.uint8)
    frame[1] = 255
    frame[0, 2] = (1, 2, 3)
    assert half_blocks.picture(frame) == [
        "\x1b[38;2;0;0;0;48;2;255;255;255m▀▀\x1b[38;2;1;2;3;48;2;255;255;255m▀\x1b[0m"
    ]


def test_pictures_of_two_heights_stand_side_by_side() -> None:
    tall, low = np.zeros((4, 2, 3), np.uint8), np.zeros((2, 1, 3), np.uint8)
    lines = half_blocks.side_by_side(tall, low)
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines] == [
        "▀▀   ▀",
        "▀▀    ",
    ]


def test_clip_is_read_to_the_size_of_the_screen(make_queue: MakeQueue) -> None:
    clip = half_blocks.read_clip(make_queue(1).clip_path(1, 0), columns=30, rows=10)
    assert clip.fps == 20
    assert clip.frames.shape[0] == 10
    _, height, width, _ = clip.frames.shape
    assert height <= 20 and width <= 30 and height % 2 == 0
    assert width / height == pytest.approx(4 / 3, rel=0.1)


def test_what_is_no_video_is_told(make_queue: MakeQueue) -> None:
    path = make_queue(1).directory / "a.mp4"
    path.write_text("no video")
    with pytest.raises(ArtifactError, match="cannot play"):
        half_blocks.read_clip(path, 30, 10)
