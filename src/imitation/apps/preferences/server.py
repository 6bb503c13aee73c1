"""The web application over a label queue.

Pairs and clips are named by number alone; no text of a request reaches a path or a
query. What the reward model thinks of a pair is told only after the answer, lest it
sway people.
"""

import dataclasses
import importlib.resources
import sqlite3
import threading
import time
from typing import Annotated, Literal

import fastapi
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp

from imitation.apps.preferences import messages
from imitation.apps.preferences.guard import Guard, cookie_name
from imitation.data.labels.queue import LabelQueue
from imitation.data.labels.statistics import QueueStatistics
from imitation.errors import (
    ArtifactError,
    ImitationError,
    LabelConflictError,
    UnknownPairError,
)

QUESTION = "Which clip is better?"

_PAGE = {
    "/": ("index.html", "text/html"),
    "/app.css": ("app.css", "text/css"),
    "/app.js": ("app.js", "text/javascript"),
    "/connection.js": ("connection.js", "text/javascript"),
    "/panels.js": ("panels.js", "text/javascript"),
    "/player.js": ("player.js", "text/javascript"),
}
_STATUS: list[tuple[type[ImitationError], int]] = [
    (UnknownPairError, 404),
    (ArtifactError, 404),
    (LabelConflictError, 409),
    (ImitationError, 422),
]
_HISTORY = 50


def create_app(
    queue: LabelQueue, token: str, *, question: str = QUESTION, labeler: str = ""
) -> ASGIApp:
    """Makes the application.

    Args:
        queue: what is labeled. The caller closes it after the application has ended.
        token: the secret that every request must hold.
        question: what people are asked about each pair.
        labeler: the name that the page proposes.
    """
    app = fastapi.FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    _add_errors(app)
    _add_labeling(app, queue)
    folder = importlib.resources.files("imitation.apps.preferences") / "static"
    for url, (name, media_type) in _PAGE.items():
        # Read here, so that no text of a request is ever part of a path.
        _add_file(app, url, (folder / name).read_bytes(), media_type)
    statistics = _Statistics(queue)

    @app.get("/api/state")
    def state(labeler: messages.LabelerName) -> dict[str, object]:
        history = queue.verdicts(labeler, last=_HISTORY)
        return {
            **dataclasses.asdict(statistics.read()),
            "history": [messages.verdict_out(verdict) for verdict in reversed(history)],
        }

    @app.get("/api/session")
    def session() -> dict[str, str]:
        # It differs from queue to queue, and is no secret.
        name = cookie_name(token)
        return {"question": question, "labeler": labeler, "queue": name}

    return Guard(app, token)


class _Statistics:
    """The statistics of a queue, computed for a tenth of the time at most."""

    def __init__(self, queue: LabelQueue) -> None:
        self._queue = queue
        self._lock = threading.Lock()
        self._found: QueueStatistics | None = None
        self._stale_at = 0.0

    def read(self) -> QueueStatistics:
        """Returns fresh ones, or for a large queue those of a moment ago."""
        with self._lock:
            start = time.monotonic()
            if self._found is None or start > self._stale_at:
                self._found = self._queue.statistics()
                end = time.monotonic()
                # Slower queries are asked more rarely: a tenth of the time at most.
                self._stale_at = end + 10 * (end - start)
            return self._found


def _add_labeling(app: fastapi.FastAPI, queue: LabelQueue) -> None:
    """Adds what hands pairs out and takes verdicts in."""

    @app.post("/api/lease")
    def lease(asked: messages.LeaseIn) -> dict[str, list[dict[str, int]]]:
        pairs = queue.lease(asked.labeler, asked.n)
        return {"pairs": [{"pair": pair.id} for pair in pairs]}

    @app.post("/api/answers", status_code=201)
    def answer(given: messages.AnswerIn) -> dict[str, object]:
        preference = messages.CHOICES[given.choice]
        verdict = queue.submit(given.pair, given.labeler, preference, key=given.key)
        return messages.verdict_out(verdict)

    @app.post("/api/undo")
    def undo(asked: messages.UndoIn) -> dict[str, object]:
        return messages.verdict_out(queue.undo(asked.labeler, asked.verdict))

    @app.get("/clips/{pair}/{side}")
    def clip(
        pair: Annotated[int, fastapi.Path(ge=1, lt=2**53)],
        side: Literal["first", "second"],
    ) -> FileResponse:
        path = queue.clip_path(pair, 0 if side == "first" else 1)
        return FileResponse(path, media_type="video/mp4")


def _add_file(app: fastapi.FastAPI, url: str, content: bytes, media_type: str) -> None:
    @app.get(url)
    async def send() -> Response:
        return Response(content, media_type=media_type)


def _add_errors(app: fastapi.FastAPI) -> None:
    """Makes each error one line of JSON with its status."""

    @app.exception_handler(RequestValidationError)
    async def invalid(
        request: fastapi.Request, error: RequestValidationError
    ) -> JSONResponse:
        # One line suffices: the page sends no request that is wrong in two ways.
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        status = 400 if first["type"] == "json_invalid" else 422
        status = 404 if first["loc"][0] == "path" else status
        return JSONResponse({"error": f"{place}: {first['msg']}"}, status)

    @app.exception_handler(ImitationError)
    async def refused(request: fastapi.Request, error: ImitationError) -> JSONResponse:
        status = next(code for kind, code in _STATUS if isinstance(error, kind))
        return JSONResponse({"error": str(error)}, status)

    @app.exception_handler(sqlite3.Error)
    async def not_stored(request: fastapi.Request, error: sqlite3.Error) -> Response:
        text = f"the label queue cannot be used now: {error}"
        return JSONResponse({"error": text}, 503)
