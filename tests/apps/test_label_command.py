"""``imitation label``: its arguments, and what it says when it cannot go on."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imitation.data.labels.queue import LabelQueue
from imitation.scripts import label

MakeQueue = Callable[..., LabelQueue]


@pytest.mark.parametrize("place", ["", "label_queue", "labels"])
def test_queue_is_found_in_the_directory_of_a_run(tmp_path: Path, place: str) -> None:
    LabelQueue(tmp_path / place).close()
    assert label.find_queue(tmp_path) == tmp_path / place


BAD_ARGUMENTS = {
    "no directory": ([], "required: RUN_DIR"),
    "missing directory": (["nowhere"], "there is no directory nowhere"),
    "no queue": (["."], "holds no label queue (labels.sqlite3); start the run"),
    "port that is none": (["queue", "--port", "http"], "expected a port of 0 to 65535"),
    "negative port": (["queue", "--port=-1"], "expected a port of 0 to 65535"),
    "large port": (["queue", "--port", "65536"], "expected a port of 0 to 65535"),
    "overlap of none": (
        ["queue", "--overlap", "0"],
        "overlap must be 1 or more, got 0",
    ),
    "overlap of words": (["queue", "--overlap", "two"], "invalid int value: 'two'"),
    "unknown host": (["queue", "--host", "256.0.0.1"], "cannot listen on 256.0.0.1"),
    "name that is long": (
        ["queue", "--terminal", "--labeler", "x" * 65],
        "a labeler's name of 1 to 64 printable characters",
    ),
    "name that is long, by the old option": (
        ["queue", "--terminal", "--labeller", "x" * 65],
        "a labeler's name of 1 to 64 printable characters",
    ),
    "unknown option": (["queue", "--color"], "unrecognized arguments: --color"),
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_mistakes_are_told_in_one_line(
    name: str,
    make_queue: MakeQueue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_queue(1)
    monkeypatch.chdir(tmp_path)
    arguments, text = BAD_ARGUMENTS[name]
    assert label.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("imitation: ") and error.count("\n") == 1
    assert text in error


def test_user_without_a_name_gives_one(
    make_queue: MakeQueue,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 5)  # of nobody here
    assert label.main([str(make_queue(1).directory), "--terminal"]) == 2
    assert "give --labeler NAME" in capsys.readouterr().err


def test_busy_port_is_told(
    make_queue: MakeQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = make_queue(1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert label.main([str(queue.directory), "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in capsys.readouterr().err


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from imitation.scripts import label
sys.exit(label.main(sys.argv[2:]))
"""


@pytest.mark.parametrize("package", ["fastapi", "uvicorn"])
def test_missing_extra_is_told(make_queue: MakeQueue, package: str) -> None:
    arguments = [package, str(make_queue(1).directory)]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"imitation: {package} is not installed; run: pip install 'imitation[apps]'\n"
    )


def test_stopped_app_says_what_is_stored(make_queue: MakeQueue) -> None:
    pytest.importorskip("uvicorn")
    queue = make_queue(3)
    queue.lease("ann")
    queue.submit(1, "ann", 1.0)
    command = ["-m", "imitation.scripts.label", str(queue.directory), "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C" in line:
            break
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.strip() == "1 answers stored, 2 pairs to go"
