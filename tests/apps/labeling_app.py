"""The labeling app as a process of its own, as people run it."""

import contextlib
import dataclasses
import http.client
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any


@dataclasses.dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class App:
    """``imitation label`` on a port of loopback."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.options = options
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> "App":
        command = ["-m", "imitation.scripts.label", str(self.directory)]
        self.process = subprocess.Popen(
            [sys.executable, *command, "--port", str(self.port), *self.options],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", self.url)
        assert found and int(found[1]) == self.port
        self.token = found[2]
        return self

    def close(self) -> None:
        self.kill()

    def kill(self) -> None:
        """Ends it as `kill -9` does."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> Reply:
        """Makes a request with the token, its body as JSON unless it is bytes."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if body is not None:
            sent = {"Content-Type": "application/json", **sent}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        with contextlib.ExitStack() as stack:
            if connection is None:
                connection = stack.enter_context(contextlib.closing(self.connect()))
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
