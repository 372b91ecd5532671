"""What protects the page: allowed hosts, requests of other sites, size of requests, headers of answers."""

import ipaddress
import json
import socket
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cloome_kedro.page.limits import LARGEST_REQUEST

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

#: no other origin, no inline script, no plug-in, no frame of another site
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
#: the structure editor writes scripts and styles into its document. It is alone in a frame and connects to nothing
EDITOR_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'none'; form-action 'none'; base-uri 'none'; "
    "frame-src 'self'; frame-ancestors 'self'"
)
#: a drawing runs nothing, even if it is opened alone
DRAWING_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address has structures
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def allowed_hosts(host: str, names: Iterable[str] = ()) -> frozenset[str]:
    """Names in the header ``Host`` that are answered, for a page that listens on a host.

    Another site can give its name the address of this machine (DNS rebinding), and would then count as the same origin.
    A page beyond this machine also answers to its addresses; see :class:`Guard`.
    """
    of_machine = () if is_loopback(host) else (socket.gethostname(), socket.getfqdn())
    return frozenset(name.strip("[]").casefold() for name in (*_LOOPBACK, host, *of_machine, *names))


class Guard:
    """Middleware that refuses requests and adds headers.

    Parameters
    ----------
    app
        The application.
    hosts
        Names of the host that are answered.
    any_address
        Whether an IP address as host is answered, too. A name is needed to rebind, so this is safe.
    largest
        Bytes of the largest request.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str], any_address: bool, largest: int = LARGEST_REQUEST):
        self.app, self.hosts, self.any_address, self.largest = app, hosts, any_address, largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                return
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        path: str = scope["path"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in headers_of(path).items():
                    found[name] = value
                found.setdefault("Cache-Control", "no-store" if path.startswith("/api/") else "no-cache")
            await send(message)

        if problem := self._problem(scope["method"], path, headers):
            await _refuse(*problem, send_with_headers)
            return
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.largest:
                raise TooLarge
            return message

        try:
            await self.app(scope, receive_limited, send_with_headers)
        except TooLarge:
            await _refuse(413, self._too_large(), send_with_headers)

    def _problem(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        if not self._is_allowed(host := headers.get("host", "")):
            return 403, f"this page does not answer to the host {host[:100]!r}"
        site = headers.get("sec-fetch-site", "same-origin")
        if path.startswith("/api/") and site not in ("same-origin", "none"):
            return 403, "another site has sent this request"
        origin = headers.get("origin")
        if method not in ("GET", "HEAD") and origin is not None and urlsplit(origin).netloc != host:
            return 403, "another site has sent this request"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.largest:
            return 413, self._too_large()
        return None

    def _too_large(self) -> str:
        return f"the upload is larger than {self.largest / (1 << 20):g} MiB, the limit for all files together"

    def _is_allowed(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").casefold()
        except ValueError:
            return False
        if name in self.hosts:
            return True
        try:
            return self.any_address and bool(ipaddress.ip_address(name))
        except ValueError:
            return False


class TooLarge(Exception):
    """A request has more bytes than allowed."""


def headers_of(path: str) -> Mapping[str, str]:
    """Security headers of an answer."""
    if path == "/editor" or path.startswith("/static/jsme/"):
        policy, frames = EDITOR_POLICY, "SAMEORIGIN"
    elif path == "/api/drawing.svg":
        policy, frames = DRAWING_POLICY, "DENY"
    else:
        policy, frames = POLICY, "DENY"
    return {**_HEADERS, "Content-Security-Policy": policy, "X-Frame-Options": frames}


async def _refuse(status: int, text: str, send: Send) -> None:
    body = json.dumps({"detail": text, "about": "page"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
