"""Runs the labeling app on a port until it is interrupted."""

import contextlib
import os
import pathlib
import secrets
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from imitation.errors import ArtifactError, ConfigError, reason

_TOKEN_FILE = "token"
_MAX_CONNECTIONS = 512


def read_token(directory: pathlib.Path, *, renew: bool = False) -> str:
    """Returns the secret of a queue, the same after a restart.

    It is kept beside the queue, in a file that only its owner can read, so that open
    pages go on when the app comes back.

    Args:
        directory: of the queue.
        renew: make another one, so that earlier links are worth nothing.

    Raises:
        ArtifactError: the file holds no token.
    """
    path = directory / _TOKEN_FILE
    if renew:
        path.unlink(missing_ok=True)
    with contextlib.suppress(FileExistsError):
        # O_EXCL: of two apps that start at once, one writes and both read.
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    token = path.read_text(encoding="utf-8").strip()
    if len(token) < 32 or not token.isascii():
        raise ArtifactError(f"{path} holds no token; remove it to have a new one")
    return token


def listen(host: str, port: int) -> socket.socket:
    """Opens a port of a host; 0 takes any that is free.

    Raises:
        ConfigError: that is not possible.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {reason(error)}; choose another "
            "--port (0 takes any that is free) or --host"
        ) from error


def links(host: str, port: int, token: str) -> list[str]:
    """Returns the URLs of the app: for a browser here, and for others if they can."""
    names = [host]
    if host in ("0.0.0.0", "::", ""):
        names = ["::1" if host == "::" else "127.0.0.1", socket.gethostname()]
    # In a URL, colons of an IPv6 address would begin a port without brackets.
    bracketed = (f"[{name}]" if ":" in name else name for name in names)
    return [f"http://{name}:{port}/?token={token}" for name in bracketed]


def is_local(host: str) -> bool:
    """Returns whether only this machine can reach a host."""
    return host in ("localhost", "::1") or host.startswith("127.")


def serve(app: ASGIApp, listener: socket.socket, on_start: Callable[[], None]) -> None:
    """Serves the app until it is interrupted, and closes the listener.

    The callback runs once requests are answered.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # it would show the token
        server_header=False,
        lifespan="off",
        # Neither is used: less code that strangers can reach.
        ws="none",
        http="h11",
        h11_max_incomplete_event_size=16 * 1024,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
    )
    with listener:
        _Server(config, on_start).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it has started."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_start()
