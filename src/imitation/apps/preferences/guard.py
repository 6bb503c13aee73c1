"""Access to the app: authentication, and limits on requests.

Every request needs the token of the URL that the command prints: as a cookie, which the
first visit of that URL sets, or as ``Authorization: Bearer``. A request that changes
something must hold JSON, so that pages of other sites cannot make one, and its body is
bounded, whether its length is announced or not.
"""

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# More than any request of the page needs.
MAX_BODY_BYTES = 4096

_MAX_URL_BYTES = 2048
_MAX_HEAD_BYTES = 16 * 1024

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def cookie_name(token: str) -> str:
    """Returns a cookie's name that differs between apps on ports of one machine."""
    return f"imitation-{hashlib.sha256(token.encode()).hexdigest()[:12]}"


class Guard:
    """Lets requests through that hold the token, and adds headers to every response.

    Args:
        app: what is guarded.
        token: the secret.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token
        self._cookie = cookie_name(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request or another event of ASGI."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        # Refused before the body is read: strangers cannot fill the memory.
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        body = await _read_body(receive)
        if body is None:
            await _too_large()(scope, receive, send_with_headers)
            return
        unread = [body]

        async def replayed() -> Message:
            # The body once, then what comes after it, such as a disconnection.
            if unread:
                content = unread.pop()
                return {"type": "http.request", "body": content, "more_body": False}
            return await receive()

        await self.app(scope, replayed, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Returns the response to a request that is refused; None if it is not."""
        headers = Headers(scope=scope)
        if len(scope["raw_path"]) + len(scope["query_string"]) > _MAX_URL_BYTES:
            return _plain(414, f"a URL may hold {_MAX_URL_BYTES} bytes")
        if sum(len(name) + len(value) for name, value in headers.raw) > _MAX_HEAD_BYTES:
            return _plain(431, f"headers may hold {_MAX_HEAD_BYTES} bytes")
        reading = scope["method"] in ("GET", "HEAD")
        if reading and scope["path"] == "/" and scope["query_string"]:
            return self._login(scope)
        if not self._knows_token(headers):
            return _plain(
                401, "open the link that imitation label has printed, token and all"
            )
        if reading:
            return None
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _plain(403, "a request from another site")
        # A form of another site can send text/plain, but not JSON without a preflight.
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _plain(415, "expected Content-Type: application/json")
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced) > MAX_BODY_BYTES:
            return _too_large()
        return None

    def _login(self, scope: Scope) -> Response:
        """Swaps the token in the URL for a cookie, to keep it out of the history."""
        query = QueryParams(scope["query_string"])
        if not self._is_token(query.get("token", "")):
            return _plain(401, "the token in this link is wrong; copy the whole link")
        response = RedirectResponse("/", status_code=303)
        response.set_cookie(
            self._cookie,
            self._token,
            max_age=90 * 24 * 3600,
            httponly=True,
            # "strict" would not survive the redirection of a link in somebody's mail.
            samesite="lax",
        )
        return response

    def _knows_token(self, headers: Headers) -> bool:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(credentials.strip())
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return cookie is not None and self._is_token(cookie.value)

    def _is_token(self, candidate: str) -> bool:
        """Compares in a time that does not tell how much is right."""
        return hmac.compare_digest(
            candidate.encode("utf-8", "surrogateescape"), self._token.encode()
        )


async def _read_body(receive: Receive) -> bytes | None:
    """The body of a request; None once it is too large, or breaks off."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return body


def _too_large() -> Response:
    return _plain(413, f"a request may hold {MAX_BODY_BYTES} bytes")


def _plain(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=status)
