"""Lets people compare clips: ``imitation label RUN_DIR``.

Serves the labeling app for the pairs that a run of preference comparisons asks about,
or asks in this terminal with ``--terminal``.
"""

import argparse
import contextlib
import getpass
import pathlib
import sys
import time
from collections.abc import Sequence

from imitation.data.labels.queue import FILE_NAME, LabelQueue
from imitation.errors import ArtifactError, ConfigError, missing_extra
from imitation.scripts.command_line import OneLineParser, main_of

_DEFAULT_PORT = 8765

# Where a run's directory has its queue.
QUEUE_DIR = "label_queue"

# Where else a queue may lie.
_PLACES = ("", QUEUE_DIR, "labels")

_WAIT_SECONDS = 0.5


def find_queue(run_dir: pathlib.Path) -> pathlib.Path:
    """Returns the directory of a run's label queue."""
    for place in _PLACES:
        if (run_dir / place / FILE_NAME).is_file():
            return run_dir / place
    if not run_dir.is_dir():
        raise ArtifactError(f"there is no directory {run_dir}")
    raise ArtifactError(
        f"{run_dir} holds no label queue ({FILE_NAME}); start the run that asks people "
        "first, and give its directory, or add --wait"
    )


@main_of
def main(arguments: Sequence[str]) -> None:
    """Lets people compare clips, here or in a browser."""
    parsed = _parser().parse_args(arguments)
    if parsed.wait:
        _await_queue(parsed.run_dir)
    # A mistyped directory must not become a queue that no run reads.
    with LabelQueue(find_queue(parsed.run_dir), create=False) as queue:
        if parsed.overlap is not None:
            queue.set_overlap(parsed.overlap)
        if parsed.terminal:
            _in_terminal(queue, parsed)
        else:
            _in_browser(queue, parsed)
        n_answers, n_pending = len(queue.answers()), queue.pending()
    print(f"{n_answers} answers stored, {n_pending} pairs to go")


def _await_queue(run_dir: pathlib.Path) -> None:
    """Waits until a run has begun to ask; only then is there a queue."""
    said = False
    while True:
        with contextlib.suppress(ArtifactError):
            find_queue(run_dir)
            return
        if not said:
            print(f"Waiting for a run in {run_dir}; Ctrl-C stops", flush=True)
            said = True
        time.sleep(_WAIT_SECONDS)


def _in_terminal(queue: LabelQueue, parsed: argparse.Namespace) -> None:
    from imitation.apps.preferences import terminal

    labeler = parsed.labeler
    if not labeler:
        try:
            labeler = getpass.getuser()
        except (KeyError, OSError) as error:  # as in a container without such a user
            raise ConfigError(
                "the user has no name here; give --labeler NAME"
            ) from error
    while terminal.run(queue, labeler, parsed.question, sys.stdout) and parsed.wait:
        while not queue.lease(labeler):
            time.sleep(_WAIT_SECONDS)


def _in_browser(queue: LabelQueue, parsed: argparse.Namespace) -> None:
    try:
        from imitation.apps.preferences import server, serving
    except ModuleNotFoundError as error:
        raise missing_extra(str(error.name), "apps") from error

    token = serving.read_token(queue.directory, renew=parsed.new_token)
    app = server.create_app(
        queue, token, question=parsed.question, labeler=parsed.labeler or ""
    )
    listener = serving.listen(parsed.host, parsed.port)
    # Where port 0 asked for any free one, this is the one that was found.
    port = listener.getsockname()[1]

    def announce() -> None:
        for link in serving.links(parsed.host, port, token):
            print(link)
        if not serving.is_local(parsed.host):
            print(
                "Whoever reads the network can read this link: use it in a network "
                "you trust, or through an encrypted tunnel."
            )
        print("Open the link to label; Ctrl-C stops, and nothing is lost.", flush=True)

    try:
        serving.serve(app, listener, announce)
    except KeyboardInterrupt:
        print()


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        prog="imitation label",
        description="Lets people compare the clips that a run asks about.",
    )
    parser.add_argument(
        "run_dir",
        type=pathlib.Path,
        metavar="RUN_DIR",
        help="the directory that the run has printed",
    )
    parser.add_argument(
        "--port",
        type=port_number,
        default=_DEFAULT_PORT,
        help=f"port of the app (default: {_DEFAULT_PORT}; 0 takes any that is free)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, which only this machine can "
        "reach; 0.0.0.0 lets others in who have the link)",
    )
    parser.add_argument(
        "--overlap",
        type=int,
        metavar="N",
        help="how many people shall judge each pair (default: as before, at first 1)",
    )
    parser.add_argument(
        "--labeler",
        "--labeller",
        dest="labeler",
        metavar="NAME",
        help="whose labels these are (asked otherwise)",
    )
    parser.add_argument(
        "--question",
        default="Which clip is better?",
        help="what is asked about each pair (default: %(default)s)",
    )
    parser.add_argument(
        "--new-token",
        action="store_true",
        help="make a new link; earlier ones stop working",
    )
    parser.add_argument(
        "--terminal", action="store_true", help="ask here instead of in a browser"
    )
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for the run to begin, and in a terminal also for more pairs",
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def port_number(text: str) -> int:
    """Reads the number of a port."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port of 0 to 65535, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
