"""The labeling app over HTTP: what it does, and what it refuses."""

import contextlib
import os
import re
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.labeling_app import App
from imitation.data.labels.queue import LabelQueue, PairRecord

pytest.importorskip("fastapi", reason="needs the extra 'apps'")
pytest.importorskip("uvicorn", reason="needs the extra 'apps'")

MakeQueue = Callable[..., LabelQueue]
RunApp = Callable[..., App]


@pytest.fixture(scope="module")
def queue(
    tmp_path_factory: pytest.TempPathFactory, clip_bytes: bytes
) -> Iterator[LabelQueue]:
    """For requests that store nothing: Ann has judged pair 1 and holds 2, Bob 3."""
    directory = tmp_path_factory.mktemp("queue")
    (directory / "a.mp4").write_bytes(clip_bytes)
    (directory / "secret.txt").write_text("secret")
    with LabelQueue(directory) as made:
        made.add([PairRecord("a.mp4")] * 4)
        made.lease("ann", 2)
        made.submit(1, "ann", 1.0, key="stored-before")
        made.lease("bob")
        yield made


@pytest.fixture(scope="module")
def app(queue: LabelQueue) -> Iterator[App]:
    running = App(queue.directory).start()
    with contextlib.closing(running):
        yield running


def answer(**changes: Any) -> dict[str, Any]:
    """A valid answer about pair 2, but for the changes."""
    return {
        "pair": 2,
        "labeler": "ann",
        "choice": "first",
        "key": "some-unique-key",
        **changes,
    }


ANSWERS, LEASE, UNDO = "/api/answers", "/api/lease", "/api/undo"
NO_TOKEN = {"Authorization": ""}

GETS: dict[str, tuple[int, str, dict[str, str]]] = {
    "page without token": (401, "/", NO_TOKEN),
    "page with a wrong token": (401, "/?token=wrong", NO_TOKEN),
    "page with many fields": (401, "/?" + "a=b&" * 400, NO_TOKEN),
    "token that is no ASCII": (401, "/", {"Authorization": "Bearer \xe9\xff"}),
    "wrong cookie": (401, "/", {**NO_TOKEN, "Cookie": "imitation-0=x"}),
    "broken cookie": (401, "/", {**NO_TOKEN, "Cookie": '"=;=,\x7f'}),
    "script without token": (401, "/app.js", NO_TOKEN),
    "clip without token": (401, "/clips/1/first", NO_TOKEN),
    "token in the URL of data": (401, "/api/session?token=@", NO_TOKEN),
    "unknown path": (404, "/nothing", {}),
    "API description": (404, "/openapi.json", {}),
    "docs": (404, "/docs", {}),
    "path traversal": (404, "/clips/../secret.txt", {}),
    "path traversal below": (404, "/clips/1/../../secret.txt", {}),
    "encoded traversal": (404, "/clips/1/%2e%2e%2fsecret.txt", {}),
    "twice encoded traversal": (404, "/clips/1/%252e%252e%252fsecret.txt", {}),
    "absolute path": (404, "//etc/passwd", {}),
    "traversal in the static files": (404, "/..%2f..%2fserver.py", {}),
    "file name as a side": (404, "/clips/1/secret.txt", {}),
    "NUL in a path": (404, "/clips/1/first%00", {}),
    "clip of an unknown pair": (404, "/clips/99/first", {}),
    "clip that a pair lacks": (404, "/clips/1/second", {}),
    "clip of pair 0": (404, "/clips/0/first", {}),
    "clip of a negative pair": (404, "/clips/-1/first", {}),
    "clip of a huge pair": (404, f"/clips/{10**30}/first", {}),
    "clip of a word": (404, "/clips/one/first", {}),
    "oversized header": (431, "/", {"X-Big": "a" * 40_000}),
    "oversized URL": (414, "/" + "a" * 40_000, {}),
    "name in a query": (422, "/api/state?labeler=%00", {}),
    "no name in a query": (422, "/api/state", {}),
    "answer by GET": (405, ANSWERS, {}),
}

BODIES: dict[str, tuple[int, Any]] = {
    "oversized body": (413, b'{"x": "' + b"a" * 5000 + b'"}'),
    "empty body": (422, b""),
    "malformed JSON": (400, b'{"pair": 2,'),
    "JSON with a tail": (400, b"{} {}"),
    "no UTF-8": (400, b'{"pair": "\xff"}'),
    "deep JSON": (400, b"[" * 2000 + b"]" * 2000),
    "a list": (422, [1, 2]),
    "null": (422, b"null"),
    "no field": (422, {}),
    "unknown field": (422, answer(path="/etc")),
    "unknown choice": (422, answer(choice="best")),
    "number as a choice": (422, answer(choice=1.0)),
    "pair as text": (422, answer(pair="2")),
    "pair as a fraction": (422, answer(pair=2.5)),
    "pair as a truth": (422, answer(pair=True)),
    "pair as NaN": (422, b'{"pair": NaN}'),
    "huge pair": (422, answer(pair=2**63)),
    "unknown pair": (404, answer(pair=99)),
    "pair of somebody else": (409, answer(pair=3)),
    "pair that nobody was given": (409, answer(pair=4)),
    "double submit": (409, answer(pair=1)),
    "double submit of another choice": (409, answer(pair=1, choice="second")),
    "stolen key": (409, answer(key="stored-before")),
    "short key": (422, answer(key="k")),
    "long key": (422, answer(key="k" * 65)),
    "no name": (422, answer(labeler="")),
    "blank name": (422, answer(labeler="  ")),
    "long name": (422, answer(labeler="a" * 65)),
    "name with controls": (422, answer(labeler="a\x00\x1b[2J")),
    "name that is SQL": (409, answer(labeler="'; DROP TABLE pairs;--")),
}

POSTS: dict[str, tuple[int, str, Any, dict[str, str]]] = {
    "no token": (401, ANSWERS, answer(), NO_TOKEN),
    "wrong token": (401, ANSWERS, answer(), {"Authorization": "Bearer " + "x" * 32}),
    "empty token": (401, ANSWERS, answer(), {"Authorization": "Bearer "}),
    "token of another kind": (401, ANSWERS, answer(), {"Authorization": "Basic eDp5"}),
    "lease of none": (422, LEASE, {"labeler": "eve", "n": 0}, {}),
    "lease of all": (422, LEASE, {"labeler": "eve", "n": 10_000}, {}),
    "undo for another": (404, UNDO, {"labeler": "eve", "verdict": 1}, {}),
    "undo of nothing": (404, UNDO, {"labeler": "eve"}, {}),
    "undo of an unknown verdict": (404, UNDO, {"labeler": "ann", "verdict": 77}, {}),
    "form": (415, ANSWERS, b"pair=2", {"Content-Type": "multipart/form-data"}),
    "JSON sent as text": (415, ANSWERS, answer(), {"Content-Type": "text/plain"}),
    "another site": (403, ANSWERS, answer(), {"Sec-Fetch-Site": "cross-site"}),
    "another port": (403, ANSWERS, answer(), {"Sec-Fetch-Site": "same-site"}),
    "post to the page": (405, "/", {}, {}),
}

HOSTILE = {
    **{name: (row[0], "GET", row[1], None, row[2]) for name, row in GETS.items()},
    **{name: (row[0], "POST", ANSWERS, row[1], {}) for name, row in BODIES.items()},
    **{name: (row[0], "POST", *row[1:]) for name, row in POSTS.items()},
    "oversized body of a question": (413, "GET", "/", b"a" * 5000, {}),
    "another method": (405, "PUT", ANSWERS, answer(), {}),
    "deletion of a clip": (405, "DELETE", "/clips/1/first", {}, {}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_request_is_refused_and_stores_nothing(
    app: App, queue: LabelQueue, name: str
) -> None:
    status, method, path, body, headers = HOSTILE[name]
    before = (queue.verdicts(), queue.pending())
    reply = app.request(method, path.replace("@", app.token), body, headers)
    assert reply.status == status, reply.body
    assert (queue.verdicts(), queue.pending()) == before
    assert b"secret" not in reply.body and b"Traceback" not in reply.body
    assert reply.body.count(b"\n") <= 1, "one line says what is wrong"


def raw(app: App, request: bytes) -> bytes:
    """What comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", app.port), timeout=30) as connection:
        connection.sendall(request)
        reply = b""
        with contextlib.suppress(ConnectionResetError):
            while block := connection.recv(65536):
                reply += block
        return reply


def head(app: App, *lines: str) -> bytes:
    fixed = [
        f"POST {ANSWERS} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {app.token}",
        "Content-Type: application/json",
        "Connection: close",
    ]
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


def test_bodies_of_unannounced_length_are_bounded(app: App, queue: LabelQueue) -> None:
    before = queue.verdicts()
    chunk = b"400\r\n" + b" " * 0x400 + b"\r\n"
    reply = raw(app, head(app, "Transfer-Encoding: chunked") + 5 * chunk)
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert queue.verdicts() == before


def test_bodies_that_are_cut_off_store_nothing(app: App, queue: LabelQueue) -> None:
    before = queue.verdicts()
    body = b'{"pair":2,"labeler":"ann","choice":"first","key":"12345678"}'
    request = head(app, "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (
        len(body),
        body,
    )
    with socket.create_connection(("127.0.0.1", app.port)) as connection:
        connection.sendall(request)
    assert app.request("GET", "/api/session").status == 200
    assert queue.verdicts() == before


@pytest.mark.parametrize(
    "request_bytes", [b"\x00\xff\x16\x03\x01 nonsense\r\n\r\n", b"GET\r\n\r\n"]
)
def test_what_is_not_http_is_refused(app: App, request_bytes: bytes) -> None:
    assert raw(app, request_bytes).startswith(b"HTTP/1.1 400 ")
    assert app.request("GET", "/api/session").status == 200


def test_first_visit_swaps_the_token_for_a_cookie(app: App) -> None:
    plain = {"Authorization": ""}
    login = app.request("GET", f"/?token={app.token}", headers=plain)
    assert (login.status, login.headers["Location"]) == (303, "/")
    cookie = login.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))
    page = app.request("GET", "/", headers={**plain, "Cookie": cookie.split(";")[0]})
    assert page.status == 200
    assert b'src="/app.js"' in page.body
    assert app.token.encode() not in page.body


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/clips/1/first", "/nothing", "/?token=no"]
)
def test_every_reply_has_the_security_headers(app: App, path: str) -> None:
    headers = app.request("GET", path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert "server" not in headers


def test_page_loads_nothing_from_elsewhere(app: App) -> None:
    for path in (
        "/",
        "/app.css",
        "/app.js",
        "/connection.js",
        "/panels.js",
        "/player.js",
    ):
        reply = app.request("GET", path)
        assert reply.status == 200
        found = re.findall(rb"(?:https?:)?//[a-z][\w.]+", reply.body)
        assert set(found) <= {b"http://www.w3.org"}, "the name of SVG's format"


def test_token_file_is_its_owners(app: App) -> None:
    path = app.directory / "token"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert path.read_text() == app.token
    assert len(app.token) >= 32


def test_app_listens_on_loopback_alone(app: App) -> None:
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)}
    for address in addresses - {"127.0.0.1", "127.0.1.1", "::1"}:
        with pytest.raises(OSError):
            socket.create_connection((str(address), app.port), timeout=1)


def test_pairs_are_labeled(
    make_queue: MakeQueue, run_app: RunApp, clip_bytes: bytes
) -> None:
    """A whole session: lease, clips, answers, skip, undo, the numbers in the end."""
    queue = make_queue(
        4, lambda i: {"model_probability": 0.9, "secret": "of the model"}
    )
    app = run_app(queue, "--overlap", "2", "--labeler", "ann", "--question", "Which?")
    session = app.request("GET", "/api/session").json
    assert (session["question"], session["labeler"]) == ("Which?", "ann")
    leased = app.request("POST", LEASE, {"labeler": "ann", "n": 4})
    assert leased.json == {"pairs": [{"pair": i} for i in range(1, 5)]}
    assert b"model" not in leased.body, "nothing that could sway people"
    clip = app.request("GET", "/clips/1/second")
    assert (clip.status, clip.headers["Content-Type"]) == (200, "video/mp4")
    assert clip.body == clip_bytes

    for pair, choice in enumerate(["first", "second", "equal", "skip"], start=1):
        stored = app.request(
            "POST", ANSWERS, answer(pair=pair, choice=choice, key=f"number {pair}")
        )
        assert stored.status == 201
        # The queue holds it as soon as the app says so; a repeat changes nothing.
        assert queue.verdicts()[-1].id == stored.json["verdict"]
        again = app.request(
            "POST", ANSWERS, answer(pair=pair, choice=choice, key=f"number {pair}")
        )
        assert (again.status, again.json) == (201, stored.json)
    assert [(a.pair_id, a.preference) for a in queue.answers()] == [
        (1, 1.0),
        (2, 0.0),
        (3, 0.5),
    ]

    undone = app.request("POST", UNDO, {"labeler": "ann", "verdict": 2})
    assert (undone.status, undone.json["pair"]) == (200, 2)
    assert app.request("POST", LEASE, {"labeler": "ann"}).json == {
        "pairs": [{"pair": 2}]
    }

    app.request("POST", LEASE, {"labeler": "bob", "n": 4})
    app.request("POST", ANSWERS, answer(labeler="bob", pair=1, key="one of Bob's"))
    app.request("POST", ANSWERS, answer(labeler="bob", pair=3, key="two of Bob's"))
    state = app.request("GET", "/api/state?labeler=ann").json
    assert [row["choice"] for row in state["history"]] == ["skip", "equal", "first"]
    assert (state["pairs"], state["pending"]) == (4, 2)
    assert state["people"] == {"agree": 1, "of": 2}
    [ann] = [row for row in state["labelers"] if row["name"] == "ann"]
    assert (ann["labels"], ann["skips"]) == (2, 1)
    assert ann["model"] == {"agree": 1, "of": 1}
    assert ann["others"] == {"agree": 1, "of": 2}


def test_restart_after_a_kill_goes_on_with_the_same_link(
    make_queue: MakeQueue, run_app: RunApp
) -> None:
    queue = make_queue(2)
    app = run_app(queue)
    url = app.url
    app.request("POST", LEASE, {"labeler": "ann"})
    app.kill()
    app.start()
    assert app.url == url
    assert app.request("POST", ANSWERS, answer(pair=1)).status == 201
    app.kill()
    assert [a.pair_id for a in queue.answers()] == [1]
    app.options = ("--new-token",)
    app.start()
    assert app.url != url


def test_names_are_spelt_in_one_way(app: App, queue: LabelQueue) -> None:
    path = "/api/state?labeler="
    reply = app.request("GET", f"{path}%20ann%20%20")
    assert [row["pair"] for row in reply.json["history"]] == [1]


def test_damaged_token_file_is_told(tmp_path: Path) -> None:
    from imitation.apps.preferences.serving import read_token
    from imitation.errors import ArtifactError

    (tmp_path / "token").write_text("short")
    with pytest.raises(ArtifactError, match="remove it"):
        read_token(tmp_path)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", ["http://127.0.0.1:5/?token=t"]),
        ("::1", ["http://[::1]:5/?token=t"]),
        (
            "0.0.0.0",
            [
                "http://127.0.0.1:5/?token=t",
                f"http://{socket.gethostname()}:5/?token=t",
            ],
        ),
        ("10.1.2.3", ["http://10.1.2.3:5/?token=t"]),
    ],
)
def test_links_name_where_the_app_is(host: str, expected: list[str]) -> None:
    from imitation.apps.preferences.serving import is_local, links

    assert links(host, 5, "t") == expected
    assert is_local(host) == (host in ("127.0.0.1", "::1"))
